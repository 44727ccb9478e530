"""The dot-and-whisker plot: one system a row, on one axis."""

from __future__ import annotations

import math

from lexitune.report.blocks import IntervalPlot, IntervalRow
from lexitune.report.drawing import Drawing, Mark, axis, circle, fit_text, line, write
from lexitune.report.scale import Scale, format_number, nice_domain, text_width, wrap_text

__all__ = ["draw_intervals"]

NARROW = 480  # below this width a row's words stand above its whisker

AXIS, LINE = 12.5, 16.0  # letters below the axis, and the height of a line of them
LARGE, SMALL = 14.0, 12.5  # letters on a wide and on a narrow canvas, as in the style sheet


def draw_intervals(block: IntervalPlot, *, width: float) -> Drawing:
    """Lay the rows out for a canvas of `width`; a bound that is not finite is left out."""
    values = [_value_text(row, block.form) for row in block.rows]
    numbers = [number for row in block.rows for number in row[1:4]]
    low, high = nice_domain([*numbers, *([block.reference] if block.reference is not None else [])])
    narrow = width < NARROW
    left, right = (10.0, width - 10.0) if narrow else _columns(block, values, width)
    scale = Scale(low, high, start=left, end=right)
    top = 24.0 if block.reference_label else 6.0
    row_height = 50.0 if narrow else 36.0
    bottom = top + row_height * max(1, len(block.rows))

    marks = axis(scale, across=(top, bottom), count=4 if narrow else 5)
    if block.reference is not None:
        marks += _reference(block, scale(block.reference), (top, bottom), width)
    for position, (row, value) in enumerate(zip(block.rows, values, strict=True)):
        marks += _row(row, value, scale, y=top + row_height * position, width=width, narrow=narrow)
    below = wrap_text(block.label, width, size=AXIS)
    for number, words in enumerate(below):
        centre = (left + right) / 2 if len(below) == 1 else width / 2
        half = min(text_width(words, size=AXIS), width) / 2
        place = min(max(centre, half), width - half)
        marks.append(write("axis", words, x=place, y=bottom + 37 + LINE * number, anchor="middle"))
    words = "; ".join(f"{row[0]} {value}" for row, value in zip(block.rows, values, strict=True))
    described = f"{block.label or block.title}: {words or 'nothing was measured'}"
    return Drawing(width, bottom + (30 + LINE * len(below) if below else 26), block.title, described, marks)


def _columns(block: IntervalPlot, values: list[str], width: float) -> tuple[float, float]:
    widest_label = max((text_width(row[0]) for row in block.rows), default=0)
    widest_value = max((text_width(value) for value in values), default=0)
    return min(widest_label, width * 0.34) + 22, width - widest_value - 18


def _value_text(row: IntervalRow, form: str) -> str:
    _, mean, low, high, _ = row
    if math.isfinite(low) and math.isfinite(high):
        return f"{format_number(mean, form)} [{format_number(low, form)}, {format_number(high, form)}]"
    return f"{format_number(mean, form)} [unknown]"


def _row(row: IntervalRow, value: str, scale: Scale, *, y: float, width: float, narrow: bool) -> list[Mark]:
    label, mean, low, high, emphasis = row
    look = " emphasis" if emphasis else ""
    middle = y + (36 if narrow else 18)
    words = y + 20 if narrow else middle + 4.5
    size = SMALL if narrow else LARGE
    room = width - text_width(value, size=size) - 12 if narrow else scale.start - 18
    marks = [
        write("label" + look, fit_text(label, room, size=size), x=0, y=words),
        write("value" + look, value, x=width, y=words, anchor="end"),
    ]
    if math.isfinite(low) and math.isfinite(high):
        marks.append(line("whisker" + look, x1=scale(low), y1=middle, x2=scale(high), y2=middle))
    if math.isfinite(mean):
        marks.append(circle("mean" + look, x=scale(mean), y=middle, radius=5.5))
    return marks


def _reference(block: IntervalPlot, x: float, rows: tuple[float, float], width: float) -> list[Mark]:
    half = text_width(block.reference_label, size=12) / 2
    centre = min(max(x, half), width - half)
    return [
        line("reference", x1=x, y1=rows[0] - 4, x2=x, y2=rows[1]),
        write("tick", block.reference_label, x=centre, y=12, anchor="middle"),
    ]
