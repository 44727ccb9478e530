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
    workspace, why = call.workspace(), call.params["leave_store"]
    from lexitune.stages.promote.driver import recover, rollback
    from lexitune.stages.promote.leaving import offering_to_leave
    from lexitune.stages.promote.serving import read_serving
    from lexitune.stages.promote.switch import history, interrupted_rollback, under_way

    # Somebody said yes to it already; or a switch waits for the store that is to be left.
    begun = interrupted_rollback(workspace) is not None or bool(why is not None and under_way(workspace))
    if not begun:
        with offering_to_leave():
            recover(workspace, talk=call.talk)
    serving, earlier = read_serving(workspace), history(workspace)
    if serving and earlier and not begun:
        call.talk.say(f"serves now:  {serving}")
        call.talk.say(f"will serve:  {earlier[-1]}")
        if not ask("Go back?", yes=call.params["yes"], command="rollback"):
            return Result(["nothing was changed"], next_command="lexitune status")
    now = rollback(workspace, reason=call.params["reason"], leave_store=why, talk=call.talk)
    return Result([f"{now.model} serves"], next_command="lexitune status")


command = Command(
    "rollback",
    run,
    params=[
        click.Option(["--reason"], default="", metavar="TEXT", help="Why, for the log that models show tells from"),
        click.Option(
            ["--leave-store"],
            metavar="WHY",
            help="Do without a store that is lost: what it served is served from files; who and why are recorded",
        ),
        click.Option(["--yes"], is_flag=True, help="Do not ask"),
    ],
)
