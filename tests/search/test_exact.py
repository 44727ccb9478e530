"""Exact search: the order of hits, across ties, blocks, filters and the cut at k."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lexitune.errors import DataError
from lexitune.io.vectors import VectorWriter
from lexitune.search import exact
from lexitune.search.exact import exact_search
from lexitune.search.filters import Allowed

Run = list[list[tuple[str, float]]]


def by_hand(queries: NDArray[np.float32], docs: NDArray[np.float32], ids: list[str], k: int) -> Run:
    """One query and one doc at a time, sorted by the tie rule as it is written."""
    ranked = []
    for query in queries.tolist():
        scores = [float(np.float32(sum(a * b for a, b in zip(query, doc, strict=True)))) for doc in docs.tolist()]
        ranked.append(sorted(zip(ids, scores, strict=True), key=lambda hit: (-hit[1], hit[0]))[:k])
    return ranked


def runs(queries: NDArray[np.float32], docs: NDArray[np.float32], ids: list[str], k: int) -> Run:
    query_ids = [f"q{row}" for row in range(len(queries))]
    hits = exact_search(queries, (docs, ids), k, query_ids=query_ids)
    return [hits.run(query_id) for query_id in query_ids]


def test_the_higher_dot_product_comes_first_and_ties_go_to_the_lower_id() -> None:
    docs = np.array([[1, 0], [0, 1], [1, 0], [2, 0]], dtype=np.float32)

    ranked = runs(np.array([[1, 0]], dtype=np.float32), docs, ["d3", "d1", "d2", "d4"], 3)

    assert ranked == [[("d4", 2.0), ("d2", 1.0), ("d3", 1.0)]]  # d1 scores 0, and k is 3


def test_ids_are_compared_by_code_point() -> None:
    docs = np.ones((5, 1), dtype=np.float32)

    ranked = runs(np.ones((1, 1), dtype=np.float32), docs, ["é", "a", "10", "9", "B"], 5)

    assert [doc_id for doc_id, _ in ranked[0]] == ["10", "9", "B", "a", "é"]


def test_minus_zero_ties_with_zero() -> None:
    docs = np.array([[0.0], [-0.0]], dtype=np.float32)

    ranked = runs(np.array([[-1.0]], dtype=np.float32), docs, ["d2", "d1"], 2)

    assert [doc_id for doc_id, _ in ranked[0]] == ["d1", "d2"]


# Whole numbers from -2 to 2 in two dimensions: nearly every cut at k goes through a tie.
@settings(deadline=None, max_examples=150)
@given(data=st.data(), count=st.integers(0, 40), k=st.integers(1, 45), seed=st.integers(0, 10_000))
def test_blocks_give_what_one_doc_at_a_time_gives(data: st.DataObject, count: int, k: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    docs = random.integers(-2, 3, (count, 2)).astype(np.float32)
    queries = random.integers(-2, 3, (7, 2)).astype(np.float32)
    ids = [f"d{number}" for number in random.permutation(count)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact, "QUERY_BLOCK", data.draw(st.integers(1, 8)))
        patch.setattr(exact, "DOC_BLOCK", data.draw(st.integers(1, 45)))
        ranked = runs(queries, docs, ids, k)

    assert ranked == by_hand(queries, docs, ids, k)


def test_scores_of_real_vectors_do_not_depend_on_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(7)
    docs = random.normal(size=(300, 64)).astype(np.float32)
    docs[150:] = docs[:150]  # every doc stands twice: 150 exact ties
    queries = random.normal(size=(9, 64)).astype(np.float32)
    ids = [f"d{row:03d}" for row in range(300)]

    whole = runs(queries, docs, ids, 20)
    monkeypatch.setattr(exact, "QUERY_BLOCK", 1)
    monkeypatch.setattr(exact, "DOC_BLOCK", 7)
    blocked = runs(queries, docs, ids, 20)

    assert whole == blocked
    assert [doc_id for doc_id, _ in whole[0][1::2]] == [f"d{int(doc_id[1:]) + 150}" for doc_id, _ in whole[0][::2]]


def test_k_beyond_the_corpus_gives_fewer_hits() -> None:
    hits = exact_search(np.ones((1, 2)), (np.ones((2, 2)), ["d1", "d2"]), 4, query_ids=["q1"])

    assert hits.index.tolist() == [[0, 1, -1, -1]]
    assert hits.score.tolist() == [[2.0, 2.0, -np.inf, -np.inf]]


def test_an_empty_corpus_gives_no_hits() -> None:
    hits = exact_search(np.ones((1, 2)), (np.ones((0, 2)), []), 3, query_ids=["q1"])

    assert hits.run("q1") == []


def test_only_allowed_docs_are_hits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exact, "DOC_BLOCK", 2)
    docs = np.array([[3], [2], [1]], dtype=np.float32)
    masks = np.array([[False, True, True], [False, False, False]])
    allowed = Allowed(("q1", "q2", "q3"), ["d1", "d2", "d3"], masks, np.array([0, -1, 1]))

    hits = exact_search(np.ones((3, 1)), (docs, ["d1", "d2", "d3"]), 2, query_ids=["q1", "q2", "q3"], allowed=allowed)

    assert hits.index.tolist() == [[1, 2], [0, 1], [-1, -1]]


def test_an_excluded_cell_is_no_hit_and_the_next_best_takes_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exact, "DOC_BLOCK", 2)
    docs = np.array([[4], [3], [2], [1]], dtype=np.float32)
    # The first query may see neither d1 nor d3, the second not d2; one cell is named twice.
    cells = (np.array([1, 0, 0, 0]), np.array([1, 2, 0, 2]))

    hits = exact_search(
        np.ones((3, 1)), (docs, ["d1", "d2", "d3", "d4"]), 2, query_ids=["q1", "q2", "q3"], exclude=cells
    )

    assert hits.index.tolist() == [[1, 3], [0, 2], [0, 1]]


@pytest.mark.parametrize("cell", [(0, 2), (1, 0), (-1, 0), (0, -1)])
def test_an_excluded_cell_outside_the_matrix_is_a_mistake_of_the_caller(cell: tuple[int, int]) -> None:
    cells = (np.array([cell[0]]), np.array([cell[1]]))

    with pytest.raises(ValueError, match="excluded"):
        exact_search(np.ones((1, 1)), (np.ones((2, 1)), ["d1", "d2"]), 1, query_ids=["q1"], exclude=cells)


def test_stored_vectors_are_searched_part_by_part(tmp_path: Path) -> None:
    writer = VectorWriter(tmp_path, dim=2, dtype="float16")
    writer.append(["d3", "d1"], ["h3", "h1"], np.array([[1, 0], [0, 1]]))
    writer.append(["d2"], ["h2"], np.array([[1, 0]]))
    vectors = writer.finish({})

    hits = exact_search(np.array([[1, 0]]), vectors, 2, query_ids=["q1"])

    assert hits.run("q1") == [("d2", 1.0), ("d3", 1.0)]


@pytest.mark.parametrize(
    ("case", "queries", "docs", "code", "named"),
    [
        ("NaN in a query", [[np.nan, 0]], [[1, 0]], "E3141", "query 'q1'"),
        ("infinity in a doc", [[1, 0]], [[np.inf, 0]], "E3141", "doc 'd1'"),
        ("vectors of two models", [[1, 0]], [[1, 0, 0]], "E3142", "2 dimensions, document vectors 3"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_refused(case: str, queries: list[list[float]], docs: list[list[float]], code: str, named: str) -> None:
    with pytest.raises(DataError, match=named) as caught:
        exact_search(np.array(queries), (np.array(docs), ["d1"]), 1, query_ids=["q1"])

    assert caught.value.code == code
