"""Reciprocal rank fusion, on sums that fit in a comment."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexitune.io.hits import Hits
from lexitune.metrics.measures import Measure
from lexitune.search.hybrid import _merge, cross_fuse, fuse, learn_weight, with_lexical


def test_a_score_is_the_sum_of_reciprocal_ranks() -> None:
    dense = Hits.from_run({"q1": {"d1": 0.9, "d2": 0.8}})
    lexical = Hits.from_run({"q1": {"d2": 7.0, "d3": 5.0}})

    fused = dict(fuse([dense, lexical], 10).run("q1"))

    assert list(fused) == ["d2", "d1", "d3"]
    assert fused == pytest.approx({"d2": 1 / 62 + 1 / 61, "d1": 1 / 61, "d3": 1 / 62})


def test_ties_go_to_the_lower_id_also_at_the_cut() -> None:
    one = Hits.from_run({"q1": {"d9": 2.0, "d1": 1.0}})
    other = Hits.from_run({"q1": {"d1": 2.0, "d9": 1.0}})

    assert [doc_id for doc_id, _ in fuse([one, other], 1).run("q1")] == ["d1"]


def test_three_rankings_in_any_order_tie_alike() -> None:
    runs = [{"d1": 3.0, "d2": 2.0, "d3": 1.0}, {"d2": 3.0, "d3": 2.0, "d1": 1.0}, {"d3": 3.0, "d1": 2.0, "d2": 1.0}]

    fused = fuse([Hits.from_run({"q1": run}) for run in runs], 3).run("q1")

    assert [doc_id for doc_id, _ in fused] == ["d1", "d2", "d3"]


def test_queries_may_stand_in_another_order_and_may_have_no_hits() -> None:
    one = Hits.from_run({"q1": {"d1": 1.0}, "q2": {}, "q3": {"d3": 1.0}})
    other = Hits.from_run({"q3": {"d4": 1.0}, "q2": {}, "q1": {"d1": 5.0}})

    fused = fuse([one, other], 2)

    assert fused.query_ids == ("q1", "q2", "q3")
    assert [list(docs) for docs in fused.as_run().values()] == [["d1"], [], ["d3", "d4"]]


def test_a_smaller_constant_gives_first_places_more_weight() -> None:
    # first: rank 1 once. steady: rank 2 twice. 1/1 = 2/2 at constant 0, so the id decides; 1/61 < 2/62.
    rankings = [Hits.from_run({"q1": {"first": 2.0, "steady": 1.0}}), Hits.from_run({"q1": {"x": 2.0, "steady": 1.0}})]

    assert [doc_id for doc_id, _ in fuse(rankings, 1, constant=0).run("q1")] == ["first"]
    assert [doc_id for doc_id, _ in fuse(rankings, 1).run("q1")] == ["steady"]


def test_a_query_does_not_teach_the_weight_that_it_is_measured_by() -> None:
    # z is right; a tie goes to a. The model alone finds it for q1, BM25 alone for q2: crossed, each is weighed wrongly.
    dense = Hits.from_run({"q1": {"z": 2.0}, "q2": {"a": 2.0}})
    lexical = Hits.from_run({"q1": {"a": 2.0}, "q2": {"z": 2.0}})
    qrels = {"q1": {"z": 1}, "q2": {"z": 1}}

    found, weights = cross_fuse(dense, lexical, qrels, 1, measure=Measure("R", 1), seed=3)

    assert found.query_ids == ("q1", "q2")
    assert sorted(weights) == [0.4, 0.6]  # the nearest to even that still finds the other half's
    assert [list(docs) for docs in found.as_run().values()] == [["a"], ["a"]]


@pytest.mark.parametrize("count", [0, 1])
def test_where_nothing_can_teach_both_weigh_alike(count: int) -> None:
    run = {f"q{n}": {"d1": 1.0} for n in range(count)}
    qrels = {f"q{n}": {"d1": 1} for n in range(count)}

    found, weights = cross_fuse(Hits.from_run(run), Hits.from_run(run), qrels, 1, measure=Measure("R", 1), seed=3)

    assert (found.query_ids, weights) == (tuple(run), (0.5, 0.5))


def test_rankings_of_other_queries_are_refused() -> None:
    with pytest.raises(ValueError, match="same queries"):
        fuse([Hits.from_run({"q1": {}}), Hits.from_run({"q2": {}})], 1)


def test_the_weight_moves_from_the_model_to_bm25() -> None:
    dense, lexical = Hits.from_run({"q1": {"d1": 0.9, "d2": 0.8}}), Hits.from_run({"q1": {"d3": 7.0, "d2": 5.0}})

    def first(weight: float) -> list[str]:
        return [doc_id for doc_id, _ in with_lexical(dense, lexical, 3, weight=weight).run("q1")]

    # At 0.5 d2 has 1/62 + 1/62, more than the 1/61 of the other two. At 0.01 d1 has 0.99/61, d2 0.99/62 + 0.01/62.
    assert first(0.0) == ["d1", "d2"]
    assert first(0.01) == ["d1", "d2", "d3"]
    assert first(0.5) == ["d2", "d1", "d3"]
    assert first(1.0) == ["d3", "d2"]


def test_the_weight_is_the_best_on_the_judgements_and_even_where_all_are_equal() -> None:
    best = {"q1": {"d1": 1}}
    good, bad = Hits.from_run({"q1": {"d1": 2.0, "d2": 1.0}}), Hits.from_run({"q1": {"d3": 2.0, "d4": 1.0}})

    # The right doc ties with d3 at an even weight and wins by its id; below that it is first, above it is not.
    assert learn_weight(good, bad, best, measure=Measure("R", 1)) == 0.5
    assert learn_weight(bad, good, best, measure=Measure("R", 1)) == 0.5
    assert learn_weight(good, bad, {"q1": {"d4": 1}}, measure=Measure("R", 1)) == 0.5  # none finds it
    worse = Hits.from_run({"q1": {"d0": 2.0, "d4": 1.0}})  # d0 wins the tie
    assert learn_weight(good, worse, best, measure=Measure("R", 1)) == 0.4
    assert learn_weight(worse, good, best, measure=Measure("R", 1)) == 0.6


@given(
    st.dictionaries(
        st.sampled_from(["q1", "q2", "q3"]),
        st.tuples(
            *[st.dictionaries(st.sampled_from([f"d{n}" for n in range(8)]), st.floats(0, 1), max_size=8)] * 2,
        ),
        min_size=1,
    )
)
def test_rankings_merged_once_are_fused_as_if_each_time_anew(found: dict[str, tuple[dict[str, float], ...]]) -> None:
    dense, lexical = (Hits.from_run({key: runs[place] for key, runs in found.items()}) for place in (0, 1))
    merged = _merge([dense, lexical])

    for weight in (0.05, 0.3, 0.5, 0.9):
        again = merged.top(5, weights=(1 - weight, weight))
        assert again.as_run() == with_lexical(dense, lexical, 5, weight=weight).as_run()
