"""lexitune reembed: the corpus in the challenger's vectors."""

from __future__ import annotations

import click

from lexitune.cli.command import Call, Command, Result
from lexitune.models.options import ModelOptions
from lexitune.stages.reembed.options import ReembedOptions

__all__ = ["command"]


def run(call: Call) -> Result:
    """Encode the corpus with a challenger.

    The index is built beside the live one, verified, and staged. What it will take is said before it begins.
    MODEL_ID is a folder's name in models/; left out, the newest.
    """
    workspace = call.workspace()
    options = call.sections(workspace)
    from lexitune.pipeline.plan import hourly_rate
    from lexitune.stages.reembed.driver import foresee
    from lexitune.stages.reembed.driver import run as reembed

    rate, model_id = hourly_rate(workspace, options), call.params["model_id"]
    own = [model_id] if model_id else []
    if call.params["dry_run"]:
        plan = foresee(
            workspace,
            model_id=model_id,
            model=options["model"],
            options=options["reembed"],
            pounds_per_hour=rate,
            talk=call.talk,
        )
        return Result(plan.lines(), next_command=" ".join(["lexitune reembed", *own]))
    folder = reembed(
        workspace,
        model_id=model_id,
        model=options["model"],
        options=options["reembed"],
        pounds_per_hour=rate,
        talk=call.talk,
    )
    return Result([str(folder)], next_command=" ".join(["lexitune evaluate", *own]))


command = Command(
    "reembed",
    run,
    sections=(ModelOptions, ReembedOptions),
    params=[
        click.Argument(["model_id"], required=False),
        click.Option(["--dry-run"], is_flag=True, help="Say what it will take, and stop"),
    ],
    is_shared=True,
)
