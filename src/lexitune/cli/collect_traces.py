"""lexitune collect traces: traces of programs that answer from passages, to judgements."""

from __future__ import annotations

from pathlib import Path

import click

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
    from lexitune.pipeline.outcome import shown_path
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
    given = call.params["corpus"]
    following = call.beside("collect", "resolve", *(["--corpus", str(given)] if given else []))
    if found is None:
        return Result([], {"collection": name, "fresh": False}, following)
    data = {
        "collection": name,
        "fresh": True,
        "format": found.loaded.form,
        "rows": dict(found.loaded.rows),
        "traces": found.heard.traces,
        "questions": len(found.queries),
        "left_out": [{"what": what, "reason": reason, "count": count} for what, reason, count in found.left_out],
        "refused": dict(found.refused),
        "masked": dict(found.heard.masked),
        "judgements": dict(found.kinds),
    }
    lines = [tell(found)[-1], f"written: {shown_path(workspace.collected / name)}"]
    return Result(lines, data, following)


command = Command(
    "traces",
    run,
    sections=(TracesOptions,),
    params=[
        click.Argument(["files"], nargs=-1, required=True, type=click.Path(path_type=Path)),
        click.Option(["--name"], default="traces", help="What this collection is called  [default: traces]"),
        click.Option(
            ["--corpus"],
            type=click.Path(path_type=Path),
            help="JSONL file of the passages that exist: others that were retrieved are left out",
        ),
    ],
    has_json=True,
)
