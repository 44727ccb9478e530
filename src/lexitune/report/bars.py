"""Bars from zero: one a row, its value and a few words at its end (on a narrow canvas above it)."""

from __future__ import annotations

from lexitune.report.blocks import BarPlot, BarRow
from lexitune.report.drawing import Drawing, Mark, fit_text, line, rect, write
from lexitune.report.scale import Scale, format_number, text_width, wrap_text

__all__ = ["draw_bars"]

NARROW = 480  # below this width a row's words stand above its bar
ROW, NARROW_ROW = 24.0, 38.0
BAR, NARROW_BAR = 14.0, 9.0
LARGE, SMALL = 14.0, 12.5  # letters of labels, and of what stands beside a bar or on a narrow canvas
FOOT = 16.0  # height of a line of words below


def draw_bars(block: BarPlot, *, width: float) -> Drawing:
    """Lay the rows out for a canvas of `width`; words that do not fit beside a bar are cut."""
    narrow = width < NARROW
    top = max((value for _, value, _ in block.rows), default=0.0) or 1.0
    widest = max((text_width(label, size=LARGE) for label, _, _ in block.rows), default=0.0)
    left = 0.0 if narrow else min(widest, width * 0.28) + 14
    # Half of what is left belongs to the longest bar; its words take the rest.
    scale = Scale(0.0, top, start=left, end=width if narrow else left + (width - left) * 0.5)
    height = NARROW_ROW if narrow else ROW
    marks: list[Mark] = []
    for position, row in enumerate(block.rows):
        draw = _narrow_row if narrow else _wide_row
        marks += draw(row, format_number(row[1], block.form), scale, y=height * position, width=width)
    bottom = height * max(1, len(block.rows))
    if not narrow:  # there it would run through the words
        marks.append(line("zero", x1=left, y1=0, x2=left, y2=bottom))
    below = wrap_text(block.label, width - left, size=SMALL)
    marks += [write("axis", words, x=left, y=bottom + FOOT * (number + 1) + 2) for number, words in enumerate(below)]
    words = "; ".join(f"{label} {format_number(value, block.form)} {beside}" for label, value, beside in block.rows)
    described = f"{block.label or block.title}: {words or 'nothing was counted'}"
    return Drawing(width, bottom + FOOT * len(below) + 8, block.title, described, marks)


def _wide_row(row: BarRow, value: str, scale: Scale, *, y: float, width: float) -> list[Mark]:
    label, size, beside = row
    base, end = y + ROW / 2 + 4.5, scale(size) + 8
    start = end + text_width(value, size=SMALL) + 10
    return [
        write("label", fit_text(label, scale.start - 14, size=LARGE), x=0, y=base),
        rect("bar", x=scale.start, y=y + (ROW - BAR) / 2, width=scale(size) - scale.start, height=BAR),
        write("count-of", value, x=end, y=base),
        write("axis", fit_text(beside, width - start, size=SMALL), x=start, y=base),
    ]


def _narrow_row(row: BarRow, value: str, scale: Scale, *, y: float, width: float) -> list[Mark]:
    label, size, beside = row
    own = fit_text(label, width * 0.45, size=SMALL)
    number = width - text_width(value, size=SMALL)
    start = text_width(own, size=SMALL) + 12
    return [
        write("label", own, x=0, y=y + 17),
        write("axis", fit_text(beside, number - 10 - start, size=SMALL), x=number - 10, y=y + 17, anchor="end"),
        write("count-of", value, x=width, y=y + 17, anchor="end"),
        rect("bar", x=scale.start, y=y + 23, width=scale(size) - scale.start, height=NARROW_BAR),
    ]
