"""lexitune tune: the journey."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from lexitune.cli.command import Call, Command, Result, code_lines
from lexitune.errors import UsageError
from lexitune.pipeline.sections import BESIDE, SECTIONS

__all__ = ["command", "so_far"]


def run(call: Call) -> Result:
    """Go from your pairs to a model that serves.

    Assesses, trains, re-embeds, evaluates and promotes, or stops with the reason why not.
    DATA is a BEIR folder, or a CSV, TSV or JSONL file of pairs (query, passage). Left out, the
    workspace's own data is used. A tune that was cut off goes on where it was.
    """
    given = call.params["data"]
    workspace = call.workspace_or_new()
    call.state.known = partial(so_far, workspace.root)
    if given is None and not workspace.dataset.exists():
        raise UsageError("E2012", f"no DATA given, and none in {workspace.root}", fix="lexitune tune pairs.csv")
    sections = call.sections(workspace)
    from lexitune.pipeline.tune import run as tune

    outcome = tune(workspace, given, sections=sections, talk=call.talk)
    lines = list(outcome.lines)
    if outcome.model is not None and outcome.exit_code == 0:
        lines += code_lines(outcome.model.name, workspace.root)
    return Result(lines, outcome.to_json(), outcome.next_command, outcome.exit_code)


def so_far(root: Path) -> dict[str, Any]:
    """The keys of a finished journey, for one that failed: the advice where it was given, else nothing."""
    from lexitune.io.workspace import Workspace
    from lexitune.pipeline.outcome import advice_json
    from lexitune.pipeline.tune import peak_rss_mb
    from lexitune.stages.assess.driver import read_advice, report_path

    path = report_path(Workspace(root))
    advice = read_advice(path) if path.exists() else None
    return {
        "advice": advice and advice_json(advice),
        "gate": None,
        "systems": {},
        "gain": {},
        "seconds": {},
        "peak_rss_mb": round(peak_rss_mb(), 1),
    }


command = Command(
    "tune",
    run,
    sections=tuple(kind for name, kind in SECTIONS.items() if name not in BESIDE),
    params=[click.Argument(["data"], required=False, type=click.Path(path_type=Path))],
    has_json=True,
)
