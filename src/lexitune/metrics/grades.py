"""Grades: qrels looked up for every hit at once, as matrices that measures read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexitune.errors import DataError
from lexitune.io.hits import Hits
from lexitune.types import Qrels

__all__ = ["Grades", "check_hits", "grade", "shuffle_ties"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Grades:
    """n queries by k ranks, best rank first. A cell without a hit holds 0 everywhere.

    Attributes:
        gains: The hit's grade; 0 where it was judged not relevant or not judged.
        relevant: 1 where the grade is 1 or more.
        judged: 1 where somebody judged the hit, relevant or not.
        hit: 1 where there is a hit.
        scores: Float32 scores of the hits.
        relevant_count: Relevant docs of each query, whether the ranking has them or not.
        ideal: All gains above 0 of all queries, as (query row, place in its best ranking from 0, gain).
    """

    gains: Floats
    relevant: Floats
    judged: Floats
    hit: Floats
    scores: NDArray[np.float32]
    relevant_count: Floats
    ideal: tuple[NDArray[np.int64], NDArray[np.int64], Floats]


def check_hits(hits: Hits) -> None:
    """Refuse rankings that no measure should score.

    Raises:
        DataError: A score is NaN or infinite, scores rise with the rank, a gap stands before a hit, or a doc stands
            twice in one ranking. The query is named.
    """
    hit = hits.index >= 0
    _refuse(
        hit & ~np.isfinite(hits.score),
        hits,
        code="E3122",
        problem="a score of query '{}' is not a finite number",
        fix="encode again; if it stays, the model's weights hold NaN: take another checkpoint",
    )
    rises = hit[:, 1:] & (~hit[:, :-1] | (hits.score[:, 1:] > hits.score[:, :-1]))
    _refuse(
        rises,
        hits,
        code="E3124",
        problem="the ranking of query '{}' is not in descending order of score",
        fix="make it with Hits.from_run, which sorts",
    )
    in_order = np.sort(hits.index, axis=1)
    twice = (in_order[:, 1:] == in_order[:, :-1]) & (in_order[:, 1:] >= 0)
    _refuse(
        twice,
        hits,
        code="E3123",
        problem="the ranking of query '{}' holds a doc twice",
        fix="keep each doc once in a ranking, with its best score",
    )


def grade(hits: Hits, qrels: Qrels, *, query_ids: Sequence[str]) -> Grades:
    """Look up every hit of the given queries. A query that the hits lack gets an empty row."""
    index, scores = _rows(hits, query_ids)
    query, column, grades = _flatten(hits, [qrels[query_id] for query_id in query_ids])
    rows, width = index.shape[0], max(1, len(hits.doc_ids))

    # One sorted key a judgement, row * width + column, and one search for all hits.
    known = column >= 0
    keys = query[known] * width + column[known]
    order = np.argsort(keys)
    keys, values = np.append(keys[order], -1), np.append(grades[known][order], 0)
    wanted = np.arange(rows, dtype=np.int64)[:, None] * width + index
    place = np.searchsorted(keys[:-1], wanted)
    judged = (keys[place] == wanted) & (index >= 0)
    gains = np.where(judged, np.maximum(values[place], 0), 0).astype(np.float64)

    gainful = grades > 0
    query, grades = query[gainful], grades[gainful]
    best_first = np.lexsort((-grades, query))
    count = np.bincount(query, minlength=rows)
    start = np.cumsum(count) - count
    query = query[best_first]
    ideal = (query, np.arange(len(query)) - start[query], grades[best_first].astype(np.float64))
    return Grades(
        gains=gains,
        relevant=(gains > 0).astype(np.float64),
        judged=judged.astype(np.float64),
        hit=(index >= 0).astype(np.float64),
        scores=scores,
        relevant_count=count.astype(np.float64),
        ideal=ideal,
    )


def shuffle_ties(grades: Grades) -> Grades:
    """Grades expected when equal scores stand in random order: each tied hit has the mean of its group.

    A measure that is a weighted sum of gains or relevance (nDCG, R, P) then gives its expected value exactly, as
    long as the group ends within the depth of the hits.
    """
    n, k = grades.gains.shape
    if grades.gains.size == 0:
        return grades
    first = np.ones((n, k), dtype=bool)
    both = (grades.hit[:, 1:] > 0) & (grades.hit[:, :-1] > 0)
    first[:, 1:] = ~(both & (grades.scores[:, 1:] == grades.scores[:, :-1]))
    group = np.cumsum(first.ravel()) - 1
    size = np.bincount(group)

    def average(matrix: Floats) -> Floats:
        spread: Floats = (np.bincount(group, weights=matrix.ravel()) / size)[group].reshape(n, k)
        return spread

    return replace(grades, gains=average(grades.gains), relevant=average(grades.relevant))


def _rows(hits: Hits, query_ids: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    # The hits' rows in the order of query_ids; -1 throughout where a query is missing.
    taken = np.array([hits.rows.get(query_id, -1) for query_id in query_ids], dtype=np.int64)
    present = taken >= 0
    shape = (len(query_ids), hits.index.shape[1])
    index = np.full(shape, -1, dtype=np.int64)
    scores = np.zeros(shape, dtype=np.float32)
    index[present] = hits.index[taken[present]]
    scores[present] = hits.score[taken[present]]
    return index, scores


def _flatten(hits: Hits, judgements: Sequence[Mapping[str, int]]) -> tuple[Any, Any, Any]:
    # (query row, column in the corpus or -1, grade) of every judgement.
    wanted = {doc_id for judged in judgements for doc_id in judged}
    column_of = {doc_id: column for column, doc_id in enumerate(hits.doc_ids) if doc_id in wanted}
    sizes = [len(judged) for judged in judgements]
    query = np.repeat(np.arange(len(judgements), dtype=np.int64), sizes)
    column = np.array([column_of.get(doc_id, -1) for judged in judgements for doc_id in judged], dtype=np.int64)
    grades = np.array([value for judged in judgements for value in judged.values()], dtype=np.int64)
    return query, column, grades


def _refuse(wrong: NDArray[np.bool_], hits: Hits, *, code: str, problem: str, fix: str) -> None:
    if wrong.any():
        row = int(np.argwhere(wrong)[0, 0])
        raise DataError(code, problem.format(hits.query_ids[row]), fix=fix)
