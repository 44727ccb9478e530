"""The first passages under the line: the same as ranking the whole window, ties, filters and rounding included."""

from pathlib import Path

import numpy as np
import pytest

from lexitune.errors import DataError
from lexitune.io.vectors import VectorWriter
from lexitune.search.filters import Allowed
from lexitune.search.hidden import Hidden
from lexitune.search.matrix import HostDocs
from lexitune.stages.mine.below import best_below
from lexitune.stages.mine.cells import Cells
from lexitune.stages.mine.ground import Ground
from lexitune.stages.mine.known import Known
from lexitune.stages.mine.negatives import mine_queries
from lexitune.stages.mine.options import MineOptions
from lexitune.types import Doc, Query

QUERIES, DOCS, DIM = 30, 5000, 8  # more docs than one block holds
NOTHING = Hidden.build(["q"], ["a", "b", "c"], allowed=None, exclude=None)


def ground(kind: str, seed: int, *, last: int, count: int) -> tuple[Ground, Known]:
    """Random vectors: of small whole numbers, so that most scores tie; nearly equal ones; or unit ones."""
    rng = np.random.default_rng(seed)
    if kind == "ties":
        docs = rng.integers(-2, 3, (DOCS, DIM)).astype(np.float32)
        asked = rng.integers(-2, 3, (QUERIES, DIM)).astype(np.float32)
    elif kind == "within rounding":
        docs = np.float32(1) + rng.integers(0, 3, (DOCS, DIM)).astype(np.float32) * np.float32(2.0**-23)
        asked = rng.standard_normal((QUERIES, DIM)).astype(np.float32)
    else:
        docs = rng.standard_normal((DOCS, DIM)).astype(np.float32)
        asked = rng.standard_normal((QUERIES, DIM)).astype(np.float32)
        docs /= np.linalg.norm(docs, axis=1, keepdims=True)
    names = [f"d{number}" for number in rng.permutation(DOCS)]
    ids = tuple(f"q{number}" for number in range(QUERIES))
    masks = rng.random((2, DOCS)) < 0.7
    allowed = Allowed(ids, names, masks, rng.integers(-1, 2, QUERIES))
    right = Cells.of(np.repeat(np.arange(QUERIES), 2), rng.integers(0, DOCS, 2 * QUERIES), DOCS)
    wrong = Cells.of(rng.integers(0, QUERIES, 9), rng.integers(0, DOCS, 9), DOCS).minus(right)
    return Ground(
        docs=[Doc(name, name) for name in names],
        stored=(docs, names),
        queries=[Query(query_id, query_id) for query_id in ids],
        query_vectors=asked,
        allowed=allowed,
        bm25=None,
        device=None,
        rescore=None,
        options=MineOptions(last=last, count=count, near=1.0),
    ), Known(right, Cells.of(np.empty(0), np.empty(0), DOCS), wrong)


@pytest.mark.parametrize("kind", ["ties", "within rounding", "unit"])
@pytest.mark.parametrize(("last", "count"), [(4, 4), (50, 3), (4000, 5)])
def test_both_ways_give_the_same_negatives(kind: str, last: int, count: int) -> None:
    laid, known = ground(kind, last, last=last, count=count)

    quick, thorough = mine_queries(laid, known), mine_queries(laid, known, whole_window=True)

    for name in ("query", "doc", "rank", "score", "positive_score"):
        assert getattr(quick, name).tolist() == getattr(thorough, name).tolist(), name
    assert quick.left_out == thorough.left_out
    assert len(quick) > 0


def test_what_stands_above_the_line_is_counted_and_what_stands_on_it_is_below() -> None:
    docs = HostDocs(np.array([[1.0], [3.0], [2.0]], dtype=np.float32), ["a", "b", "c"])

    found = best_below(np.ones((1, 1), np.float32), docs, np.array([2.0]), most=1, hidden=NOTHING)

    assert (found.above.tolist(), found.doc.tolist(), found.score.tolist()) == ([1], [[2]], [[2.0]])
    assert found.settled.tolist() == [True]


def test_more_ties_than_there_is_room_for_are_not_settled_and_said_so() -> None:
    names = [f"d{number:02}" for number in range(40)]
    hidden = Hidden.build(["q"], names, allowed=None, exclude=None)
    docs = HostDocs(np.ones((40, 1), dtype=np.float32), names)

    found = best_below(np.ones((1, 1), np.float32), docs, np.array([1.0]), most=2, hidden=hidden)

    assert found.settled.tolist() == [False]


def test_stored_vectors_are_read_from_their_parts(tmp_path: Path) -> None:
    writer = VectorWriter(tmp_path, dim=1)
    writer.append(["a", "b"], ["", ""], np.array([[1.0], [3.0]]))
    writer.append(["c"], [""], np.array([[2.0]]))
    docs = HostDocs(writer.finish({}), ["a", "b", "c"])

    found = best_below(np.ones((1, 1), np.float32), docs, np.array([2.5]), most=2, hidden=NOTHING)

    assert (found.above.tolist(), found.doc.tolist()) == ([1], [[2, 0]])


def test_a_vector_that_is_not_a_number_stops_it() -> None:
    docs = HostDocs(np.array([[1.0], [np.nan], [2.0]], dtype=np.float32), ["a", "b", "c"])

    with pytest.raises(DataError, match="doc 'b'"):
        best_below(np.ones((1, 1), np.float32), docs, np.array([2.0]), most=1, hidden=NOTHING)
