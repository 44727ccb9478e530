"""Grades: qrels looked up for every hit at once, as columns that measures read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain, compress, repeat
from operator import getitem
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexitune.errors import DataError
from lexitune.fingerprint import hash_json
from lexitune.io.hits import Hits
from lexitune.types import Qrels

__all__ = ["Grades", "Judgements", "check_hits", "count_pairs", "flatten", "grade", "number_within", "shuffle_ties"]

Floats = NDArray[np.float64]
Places = NDArray[np.int64]

SIEVE_BITS = 18  # 256 KiB: it stays in the cache


def count_pairs(qrels: Qrels) -> int:
    """How many docs are relevant, over all queries.

    Example:
        >>> count_pairs({"q1": {"d1": 1, "d2": 0}, "q2": {"d1": 2}})
        2
    """
    return sum(grade > 0 for grades in qrels.values() for grade in grades.values())


@dataclass(frozen=True, eq=False)
class Judgements:
    """Qrels as columns, one entry a judgement, query by query and in each by doc: equal qrels give equal columns.

    Attributes:
        query_ids: The queries that count, in code-point order: those with a relevant doc.
        query: Row of each judgement's query.
        doc_ids: Its doc.
        grades: Its grade.
    """

    query_ids: tuple[str, ...]
    query: NDArray[np.int64]
    doc_ids: Sequence[str]
    grades: NDArray[np.int64]

    def fingerprint(self) -> str:
        """Hash of the judgements."""
        numbers = np.concatenate([np.bincount(self.query), self.grades]).astype("<i8")
        return hash_json([self.query_ids, self.doc_ids, numbers.tobytes().hex()])


@dataclass(frozen=True, eq=False)
class Grades:
    """The judged hits of n queries, one entry each, query by query and best rank first.

    Attributes:
        row: Row of the query.
        rank: Rank of the hit, from 0.
        gain: Its grade; 0 where it was judged not relevant.
        relevance: 1 where the grade is 1 or more, else 0.
        hit_count: int64 [n] hits of each query, judged or not.
        scores: float32 [n, k] scores of all hits.
        relevant_count: float64 [n] relevant docs of each query, whether the ranking has them or not.
        ideal: All gains above 0 of all queries, as (query row, place in its best ranking from 0, gain).
    """

    row: Places
    rank: Places
    gain: Floats
    relevance: Floats
    hit_count: Places
    scores: NDArray[np.float32]
    relevant_count: Floats
    ideal: tuple[Places, Places, Floats]

    def total(self, values: Floats, cutoff: int) -> Floats:
        """For each query the sum of one value a judged hit, over the first `cutoff` hits."""
        inside = self.rank < cutoff
        # It adds in the order of ranks, whatever the other queries are.
        return np.bincount(self.row[inside], weights=values[inside], minlength=len(self.hit_count)).astype(np.float64)


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


def flatten(qrels: Qrels) -> Judgements:
    """Lay out the judgements of the queries that have a relevant doc; the others do not count."""
    query_ids = sorted(qrels)
    judged = [qrels[query_id] for query_id in query_ids]
    sizes = list(map(len, judged))
    query = np.repeat(np.arange(len(judged)), sizes)
    doc_ids = [doc_id for row in judged for doc_id in sorted(row)]
    owners = chain.from_iterable(map(repeat, judged, sizes))
    grades = np.fromiter(map(getitem, owners, doc_ids), dtype=np.int64, count=len(doc_ids))
    counts = np.bincount(query, weights=grades > 0, minlength=len(judged)) > 0
    if not counts.all():
        kept = counts[query]
        query, grades, doc_ids = (np.cumsum(counts) - 1)[query[kept]], grades[kept], list(compress(doc_ids, kept))
        query_ids = list(compress(query_ids, counts))
    return Judgements(tuple(query_ids), query, doc_ids, grades)


def grade(hits: Hits, judgements: Judgements) -> Grades:
    """Find the judged hits of the judged queries. A query that the hits lack has none."""
    asked = np.fromiter(map(hits.rows.get, judgements.query_ids, repeat(-1)), dtype=np.int64)
    row, rank, grades = _judged_hits(hits, judgements, asked)
    hit_count = np.append((hits.index >= 0).sum(axis=1), 0)[asked]
    # A query without hits gets the scores of another; its hit count, 0, keeps anyone from reading them.
    scores = hits.score.take(asked, axis=0, mode="clip") if len(hits.score) else np.zeros((len(asked), 0), np.float32)

    gainful = judgements.grades > 0
    query, gains = judgements.query[gainful], judgements.grades[gainful].astype(np.float64)
    best_first = np.lexsort((-gains, query))
    count = np.bincount(query, minlength=len(asked))
    return Grades(
        row=row,
        rank=rank,
        gain=np.maximum(grades, 0).astype(np.float64),
        relevance=(grades > 0).astype(np.float64),
        hit_count=hit_count,
        scores=scores,
        relevant_count=count.astype(np.float64),
        ideal=(query[best_first], number_within(query), gains[best_first]),
    )


def number_within(group: Places) -> Places:
    """The place of each entry, from 0, among those of its group; groups lie together, in ascending order."""
    count = np.bincount(group)
    places: Places = np.arange(len(group)) - (np.cumsum(count) - count)[group]
    return places


def shuffle_ties(grades: Grades) -> Grades:
    """Grades expected when equal scores stand in random order: each tied hit has the mean of its group.

    A measure that is a weighted sum of gains or relevance (nDCG, R, P) then gives its expected value exactly, as
    long as the group ends within the depth of the hits. No other measure can be told from it.
    """
    depth = grades.scores.shape[1]
    hit = np.arange(depth) < grades.hit_count[:, None]
    first = np.ones(hit.shape, dtype=bool)
    first[:, 1:] = ~hit[:, 1:] | (grades.scores[:, 1:] != grades.scores[:, :-1])
    group = np.cumsum(first.ravel()) - 1
    size = np.bincount(group)
    mine = group[grades.row * depth + grades.rank]
    graded = np.zeros(len(size), dtype=bool)
    graded[mine] = True
    cells = np.flatnonzero(graded[group])
    gain, relevance = (
        (np.bincount(mine, weights=values, minlength=len(size)) / size)[group[cells]]
        for values in (grades.gain, grades.relevance)
    )
    row, rank = np.divmod(cells, depth)
    return replace(grades, row=row, rank=rank, gain=gain, relevance=relevance)


def _judged_hits(hits: Hits, judgements: Judgements, asked: Places) -> tuple[Places, Places, Places]:
    # (query row, rank from 0, grade), ordered by both; `asked` is where each judged query stands in the hits, or -1.
    column = _columns(hits, judgements.doc_ids)
    known = (column >= 0) & (asked[judgements.query] >= 0)
    width = max(1, len(hits.doc_ids))

    # One sorted key a judgement, row * width + column, and a search for hits. Few are judged, and a sieve that lets all
    # of those through and hardly any others spares the rest the search.
    rows, columns = asked[judgements.query[known]], column[known]
    keys = rows * width + columns
    order = np.argsort(keys)
    keys = np.append(keys[order], -1)
    sieve = np.zeros(1 << SIEVE_BITS, dtype=bool)
    sieve[_slot(rows, columns)] = True
    cell = np.flatnonzero(sieve[_slot(np.arange(len(hits.index))[:, None], hits.index)])
    hit = hits.index.ravel()[cell]
    wanted = np.where(hit >= 0, cell // max(1, hits.index.shape[1]) * width + hit, -2)
    place = np.searchsorted(keys[:-1], wanted)
    found = keys[place] == wanted
    judgement = np.flatnonzero(known)[order[place[found]]]
    row, rank = judgements.query[judgement], cell[found] % max(1, hits.index.shape[1])
    order = np.lexsort((rank, row))
    return row[order], rank[order], judgements.grades[judgement[order]]


def _slot(rows: Places, columns: NDArray[np.signedinteger[Any]]) -> NDArray[np.uint32]:
    # Multiplicative hashing: the upper bits of a product modulo 2^32.
    product = rows.astype(np.uint32) * np.uint32(0x85EB_CA6B) + columns.astype(np.uint32) * np.uint32(0x9E37_79B1)
    slots: NDArray[np.uint32] = product >> np.uint32(32 - SIEVE_BITS)
    return slots


def _columns(hits: Hits, doc_ids: Sequence[str]) -> NDArray[np.int64]:
    # Where each judged doc stands in hits.doc_ids; -1 where it does not, or (in a corpus larger than all rankings
    # together, through which it would take long to look) where it is nobody's hit.
    column = dict.fromkeys(doc_ids, -1)
    places: Sequence[int] = range(len(hits.doc_ids))
    ids = hits.doc_ids
    if len(ids) > hits.index.size:
        places = np.unique(hits.index[hits.index >= 0]).tolist()
        ids = [hits.doc_ids[place] for place in places]
    judged = list(map(column.__contains__, ids))
    column.update(zip(compress(ids, judged), compress(places, judged), strict=True))
    return np.fromiter(map(column.__getitem__, doc_ids), dtype=np.int64, count=len(doc_ids))


def _refuse(wrong: NDArray[np.bool_], hits: Hits, *, code: str, problem: str, fix: str) -> None:
    if wrong.any():
        row = int(np.argwhere(wrong)[0, 0])
        raise DataError(code, problem.format(hits.query_ids[row]), fix=fix)
