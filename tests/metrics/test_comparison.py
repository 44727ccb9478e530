"""Comparison: gains by hand, what cannot be compared, wins and losses, slices, and a round trip through JSON."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from lexitune.errors import DataError
from lexitune.io.hits import Hits
from lexitune.metrics.comparison import Comparison, compare, compare_slices
from lexitune.metrics.measures import measure_hits, parse_measures
from lexitune.metrics.report import Report
from lexitune.metrics.statistics import clustered_bootstrap, paired_t, randomisation_p

IDS = ("q1", "q2", "q3", "q4")
STOCK = [0.0, 0.5, 1.0, 0.5]
TUNED = [1.0, 0.5, 0.5, 1.0]  # gains: 1, 0, -0.5, 0.5


def report(values: list[float], *, system: str = "stock", ids: tuple[str, ...] = IDS) -> Report:
    """One measure on a few queries."""
    return Report(system=system, split="test", query_ids=ids, per_query={"R@10": np.array(values)})


def compared() -> Comparison:
    return compare(report(STOCK), report(TUNED, system="tuned"))


def test_the_gain_by_hand() -> None:
    delta = compared().delta("R@10")

    assert (delta.mean, delta.n) == (0.25, 4)
    assert (delta.won, delta.lost, delta.tied) == (2, 1, 1)
    assert delta.relative == 0.25 / 0.5


def test_each_number_comes_from_its_own_method() -> None:
    gains = [1.0, 0.0, -0.5, 0.5]

    delta = compare(report(STOCK), report(TUNED), resamples=500, seed=3).delta("R@10")

    paired, check = paired_t(gains), clustered_bootstrap(gains, resamples=500, seed=3)
    assert (delta.low, delta.high, delta.p) == (paired.low, paired.high, paired.p)
    assert (delta.bootstrap_low, delta.bootstrap_high) == (check.low, check.high)
    assert delta.p_randomisation == randomisation_p(gains, resamples=500, seed=3)


def test_a_system_against_itself_shows_nothing() -> None:
    delta = compare(report(STOCK), report(STOCK)).delta("R@10")

    assert (delta.mean, delta.low, delta.high, delta.p, delta.p_randomisation) == (0.0, 0.0, 0.0, 1.0, 1.0)
    assert (delta.won, delta.lost, delta.tied) == (0, 0, 4)


def test_rounding_is_not_a_win() -> None:
    delta = compare(report([0.3] * 4), report([0.1 + 0.2] * 4)).delta("R@10")

    assert (delta.won, delta.tied, delta.p) == (0, 4, 1.0)


def test_a_gain_over_nothing_has_no_share() -> None:
    assert compare(report([0.0] * 4), report(TUNED)).delta("R@10").relative is None


def test_queries_of_one_family_count_together() -> None:
    # All four queries rise, but they are two families: signs agree by chance in 2 of 4 patterns.
    stock, tuned = report([0.0] * 4), report([1.0] * 4)
    families = {"q1": "a", "q2": "a", "q3": "b", "q4": "b"}

    delta = compare(stock, tuned, clusters=families).delta("R@10")

    assert delta.p_randomisation == pytest.approx(1 / 2, abs=0.02)
    assert compare(stock, tuned).delta("R@10").p_randomisation == pytest.approx(1 / 8, abs=0.02)


def test_a_query_without_a_family_stands_alone() -> None:
    # q2 has no family, and its id is another's family: they still stand apart.
    clusters = compare(report(STOCK), report(TUNED), clusters={"q1": "q2", "q3": "q2"}).clusters

    assert clusters == (0, 1, 0, 2)


@pytest.mark.parametrize(
    ("case", "change", "problem"),
    [
        ("split", {"split": "dev"}, "different splits: test and dev"),
        (
            "queries",
            {"query_ids": ("q1", "q2", "q3", "q9")},
            "different queries: 2 are not in both, such as 'q4'",
        ),
        ("order", {"query_ids": ("q2", "q1", "q3", "q4")}, "in different order"),
        ("measures", {"per_query": {"P@10": np.zeros(4)}}, "different measures: P@10, R@10 not in both"),
        ("judgements", {"fingerprints": {"qrels": "other"}}, "different judgements"),
    ],
)
def test_reports_that_cannot_be_compared(case: str, change: dict[str, Any], problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        compare(report(STOCK), replace(report(TUNED), **change))


def test_measured_reports_know_their_judgements() -> None:
    hits = Hits.from_run({"q1": {"d1": 1.0}})
    before = measure_hits(hits, {"q1": {"d1": 1}}, parse_measures("R@10"))
    after = measure_hits(hits, {"q1": {"d1": 1, "d2": 1}}, parse_measures("R@10"))

    with pytest.raises(DataError, match="different judgements"):
        compare(before, after)


def test_wins_and_losses_are_the_largest_first_and_equal_ones_by_id() -> None:
    ids = ("a", "b", "c", "d", "e", "f")
    comparison = compare(report([0.5] * 6, ids=ids), report([0.6, 1.0, 0.5, 1.0, 0.25, 0.0], ids=ids))

    assert [query_id for query_id, _ in comparison.wins("R@10")] == ["b", "d", "a"]
    assert comparison.wins("R@10", count=1) == [("b", 0.5)]
    assert comparison.losses("R@10") == [("f", -0.5), ("e", -0.25)]


def test_a_measure_that_was_not_compared_is_an_error() -> None:
    for ask in (compared().delta, compared().wins, compared().losses):
        with pytest.raises(DataError, match=r"P@10 was not measured"):
            ask("P@10")


def test_a_slice_has_its_own_gain() -> None:
    found = compare_slices(compared(), {"seen": {"q1", "q3", "other"}, "none": set()})

    assert list(found) == ["seen", "none"]
    assert (found["seen"].n, found["seen"].deltas["R@10"].mean) == (2, 0.25)
    assert found["seen"].deltas["R@10"].relative == 0.25 / 0.5
    assert (found["none"].n, found["none"].deltas["R@10"].p) == (0, 1.0)


@pytest.mark.parametrize(("n", "too_small"), [(29, True), (30, False)])
def test_under_thirty_queries_a_slice_is_too_small(n: int, too_small: bool) -> None:
    ids = tuple(f"q{number:02}" for number in range(40))
    comparison = compare(report([0.0] * 40, ids=ids), report([1.0] * 40, ids=ids))

    assert compare_slices(comparison, {"part": set(ids[:n])})["part"].too_small is too_small


def test_a_slice_keeps_families_together() -> None:
    clusters = dict.fromkeys(IDS, "one")
    comparison = compare(report([0.0] * 4), report([1.0] * 4), clusters=clusters)

    assert compare_slices(comparison, {"half": {"q1", "q2"}})["half"].deltas["R@10"].p_randomisation == 1.0


@pytest.mark.parametrize("clusters", [None, {"q1": "a", "q2": "a"}])
def test_a_comparison_round_trips_through_json(clusters: dict[str, str] | None) -> None:
    comparison = compare(report(STOCK), report(TUNED, system="tuned"), clusters=clusters)
    slices = compare_slices(comparison, {"seen": {"q1", "q3"}, "language=de": {"q1"}})
    comparison = replace(comparison, slices=slices | {"language=de": replace(slices["language=de"], field="language")})
    written = json.dumps(comparison.to_json(), allow_nan=False)

    read = Comparison.from_json(json.loads(written))

    assert json.dumps(read.to_json()) == written
    assert read.deltas == comparison.deltas
    assert read.slices == comparison.slices
    assert read.wins("R@10") == comparison.wins("R@10")


@pytest.mark.parametrize(
    ("case", "change"),
    [
        ("a field that no delta has", {"deltas": {"R@10": {"mean": 1.0}}}),
        ("a label too few", {"clusters": [1, 2]}),
        ("a value too many", {"per_query": {"R@10": [0.0] * 5}}),
        ("nothing", {"slices": None}),
    ],
)
def test_a_broken_comparison_is_refused(case: str, change: dict[str, Any]) -> None:
    with pytest.raises(DataError) as caught:
        Comparison.from_json({**compared().to_json(), **change})

    assert caught.value.code == "E3127"
