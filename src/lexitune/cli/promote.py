"""lexitune promote: the gate, and the switch."""

from __future__ import annotations

from dataclasses import asdict

import click

from lexitune.cli.command import Call, Command, Result, ask, in_folder
from lexitune.stages.promote.options import PromoteOptions

__all__ = ["command"]


def run(call: Call) -> Result:
    """Let the challenger serve, if the gate says yes.

    Model, index and thresholds switch together.
    MODEL_ID is a folder's name in models/; left out, the one that is staged. Exit code 4: a shown failure. 5: the
    test queries do not tell. --force overrules either, and records who did and why.
    """
    workspace = call.workspace()
    options = call.sections(workspace)["promote"]
    from lexitune.io.staged import require_staged
    from lexitune.pipeline.outcome import fold
    from lexitune.pipeline.refresh import refresh_report
    from lexitune.stages.promote.driver import recover
    from lexitune.stages.promote.driver import run as promote
    from lexitune.stages.promote.gate import exit_code
    from lexitune.stages.promote.serving import read_serving

    recover(workspace, talk=call.talk)
    staged, before = require_staged(workspace, call.params["model_id"]), read_serving(workspace)
    old = str(before) if before else "the stock model"
    call.talk.say(f"serves now:  {old}")
    call.talk.say(f"challenger:  models/{staged.model_id}, index {staged.index or staged.vectors}")
    force = call.params["force"]
    question = "if the gate agrees" if force is None else "whatever the gate says"
    if not ask(f"Let the challenger serve, {question}?", yes=call.params["yes"], command="promote"):
        return Result(["nothing was changed"], {"gate": None}, "lexitune status")
    result = promote(workspace, model_id=staged.model_id, options=options, force=force, talk=call.talk)
    refresh_report(workspace)
    lines = [fold(f"{result.answer}: {result.reasons[0]}"), *(fold(f"- {reason}") for reason in result.reasons[1:])]
    if forced := result.evidence["forced"]:
        lines.append(fold(f"forced by {forced['who']}: {forced['why']}"))
    after = read_serving(workspace)
    if after != before:
        lines.append(f"before it {old} served; back again: {in_folder('lexitune rollback', workspace.root)}")
    data = {"gate": asdict(result), "serving": asdict(after) if after else None}
    return Result(lines, data, result.next_command, exit_code(result))


command = Command(
    "promote",
    run,
    sections=(PromoteOptions,),
    params=[
        click.Argument(["model_id"], required=False),
        click.Option(["--yes"], is_flag=True, help="Do not ask"),
        click.Option(["--force"], metavar="WHY", help="Let it serve whatever the gate says; who and why are recorded"),
    ],
    has_json=True,
)
