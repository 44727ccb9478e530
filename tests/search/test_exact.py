"""Exact search: the order of hits, across ties, blocks, filters, the cut at k, and every way of computing it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lexitune.errors import DataError
from lexitune.io.vectors import VectorWriter
from lexitune.search import device as on_device
from lexitune.search import sweep
from lexitune.search.exact import exact_search
from lexitune.search.filters import Allowed
from lexitune.search.hidden import Hidden
from lexitune.search.matrix import HostDocs

Run = list[list[tuple[str, float]]]

# (device, format of the first pass): numpy, and PyTorch with formats that are emulated where the hardware lacks them.
WAYS: list[tuple[str | None, str | None]] = [
    (None, "fp32"),
    (None, "bf16"),
    ("cpu", "fp32"),
    ("cpu", "bf16"),
    ("cpu", "fp16"),
]


def by_hand(queries: NDArray[np.float32], docs: NDArray[np.float32], ids: list[str], k: int) -> Run:
    """One query and one doc at a time, sorted by the tie rule as it is written."""
    ranked = []
    for query in queries.tolist():
        scores = [float(np.float32(sum(a * b for a, b in zip(query, doc, strict=True)))) for doc in docs.tolist()]
        ranked.append(sorted(zip(ids, scores, strict=True), key=lambda hit: (-hit[1], hit[0]))[:k])
    return ranked


def by_definition(
    queries: NDArray[np.floating], docs: NDArray[np.floating], ids: list[str], k: int, hidden: NDArray[np.bool_]
) -> tuple[list[list[int]], list[list[float]]]:
    """The whole matrix in double precision, each score rounded once, each row sorted by the tie rule."""
    exact = np.vecdot(queries.astype(np.float64)[:, None], docs.astype(np.float64)[None])
    scores = exact.astype(np.float32).tolist()
    index, score = [], []
    for row, values in enumerate(scores):
        seen = [place for place in range(len(ids)) if not hidden[row, place]]
        best = sorted(seen, key=lambda place: (-values[place], ids[place]))[:k]
        index.append(best + [-1] * (k - len(best)))
        score.append([values[place] for place in best] + [-np.inf] * (k - len(best)))
    return index, score


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
        patch.setattr(sweep, "QUERY_BLOCK", data.draw(st.integers(1, 8)))
        patch.setattr(sweep, "DOC_BLOCK", data.draw(st.integers(1, 45)))
        ranked = runs(queries, docs, ids, k)

    assert ranked == by_hand(queries, docs, ids, k)


def draw_vectors(kind: str, random: np.random.Generator, count: int, dim: int) -> NDArray[Any]:
    """Vectors that are hard for a first pass, each in its own manner."""
    normal = random.normal(size=(count, dim))
    match kind:
        case "unit":
            lengths: NDArray[np.float64] = np.sqrt((normal**2).sum(axis=1, keepdims=True))
            return (normal / lengths).astype(np.float32)
        case "whole numbers":
            return random.integers(-2, 3, (count, dim)).astype(np.float32)
        case "copies":  # three vectors in all
            return random.normal(size=(3, dim))[random.integers(0, 3, count)].astype(np.float32)
        case "nearly copies":  # one vector, and neighbours a few float32 steps away
            near = np.ones((count, dim)) + random.integers(-3, 4, (count, dim)) * 2.0**-23
            return near.astype(np.float32)
        case "float16":
            return normal.astype(np.float16)
        case "float64":
            return normal
        case "bfloat16 cannot tell them apart":
            return (1 + normal * 1e-4).astype(np.float32)
        case "huge":  # a score is beyond float16 and near the end of float32
            return (normal * 1e18).astype(np.float32)
        case "minute":
            return (normal * 1e-21).astype(np.float32)
        case "zeros":
            return np.where(random.random((count, dim)) < 0.5, 0.0, -0.0).astype(np.float32)
    raise ValueError(kind)


KINDS = [
    "unit",
    "whole numbers",
    "copies",
    "nearly copies",
    "float16",
    "float64",
    "bfloat16 cannot tell them apart",
    "huge",
    "minute",
    "zeros",
]


@pytest.mark.parametrize("way", WAYS, ids=str)
@settings(deadline=None, max_examples=30, derandomize=True)
@given(
    kind=st.sampled_from(KINDS),
    count=st.integers(0, 150),
    k=st.integers(1, 60),
    blocks=st.tuples(st.integers(1, 8), st.integers(1, 80)),
    hide=st.sampled_from(["nothing", "cells", "filters", "both"]),
    seed=st.integers(0, 10_000),
)
def test_every_way_gives_what_the_definition_gives_bit_for_bit(
    way: tuple[str | None, str | None],
    kind: str,
    count: int,
    k: int,
    blocks: tuple[int, int],
    hide: str,
    seed: int,
) -> None:
    random = np.random.default_rng(seed)
    docs, queries = draw_vectors(kind, random, count, 24), draw_vectors(kind, random, 7, 24)
    ids = [f"d{number}" for number in random.permutation(count)]
    query_ids = tuple(f"q{row}" for row in range(7))
    hidden = np.zeros((7, count), dtype=bool)
    exclude = allowed = None
    if hide in ("cells", "both"):
        rows, columns = np.nonzero(random.random((7, count)) < 0.3)
        exclude = rows.astype(np.int64), columns.astype(np.int64)
        hidden[exclude] = True
    if hide in ("filters", "both"):
        masks, which = random.random((3, count)) < 0.4, random.integers(-1, 3, 7)
        allowed = Allowed(query_ids, ids, masks, which)
        hidden |= np.where(which[:, None] < 0, False, ~masks[which])

    with pytest.MonkeyPatch.context() as patch:
        for module in (sweep, on_device):
            patch.setattr(module, "QUERY_BLOCK", blocks[0])
            patch.setattr(module, "DOC_BLOCK", blocks[1])
        hits = exact_search(
            queries,
            (docs, ids),
            k,
            query_ids=query_ids,
            allowed=allowed,
            exclude=exclude,
            device=way[0],
            first_pass=way[1],
        )

    index, score = by_definition(queries, docs, ids, k, hidden)
    assert hits.index.tolist() == index
    assert hits.score.tolist() == score


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_more_ties_than_a_pass_has_room_for_are_still_cut_by_id(way: tuple[str | None, str | None]) -> None:
    # 600 docs tie in first place for the first query: which five of them come first is for the ids to say.
    docs = np.zeros((1000, 2), dtype=np.float32)
    docs[:600, 0] = docs[600:, 1] = 1
    docs[600:, 1] -= np.arange(400) / 512
    ids = [f"d{999 - row:03}" for row in range(1000)]
    queries = np.eye(2, dtype=np.float32)

    hits = exact_search(queries, (docs, ids), 5, query_ids=["q1", "q2"], device=way[0], first_pass=way[1])

    assert hits.index.tolist() == [[599, 598, 597, 596, 595], [600, 601, 602, 603, 604]]


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", np.float32), ("bf16", None), ("fp16", None)])
@pytest.mark.parametrize("kind", ["unit", "nearly copies", "float64", "bfloat16 cannot tell them apart", "minute"])
def test_no_first_pass_score_is_farther_off_than_its_margin(precision: str, dtype: type | None, kind: str) -> None:
    random = np.random.default_rng(3)
    docs, queries = draw_vectors(kind, random, 400, 96), draw_vectors(kind, random, 20, 96)
    corpus = HostDocs(docs, [str(row) for row in range(400)])
    hidden = Hidden.build([""] * 20, corpus.doc_ids, allowed=None, exclude=None)

    if dtype is np.float32:
        found = sweep.sweep(queries, corpus, width=400, hidden=hidden)
    else:
        exact = queries.astype(np.float64)
        found = on_device.sweep_on("cpu", exact, corpus, width=400, hidden=hidden, precision=precision)

    true = (queries.astype(np.float64) @ docs.astype(np.float64).T).astype(np.float32)
    error = np.abs(np.take_along_axis(true, found.rows, axis=1).astype(np.float64) - found.scores)
    assert sorted(found.rows[0].tolist()) == list(range(400))
    assert (error <= found.margin[:, None]).all()
    assert np.isfinite(found.margin).all()


def test_tensors_are_searched_as_arrays_are() -> None:
    random = np.random.default_rng(5)
    docs, queries = random.normal(size=(300, 16)).astype(np.float32), random.normal(size=(70, 16)).astype(np.float32)
    ids, query_ids = [f"d{row}" for row in range(300)], [f"q{row}" for row in range(70)]

    arrays = exact_search(queries, (docs, ids), 10, query_ids=query_ids)
    for kind in (torch.float32, torch.bfloat16):
        given = torch.from_numpy(docs).to(kind), torch.from_numpy(queries).to(kind)
        here = exact_search(given[1], (given[0], ids), 10, query_ids=query_ids)
        there = exact_search(given[1], (given[0], ids), 10, query_ids=query_ids, device="cpu")
        assert here.index.tolist() == there.index.tolist()
        assert here.score.tolist() == there.score.tolist()
        if kind == torch.float32:
            assert here.score.tolist() == arrays.score.tolist()


def test_scores_of_real_vectors_do_not_depend_on_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(7)
    docs = random.normal(size=(300, 64)).astype(np.float32)
    docs[150:] = docs[:150]  # every doc stands twice: 150 exact ties
    queries = random.normal(size=(9, 64)).astype(np.float32)
    ids = [f"d{row:03d}" for row in range(300)]

    whole = runs(queries, docs, ids, 20)
    monkeypatch.setattr(sweep, "QUERY_BLOCK", 1)
    monkeypatch.setattr(sweep, "DOC_BLOCK", 7)
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
    monkeypatch.setattr(sweep, "DOC_BLOCK", 2)
    docs = np.array([[3], [2], [1]], dtype=np.float32)
    masks = np.array([[False, True, True], [False, False, False]])
    allowed = Allowed(("q1", "q2", "q3"), ["d1", "d2", "d3"], masks, np.array([0, -1, 1]))

    hits = exact_search(np.ones((3, 1)), (docs, ["d1", "d2", "d3"]), 2, query_ids=["q1", "q2", "q3"], allowed=allowed)

    assert hits.index.tolist() == [[1, 2], [0, 1], [-1, -1]]


def test_an_excluded_cell_is_no_hit_and_the_next_best_takes_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "DOC_BLOCK", 2)
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


def test_a_first_pass_in_an_unknown_format_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="'int8' is none of"):
        exact_search(np.ones((1, 1)), (np.ones((1, 1)), ["d1"]), 1, query_ids=["q1"], first_pass="int8")


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


@pytest.mark.parametrize("asked", ["highest", "high", "medium"])
def test_a_search_within_a_loop_leaves_the_precision_that_the_loop_asked_for(asked: str) -> None:
    # Dev recall during a training: the loop has sent float32 products to oneDNN, which PyTorch calls "medium".
    vectors = np.eye(4, dtype=np.float32)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(asked)
    try:
        exact_search(vectors, (vectors, list("abcd")), 2, query_ids=list("wxyz"), device="cpu", first_pass="bf16")
        assert torch.get_float32_matmul_precision() == asked
    finally:
        torch.set_float32_matmul_precision(before)
