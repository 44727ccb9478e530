"""Hits: the order of a ranking, ties and all."""

import numpy as np
import pytest

from lexitune.errors import DataError
from lexitune.io.hits import Hits


@pytest.mark.parametrize(
    ("case", "scores", "ranking"),
    [
        ("higher first", {"a": 0.1, "b": 0.9}, ["b", "a"]),
        ("a tie goes to the lower id, not to dict order", {"b": 0.5, "a": 0.5}, ["a", "b"]),
        ("ids go by code point: capitals first", {"d10": 1, "d9": 1, "D": 1}, ["D", "d10", "d9"]),
        ("scores are float32: these two tie", {"b": 0.70000001, "a": 0.7}, ["a", "b"]),
        ("zero and minus zero tie", {"b": 0.0, "a": -0.0}, ["a", "b"]),
        ("negative scores", {"a": -2.0, "b": -1.0}, ["b", "a"]),
        ("infinity is a score", {"a": 1.0, "b": float("inf")}, ["b", "a"]),
        ("nothing found", {}, []),
    ],
)  # fmt: skip
def test_the_order_of_a_run(case: str, scores: dict[str, float], ranking: list[str]) -> None:
    hits = Hits.from_run({"q": scores, "other": {"z": 1.0}})

    assert [doc_id for doc_id, _ in hits.run("q")] == ranking, case


def test_rows_of_different_length_are_padded_with_no_hit() -> None:
    hits = Hits.from_run({"q1": {"a": 2.0, "b": 1.0}, "q2": {"b": 3.0}})

    assert hits.doc_ids == ("a", "b")
    assert hits.index.tolist() == [[0, 1], [1, -1]]
    assert hits.score.tolist() == [[2.0, 1.0], [3.0, -np.inf]]
    assert hits.as_run() == {"q1": {"a": 2.0, "b": 1.0}, "q2": {"b": 3.0}}


def test_a_query_that_was_not_searched_has_no_docs() -> None:
    assert Hits.from_run({"q1": {"a": 1.0}}).run("q2") == []


def test_some_queries_keep_their_rankings() -> None:
    hits = Hits.from_run({"q1": {"d1": 0.9}, "q2": {"d2": 0.5, "d1": 0.4}, "q3": {}})

    found = hits.of(["q3", "q2"])

    assert list(found.as_run()) == ["q3", "q2"]
    assert [doc_id for doc_id, _ in found.run("q2")] == ["d2", "d1"]
    assert found.run("q1") == []


def test_no_queries_at_all_are_hits_too() -> None:
    assert Hits.from_run({}).as_run() == {}


def test_nan_has_no_place_in_an_order() -> None:
    with pytest.raises(DataError) as caught:
        Hits.from_run({"q": {"a": 1.0, "b": float("nan")}})

    assert caught.value.code == "E3013"
    assert caught.value.problem == "the score of query 'q', doc 'b' is NaN"


@pytest.mark.parametrize(
    ("query_ids", "index", "score"),
    [
        (("q",), np.zeros((2, 1), np.int32), np.zeros((2, 1), np.float32)),
        (("q",), np.zeros((1, 2), np.int32), np.zeros((1, 1), np.float32)),
        (("q",), np.zeros((1, 1), np.int64), np.zeros((1, 1), np.float32)),
        (("q", "q"), np.zeros((2, 1), np.int32), np.zeros((2, 1), np.float32)),
    ],
    ids=["rows", "columns", "dtype", "query twice"],
)
def test_arrays_that_do_not_belong_together_are_refused(
    query_ids: tuple[str, ...], index: np.ndarray, score: np.ndarray
) -> None:
    with pytest.raises(ValueError, match=r"queries|int32|twice"):
        Hits(query_ids, ("a",), index, score)
