"""The pilot: folds that share no passage, maps that gain where one can, and the assessment that uses them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.linalg import expm

from lexitune.io.hits import Hits
from lexitune.pipeline.pilot import _folds, run_pilot
from lexitune.search.exact import exact_search
from lexitune.stages.assess.ledger import Ledger, Stock

DIM, DOCS = 16, 300


def ledger(*, turned: bool, groups: Sequence[int] | None = None) -> Ledger:
    """300 passages at random; each query is its passage with some noise, through a fixed rotation when `turned`."""
    draw = np.random.default_rng(3)
    docs = _unit(draw.normal(size=(DOCS, DIM)))
    skew = 0.3 * draw.normal(size=(DIM, DIM))
    turn = expm(skew - skew.T) if turned else np.eye(DIM)
    queries = _unit((docs + 0.15 * draw.normal(size=docs.shape)) @ turn.T)
    ids = tuple(f"q{n:03}" for n in range(DOCS))
    doc_ids = [f"d{n:03}" for n in range(DOCS)]
    own = np.arange(DOCS) if groups is None else np.array(groups)
    qrels = {query_id: {doc_id: 1} for query_id, doc_id in zip(ids, doc_ids, strict=True)}
    stock = Stock(qrels, ids, queries, (docs, doc_ids), own, own, None, normalise=True)
    hits = exact_search(queries, (docs, doc_ids), 100, query_ids=ids)
    nothing = Hits(ids, doc_ids, np.full((DOCS, 1), -1, np.int32), np.full((DOCS, 1), -np.inf, np.float32))
    return Ledger({"stock": hits, "bm25": nothing, "hybrid": hits}, {}, None, stock)


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float32]:
    found: NDArray[np.float32] = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return found


def test_a_map_brings_back_what_a_rotation_took() -> None:
    found = run_pilot(ledger(turned=True), 1)

    assert found is not None
    assert found.pairs == (50, 100, 200)
    assert [lift.n for lift in found.lifts] == [DOCS] * 3
    assert found.lifts[-1].low > 0
    assert found.lifts[-1].mean > found.lifts[0].mean
    assert found.hybrid_lift.mean == pytest.approx(found.lifts[-1].mean)  # BM25 finds nothing here


def test_where_nothing_is_wrong_nothing_is_gained() -> None:
    found = run_pilot(ledger(turned=False), 1)

    assert found is not None
    assert abs(found.lifts[-1].mean) < 0.03


def test_equal_seeds_give_equal_figures() -> None:
    found = [run_pilot(ledger(turned=True), seed) for seed in (1, 1, 2)]

    once, twice, other = ([] if pilot is None else pilot.lifts for pilot in found)
    assert once == twice
    assert once != other


@pytest.mark.parametrize(
    "groups", [[n % 2 for n in range(DOCS)], [0] * 200 + list(range(1, 101))], ids=["two groups", "one large group"]
)
def test_groups_that_make_no_even_folds_have_no_pilot(groups: list[int]) -> None:
    assert run_pilot(ledger(turned=True, groups=groups), 1) is None


def test_no_group_is_in_two_folds() -> None:
    groups = np.random.default_rng(2).integers(40, size=DOCS)

    folds = _folds(groups, 1)

    assert sorted(np.concatenate(folds).tolist()) == list(range(DOCS))
    assert sum(len(np.unique(groups[fold])) for fold in folds) == len(np.unique(groups))
    assert max(map(len, folds)) - min(map(len, folds)) <= np.bincount(groups).max()


def test_queries_whose_passages_are_not_there_have_no_pilot() -> None:
    given = ledger(turned=True)
    lost = {query_id: {f"lost-{query_id}": 1} for query_id in given.stock.query_ids}

    assert run_pilot(replace(given, stock=replace(given.stock, qrels=lost)), 1) is None
