"""Search logs into a workspace: read, corrected, judged."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from lexitune.io.beir import read_docs
from lexitune.io.judgements import Collection, begin_collection, write_collection
from lexitune.io.workspace import Meta, Workspace
from lexitune.sources.clicks.judging import Judged, judge
from lexitune.sources.clicks.log import Log, read_votes
from lexitune.sources.clicks.options import LogsOptions
from lexitune.sources.clicks.parents import names_of, place_in_passages
from lexitune.sources.clicks.told import tell
from lexitune.types import Query, Silent, Talk

__all__ = ["collect_logs"]


def collect_logs(
    workspace: Workspace,
    paths: Sequence[Path],
    *,
    name: str = "clicks",
    corpus: Path | None = None,
    options: LogsOptions | None = None,
    talk: Talk | None = None,
) -> tuple[Log, Judged] | None:
    """Read search logs into `collected/NAME`; what is there of the same files and options stays.

    Args:
        corpus: JSON lines of the passages that exist; None: those of the workspace, if it has any.

    Returns:
        What became of the log; None where it was collected before.

    Raises:
        DataError: A file cannot be read, or not told what it is; times without a zone; no search at all.
        UsageError: DuckDB is missing, or options that do not fit the log.
        StageFailed: Another process works in the workspace, or the disk is full.
    """
    options, talk, began = options or LogsOptions(), talk or Silent(), time.monotonic()
    with workspace.lock():
        inputs = begin_collection(workspace, name, paths, kind="logs", corpus=corpus, options=options, talk=talk)
        if inputs is None:
            return None
        quarantine = inputs.quarantine
        docs = read_docs(inputs.corpus, quarantine) if inputs.corpus else []
        log = read_votes(
            paths,
            folder=workspace.collected,
            options=options,
            corpus=names_of(docs) if inputs.corpus else None,
            quarantine=quarantine,
            talk=talk,
        )
        judged = judge(log.votes, source=f"click:{name}", options=options)
        queries = _queries(log, judged)
        judgements, lost = place_in_passages(judged.judgements, queries=queries, docs=docs)
        quarantine.close()
        facts = {"searches": log.searches, "sessions": log.sessions, "judgements": dict(judged.counts)}
        meta = Meta(f"collect {name}", asdict(options), inputs.hashes, cost_s=time.monotonic() - began, outputs=facts)
        write_collection(workspace, name, Collection(judgements, queries), meta)
    if lost:
        told = "none of their passages shares a word with the query"
        talk.say(f"logs: {lost:,} opinions on whole documents are left out: {told}")
    for line in [*quarantine.summary(), *tell(log, judged)[:-1]]:
        talk.say(f"logs: {line}")
    return log, judged


def _queries(log: Log, judged: Judged) -> dict[str, Query]:
    """The queries that somebody judged."""
    asked = {one.query_id for one in judged.judgements}
    rows = zip(log.votes.query_ids, log.words, log.votes.sessions, strict=True)
    return {
        query_id: Query(query_id, text, {"sessions": int(sessions)})
        for query_id, text, sessions in rows
        if query_id in asked
    }
