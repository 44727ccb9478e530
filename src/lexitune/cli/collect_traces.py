"""lexitune collect traces: traces of programs that answer from passages, to judgements."""

from __future__ import annotations

from lexitune.cli.collecting import collected, collected_before, file_flags
from lexitune.cli.command import Call, Command, Result
from lexitune.sources.traces.options import TracesOptions

__all__ = ["command"]


def run(call: Call) -> Result:
    """Turn traces of a RAG system into judgements: what answers cite, pass over, and get thumbs for.

    FILES are exports of OpenInference spans (OTLP JSON, Phoenix), of Langfuse or of LangSmith, as JSON or JSON lines;
    gz too. Nothing leaves this machine, what is personal in a question is masked, and no user's id is written.

    \b
    lexitune collect traces spans.jsonl
    lexitune collect traces traces.json scores.json --corpus corpus.jsonl
    """
    workspace, name = call.workspace_or_new(), call.params["name"]
    options = call.sections(workspace)["traces"]
    from lexitune.sources.traces.driver import collect_traces
    from lexitune.sources.traces.told import tell

    found = collect_traces(
        workspace,
        call.params["files"],
        name=name,
        corpus=call.params["corpus"],
        options=options,
        talk=call.talk,
    )
    if found is None:
        return collected_before(call, workspace)
    data = {
        "format": found.loaded.form,
        "rows": dict(found.loaded.rows),
        "traces": found.heard.traces,
        "questions": len(found.queries),
        "left_out": [{"what": what, "reason": reason, "count": count} for what, reason, count in found.left_out],
        "refused": dict(found.refused),
        "masked": dict(found.heard.masked),
        "judgements": dict(found.kinds),
    }
    return collected(call, workspace, lines=[tell(found)[-1]], data=data)


command = Command(
    "traces",
    run,
    sections=(TracesOptions,),
    params=file_flags("traces", "exist: others that were retrieved are left out"),
    has_json=True,
)
