"""What the commands that collect have in common: their flags for files, and how a collection is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lexitune.cli.command import Call, Result

if TYPE_CHECKING:
    from lexitune.io.workspace import Workspace

__all__ = ["collected", "collected_before", "file_flags", "name_flag"]


def name_flag(name: str) -> click.Option:
    """What the collection is called, `name` unless told otherwise."""
    return click.Option(["--name"], default=name, help=f"What this collection is called  [default: {name}]")


def file_flags(name: str, corpus: str) -> list[click.Parameter]:
    """Files, the collection's name, and the passages beside them; `corpus` says what those are for."""
    return [
        click.Argument(["files"], nargs=-1, required=True, type=click.Path(path_type=Path)),
        name_flag(name),
        click.Option(["--corpus"], type=click.Path(path_type=Path), help=f"JSONL file of the passages that {corpus}"),
    ]


def collected_before(call: Call, workspace: Workspace) -> Result:
    """Of the same files with the same options there is a collection already."""
    return Result([], {"collection": call.params["name"], "fresh": False}, _following(call, workspace))


def collected(call: Call, workspace: Workspace, *, lines: Sequence[str], data: Mapping[str, Any]) -> Result:
    """A new collection: what it is, where it lies, and what to type next."""
    from lexitune.pipeline.outcome import shown_path

    name = call.params["name"]
    written = f"written: {shown_path(workspace.collected / name)}"
    return Result([*lines, written], {"collection": name, "fresh": True, **data}, _following(call, workspace))


def _following(call: Call, workspace: Workspace) -> str:
    from lexitune.pipeline.outcome import shown_path

    corpus = call.params.get("corpus")
    if "corpus" in call.params and corpus is None and workspace.corpus.is_file():
        corpus = shown_path(workspace.corpus)  # collecting took it by itself, resolving would not
    return call.beside("collect", "resolve", *(["--corpus", str(corpus)] if corpus else []))
