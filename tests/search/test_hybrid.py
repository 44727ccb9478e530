"""Reciprocal rank fusion, on sums that fit in a comment."""

from __future__ import annotations

import pytest

from lexitune.io.hits import Hits
from lexitune.search.hybrid import fuse


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


def test_rankings_of_other_queries_are_refused() -> None:
    with pytest.raises(ValueError, match="same queries"):
        fuse([Hits.from_run({"q1": {}}), Hits.from_run({"q2": {}})], 1)
