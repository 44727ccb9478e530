"""lexitune promote: the gate, and the switch."""

from __future__ import annotations

import math
from dataclasses import asdict

import click

from lexitune.cli.command import Call, Command, Result, ask, code_lines, in_folder
from lexitune.errors import UsageError
from lexitune.stages.promote.options import PromoteOptions

__all__ = ["command"]


def run(call: Call) -> Result:
    """Let the challenger serve, if the gate says yes.

    Model, index and thresholds switch together.
    MODEL_ID is a folder's name in models/; left out, the one that is staged. Exit code 4: a shown failure. 5: the
    test queries do not tell. --force overrules either, and records who did and why.
    """
    thresholds = read_thresholds(call.params["threshold"])
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
    result = promote(
        workspace, model_id=staged.model_id, options=options, force=force, thresholds=thresholds, talk=call.talk
    )
    refresh_report(workspace)
    lines = [fold(f"{result.answer}: {result.reasons[0]}"), *(fold(f"- {reason}") for reason in result.reasons[1:])]
    if forced := result.evidence["forced"]:
        lines.append(fold(f"forced by {forced['who']}: {forced['why']}"))
    after = read_serving(workspace)
    if after != before:
        lines.append(f"before it {old} served; back again: {in_folder('lexitune rollback', workspace.root)}")
        lines += code_lines(staged.model_id, workspace.root)
    data = {"gate": asdict(result), "serving": asdict(after) if after else None}
    return Result(lines, data, result.next_command, exit_code(result))


def read_thresholds(given: tuple[str, ...]) -> dict[str, float]:
    """name -> score, from `name=score` texts.

    Raises:
        UsageError: A text without a name or a number, or a name twice.

    Example:
        >>> read_thresholds(("cut=0.62",))
        {'cut': 0.62}
    """
    found: dict[str, float] = {}
    for one in given:
        name, _, score = (part.strip() for part in one.partition("="))
        try:
            value = float(score)
        except ValueError:
            value = math.nan
        if not name or math.isnan(value) or name in found:
            raise UsageError(
                "E2012", f"--threshold {one!r} is no name and score of its own", fix="--threshold cut=0.62"
            )
        found[name] = value
    return found


command = Command(
    "promote",
    run,
    sections=(PromoteOptions,),
    params=[
        click.Argument(["model_id"], required=False),
        click.Option(["--yes"], is_flag=True, help="Do not ask"),
        click.Option(["--force"], metavar="WHY", help="Let it serve whatever the gate says; who and why are recorded"),
        click.Option(
            ["--threshold"],
            multiple=True,
            metavar="NAME=SCORE",
            help="A score of what serves now that your code cuts at: the line that serves will hold what it is then",
        ),
    ],
    has_json=True,
)
