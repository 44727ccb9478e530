"""lexitune collect pairs: labels that others made, to judgements."""

from __future__ import annotations

from lexitune.cli.collecting import collected, collected_before, file_flags
from lexitune.cli.command import Call, Command, Result
from lexitune.sources.options import PairsOptions

__all__ = ["command"]


def run(call: Call) -> Result:
    """Take in labels that others made: experts' tables and exports, training files, benchmarks.

    FILES are told by content: CSV, TSV, xlsx, Parquet or JSON lines of query and passage, BEIR, TREC,
    sentence-transformers, FlagEmbedding, Nemotron, LlamaIndex, Label Studio, Quepid; and hf:owner/name from the Hub.

    \b
    lexitune collect pairs labels.xlsx --map query=Question,doc=Passage,relevance=Grade
    lexitune collect pairs export.json --format labelstudio --grades "good=2,partly=1,bad=0"
    """
    workspace, name, corpus = call.workspace_or_new(), call.params["name"], call.params["corpus"]
    options = call.sections(workspace)["pairs"]
    from lexitune.sources.pairs import collect_pairs

    found = collect_pairs(workspace, call.params["files"], name=name, corpus=corpus, options=options, talk=call.talk)
    if found is None:
        return collected_before(call, workspace)
    data = {
        "formats": dict(found.formats),
        "queries": found.queries,
        "docs": found.docs,
        "judgements": dict(found.judgements),
        "right": found.right,
        "missing": len(found.missing),
        "unanswered": found.unanswered,
        "left_out": [{"file": file, "reason": reason, "count": count} for file, reason, count in found.left_out],
    }
    judged = sum(found.judgements.values())
    line = f"{judged:,} judgements of {found.queries:,} queries, {found.right:,} right; {found.docs:,} passages"
    return collected(call, workspace, lines=[line], data=data)


command = Command(
    "pairs",
    run,
    sections=(PairsOptions,),
    params=file_flags("pairs", "search must find: equal texts take their ids"),
    has_json=True,
)
