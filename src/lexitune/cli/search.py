"""lexitune search: ask what serves."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import click

from lexitune.cli.command import Call, Command, Result
from lexitune.cli.options import read_options
from lexitune.errors import UsageError
from lexitune.models.options import ModelOptions

if TYPE_CHECKING:
    from lexitune.pipeline.search import Found

__all__ = ["command"]


def run(call: Call) -> Result:
    """Search with the model that serves."""
    text, k = call.params["text"], call.params["k"]
    if not text.strip():
        raise UsageError("E2012", "the query is empty", fix='lexitune search "your query"')
    filters = read_filters(call.params["filter"])
    workspace = call.workspace()
    from lexitune.pipeline.search import search_serving

    # Not flags of this command, but the workspace's own: the device, and the revision of a stock model.
    model = read_options({}, (ModelOptions,), config=workspace.config)["model"]
    found = search_serving(workspace, text, k=k, filters=filters, model=model, talk=call.talk)
    width = shutil.get_terminal_size().columns
    lines = [draw(hit, width=width) for hit in found] or ["nothing found: the filter leaves no passage"]
    return Result(lines, {"query": text, "hits": [hit.to_json() for hit in found]}, "lexitune status")


def read_filters(given: tuple[str, ...]) -> dict[str, list[str]]:
    """field -> the values allowed, from `field=value` texts; a field given twice allows both.

    Raises:
        UsageError: A text without `=` or without a field.

    Example:
        >>> read_filters(("tenant=a", "tenant=b"))
        {'tenant': ['a', 'b']}
    """
    filters: dict[str, list[str]] = {}
    for one in given:
        field, equals, value = one.partition("=")
        if not equals or not field.strip():
            raise UsageError("E2012", f"--filter {one!r} names no field and value", fix="--filter field=value")
        filters.setdefault(field.strip(), []).append(value)
    return filters


def draw(hit: Found, *, width: int) -> str:
    """One hit on one line: rank, score, id, and the title or else the beginning of the text."""
    shown = " ".join((hit.title or hit.text).split())
    line = f"{hit.rank:3d}  {hit.score:6.3f}  {hit.doc_id}  {shown}"
    return line if len(line) <= width else line[: max(width - 3, 0)] + "..."


command = Command(
    "search",
    run,
    params=[
        click.Argument(["text"]),
        click.Option(["-k"], type=click.IntRange(1, 1000), default=10, show_default=True, help="Passages to show"),
        click.Option(
            ["--filter"], multiple=True, metavar="FIELD=VALUE", help="Only passages with this metadata; may be repeated"
        ),
    ],
    has_json=True,
)
