"""What a tune would gain: the fit on known cases, its band, and its bounds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from lexitune.metrics.statistics import Interval
from lexitune.stages.assess.expected import Case, Pilot, foretell, known_cases


def pilot(*lifts: float, hybrid: float = 0.0, pairs: tuple[int, ...] = (100, 200, 400)) -> Pilot:
    found = tuple(Interval(lift, lift - 0.01, lift + 0.01, 300) for lift in lifts)
    return Pilot(pairs, found, Interval(hybrid, hybrid - 0.01, hybrid + 0.01, 300), 1.0)


def field(stock: float, gained: float, *, noise: float = 0.0) -> Case:
    """A tenth of what stock leaves, and twice what the pilot gained; of the hybrid a fifth and three times."""
    hybrid, beside = stock + 0.1, gained / 2
    lift = 0.1 * (1 - stock) + 2 * gained + noise
    return Case("", 2000, stock, hybrid, gained, beside, lift, 0.2 * (1 - hybrid) + 3 * beside + noise)


EXACT = [field(0.5, 0.02), field(0.6, 0.05), field(0.3, 0.0), field(0.8, 0.03), field(0.7, 0.01)]


def test_both_factors_are_learnt_from_the_known_cases() -> None:
    found = foretell(pilot(0.01, 0.02, 0.04, hybrid=0.02), stock=0.4, hybrid=0.5, pairs=2000, cases=EXACT)

    assert found is not None
    assert found.alone.mean == pytest.approx(0.1 * 0.6 + 2 * 0.04)
    assert found.hybrid.mean == pytest.approx(0.2 * 0.5 + 3 * 0.02)
    assert (found.alone.low, found.alone.high) == pytest.approx((found.alone.mean,) * 2)  # no noise, no band


def test_the_band_holds_four_new_cases_in_five() -> None:
    draw = np.random.default_rng(5)
    held = 0
    for _ in range(400):
        cases = [
            field(stock, gained, noise=draw.normal(0, 0.02))
            for stock, gained in zip(draw.uniform(0.3, 0.8, 10), draw.uniform(0, 0.08, 10), strict=True)
        ]
        new = cases.pop()
        given = pilot(0.0, 0.0, new.pilot, hybrid=new.hybrid_pilot)
        found = foretell(given, stock=new.stock, hybrid=new.hybrid, pairs=2000, cases=cases)
        assert found is not None
        held += found.alone.low <= new.lift <= found.alone.high

    assert stats.binomtest(held, 400, 0.8).pvalue > 0.001


def test_nobody_gains_more_than_stock_leaves() -> None:
    noisy = [replace(case, lift=case.lift + sign * 0.03) for case, sign in zip(EXACT, (1, -1, 1, -1, 1), strict=True)]

    found = foretell(pilot(0.0, 0.0, 0.0), stock=0.99, hybrid=0.99, pairs=2000, cases=noisy)

    assert found is not None
    assert found.alone.high == pytest.approx(0.01)


def test_more_pairs_follow_the_pilot_s_curve() -> None:
    found = foretell(pilot(0.01, 0.02, 0.03), stock=0.4, hybrid=0.5, pairs=9000, cases=EXACT)

    assert found is not None
    assert found.pairs == 2000  # more were in no case
    assert found.doubling == pytest.approx(2 * 0.01)
    assert found.at(8000) == pytest.approx(found.alone.mean + 2 * 0.02)


def test_a_curve_that_falls_promises_nothing() -> None:
    assert pilot(0.03, 0.02, 0.01).slope == 0.0
    assert pilot(0.03, 0.03, 0.03, pairs=(1, 1, 1)).slope == 0.0


def test_three_cases_foretell_nothing() -> None:
    assert foretell(pilot(0.01, 0.02, 0.03), stock=0.4, hybrid=0.5, pairs=2000, cases=EXACT[:3]) is None


def test_the_table_that_comes_along_has_real_fields() -> None:
    names = {case.name for case in known_cases()}

    assert {"tldr", "nl2bash", "tatqa", "covid-qa", "pubmedqa"} <= names
    assert all(0 < case.stock < 1 and case.pairs >= 250 for case in known_cases())
