"""lexitune collect logs: search logs to judgements."""

from __future__ import annotations

from pathlib import Path

import click

from lexitune.cli.command import Call, Command, Result
from lexitune.sources.clicks.options import LogsOptions

__all__ = ["command"]


def run(call: Call) -> Result:
    """Turn search logs into judgements: what was clicked more than its rank brings.

    FILES are exports of User Behavior Insights (queries and events), of Algolia, or any CSV, JSON lines or Parquet
    with --map; gz and zst too. Nothing leaves this machine, and what is personal in a query is masked.

    \b
    lexitune collect logs ubi_queries.ndjson ubi_events.ndjson
    lexitune collect logs clicks.csv --map query=col3,doc=url,time=ts,session=sid
    """
    workspace, name = call.workspace_or_new(), call.params["name"]
    options = call.sections(workspace)["logs"]
    from lexitune.pipeline.outcome import shown_path
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
    lines = [tell(log, judged)[-1], f"written: {shown_path(workspace.collected / name)}"]
    return Result(lines, data, following)


command = Command(
    "logs",
    run,
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
)
