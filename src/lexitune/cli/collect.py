"""lexitune collect: judgements from search logs and other sources, and the data set that they make."""

from __future__ import annotations

from pathlib import Path

import click

from lexitune.cli.command import Call, Command, Result
from lexitune.io.options import DataOptions
from lexitune.sources.clicks.options import LogsOptions

__all__ = ["command"]


def logs(call: Call) -> Result:
    """Turn search logs into judgements: what was clicked more than its rank brings.

    FILES are exports of User Behavior Insights (queries and events), of Algolia, or any CSV, JSON lines or Parquet
    with --map; gz and zst too. Nothing leaves this machine, and what is personal in a query is masked.

    \b
    lexitune collect logs ubi_queries.ndjson ubi_events.ndjson
    lexitune collect logs clicks.csv --map query=col3,doc=url,time=ts,session=sid
    """
    workspace, name = call.workspace_or_new(), call.params["name"]
    options = call.sections(workspace)["logs"]
    from lexitune.sources.clicks.driver import collect_logs
    from lexitune.sources.clicks.told import tell

    found = collect_logs(
        workspace,
        call.params["files"],
        name=name,
        corpus=call.params["corpus"],
        options=options,
        talk=call.talk,
    )
    given = call.params["corpus"]
    following = call.beside("collect", "resolve", *(["--corpus", str(given)] if given else []))
    if found is None:
        return Result([], {"collection": name, "fresh": False}, following)
    log, judged = found
    data = {
        "collection": name,
        "fresh": True,
        "rows": dict(log.rows),
        "searches": log.searches,
        "sessions": log.sessions,
        "left_out": [{"what": what, "reason": reason, "count": count} for what, reason, count in log.left_out],
        "masked": dict(log.masked),
        "judgements": dict(judged.counts),
    }
    lines = [tell(log, judged)[-1], f"written: {workspace.collected / name}"]
    return Result(lines, data, following)


def resolve(call: Call) -> Result:
    """Make one data set of everything that was collected: qrels and weights, conflicts told.

    \b
    lexitune collect resolve --corpus corpus.jsonl
    """
    workspace = call.workspace_or_new()
    options = call.sections(workspace)["data"]
    from lexitune.sources.dataset import build_data

    corpus = Path(options.corpus) if options.corpus else None
    built = build_data(workspace, corpus=corpus, options=options, talk=call.talk)
    found = built.resolved
    data = {
        "folder": str(built.folder),
        "collections": list(built.collections),
        "docs": built.docs,
        "queries": len(found.qrels),
        "splits": dict(built.splits),
        "conflicts": len(found.conflicts),
        "overruled": len(found.overruled),
        "agreement": [{"sources": [one.one, one.other], "both": one.both, "same": one.same} for one in found.agreement],
    }
    lines = [f"written: {built.folder}, {len(found.qrels):,} judged queries, {built.docs:,} passages"]
    return Result(lines, data, call.beside("tune", str(built.folder)))


command = click.Group(
    "collect",
    help="Judgements from search logs and other sources, and the data set that they make.",
    no_args_is_help=True,
    commands={
        "logs": Command(
            "logs",
            logs,
            sections=(LogsOptions,),
            params=[
                click.Argument(["files"], nargs=-1, required=True, type=click.Path(path_type=Path)),
                click.Option(["--name"], default="clicks", help="What this collection is called  [default: clicks]"),
                click.Option(
                    ["--corpus"],
                    type=click.Path(path_type=Path),
                    help="JSONL file of the passages that exist: clicks on others are left out",
                ),
            ],
            has_json=True,
        ),
        "resolve": Command("resolve", resolve, sections=(DataOptions,), has_json=True),
    },
)
