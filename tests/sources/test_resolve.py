"""Opinions of several sources into one answer a pair."""

import pytest

from lexitune.sources.resolve import kind_of, resolve
from lexitune.types import Judgement, Query

QUERIES = {
    name: Query(name, text) for name, text in (("q1", "Force majeure?"), ("q2", "force  majeure"), ("q3", "lease"))
}


def said(query_id: str, doc_id: str, relevance: int | None, source: str = "ann", weight: float = 1.0) -> Judgement:
    return Judgement(query_id, doc_id, relevance, source, weight=weight)


@pytest.mark.parametrize(
    ("source", "kind"),
    [("click:shop", "click"), ("synthetic:title", "synthetic"), ("ann", "expert"), ("clicks", "expert")],
)
def test_a_source_says_whose_opinion_it_is(source: str, kind: str) -> None:
    assert kind_of(source) == kind


@pytest.mark.parametrize(
    ("case", "opinions", "grade", "weight"),
    [
        ("one opinion", [said("q1", "d1", 1)], 1, 1.0),
        ("a click counts half", [said("q1", "d1", 1, "click:a", 0.8)], 1, 0.4),
        ("an expert overrules clicks", [said("q1", "d1", 0), said("q1", "d1", 1, "click:a")], 0, 1.0),
        (
            "a click overrules what was written",
            [said("q1", "d1", 1, "click:a"), said("q1", "d1", 0, "synthetic:t")],
            1,
            0.5,
        ),
        ("the heavier side wins", [said("q1", "d1", 1, "a"), said("q1", "d1", 0, "b", 0.4)], 1, 1.0),
        (
            "grades above 0 are averaged",
            [said("q1", "d1", 3, "a"), said("q1", "d1", 2, "b"), said("q1", "d1", 3, "c")],
            3,
            1.0,
        ),
        ("who cannot judge is not heard", [said("q1", "d1", None), said("q1", "d1", 1, "click:a")], 1, 0.5),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_which_answer_a_pair_gets(case: str, opinions: list[Judgement], grade: int, weight: float) -> None:
    found = resolve(opinions, QUERIES)

    assert found.qrels == {"q1": {"d1": grade}}
    assert found.weights == {"q1": {"d1": weight}}


def test_what_people_passed_over_is_no_sure_negative() -> None:
    found = resolve([said("q1", "d1", 0, "click:a", 0.2), said("q1", "d2", 1, "click:a"), said("q3", "d1", 0)], QUERIES)

    assert found.qrels == {"q1": {"d2": 1}, "q3": {"d1": 0}}
    assert found.passed_over == 1


def test_even_sides_are_a_conflict_and_left_out() -> None:
    found = resolve([said("q1", "d1", 1, "a"), said("q1", "d1", 0, "b"), said("q3", "d1", 1)], QUERIES)

    assert found.conflicts == [("q1", "d1")]
    assert found.qrels == {"q3": {"d1": 1}}


def test_equal_texts_are_one_query() -> None:
    found = resolve([said("q1", "d1", 1), said("q2", "d2", 1)], QUERIES)

    assert found.qrels == {"q1": {"d1": 1, "d2": 1}}
    assert set(found.queries) == {"q1"}


def test_how_far_sources_agree_is_counted_over_what_both_judged() -> None:
    opinions = [said("q1", f"d{n}", 1) for n in range(4)]
    opinions += [said("q1", f"d{n}", int(n > 0), "click:a") for n in range(3)]

    (found,) = resolve(opinions, QUERIES).agreement

    assert (found.one, found.other, found.both, found.same) == ("ann", "click:a", 3, 2)
    assert found.interval.low < 2 / 3 < found.interval.high


def test_the_order_of_opinions_changes_nothing() -> None:
    opinions = [
        said(f"q{n % 3 + 1}", f"d{n % 4}", n % 2, source, 0.3 + n / 20)
        for n in range(12)
        for source in ("a", "click:b")
    ]

    one, other = resolve(opinions, QUERIES), resolve(opinions[::-1], QUERIES)

    assert (one.qrels, one.weights, one.conflicts) == (other.qrels, other.weights, other.conflicts)
