"""Per-query gains: the share of queries won, unchanged and lost, and under it each query's gain in order.

With one relevant passage a query, recall moves by -1, 0 or +1: the bar then says all there is to say, and
a second picture would repeat it. Graded gains get the sorted steps as well, on the bar's own x axis, where
the coloured area is the sum of what was won and lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from lexitune.report.blocks import DeltaPlot
from lexitune.report.drawing import Anchor, Drawing, Mark, axis, line, path, rect, write
from lexitune.report.scale import Scale, format_number, nice_domain

__all__ = ["draw_deltas"]

BAR_TOP, BAR_HEIGHT = 46.0, 24.0
STEPS_TOP, STEPS_HEIGHT = 92.0, 170.0
GUTTER = 44.0
FINEST = 0.5  # steps closer than this many units are one step: a million queries draw like a thousand


def draw_deltas(block: DeltaPlot, *, width: float) -> Drawing:
    """Draw the bar, and the steps where the gains have more than one size."""
    ordered = sorted(block.deltas, reverse=True)
    won, lost = sum(delta > 0 for delta in ordered), sum(delta < 0 for delta in ordered)
    described = _describe(won, lost, len(ordered))
    if not ordered:
        return Drawing(width, 28, block.title, described, [write("label", described, x=0, y=18)])

    graded = len({round(abs(delta), 9) for delta in ordered} - {0.0}) > 1
    scale = Scale(0.0, len(ordered), start=GUTTER if graded else 0.0, end=width)
    marks = _bar(won, lost, len(ordered), scale)
    height = BAR_TOP + BAR_HEIGHT + 8
    if graded:
        marks += _steps(ordered, won, lost, scale)
        labels = STEPS_TOP + STEPS_HEIGHT + 24
        marks.append(write("axis", f"{block.label} of each query, largest first", x=scale.start, y=labels))
        height = labels + 10
    return Drawing(width, height, block.title, described, marks)


def _describe(won: int, lost: int, total: int) -> str:
    """The counts in words."""
    if not total:
        return "no queries were compared"
    return f"of {total:,} queries {won:,} won, {total - won - lost:,} unchanged, {lost:,} lost"


def _bar(won: int, lost: int, total: int, scale: Scale) -> list[Mark]:
    # The words stand at the bar's ends and middle, not at their segments: one query in a thousand keeps its label.
    middle = (scale.start + scale.end) / 2
    words: list[tuple[str, int, float, Anchor]] = [
        ("won", won, scale.start, "start"),
        ("unchanged", total - won - lost, middle, "middle"),
        ("lost", lost, scale.end, "end"),
    ]
    marks, done = [], 0
    for name, count, x, anchor in words:
        marks.append(write(f"count {name}", f"{count:,} {name}", x=x, y=18, anchor=anchor))
        marks.append(write("tick", f"{format_number(100 * count / total, '.1f')}\u00a0%", x=x, y=35, anchor=anchor))
        if count:
            start, end = scale(done), scale(done + count)
            marks.append(rect(name, x=start, y=BAR_TOP, width=end - start, height=BAR_HEIGHT))
        done += count
    return marks


def _steps(ordered: Sequence[float], won: int, lost: int, scale: Scale) -> list[Mark]:
    low, high = nice_domain([0.0, *ordered], count=4)
    gain = Scale(low, high, start=STEPS_TOP + STEPS_HEIGHT, end=STEPS_TOP)
    marks = axis(gain, across=(scale.start, scale.end), vertical=True, count=4)
    total = len(ordered)
    for name, start, end in [("won", 0, won), ("lost", total - lost, total)]:
        if start < end:
            marks.append(path(name, _outline(ordered[start:end], start, scale, gain)))
    marks.append(line("zero", x1=scale.start, y1=gain(0), x2=scale.end, y2=gain(0)))
    return marks


def _outline(values: Sequence[float], first: int, scale: Scale, gain: Scale) -> list[tuple[str, tuple[float, ...]]]:
    # Along the steps from left to right, then home along the zero line.
    outline: list[tuple[str, tuple[float, ...]]] = [("M", (scale(first), gain(0)))]
    drawn, position = scale(first) - FINEST, first
    for value, group in groupby(values):
        start, position = scale(position), position + len(list(group))
        # A step that is wide itself is drawn however near the last one stands: all losses may hang on it.
        if max(start - drawn, scale(position) - start) >= FINEST:
            drawn = start
            outline += [("H", (drawn,)), ("V", (gain(value),))]
    return [*outline, ("H", (scale(position),)), ("V", (gain(0),)), ("Z", ())]
