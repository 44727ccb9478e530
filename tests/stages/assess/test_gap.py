"""The gap between two kinds of queries: a difference of two means, as scipy tells it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from lexitune.stages.assess.gap import recall_gap


def test_the_gap_is_welchs() -> None:
    draw = np.random.default_rng(3)
    chosen = draw.random(90) < 0.3
    values = np.where(chosen, draw.random(90) < 0.4, draw.random(90) < 0.7).astype(float)

    gap = recall_gap(values, chosen)

    assert gap is not None
    assert (gap.chosen.n, gap.others.n) == (chosen.sum(), 90 - chosen.sum())
    assert gap.difference.mean == pytest.approx(gap.chosen.mean - gap.others.mean)
    told = stats.ttest_ind(values[chosen], values[~chosen], equal_var=False)
    assert (gap.difference.low < 0 < gap.difference.high) == (told.pvalue > 0.05)
    assert gap.difference.high - gap.difference.mean == pytest.approx(gap.difference.mean - gap.difference.low)


@pytest.mark.parametrize("count", [0, 1, 8, 9])
def test_a_side_of_fewer_than_two_queries_has_no_gap(count: int) -> None:
    assert recall_gap(np.ones(9), np.arange(9) < count) is None


def test_equal_values_make_a_gap_without_width() -> None:
    gap = recall_gap(np.array([0.0, 0.0, 1.0, 1.0]), np.array([True, True, False, False]))

    assert gap is not None
    assert (gap.difference.mean, gap.difference.low, gap.difference.high) == (-1.0, -1.0, -1.0)
