"""lexitune collect resolve: one data set of everything that was collected."""

from __future__ import annotations

from pathlib import Path

from lexitune.cli.command import Call, Command, Result
from lexitune.io.options import DataOptions

__all__ = ["command"]


def run(call: Call) -> Result:
    """Make one data set of everything that was collected: qrels and weights, conflicts told.

    \b
    lexitune collect resolve --corpus corpus.jsonl
    """
    workspace = call.workspace_or_new()
    options = call.sections(workspace)["data"]
    from lexitune.pipeline.outcome import shown_path
    from lexitune.sources.dataset import build_data

    corpus = Path(options.corpus) if options.corpus else None
    built = build_data(workspace, corpus=corpus, options=options, talk=call.talk)
    found, docs = built.resolved, len(built.gathered.docs)
    data = {
        "folder": str(built.folder),
        "collections": list(built.gathered.judgements),
        "docs": docs,
        "queries": len(found.qrels),
        "splits": dict(built.splits),
        "conflicts": len(found.conflicts),
        "overruled": len(found.overruled),
        "agreement": [{"sources": [one.one, one.other], "both": one.both, "same": one.same} for one in found.agreement],
    }
    lines = [f"written: {shown_path(built.folder)}, {len(found.qrels):,} judged queries, {docs:,} passages"]
    return Result(lines, data, call.beside("tune", shown_path(built.folder)))


command = Command("resolve", run, sections=(DataOptions,), has_json=True)
