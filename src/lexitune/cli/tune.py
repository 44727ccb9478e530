"""lexitune tune: the journey."""

from __future__ import annotations

from pathlib import Path

import click

from lexitune.cli.command import Call, Command, Result
from lexitune.cli.options import SECTIONS
from lexitune.errors import UsageError

__all__ = ["command"]


def run(call: Call) -> Result:
    """Assess, train, re-embed, evaluate and promote: from your pairs to a model that serves, or to the reason why not.

    DATA is a BEIR folder, or a CSV, TSV or JSONL file of pairs (query, passage). Left out, the
    workspace's own data is used. A tune that was cut off goes on where it was.
    """
    given = call.params["data"]
    workspace = call.workspace_or_new()
    if given is None and not workspace.dataset.exists():
        raise UsageError("E2012", f"no DATA given, and none in {workspace.root}", fix="lexitune tune pairs.csv")
    sections = call.sections(workspace)
    from lexitune.pipeline.tune import run as tune

    outcome = tune(workspace, given, sections=sections, talk=call.talk)
    return Result(outcome.lines, outcome.to_json(), outcome.next_command, outcome.exit_code)


command = Command(
    "tune",
    run,
    sections=tuple(SECTIONS.values()),
    params=[click.Argument(["data"], required=False, type=click.Path(path_type=Path))],
    has_json=True,
)
