"""lexitune collect logs: search logs to judgements."""

from __future__ import annotations

from lexitune.cli.collecting import collected, collected_before, file_flags
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
    if found is None:
        return collected_before(call, workspace)
    log, judged = found
    data = {
        "rows": dict(log.rows),
        "searches": log.searches,
        "sessions": log.sessions,
        "left_out": [{"what": what, "reason": reason, "count": count} for what, reason, count in log.left_out],
        "masked": dict(log.masked),
        "judgements": dict(judged.counts),
    }
    return collected(call, workspace, lines=[tell(log, judged)[-1]], data=data)


command = Command(
    "logs",
    run,
    sections=(LogsOptions,),
    params=file_flags("clicks", "exist: clicks on others are left out"),
    has_json=True,
)
