"""lexitune train: the challenger."""

from __future__ import annotations

from lexitune.cli.command import Call, Command, Result
from lexitune.models.options import ModelOptions
from lexitune.stages.train.options import TrainOptions

__all__ = ["command"]


def run(call: Call) -> Result:
    """Train a challenger on the train pairs.

    Dev queries choose the checkpoint. An interrupted training goes on where it was.
    """
    workspace = call.workspace()
    options = call.sections(workspace)
    from lexitune.stages.train.driver import run as train

    folder = train(workspace, model=options["model"], options=options["train"], talk=call.talk)
    return Result([str(folder)], next_command=f"lexitune reembed {folder.name}")


command = Command("train", run, sections=(ModelOptions, TrainOptions), is_shared=True)
