"""Traces into a workspace: read, put together, weighed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from lexitune.io.beir import read_docs
from lexitune.io.judgements import Collection, begin_collection, write_collection
from lexitune.io.quarantine import Quarantine
from lexitune.io.workspace import Meta, Workspace
from lexitune.sources.traces.options import TracesOptions
from lexitune.sources.traces.reading import Traces, read_traces
from lexitune.sources.traces.told import tell
from lexitune.types import Silent, Talk

__all__ = ["collect_traces"]


def collect_traces(
    workspace: Workspace,
    paths: Sequence[Path],
    *,
    name: str = "traces",
    corpus: Path | None = None,
    options: TracesOptions | None = None,
    talk: Talk | None = None,
) -> Traces | None:
    """Read traces into `collected/NAME`; what is there of the same files and options stays.

    Args:
        corpus: JSON lines of the passages that exist; None: those of the workspace, if it has any.

    Returns:
        What became of the traces; None where they were collected before.

    Raises:
        DataError: A file cannot be read, is of no known or another format; no question at all; numbers of citations
            that count both ways.
        UsageError: A pattern of the options that cannot be read.
        StageFailed: Another process works in the workspace, or the disk is full.
    """
    options, talk, began = options or TracesOptions(), talk or Silent(), time.monotonic()
    with workspace.lock():
        inputs = begin_collection(workspace, name, paths, kind="traces", corpus=corpus, options=options, talk=talk)
        if inputs is None:
            return None
        quarantine = inputs.quarantine
        docs = read_docs(inputs.corpus, quarantine) if inputs.corpus else None
        found = read_traces(
            paths,
            folder=workspace.collected,
            source=f"trace:{name}",
            options=options,
            corpus=docs,
            quarantine=quarantine,
            talk=talk,
        )
        _forget_content(quarantine)
        quarantine.close()
        facts = {"traces": found.heard.traces, "questions": len(found.queries), "judgements": dict(found.kinds)}
        meta = Meta(f"collect {name}", asdict(options), inputs.hashes, cost_s=time.monotonic() - began, outputs=facts)
        write_collection(workspace, name, Collection(found.judgements, found.queries, found.docs), meta)
    for line in [*quarantine.summary(), *tell(found)[:-1]]:
        talk.say(f"traces: {line}")
    return found


def _forget_content(quarantine: Quarantine) -> None:
    """A record names its user and holds a conversation: of one that was set aside, only place and reason are kept."""
    quarantine.rows = [replace(row, raw="", reason=_plain(row.reason)) for row in quarantine.rows]


def _plain(reason: str) -> str:
    return "not an object" if reason.startswith("not an object") else reason
