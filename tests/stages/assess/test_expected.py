"""What a tune would gain: the fit on known cases, its band, and its bounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from lexitune.metrics.statistics import Interval
from lexitune.stages.assess.expected import Case, Expected, Pilot, foretell, known_cases


def pilot(*lifts: float, hybrid: float = 0.0, pairs: tuple[int, ...] = (100, 200, 400)) -> Pilot:
    return Pilot(pairs, tuple(sure(lift) for lift in lifts), sure(lifts[-1] - lifts[0]), sure(hybrid), 1.0)


def sure(mean: float, error: float = 0.0) -> Interval:
    return Interval(mean, mean - 1.96 * error, mean + 1.96 * error, 300)


def field(room: float, gained: float, *, noise: float = 0.0, error: float = 0.0) -> Case:
    """A tenth of what stock leaves, and twice what the pilot gained; beside BM25 three times that."""
    lift, hybrid_lift = 0.1 * room + 2 * gained + noise, 3 * gained / 2 + noise
    return Case("", 2000, room, gained, gained / 2, lift, hybrid_lift, error, error)


EXACT = [field(0.5, 0.02), field(0.4, 0.05), field(0.7, 0.0), field(0.2, 0.03), field(0.3, 0.01)]


FOUR_TENTHS = sure(0.4)


def foretold(
    given: Pilot,
    cases: Sequence[Case] = EXACT,
    *,
    stock: Interval = FOUR_TENTHS,
    ceiling: float = 1.0,
    pairs: int = 2000,
) -> Expected:
    found = foretell(given, stock=stock, hybrid=sure(0.5), ceiling=ceiling, pairs=pairs, cases=cases)
    assert found is not None
    return found


def test_both_factors_are_learnt_from_the_known_cases() -> None:
    found = foretold(pilot(0.01, 0.02, 0.04, hybrid=0.02))

    assert found.alone.mean == pytest.approx(0.1 * 0.6 + 2 * 0.04)
    assert found.hybrid.mean == pytest.approx(3 * 0.02)
    assert (found.alone.low, found.alone.high) == pytest.approx((found.alone.mean,) * 2)  # no noise, no band


def test_the_band_holds_four_new_cases_in_five() -> None:
    draw = np.random.default_rng(5)
    held = 0
    for _ in range(400):
        cases = [
            field(room, gained, noise=draw.normal(0, 0.02))
            for room, gained in zip(draw.uniform(0.2, 0.7, 10), draw.uniform(0, 0.08, 10), strict=True)
        ]
        new = cases.pop()
        found = foretold(pilot(0.0, 0.0, new.pilot), cases, stock=sure(1 - new.room))
        held += found.alone.low <= new.lift <= found.alone.high

    assert stats.binomtest(held, 400, 0.8).pvalue > 0.001


def test_cases_that_lie_on_a_plane_by_chance_make_no_narrow_band() -> None:
    known = [replace(case, error=0.01) for case in EXACT]

    band = foretold(pilot(0.0, 0.0, 0.02), known).alone

    assert band.high - band.low > 2 * 1.6 * 0.01  # Student's t with three degrees of freedom is 1.64


def test_the_band_widens_by_what_the_queries_leave_unsure() -> None:
    unsure = replace(pilot(0.0, 0.0, 0.02), lifts=(sure(0.0), sure(0.0), sure(0.02, error=0.03)))

    sharp, wide, both = (
        foretold(given, stock=stock).alone
        for given, stock in (
            (pilot(0.0, 0.0, 0.02), sure(0.4)),
            (unsure, sure(0.4)),
            (unsure, sure(0.4, error=0.1)),
        )
    )

    widths = [band.high - band.low for band in (sharp, wide, both)]
    assert widths == pytest.approx([0, 2 * 1.6377 * 2 * 0.03, 2 * 1.6377 * np.hypot(2 * 0.03, 0.1 * 0.1)], rel=1e-3)


def test_nobody_gains_more_than_the_ceiling_leaves() -> None:
    noisy = [replace(case, lift=case.lift + sign * 0.03) for case, sign in zip(EXACT, (1, -1, 1, -1, 1), strict=True)]

    assert foretold(pilot(0.0, 0.0, 0.0), noisy, stock=sure(0.99)).alone.high == pytest.approx(0.01)
    assert foretold(pilot(0.0, 0.0, 0.0), noisy, stock=sure(0.02), ceiling=0.03).alone.high == pytest.approx(0.01)


def test_fewer_pairs_than_the_pilot_had_take_their_place_on_its_curve() -> None:
    cases = [replace(case, pairs=150) if not place else case for place, case in enumerate(EXACT)]

    assert foretold(pilot(0.01, 0.02, 0.04), cases, pairs=200).alone.mean == pytest.approx(0.1 * 0.6 + 2 * 0.02)


def test_fewer_pairs_than_any_known_field_had_foretell_nothing() -> None:
    given = pilot(0.01, 0.02, 0.03)

    assert foretell(given, stock=sure(0.4), hybrid=sure(0.5), ceiling=1.0, pairs=1999, cases=EXACT) is None


def test_more_pairs_follow_the_pilot_s_curve() -> None:
    found = foretold(pilot(0.01, 0.02, 0.03), pairs=9000)

    assert found.pairs == 2000  # more were in no case
    assert found.doubling == pytest.approx(2 * 0.01)
    assert found.at(8000) == pytest.approx(found.alone.mean + 2 * 0.02)


def test_a_curve_that_is_not_shown_to_rise_promises_nothing() -> None:
    assert pilot(0.03, 0.02, 0.01).slope == 0.0
    assert pilot(0.03, 0.04, 0.05, pairs=(1, 1, 1)).slope == 0.0
    assert replace(pilot(0.01, 0.02, 0.03), rise=sure(0.02, error=0.011)).slope == 0.0


def test_three_cases_foretell_nothing() -> None:
    given = pilot(0.01, 0.02, 0.03)

    assert foretell(given, stock=sure(0.4), hybrid=sure(0.5), ceiling=1.0, pairs=2000, cases=EXACT[:3]) is None


def test_the_table_that_comes_along_has_real_fields() -> None:
    names = {case.name for case in known_cases()}

    assert {"tldr", "nl2bash", "tatqa", "covid-qa", "pubmedqa"} <= names
    assert all(0 < case.room < 1 and case.pairs >= 250 for case in known_cases())
