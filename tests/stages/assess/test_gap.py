"""The gap between two kinds of queries: its interval against the literature, and how often chance is called more."""

from __future__ import annotations

import numpy as np
import pytest

from lexitune.stages.assess.gap import recall_gap


def test_the_interval_is_newcombes() -> None:
    # Newcombe 1998, table II, row (a) by method 10: 56 of 70 against 48 of 80 is 0.0524 to 0.3339.
    values = np.repeat([1.0, 0.0, 1.0, 0.0], [56, 14, 48, 32])

    gap = recall_gap(values, np.arange(150) < 70)

    assert gap is not None
    assert gap.difference.mean == pytest.approx(0.2)
    assert (gap.difference.low, gap.difference.high) == pytest.approx((0.0524, 0.3339), abs=1e-4)
    assert gap.is_shown
    assert gap.told() == "+20.0 points [+5.2, +33.4]"


@pytest.mark.parametrize("count", [10, 20, 60])
def test_without_a_difference_one_is_shown_once_in_twenty(count: int) -> None:
    draw, shown = np.random.default_rng(3), 0
    for _ in range(2000):
        gap = recall_gap((draw.random(400) < 0.8).astype(float), np.arange(400) < count)
        assert gap is not None
        shown += gap.is_shown

    assert shown / 2000 <= 0.07


@pytest.mark.parametrize("count", [0, 1, 9, 11, 20])
def test_a_side_of_fewer_than_ten_queries_has_no_gap(count: int) -> None:
    assert recall_gap(np.ones(20), np.arange(20) < count) is None


def test_where_all_were_found_on_one_side_the_interval_is_still_as_wide_as_ten_queries_make_it() -> None:
    gap = recall_gap(np.repeat([1.0, 0.0], 10), np.arange(20) < 10)

    assert gap is not None
    assert gap.difference.mean == 1.0
    assert gap.difference.low == pytest.approx(1 - np.hypot(0.2775, 0.2775), abs=1e-3)
