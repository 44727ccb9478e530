"""Curves over steps, in one panel or two side by side (one above the other on a narrow canvas)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lexitune.report.blocks import CurvePlot, Panel, Series
from lexitune.report.drawing import Drawing, Mark, axis, circle, fit_text, line, path, write
from lexitune.report.scale import Scale, format_number, nice_domain, text_width

__all__ = ["draw_curves", "thin"]

NARROW = 480
HEADER, PLOT, FOOTER = 42.0, 170.0, 46.0
GAP = 36.0
GUTTER = 48.0
DOTS = 40  # up to so many points, each is shown as measured

Points = Sequence[tuple[float, float]]


def draw_curves(block: CurvePlot, *, width: float) -> Drawing:
    """Lay the panels out for a canvas of `width`. All panels share one x axis, so that a step stands where it stood."""
    panels = [Panel(block.series, block.y_label), *([block.second] if block.second else [])]
    steps = [x for panel in panels for _, points in panel.series for x, _ in points]
    domain = _reach([*steps, *([block.mark] if block.mark is not None else [])])
    narrow = width < NARROW
    size = width if narrow else (width - GAP * (len(panels) - 1)) / len(panels)
    height = HEADER + PLOT + FOOTER
    marks: list[Mark] = []
    for position, panel in enumerate(panels):
        left, top = (0.0, position * height) if narrow else (position * (size + GAP), 0.0)
        x = Scale(*domain, start=left + GUTTER, end=left + size - 14)
        marks += _panel(panel, block, x, left=left, top=top)
    described = "; ".join(_describe(series) for panel in panels for series in panel.series)
    return Drawing(width, height * (len(panels) if narrow else 1), block.title, described or "no points", marks)


def _reach(steps: Sequence[float]) -> tuple[float, float]:
    # The first step to the last, and no further: a round number would look like training that is still to come.
    low, high = (min(steps), max(steps)) if steps else (0.0, 1.0)
    return (low, high) if low < high else (low, low + 1)


def _describe(series: Series) -> str:
    label, points = series
    known = [(x, y) for x, y in points if math.isfinite(y)]
    if not known:
        return f"{label}: no points"
    first, last = known[0], known[-1]
    return f"{label}: {first[1]:.4g} at {first[0]:g}, {last[1]:.4g} at {last[0]:g}"


def _panel(panel: Panel, block: CurvePlot, x: Scale, *, left: float, top: float) -> list[Mark]:
    y = Scale(
        *nice_domain([value for _, points in panel.series for _, value in points], count=4),
        start=top + HEADER + PLOT,
        end=top + HEADER,
    )
    marks = [write("label emphasis", panel.y_label, x=left, y=top + 13)]
    marks += axis(y, across=(x.start, x.end), vertical=True, count=4)
    marks += [mark for mark in axis(x, across=(y.end, y.start), count=4) if mark.tag == "text"]
    marks.append(line("zero", x1=x.start, y1=y.start, x2=x.end, y2=y.start))
    marks.append(write("axis", block.x_label, x=x.end, y=y.start + 36, anchor="end"))
    if block.mark is not None:
        marks += _mark(block.mark_label, x(block.mark), x, y)
    for position, (_, points) in enumerate(panel.series):
        marks += _curve(points, x, y, css=f"line{position % 4}")
    if len(panel.series) > 1:
        marks += _legend(panel.series, start=left + text_width(panel.y_label) + 16, end=x.end, y=top + 13)
    elif panel.series and block.last:
        marks += _last(panel.series[0][1], x, y=top + 13)
    return marks


def _curve(points: Points, x: Scale, y: Scale, *, css: str) -> list[Mark]:
    steps: list[tuple[str, tuple[float, float]]] = []
    gap = True
    for at, value in thin(points, columns=int(abs(x.end - x.start))):
        if math.isfinite(value):
            steps.append(("M" if gap else "L", (x(at), y(value))))
        gap = not math.isfinite(value)
    marks = [path(f"curve {css}", steps)] if steps else []
    if len(steps) <= DOTS:
        marks += [circle(f"dot {css}", x=place[0], y=place[1], radius=3.0) for _, place in steps]
    return marks


def _mark(label: str, at: float, x: Scale, y: Scale) -> list[Mark]:
    half = text_width(label, size=12) / 2
    return [
        line("reference", x1=at, y1=y.end - 3, x2=at, y2=y.start),
        write("tick", label, x=min(max(at, x.start + half), x.end - half), y=y.end - 7, anchor="middle"),
    ]


def _last(points: Points, x: Scale, *, y: float) -> list[Mark]:
    known = [value for _, value in points if math.isfinite(value)]
    return [write("tick", f"last {format_number(known[-1])}", x=x.end, y=y, anchor="end")] if known else []


def _legend(series: Sequence[Series], *, start: float, end: float, y: float) -> list[Mark]:
    marks = []
    for position, (label, _) in enumerate(series):
        if start + 30 > end:
            break
        marks.append(line(f"curve line{position % 4}", x1=start, y1=y - 4, x2=start + 16, y2=y - 4))
        marks.append(write("tick", fit_text(label, end - start - 22, size=12), x=start + 22, y=y))
        start += 22 + text_width(label, size=12) + 16
    return marks


def thin(points: Points, *, columns: int) -> list[tuple[float, float]]:
    """At most four points in each of `columns` stretches: the first, lowest, highest and last, so no peak is lost."""
    if len(points) <= 4 * columns:
        return list(points)
    chosen: list[tuple[float, float]] = []
    for column in range(columns):
        part = range(column * len(points) // columns, (column + 1) * len(points) // columns)
        known = [index for index in part if math.isfinite(points[index][1])] or list(part)
        lowest = min(known, key=lambda index: points[index][1])
        highest = max(known, key=lambda index: points[index][1])
        chosen += [points[index] for index in sorted({part[0], lowest, highest, part[-1]})]
    return chosen
