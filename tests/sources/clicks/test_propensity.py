"""Examination of ranks: recovered where the truth is known, refused where the log cannot tell."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexitune.sources.clicks.counts import Counts
from lexitune.sources.clicks.propensity import assume_curve, fit_position_model, harvest

EXAMINED = np.array([1.0, 0.7, 0.5, 0.4, 0.3])


def counts_of(rows: list[tuple[int, int, int, int]]) -> Counts:
    """Of rows (pair, rank, shown, clicked), each pair of a query of its own."""
    pair, rank, shown, clicked = np.array(rows, dtype=np.int64).T
    return Counts(pair, pair, rank, shown, clicked)


def expected_counts(attraction: np.ndarray, sessions: int) -> Counts:
    """Each pair at two neighbouring ranks, clicked as often as expected, without noise."""
    rows = []
    for pair, drawn in enumerate(attraction):
        for rank in (pair % 4 + 1, pair % 4 + 2):
            rows.append((pair, rank, sessions, round(sessions * drawn * EXAMINED[rank - 1])))
    return counts_of(rows)


def test_two_ranks_of_one_passage_tell_their_ratio() -> None:
    # 100 sessions each: 40 clicks at rank 1, 10 at rank 2. Examination of rank 2 is a quarter.
    found = harvest(counts_of([(0, 1, 100, 40), (0, 2, 100, 10)]), 2)

    assert found.share == pytest.approx([1.0, 0.25])
    assert found.pairs == 1


def test_unequal_numbers_of_sessions_are_taken_into_account() -> None:
    # 20 of 100 at rank 1, and 30 of 300 at rank 2: 0.2 against 0.1.
    assert harvest(counts_of([(0, 1, 100, 20), (0, 2, 300, 30)]), 2).share == pytest.approx([1.0, 0.5])


def test_examination_is_recovered_whatever_the_attraction() -> None:
    attraction = np.random.default_rng(0).uniform(0.05, 0.9, 200)
    # The better a passage, the higher it stands: clicks by rank would mix the two.
    found = harvest(expected_counts(np.sort(attraction)[::-1], 100_000), 5)

    assert found.share == pytest.approx(EXAMINED, rel=1e-3)
    assert np.all(found.low <= found.share)
    assert np.all(found.share <= found.high)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    random, covered = np.random.default_rng(1), np.zeros(5)
    for _ in range(200):
        rows = []
        for pair in range(150):
            drawn = random.uniform(0.05, 0.8)
            rows += [
                (pair, rank, 40, random.binomial(40, drawn * EXAMINED[rank - 1]))
                for rank in (pair % 4 + 1, pair % 4 + 2)
            ]
        found = harvest(counts_of(rows), 5)
        covered += (found.low <= EXAMINED) & (found.high >= EXAMINED)

    assert np.all(covered[1:] >= 180)  # of 200; 190 are expected, and fewer than 180 once in a thousand times
    assert covered[0] == 200


def test_a_rank_that_nothing_links_to_the_first_stays_unknown() -> None:
    found = harvest(counts_of([(0, 1, 10, 5), (0, 2, 10, 4), (1, 4, 10, 5), (1, 5, 10, 2), (2, 3, 10, 9)]), 5)

    assert np.isfinite(found.share).tolist() == [True, True, False, False, False]


def test_passages_that_never_moved_tell_nothing() -> None:
    found = harvest(counts_of([(0, 1, 100, 40), (1, 2, 100, 10)]), 2)

    assert found.pairs == 0
    assert np.isnan(found.share[1])


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(1, 4), st.integers(1, 50), st.integers(0, 50)), min_size=1, max_size=30
    )
)
def test_any_counts_give_finite_or_unknown_shares(rows: list[tuple[int, int, int, int]]) -> None:
    merged: dict[tuple[int, int], tuple[int, int]] = {}
    for pair, rank, shown, clicked in rows:
        merged[pair, rank] = (shown, min(shown, clicked))
    numbers = {pair: number for number, pair in enumerate(sorted({pair for pair, _ in merged}))}

    found = harvest(counts_of([(numbers[pair], rank, *counted) for (pair, rank), counted in merged.items()]), 4)

    assert found.share[0] == 1.0
    assert not np.any(found.share < 0)


def test_the_position_model_finds_examination_and_attraction() -> None:
    attraction = np.random.default_rng(0).uniform(0.2, 0.9, 400)

    found, drawn = fit_position_model(expected_counts(attraction, 100_000), 5, prior=0.1, steps=20_000)

    assert found.share == pytest.approx(EXAMINED, rel=0.05)
    assert np.corrcoef(drawn, attraction)[0, 1] > 0.99


def test_what_was_shown_below_the_depth_has_no_attraction() -> None:
    _, drawn = fit_position_model(counts_of([(0, 1, 10, 5), (1, 9, 10, 5)]), 2)

    assert np.isfinite(drawn).tolist() == [True, False]


def test_a_curve_is_what_it_says() -> None:
    found = assume_curve(4, 1.0)

    assert found.share.tolist() == [1.0, 0.5, 1 / 3, 0.25]
    assert found.at(np.array([1, 4, 9]), least=0.3).tolist() == [1.0, 0.3, 0.3]
