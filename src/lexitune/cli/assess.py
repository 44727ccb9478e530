"""lexitune assess: is the stock model good enough?"""

from __future__ import annotations

from dataclasses import asdict

from lexitune.cli.command import Call, Command, Result
from lexitune.models.options import ModelOptions
from lexitune.stages.assess.options import AssessOptions

__all__ = ["command"]


def run(call: Call) -> Result:
    """Say whether tuning is worth it.

    Measures the stock model, BM25 and their hybrid on train and dev queries; test stays closed.
    """
    workspace = call.workspace()
    options = call.sections(workspace)
    from lexitune.stages.assess.driver import run as assess

    advice = assess(workspace, model=options["model"], options=options["assess"], talk=call.talk)
    lines = [
        f"{advice.answer}: {reason}" if not number else f"  {reason}" for number, reason in enumerate(advice.reasons)
    ]
    return Result(lines or [advice.answer], asdict(advice), advice.next_command)


command = Command("assess", run, sections=(ModelOptions, AssessOptions), has_json=True)
