"""lexitune mine: hard negatives for training."""

from __future__ import annotations

from dataclasses import asdict

from lexitune.cli.command import Call, Command, Result
from lexitune.models.options import ModelOptions
from lexitune.stages.mine.options import MineOptions

__all__ = ["command"]


def run(call: Call) -> Result:
    """Find passages that look relevant and are not.

    Writes negatives of every train query with their origin, an estimate of how many are
    right after all, and a list of the most suspect ones for an expert to label.

    \b
    lexitune mine                                    the stock model's mistakes
    lexitune mine --model models/ID --last 50        those of a model trained here
    lexitune mine --candidates hybrid --count 8
    """
    workspace = call.workspace()
    options = call.sections(workspace)
    from lexitune.stages.mine.driver import run as mine

    found = mine(workspace, model=options["model"], options=options["mine"], talk=call.talk)
    lines = [str(found.examples), str(found.negatives), str(found.suspects)]
    return Result(lines, asdict(found), "lexitune train")


command = Command("mine", run, sections=(ModelOptions, MineOptions), has_json=True)
