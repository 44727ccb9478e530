"""lexitune collect: judgements from search logs and other sources, and the data set that they make."""

from __future__ import annotations

import click

from lexitune.cli import collect_ablate, collect_docs, collect_logs, collect_pairs, collect_resolve, collect_traces

__all__ = ["command"]

command = click.Group(
    "collect",
    help="Judgements from search logs and other sources, and the data set that they make.",
    no_args_is_help=True,
    commands={
        "ablate": collect_ablate.command,
        "docs": collect_docs.command,
        "logs": collect_logs.command,
        "pairs": collect_pairs.command,
        "resolve": collect_resolve.command,
        "traces": collect_traces.command,
    },
)
