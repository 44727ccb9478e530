"""Gap: recall on some of the queries beside the others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lexitune.metrics.statistics import Interval, mean_interval

__all__ = ["Gap", "recall_gap"]

LEAST_SIDE = 2  # queries that either side needs


@dataclass(frozen=True, slots=True)
class Gap:
    """Recall on the chosen queries, on the others, and how far the first lies above: Welch's interval."""

    chosen: Interval
    others: Interval
    difference: Interval

    def told(self) -> str:
        """The difference in points, such as `-12.0 points [-20.1, -3.9]`."""
        mean, low, high = (100 * value for value in (self.difference.mean, self.difference.low, self.difference.high))
        return f"{mean:+.1f} points [{low:+.1f}, {high:+.1f}]"

    @property
    def is_shown(self) -> bool:
        """Whether the difference is more than chance, in either direction."""
        return not self.difference.low <= 0 <= self.difference.high


def recall_gap(values: NDArray[np.float64], chosen: NDArray[np.bool_]) -> Gap | None:
    """Compare the chosen queries with the others; None where either side has fewer than two.

    Args:
        values: Recall of each query.
    """
    from scipy.stats import ttest_ind

    ours, theirs = values[chosen], values[~chosen]
    if min(len(ours), len(theirs)) < LEAST_SIDE:
        return None
    mean = float(ours.mean() - theirs.mean())
    low, high = mean, mean
    if any(side.min() < side.max() for side in (ours, theirs)):
        low, high = map(float, ttest_ind(ours, theirs, equal_var=False).confidence_interval())
    return Gap(mean_interval(ours), mean_interval(theirs), Interval(mean, low, high, len(values)))
