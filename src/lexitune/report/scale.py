"""Scales: from values to places in a drawing, the ticks between, and numbers as texts."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["MINUS", "Scale", "format_number", "nice_domain", "text_width", "tick_labels", "ticks", "wrap_text"]

WIDE = frozenset("#%@mwMW+=")  # letters that take more than half as much again as others
WESTERN = "\u2e7f"  # beyond it writing is mostly square
DASH = "\u2013"
MINUS = "\u2212"


@dataclass(frozen=True, slots=True)
class Scale:
    """A straight line through (low, start) and (high, end); `start` may lie right of or below `end`.

    Example:
        >>> Scale(0.0, 1.0, start=100.0, end=300.0)(0.25)
        150.0

    Raises:
        ValueError: The domain is empty, so no value has a place.
    """

    low: float
    high: float
    start: float
    end: float

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"no scale from {self.low} to {self.high}")

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def nice_domain(values: Iterable[float], *, count: int = 5) -> tuple[float, float]:
    """The smallest stretch between two ticks that holds all finite values, and never of no width.

    Shares stay shares: values between 0 and 1 get no axis beyond 0 and 1.

    Example:
        >>> nice_domain([0.46, 0.66])
        (0.45, 0.7)
    """
    known = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(known), max(known)
    share = low >= 0 and high <= 1
    if high - low < 1e-9 * max(1.0, abs(low)):
        room = max(abs(low) * 0.1, 0.05)
        low, high = low - room, high + room
    for _ in range(3):  # rounding outward may call for wider steps, and those for rounding once more
        step = _step(low, high, count)
        low = round(math.floor(low / step + 1e-9) * step, 12)
        high = round(math.ceil(high / step - 1e-9) * step, 12)
    return (max(low, 0.0), min(high, 1.0)) if share else (low, high)


def ticks(low: float, high: float, *, count: int = 5) -> list[float]:
    """Round values from `low` to `high`, about `count` of them, at a distance of 1, 2 or 5 times a power of ten.

    Example:
        >>> ticks(0.5, 0.7)
        [0.5, 0.55, 0.6, 0.65, 0.7]
    """
    step = _step(low, high, count)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(position * step, 12) for position in range(first, last + 1)]


def _step(low: float, high: float, count: int) -> float:
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough) + 1e-9)
    return next(factor * power for factor, most in ((1, 1.5), (2, 3.5), (5, 7.5), (10, 11)) if rough < most * power)


def tick_labels(values: Sequence[float]) -> list[str]:
    """Texts with as many decimals as the closest two ticks need, the same for all.

    Example:
        >>> tick_labels([0.0, 0.5, 1.0])
        ['0.0', '0.5', '1.0']
    """
    steps = [after - before for before, after in pairwise(values)]
    decimals = max(0, -math.floor(math.log10(min(steps)) + 1e-9)) if steps else 2
    return [format_number(value, f",.{decimals}f") for value in values]


def format_number(value: float | None, form: str = ".3f") -> str:
    """A number as a reader expects it: a true minus, no minus before a zero, a dash where there is none.

    Example:
        >>> format_number(-0.0001, "+.2f"), format_number(1234.5, ",.0f")
        ('0.00', '1,234')
    """
    if value is None or not math.isfinite(value):
        return DASH
    text = format(value, form)
    if text[:1] in "+-" and not text.strip("+-0.,% "):
        return text[1:]
    return text.replace("-", MINUS)


def text_width(text: str, *, size: float = 14.0) -> float:
    """A generous guess at the width of a text: SVG lays nothing out, and the reader's font is not known."""
    wide = sum(letter in WIDE or letter > WESTERN for letter in text)
    return (len(text) + 0.6 * wide) * size * 0.54


def wrap_text(text: str, width: float, *, size: float = 14.0) -> list[str]:
    """The text in lines that fit into a width; a word that is wider has a line of its own.

    Example:
        >>> wrap_text("R@10, with 95 % intervals", 90)
        ['R@10, with', '95 %', 'intervals']
    """
    return textwrap.wrap(text, max(1, int(width / text_width("x", size=size))), break_long_words=False)
