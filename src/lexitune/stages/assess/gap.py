"""Gap: recall on some of the queries beside the others."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from lexitune.metrics.statistics import Interval, mean_interval

__all__ = ["LEAST_SIDE", "Gap", "difference_of", "in_points", "is_gain", "is_shown", "recall_gap"]

LEAST_SIDE = 10  # queries: with fewer, an interval of a share tells little


@dataclass(frozen=True, slots=True)
class Gap:
    """Recall on the chosen queries, on the others, and how far the first lies above."""

    chosen: Interval
    others: Interval
    difference: Interval

    @property
    def is_shown(self) -> bool:
        """Whether the difference is more than chance, in either direction."""
        return is_shown(self.difference)

    def told(self) -> str:
        """The difference in points."""
        return in_points(self.difference)

    def to_json(self) -> dict[str, object]:
        """A plain dict."""
        return {**asdict(self), "is_shown": self.is_shown}


def is_shown(difference: Interval) -> bool:
    """Whether a difference, a gain or a loss, is more than chance: of fewer than ten queries none is.

    One query, or a few that changed alike, give an interval without a width.

    Example:
        >>> is_shown(Interval(1.0, 1.0, 1.0, 1)), is_shown(Interval(0.05, 0.02, 0.08, 300))
        (False, True)
    """
    return difference.n >= LEAST_SIDE and not difference.low <= 0 <= difference.high


def is_gain(difference: Interval) -> bool:
    """Whether it is shown, and a gain."""
    return is_shown(difference) and difference.mean > 0


def in_points(found: Interval) -> str:
    """A difference in points with its interval.

    Example:
        >>> in_points(Interval(-0.12, -0.201, -0.039, 90))
        '-12.0 points [-20.1, -3.9]'
    """
    return f"{100 * found.mean:+.1f} points [{100 * found.low:+.1f}, {100 * found.high:+.1f}]"


def recall_gap(values: NDArray[np.float64], chosen: NDArray[np.bool_]) -> Gap | None:
    """Compare the chosen queries with the others; None where either side has fewer than ten.

    The interval of the difference is made of the two sides' own (Newcombe 1998; Zou and Donner 2008), so a side of few
    queries, or one on which all were found, is as unsure as its own interval says.

    Args:
        values: Recall of each query.

    Example:
        >>> found = recall_gap(np.array([0.0, 1.0] * 20), np.arange(40) < 20)
        >>> found.told()
        '+0.0 points [-28.4, +28.4]'
    """
    ours, theirs = values[chosen], values[~chosen]
    if min(len(ours), len(theirs)) < LEAST_SIDE:
        return None
    one, other = mean_interval(ours), mean_interval(theirs)
    return Gap(one, other, difference_of(one, other))


def difference_of(one: Interval, other: Interval) -> Interval:
    """How far one mean lies above another, with an interval made of the two sides' own; `n` is that of both."""
    difference = one.mean - other.mean
    low = difference - math.hypot(one.mean - one.low, other.high - other.mean)
    high = difference + math.hypot(one.high - one.mean, other.mean - other.low)
    return Interval(difference, low, high, one.n + other.n)
