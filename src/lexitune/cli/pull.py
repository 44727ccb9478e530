"""lexitune pull: the passages of an index that serves already, as a corpus file."""

from __future__ import annotations

from pathlib import Path

import click

from lexitune.cli.command import Call, Command, Result
from lexitune.errors import UsageError
from lexitune.types import Doc

__all__ = ["command"]


def run(call: Call) -> Result:
    """Write the passages of a live index to a corpus file.

    The index is only read. Its vectors stay where they are: lexitune assess --store takes them from there.

    \b
    lexitune pull pgvector:postgresql:///shop,table=items corpus.jsonl
    lexitune pull pgvector:,table=items,text=body,vector=embedding corpus.jsonl
    """
    spec, out = call.params["spec"], call.params["out"]
    if out.exists():
        raise UsageError("E2122", f"{out} exists already", fix=f"rm {out}, or give another name")
    from lexitune.io.beir import write_docs
    from lexitune.stores.live import open_live

    live = open_live(spec)
    docs: list[Doc] = []
    for some, _ in live.read():
        docs += some
        call.talk.say(f"pull: {len(docs):,} passages")
    if not docs:
        raise UsageError("E2012", f"{live.name} has no passages with vectors", fix="give the table that is searched")
    write_docs(out, docs)
    lines = [f"{len(docs):,} passages of {live.name} in {out}"]
    lines += [f"{live.skipped:,} rows without text or vector were left out"] if live.skipped else []
    data = {"passages": len(docs), "skipped": live.skipped, "corpus": str(out)}
    return Result(lines, data, call.beside("tune", "PAIRS.csv", "--corpus", str(out)))


command = Command(
    "pull",
    run,
    params=[click.Argument(["spec"]), click.Argument(["out"], type=click.Path(path_type=Path))],
    has_json=True,
)
