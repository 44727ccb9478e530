"""lexitune evaluate: did it help?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from lexitune.cli.command import Call, Command, Result
from lexitune.models.options import ModelOptions
from lexitune.stages.evaluate.options import EvaluateOptions

if TYPE_CHECKING:
    from lexitune.stages.evaluate.evaluation import Evaluation

__all__ = ["command"]


def run(call: Call) -> Result:
    """Compare tuned with stock on the test queries.

    Measures stock, BM25, tuned and both hybrids, through the staged index. Opens the test set.
    MODEL_ID is a folder's name in models/; left out, the one that is staged.
    """
    workspace = call.workspace()
    options = call.sections(workspace)
    from lexitune.pipeline.outcome import fold, shown_path, table_lines
    from lexitune.pipeline.refresh import refresh_report
    from lexitune.stages.evaluate.driver import run as evaluate

    found = evaluate(
        workspace,
        model_id=call.params["model_id"],
        model=options["model"],
        options=options["evaluate"],
        talk=call.talk,
    )
    if report := refresh_report(workspace):
        call.talk.say(f"evaluate: plots and tables in {shown_path(report)}")
    return Result([*table_lines(found), *map(fold, found.notes)], to_json(found), "lexitune promote")


def to_json(found: Evaluation) -> dict[str, Any]:
    """Means with intervals, without the values of single queries: those are in `reports/` and `runs/`."""
    from lexitune.pipeline.outcome import gains

    return {
        "model_id": found.model_id,
        "primary": found.primary,
        "systems": {name: report.summary() for name, report in found.systems.items()},
        "gain": gains(found.comparison),
        "guard": {name: gains(comparison) for name, comparison in found.guard.items()},
        "seconds": dict(found.seconds),
        "notes": list(found.notes),
    }


command = Command(
    "evaluate",
    run,
    sections=(ModelOptions, EvaluateOptions),
    params=[click.Argument(["model_id"], required=False)],
    has_json=True,
)
