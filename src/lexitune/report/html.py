"""The page: blocks to one HTML file that needs nothing else, neither network nor scripts nor fonts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined

from lexitune.report.bars import draw_bars
from lexitune.report.blocks import (
    BarPlot,
    Block,
    Cell,
    Chapter,
    CurvePlot,
    DeltaPlot,
    Estimate,
    Facts,
    IntervalPlot,
    Number,
    Paragraph,
    Table,
    Texts,
    Verdict,
)
from lexitune.report.curves import draw_curves
from lexitune.report.deltas import draw_deltas
from lexitune.report.drawing import Drawing
from lexitune.report.intervals import draw_intervals
from lexitune.report.passages import Passage, clip
from lexitune.report.scale import format_number

__all__ = ["render"]

WIDTHS = {"wide": 800.0, "narrow": 350.0}
"""SVG text cannot wrap, so each plot is drawn for a desk and for a phone; the style sheet shows one of them."""


def render(title: str, blocks: Sequence[Block], *, subtitle: str = "") -> str:
    """Draw blocks, in the order given, as one HTML document.

    Everything that comes from a block is text: markup in it is shown, never obeyed. Equal blocks give an
    equal document, so a report can be compared with the one before.

    Args:
        subtitle: One line under the title: the corpus, the model, the date.
    """
    views = [(KINDS[type(block)], VIEWS.get(type(block), _as_it_is)(block), level) for block, level in _levels(blocks)]
    chapters = [(number, block.title) for number, block in enumerate(blocks, start=1) if isinstance(block, Chapter)]
    template = _environment().get_template("page.html")
    page = template.render(title=title, subtitle=subtitle, views=views, chapters=chapters)
    # JSON can smuggle half a surrogate pair into a passage, and no file in UTF-8 can hold that.
    return page.encode("utf-8", errors="replace").decode("utf-8")


def _levels(blocks: Sequence[Block]) -> Iterator[tuple[Block, int]]:
    """Each block with the level of its heading: one below its chapter's, where it stands in one."""
    inside = False
    for block in blocks:
        yield block, 3 if inside and not isinstance(block, Chapter) else 2
        inside = inside or isinstance(block, Chapter)


@cache
def _environment() -> Environment:
    folder = files("lexitune.report")
    environment = Environment(
        loader=FunctionLoader(lambda name: folder.joinpath(name).read_text(encoding="utf-8")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["by_option"] = _by_option
    environment.globals["style"] = folder.joinpath("page.css").read_text(encoding="utf-8")
    return environment


def _by_option(text: str) -> list[str]:
    """The text cut at options such as --least-gain: every second part is one, which no browser shall break in two."""
    return re.split(r"(--[a-z][a-z-]*[a-z])", text)


@dataclass(frozen=True, slots=True)
class ShownCell:
    text: str
    span: str = ""  # the interval, set below the text


@dataclass(frozen=True, slots=True)
class ShownRow:
    label: str
    change: str
    passage: Passage


def _as_it_is(block: Any) -> Any:
    return block


def _paragraph(block: Paragraph) -> Mapping[str, Any]:
    parts = [part for part in re.split(r"\n\s*\n", block.text.strip()) if part]
    return {"heading": block.heading, "parts": parts, "points": block.points, "more": block.more}


def _table(block: Table) -> Mapping[str, Any]:
    columns = range(len(block.columns))
    align = list(block.align) or [_side([row[column] for row in block.rows]) for column in columns]
    rows = [[_cell(cell) for cell in row] for row in block.rows]
    return {"columns": block.columns, "rows": rows, "align": align, "caption": block.caption, "note": block.note}


def _side(cells: Sequence[Cell]) -> str:
    return "right" if cells and not any(isinstance(cell, str) for cell in cells) else "left"


def _cell(cell: Cell) -> ShownCell:
    if isinstance(cell, Estimate):
        bounds = ", ".join(format_number(bound, cell.form) for bound in (cell.low, cell.high))
        return ShownCell(format_number(cell.mean, cell.form), f"[{bounds}]")
    if isinstance(cell, Number):
        return ShownCell(format_number(cell.value, cell.form))
    if isinstance(cell, str):
        return ShownCell(cell)
    return ShownCell(format_number(cell, ",d" if isinstance(cell, int) else ",.3f"))


def _plot(draw: Callable[..., Drawing]) -> Callable[[Any], Mapping[str, Any]]:
    def view(block: Any) -> Mapping[str, Any]:
        drawings = {name: draw(block, width=size) for name, size in WIDTHS.items()}
        return {"title": block.title, "drawings": drawings, "note": getattr(block, "note", "")}

    return view


def _texts(block: Texts) -> Mapping[str, Any]:
    items = [
        {
            "query": clip(item.query),
            "delta": f"{format_number(item.delta, '+.2f')} {block.label}".strip(),
            "tone": _tone(item.delta),
            "rows": [ShownRow(label, _change(block, (was, now)), clip(text)) for label, text, was, now in item.rows],
        }
        for item in block.items
    ]
    return {"title": block.title, "items": items}


def _change(block: Texts, ranks: tuple[int | None, int | None]) -> str:
    # No colour: a wrong passage that falls is as good as a right one that climbs.
    named = zip((block.before, block.after), ranks, strict=True)
    return " \u2192 ".join(f"{name} {'not found' if rank is None else f'rank {rank:,}'}" for name, rank in named)


def _tone(change: float) -> str:
    return "good" if change > 0 else "bad" if change < 0 else "neutral"


KINDS: Mapping[type, str] = {
    Verdict: "verdict",
    Chapter: "chapter",
    Paragraph: "paragraph",
    Table: "table",
    IntervalPlot: "plot",
    BarPlot: "plot",
    DeltaPlot: "plot",
    CurvePlot: "plot",
    Texts: "texts",
    Facts: "facts",
}
"""The macro of blocks.html that draws each block."""

VIEWS: Mapping[type, Callable[[Any], Any]] = {
    Paragraph: _paragraph,
    Table: _table,
    IntervalPlot: _plot(draw_intervals),
    BarPlot: _plot(draw_bars),
    DeltaPlot: _plot(draw_deltas),
    CurvePlot: _plot(draw_curves),
    Texts: _texts,
}
"""What a block's macro is given; a block that is not here is given as it is."""
