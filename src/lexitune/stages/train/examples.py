"""From judgements and mined negatives to numbers: distinct texts, pairs, what is known and what a teacher says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lexitune.errors import DataError
from lexitune.types import Dataset, Example, Qrels

__all__ = ["Examples", "gather_examples"]

Rows = npt.NDArray[np.int64]
Pair = tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """The training pairs over distinct texts.

    Attributes:
        queries: Distinct query texts.
        docs: Distinct full texts of the docs that answer them, then of the mined negatives.
        pairs: int64 (n, 2): row of the query, row of the doc; each pair once, in the judgements' order.
        known: int64 (n,), sorted: the pairs as numbers, query * len(docs) + doc.
        weights: float32 (n,): how much each pair counts.
        negatives: int64: rows of the docs mined for each query, one query's after another, the hardest first.
        ends: int64 (queries + 1,): query i has `negatives[ends[i]:ends[i + 1]]`.
        taught: int64, sorted: pairs that a teacher has scored, as numbers like `known`.
        teacher: float32: their scores.
    """

    queries: tuple[str, ...]
    docs: tuple[str, ...]
    pairs: Rows
    known: Rows
    weights: npt.NDArray[np.float32]
    negatives: Rows
    ends: Rows
    taught: Rows
    teacher: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.pairs)

    def numbers(self, query: Rows, doc: Rows) -> Rows:
        """Pairs of rows as the numbers in `known` and `taught`."""
        return query * len(self.docs) + doc

    def is_known(self, numbers: Rows) -> npt.NDArray[np.bool_]:
        """Which of these pairs are known answers."""
        place = np.searchsorted(self.known, numbers).clip(max=len(self.known) - 1)
        found: npt.NDArray[np.bool_] = self.known[place] == numbers
        return found

    def scores_of(self, numbers: Rows) -> npt.NDArray[np.float32]:
        """The teacher's scores of these pairs, NaN where it has none."""
        if not len(self.taught):
            return np.full(numbers.shape, np.nan, np.float32)
        place = np.searchsorted(self.taught, numbers).clip(max=len(self.taught) - 1)
        return np.where(self.taught[place] == numbers, self.teacher[place], np.float32(np.nan))


def gather_examples(
    data: Dataset,
    qrels: Qrels,
    *,
    mined: Iterable[Example] = (),
    weights: Mapping[str, Mapping[str, float]] | None = None,
) -> Examples:
    """Join judgements with texts: one pair for each (query, relevant doc).

    Equal texts are one text whatever their ids, so that nothing is encoded twice and a copy of
    the right passage is never taken for a wrong one.

    Args:
        mined: Negatives and teacher's scores; queries that `qrels` does not judge are passed over.
        weights: Query -> doc -> how much the pair counts; 1 where nothing is said.

    Raises:
        DataError: No judgement of 1 or more, an id without a text, one distinct doc only, or a weight that is none.
    """
    table = _Table(data)
    pairs: dict[Pair, float] = {}
    for query_id, judged in qrels.items():
        for doc_id, relevance in judged.items():
            if relevance < 1:
                continue
            pair = table.pair(query_id, doc_id, "the train judgements name")
            weight = (weights or {}).get(query_id, {}).get(doc_id, 1.0)
            if not 0 <= weight < np.inf:
                raise _unfit(f"query {query_id!r}, doc {doc_id!r}: the weight {weight:g} is no number of 0 or more")
            pairs[pair] = max(pairs.get(pair, 0.0), weight)
    if not pairs:
        raise DataError(
            "E3321",
            "there are no training pairs",
            fix="give qrels/train.tsv judgements of 1 or more, or import pairs: lexitune tune pairs.csv",
        )
    if not any(pairs.values()):
        raise _unfit("the weights of the training pairs are all 0")
    wrong, taught = _read_mined(table, pairs, mined)
    if len(table.docs) < 2:
        raise DataError(
            "E3323",
            f"all {len(pairs)} training pairs have the same passage",
            fix="training compares right with wrong passages: give pairs with at least two",
        )
    rows = np.array(list(pairs), dtype=np.int64)
    width = len(table.docs)
    order = sorted(taught)
    return Examples(
        tuple(table.queries),
        tuple(table.docs),
        rows,
        np.sort(rows[:, 0] * width + rows[:, 1]),
        np.array(list(pairs.values()), dtype=np.float32),
        np.array([doc for query in range(len(table.queries)) for doc in wrong.get(query, ())], dtype=np.int64),
        np.cumsum([0, *(len(wrong.get(query, ())) for query in range(len(table.queries)))]).astype(np.int64),
        np.array([query * width + doc for query, doc in order], dtype=np.int64),
        np.array([taught[pair] for pair in order], dtype=np.float32),
    )


def _unfit(problem: str) -> DataError:
    fix = "mend qrels/train.weights.tsv, or remove it: every pair then counts the same"
    return DataError("E3324", problem, fix=fix)


class _Table:
    """Rows of distinct texts, given out as they are asked for."""

    def __init__(self, data: Dataset) -> None:
        self.of_query = {query_id: query.text for query_id, query in data.queries.items()}
        self.of_doc = {doc.doc_id: doc.full_text for doc in data.docs}
        self.queries: dict[str, int] = {}
        self.docs: dict[str, int] = {}

    def pair(self, query_id: str, doc_id: str, who: str) -> Pair:
        for kind, name, texts in (("query", query_id, self.of_query), ("doc", doc_id, self.of_doc)):
            if name not in texts:
                raise DataError(
                    "E3322",
                    f"{who} {kind} {name!r}, which has no text",
                    fix="add it, or drop its judgements; mined examples are made again with: lexitune mine",
                )
        query = self.queries.setdefault(self.of_query[query_id], len(self.queries))
        return query, self.docs.setdefault(self.of_doc[doc_id], len(self.docs))


def _read_mined(
    table: _Table, pairs: Mapping[Pair, float], mined: Iterable[Example]
) -> tuple[dict[int, dict[int, None]], dict[Pair, float]]:
    """Wrong docs by query, and the teacher's scores; what is a known answer by its text is no negative."""
    wrong: dict[int, dict[int, None]] = {}
    taught: dict[Pair, float] = {}
    judged = len(table.queries)
    for example in mined:
        if table.queries.get(table.of_query.get(example.query_id, ""), judged) >= judged:
            continue
        listed = [*example.positives, *example.negatives]
        if example.teacher_scores and len(example.teacher_scores) != len(listed):
            raise DataError(
                "E3325",
                f"query {example.query_id!r}: {len(example.teacher_scores)} teacher_scores, {len(listed)} passages",
                fix="give one score for each of positives, then negatives; or mine again: lexitune mine",
            )
        found = [table.pair(example.query_id, doc_id, "the mined examples name") for doc_id in listed]
        taught.update(zip(found, example.teacher_scores, strict=False))
        for query, doc in found[len(example.positives) :]:
            if (query, doc) not in pairs:
                wrong.setdefault(query, {})[doc] = None
    return wrong, taught
