"""lexitune rollback: what served before serves again."""

from __future__ import annotations

import click

from lexitune.cli.command import Call, Command, Result, ask

__all__ = ["command"]


def run(call: Call) -> Result:
    """Go back to what served before.

    Nothing is downloaded or encoded.

    \b
    lexitune rollback --reason "users miss the old answers"
    """
    workspace = call.workspace()
    from lexitune.stages.promote.driver import recover, rollback
    from lexitune.stages.promote.serving import read_serving
    from lexitune.stages.promote.switch import history, interrupted_rollback

    begun = interrupted_rollback(workspace) is not None  # somebody said yes to it already
    if not begun:
        recover(workspace, talk=call.talk)
    serving, earlier = read_serving(workspace), history(workspace)
    if serving and earlier and not begun:
        call.talk.say(f"serves now:  {serving}")
        call.talk.say(f"will serve:  {earlier[-1]}")
        if not ask("Go back?", yes=call.params["yes"], command="rollback"):
            return Result(["nothing was changed"], next_command="lexitune status")
    now = rollback(workspace, reason=call.params["reason"], talk=call.talk)
    return Result([f"{now.model} serves"], next_command="lexitune status")


command = Command(
    "rollback",
    run,
    params=[
        click.Option(["--reason"], default="", metavar="TEXT", help="Why, for the log that models show tells from"),
        click.Option(["--yes"], is_flag=True, help="Do not ask"),
    ],
)
