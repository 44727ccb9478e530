"""Statistics: intervals against textbook and scipy values, resampling against sums by hand, sample sizes."""

import math

import numpy as np
import pytest
from scipy import stats

from lexitune.metrics import statistics
from lexitune.metrics.statistics import (
    Interval,
    Paired,
    clustered_bootstrap,
    detectable_gain,
    holm,
    mean_interval,
    paired_t,
    queries_needed,
    randomisation_p,
    t_interval,
    weighted_interval,
    wilson,
)

DELTAS = np.random.default_rng(5).normal(0.05, 0.3, size=80)


@pytest.mark.parametrize(("successes", "n"), [(0, 10), (10, 10), (54, 100), (1, 1), (699, 1000)])
def test_wilson_equals_scipy(successes: int, n: int) -> None:
    theirs = stats.binomtest(successes, n).proportion_ci(method="wilson")

    ours = wilson(successes, n)

    assert (ours.mean, ours.n) == (successes / n, n)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_wilson_of_nothing_is_the_whole_range() -> None:
    assert wilson(0, 0) == Interval(0.0, 0.0, 1.0, 0)


# 100 * half-width of the 95 % interval of a recall of 0.70, by the number of queries.
@pytest.mark.parametrize(("n", "points"), [(50, 12.7), (100, 9.0), (200, 6.4), (300, 5.2), (500, 4.0), (1000, 2.8)])
def test_how_sure_seventy_percent_is(n: int, points: float) -> None:
    found = wilson(round(0.7 * n), n)

    assert 50 * (found.high - found.low) == pytest.approx(points, abs=0.5)


def test_equal_weights_are_no_weights() -> None:
    values = [1.0] * 54 + [0.0] * 46

    found, plain = weighted_interval(values, [7] * 100), wilson(54, 100)

    assert (found.mean, found.low, found.high) == pytest.approx((plain.mean, plain.low, plain.high))
    assert found.n == 100


def test_a_value_that_has_nearly_all_the_weight_counts_as_one() -> None:
    found, alone = weighted_interval([1.0, 0.0, 0.0], [1e9, 1, 1]), wilson(1, 1)

    assert (found.mean, found.low, found.high) == pytest.approx((alone.mean, alone.low, alone.high), abs=1e-6)


def test_paired_t_equals_scipy() -> None:
    theirs = stats.ttest_1samp(DELTAS, 0.0)
    low, high = theirs.confidence_interval(0.95)

    ours = paired_t(DELTAS)

    assert (ours.mean, ours.low, ours.high, ours.p) == pytest.approx((DELTAS.mean(), low, high, theirs.pvalue))
    assert ours.n == 80


def test_paired_t_by_hand() -> None:
    # Differences 0, 0.2, 0.4: mean 0.2, deviation 0.2, error 0.2 / sqrt(3); t(0.975, 2) = 4.302653.
    found = paired_t([0.0, 0.2, 0.4])

    half = 4.302653 * 0.2 / math.sqrt(3)
    assert (found.low, found.high) == pytest.approx((0.2 - half, 0.2 + half), abs=1e-6)


@pytest.mark.parametrize(
    ("case", "deltas", "expected"),
    [
        ("nothing", [], Paired(0.0, 0.0, 0.0, 1.0, 0)),
        ("one query shows nothing", [0.5], Paired(0.5, 0.5, 0.5, 1.0, 1)),
        ("no query changed", [0.0] * 50, Paired(0.0, 0.0, 0.0, 1.0, 50)),
        ("every query gained the same", [0.25] * 4, Paired(0.25, 0.25, 0.25, 0.0, 4)),
    ],
)
def test_paired_t_never_gives_nan(case: str, deltas: list[float], expected: Paired) -> None:
    assert paired_t(deltas) == expected


def test_nan_does_not_pass_through_statistics() -> None:
    with pytest.raises(ValueError, match="finite"):
        paired_t([0.1, math.nan])


@pytest.mark.parametrize(
    ("case", "values", "expected"),
    [
        ("hits and misses take Wilson", [1.0, 0.0, 1.0, 1.0], wilson(3, 4)),
        ("fractions take t", [0.25, 0.5, 0.5, 0.75], t_interval([0.25, 0.5, 0.5, 0.75])),
        ("no interval leaves 0 to 1", [0.5, 1.0], Interval(0.75, 0.0, 1.0, 2)),
        ("equal fractions are as unsure as hits and misses", [0.5] * 4, wilson(2, 4)),
        ("one fraction is as unsure as one query", [0.75], weighted_interval([0.75], [1.0])),
        ("nothing", [], Interval(0.0, 0.0, 1.0, 0)),
    ],
)
def test_which_interval_a_mean_gets(case: str, values: list[float], expected: Interval) -> None:
    assert mean_interval(values) == expected


def test_the_bootstrap_agrees_with_t_on_independent_queries() -> None:
    ours, t = clustered_bootstrap(DELTAS), paired_t(DELTAS)

    assert ours.mean == t.mean
    assert (ours.low, ours.high) == pytest.approx((t.low, t.high), abs=0.005)


def test_the_bootstrap_draws_whole_clusters() -> None:
    # Each of 40 values stands five times. Drawn one by one, 200 values look like five times the evidence.
    values = np.repeat(DELTAS[:40], 5)
    clusters = np.repeat(np.arange(40), 5)

    together = clustered_bootstrap(values, clusters=clusters)
    alone = clustered_bootstrap(values)

    assert (together.low, together.high) == pytest.approx(
        (clustered_bootstrap(DELTAS[:40]).low, clustered_bootstrap(DELTAS[:40]).high)
    )
    assert (together.high - together.low) / (alone.high - alone.low) == pytest.approx(math.sqrt(5), rel=0.05)


def test_a_large_cluster_weighs_by_its_queries() -> None:
    # Clusters a (three queries at 1) and b (one at 0) give means 1 (aa), 3/4 (ab, ba) or 0 (bb): a quarter each end.
    found = clustered_bootstrap([1.0, 1.0, 1.0, 0.0], clusters=["a", "a", "a", "b"], confidence=0.4)

    assert found == Interval(0.75, 0.75, 0.75, 4)


@pytest.mark.parametrize("values", [[], [0.5], [0.5, 0.7, 0.9]])
def test_a_single_cluster_has_no_width(values: list[float]) -> None:
    found = clustered_bootstrap(values, clusters=["a"] * len(values))

    assert found.low == found.high == found.mean


def test_resampling_repeats_with_its_seed_only() -> None:
    assert clustered_bootstrap(DELTAS, seed=1) == clustered_bootstrap(DELTAS, seed=1)
    assert clustered_bootstrap(DELTAS, seed=1) != clustered_bootstrap(DELTAS, seed=2)
    assert randomisation_p(DELTAS, seed=1) == randomisation_p(DELTAS, seed=1)


def test_blocks_only_bound_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = clustered_bootstrap(DELTAS, resamples=1001)
    monkeypatch.setattr(statistics, "BLOCK_CELLS", 80 * 7)  # 7 resamples at a time, 143 blocks

    small = clustered_bootstrap(DELTAS, resamples=1001)

    assert (small.low, small.high) == pytest.approx((whole.low, whole.high), abs=0.01)


def test_labels_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="80 values but cluster labels"):
        clustered_bootstrap(DELTAS, clusters=[1, 2])


def test_the_randomisation_p_equals_the_exact_one() -> None:
    # Five gains of 1 and no loss: 2 of the 32 sign patterns are as far from zero, so p = 1/16.
    p = randomisation_p([1.0] * 5 + [0.0] * 20, resamples=100_000)

    assert p == pytest.approx(1 / 16, abs=0.003)


@pytest.mark.parametrize(
    ("case", "deltas", "p"),
    [
        ("never 0: one of the resamples is what was seen", [0.1] * 200, 1 / 1001),
        ("no change", [0.0] * 10, 1.0),
        ("nothing", [], 1.0),
        ("a sum of zero is nowhere far", [0.1, 0.2, -0.3], 1.0),
    ],
)
def test_the_edges_of_the_randomisation_p(case: str, deltas: list[float], p: float) -> None:
    assert randomisation_p(deltas, resamples=1000) == p


def test_a_cluster_flips_as_one() -> None:
    # 40 queries rise, but they are one family: either sign is as far, so nothing is shown.
    assert randomisation_p([0.1] * 40, clusters=["a"] * 40) == 1.0


# gain in points, share of queries that change, queries at 80 % and at 90 % power
NEEDED = [
    *[(3, 10, 865, 1157), (3, 15, 1301, 1741), (3, 20, 1737, 2325), (3, 30, 2609, 3492)],
    *[(5, 10, 307, 410), (5, 15, 464, 620), (5, 20, 621, 831), (5, 30, 935, 1251)],
    *[(8, 10, 115, 154), (8, 15, 177, 236), (8, 20, 238, 318), (8, 30, 361, 483)],
    *[(10, 10, 71, 95), (10, 15, 110, 148), (10, 20, 150, 200), (10, 30, 228, 305)],
]


@pytest.mark.parametrize(("points", "share", "at_80", "at_90"), NEEDED)
def test_queries_needed(points: int, share: int, at_80: int, at_90: int) -> None:
    found = [queries_needed(points / 100, share / 100, power=power) for power in (0.8, 0.9)]

    assert found == [at_80, at_90]


def test_a_loss_needs_as_many_queries_as_a_gain() -> None:
    assert queries_needed(-0.05, 0.15) == 464


def test_fewer_changes_than_the_gain_itself_cannot_be() -> None:
    assert queries_needed(0.10, 0.05) == queries_needed(0.10, 0.10)


@pytest.mark.parametrize("gain", [0.0, 1.5, math.nan])
def test_no_number_of_queries_shows_no_gain(gain: float) -> None:
    with pytest.raises(ValueError, match="gain must lie between 0 and 1"):
        queries_needed(gain, 0.15)


@pytest.mark.parametrize(
    ("share", "n", "points"),
    [
        *[(15, 50, 14.3), (15, 100, 10.4), (15, 200, 7.5), (15, 300, 6.2), (15, 500, 4.8), (15, 1000, 3.4)],
        *[(30, 50, 20.2), (30, 100, 14.8), (30, 200, 10.6), (30, 300, 8.7), (30, 500, 6.8), (30, 1000, 4.8)],
    ],
)
def test_detectable_gain(share: int, n: int, points: float) -> None:
    assert 100 * detectable_gain(n, share / 100) == pytest.approx(points, abs=0.06)


@pytest.mark.parametrize("share", [0.02, 0.15, 0.30])
@pytest.mark.parametrize("n", [10, 100, 1000])
def test_the_detectable_gain_needs_just_those_queries(share: float, n: int) -> None:
    gain = detectable_gain(n, share)

    assert queries_needed(gain * 1.0001, share) <= n < queries_needed(gain * 0.99, share)


def test_without_queries_only_a_gain_of_everything_is_detectable() -> None:
    assert detectable_gain(0, 0.15) == 1.0


@pytest.mark.parametrize(("share", "n"), [(0.15, 100), (0.15, 300), (0.30, 300), (0.30, 1000)])
def test_the_detectable_gain_is_found_four_times_in_five(share: float, n: int) -> None:
    gain, draw = detectable_gain(n, share), np.random.default_rng(11)
    chances = [(share - gain) / 2, 1 - share, (share + gain) / 2]
    deltas = draw.choice([-1.0, 0.0, 1.0], size=(8000, n), p=chances)

    found = np.mean([paired_t(one).low > 0 for one in deltas])

    assert found == pytest.approx(0.80, abs=0.03)


def test_holm_by_hand() -> None:
    # Sorted: 0.01 * 4, 0.02 * 3, 0.03 * 2 (not below the one before), 0.5 * 1.
    assert holm([0.03, 0.5, 0.01, 0.02]) == pytest.approx([0.06, 0.5, 0.04, 0.06])


def test_holm_stops_at_one_and_takes_none() -> None:
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []
