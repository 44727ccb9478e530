"""Drawings: SVG as records, so that a test can ask where a mark stands. The page's template writes them out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from lexitune.report.scale import Scale, text_width, tick_labels, ticks

__all__ = ["Drawing", "Mark", "axis", "circle", "fit_text", "line", "path", "rect", "write"]

Anchor = Literal["start", "middle", "end"]


@dataclass(frozen=True, slots=True)
class Mark:
    """One SVG element. `css` names its look; colours stand in the style sheet only, so that plots follow the theme."""

    tag: str
    css: str
    at: Mapping[str, float | str]
    text: str = ""

    @property
    def attributes(self) -> dict[str, float | str]:
        return {"class": self.css, **self.at}


@dataclass(frozen=True, slots=True)
class Drawing:
    """Marks on a canvas, in user units. `title` and `description` say in words what the marks show."""

    width: float
    height: float
    title: str
    description: str
    marks: Sequence[Mark]


def line(css: str, *, x1: float, y1: float, x2: float, y2: float) -> Mark:
    return Mark("line", css, {"x1": _place(x1), "y1": _place(y1), "x2": _place(x2), "y2": _place(y2)})


def rect(css: str, *, x: float, y: float, width: float, height: float) -> Mark:
    return Mark("rect", css, {"x": _place(x), "y": _place(y), "width": _place(width), "height": _place(height)})


def circle(css: str, *, x: float, y: float, radius: float) -> Mark:
    return Mark("circle", css, {"cx": _place(x), "cy": _place(y), "r": radius})


def write(css: str, words: str, *, x: float, y: float, anchor: Anchor = "start") -> Mark:
    return Mark("text", css, {"x": _place(x), "y": _place(y), "text-anchor": anchor}, words)


def path(css: str, steps: Iterable[tuple[str, Sequence[float]]]) -> Mark:
    """A path from commands and their numbers: `[("M", (0, 1)), ("H", (5,)), ("Z", ())]`."""
    commands = (command + " ".join(f"{_place(number):g}" for number in numbers) for command, numbers in steps)
    return Mark("path", css, {"d": "".join(commands)})


def _place(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError(f"a mark has no place at {value}")
    return round(value, 1)


def fit_text(words: str, width: float, *, size: float = 14.0) -> str:
    """The words, or as many letters as fit into `width`, and an ellipsis."""
    if text_width(words, size=size) <= width:
        return words
    letters = len(words) - 1
    while letters > 1 and text_width(words[:letters] + "x", size=size) > width:
        letters -= 1
    return words[:letters].rstrip() + "\u2026"


def axis(scale: Scale, *, across: tuple[float, float], vertical: bool = False, count: int = 5) -> list[Mark]:
    """Faint lines at round values, each with its number at the foot (`across[1]`) or, vertical, left of its start."""
    marks = []
    values = ticks(scale.low, scale.high, count=count)
    for value, label in zip(values, tick_labels(values), strict=True):
        at = scale(value)
        if vertical:
            marks.append(line("grid", x1=across[0], y1=at, x2=across[1], y2=at))
            marks.append(write("tick", label, x=across[0] - 8, y=at + 4, anchor="end"))
        else:
            marks.append(line("grid", x1=at, y1=across[0], x2=at, y2=across[1]))
            marks.append(write("tick", label, x=at, y=across[1] + 17, anchor="middle"))
    return marks
