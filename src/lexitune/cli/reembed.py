"""lexitune reembed: the corpus in the challenger's vectors."""

from __future__ import annotations

import click

from lexitune.cli.command import Call, Command, Result
from lexitune.models.options import ModelOptions
from lexitune.stages.reembed.options import ReembedOptions

__all__ = ["command"]


def run(call: Call) -> Result:
    """Encode the corpus with a challenger.

    The index is built beside the live one, verified, and staged.
    MODEL_ID is a folder's name in models/; left out, the newest.
    """
    workspace = call.workspace()
    options = call.sections(workspace)
    from lexitune.stages.reembed.driver import run as reembed

    model_id = call.params["model_id"]
    folder = reembed(workspace, model_id=model_id, model=options["model"], options=options["reembed"], talk=call.talk)
    return Result([str(folder)], next_command=" ".join(["lexitune evaluate", *([model_id] if model_id else [])]))


command = Command(
    "reembed",
    run,
    sections=(ModelOptions, ReembedOptions),
    params=[click.Argument(["model_id"], required=False)],
    is_shared=True,
)
