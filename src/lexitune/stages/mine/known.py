"""What is known of each query before mining: right passages, those of nearly the same question, judged wrong ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lexitune.errors import DataError, UsageError
from lexitune.splits.sealing import open_test
from lexitune.stages.mine.cells import Cells, spread
from lexitune.stages.mine.options import MineOptions
from lexitune.text.near import near_pairs
from lexitune.text.normalise import normalise
from lexitune.types import Dataset, Qrels

__all__ = ["PURPOSE", "Known", "gather_known", "held_out", "mined_queries", "refuse_unknown", "refuse_unrecorded"]

PURPOSE = "mine: passages kept out of the negatives"


@dataclass(frozen=True, eq=False)
class Known:
    """Cells of (query, doc); no cell stands in two of them.

    Attributes:
        own: Judged relevant for the query.
        near: Judged relevant for a query that is nearly the same.
        wrong: Judged, not relevant.
    """

    own: Cells
    near: Cells
    wrong: Cells

    @property
    def right(self) -> Cells:
        """Own and near: never negatives."""
        return self.own.plus(self.near)

    def of_rows(self, rows: NDArray[np.int64]) -> Known:
        """The same for some queries only, which are then numbered 0, 1, ...: `rows` ascends."""
        return Known(self.own.of_rows(rows), self.near.of_rows(rows), self.wrong.of_rows(rows))


def mined_queries(data: Dataset) -> list[str]:
    """The train queries with a relevant passage, in the judgements' order.

    Raises:
        DataError: There is none.
    """
    found = [
        query_id for query_id, judged in data.qrels.get("train", {}).items() if max(judged.values(), default=0) > 0
    ]
    if not found:
        raise DataError(
            "E3321",
            "there are no training pairs",
            fix="give qrels/train.tsv judgements of 1 or more, or import pairs: lexitune tune pairs.csv",
        )
    return found


def gather_known(data: Dataset, query_ids: Sequence[str], row_of: Mapping[str, int], *, near: float) -> Known:
    """Look up the judgements of the queries to mine for, and of train and dev queries that are nearly the same.

    Two people who ask nearly the same question want the same passages, though each was judged for one of them
    only. Direct likeness counts, not chains of it: a thousand questions from one template would hang together.

    Args:
        query_ids: Train queries; their order numbers the cells' rows.
        row_of: doc_id -> column.
        near: Jaccard likeness of two texts from which they count as the same.

    Raises:
        DataError: A judgement of a query or doc that has no text.
    """
    refuse_unknown(data, query_ids, row_of)
    read = _read_judgements(data, query_ids)
    names, judged = list(read), list(read.values())
    width = len(row_of)
    row = np.repeat(np.arange(len(judged), dtype=np.int64), [len(grades) for grades in judged])
    column = np.array([row_of[doc_id] for grades in judged for doc_id in grades], dtype=np.int64)
    grade = np.array([value for grades in judged for value in grades.values()], dtype=np.int64)
    positive = Cells.of(row[grade > 0], column[grade > 0], width)
    mine = row < len(query_ids)
    own = Cells.of(row[mine & (grade > 0)], column[mine & (grade > 0)], width)
    pairs = _alike([data.queries[query_id].text for query_id in names], near)
    both = np.concatenate([pairs, pairs[:, ::-1]])
    asked, alike = both[both[:, 0] < len(query_ids)].T
    place, docs = spread(positive.counts(len(names)), positive.columns, alike)
    shared = Cells.of(asked[place], docs, width).minus(own)
    wrong = Cells.of(row[mine & (grade < 1)], column[mine & (grade < 1)], width).minus(own).minus(shared)
    return Known(own, shared, wrong)


def held_out(data: Dataset, *, options: MineOptions, openings: Path | None, sealed: str | None) -> frozenset[str]:
    """Ids of the passages that are relevant to dev or test queries, where the options keep them out.

    Only ids come out of here, without their queries and without telling dev from test: nothing of the test
    judgements can be learnt or written from them. The opening is recorded all the same.

    Args:
        openings: The journal of openings of the test set.
        sealed: SHA-256 of the test judgements at import; None: there is none.

    Raises:
        UsageError: As `refuse_unrecorded`.
        DataError: The test judgements changed since they were sealed.
    """
    if options.keep_out == "none":
        return frozenset()
    splits: list[Qrels] = [data.qrels.get("dev", {})]
    refuse_unrecorded(data, options=options, openings=openings)
    if data.test is not None and data.test.query_count and openings is not None:
        splits.append(open_test(data.test, openings=openings, purpose=PURPOSE, expected_sha256=sealed))
    judged = (grades for split in splits for grades in split.values())
    return frozenset(doc_id for grades in judged for doc_id, grade in grades.items() if grade > 0)


def refuse_unrecorded(data: Dataset, *, options: MineOptions, openings: Path | None) -> None:
    """Refuse to open a test set where there is no journal to record it in.

    Raises:
        UsageError: The data has a test set, its passages are to be kept out, and `openings` is None.
    """
    has_test = data.test is not None and data.test.query_count > 0
    if options.keep_out != "none" and has_test and openings is None:
        raise UsageError(
            "E2012",
            "the data has a sealed test set, and keeping its passages out of the negatives means to open it",
            fix='name the journal, openings=Path("test-openings.jsonl"), or give MineOptions(keep_out="none")',
        )


def refuse_unknown(data: Dataset, query_ids: Sequence[str], doc_ids: Container[str]) -> None:
    """Refuse what `gather_known` could not look up, before anything is encoded or opened for it.

    Args:
        query_ids: Train queries.
        doc_ids: Passages that have a text.

    Raises:
        DataError: A judgement of a query or doc that has no text.
    """
    for query_id, grades in _read_judgements(data, query_ids).items():
        lost = query_id if query_id not in data.queries else next((d for d in grades if d not in doc_ids), None)
        if lost is not None:
            kind = "query" if query_id not in data.queries else "doc"
            raise DataError(
                "E3322",
                f"the judgements name {kind} {lost!r}, which has no text",
                fix="add it, or drop its judgements",
            )


def _alike(texts: Sequence[str], near: float) -> NDArray[np.int64]:
    if near < 1:
        return near_pairs(texts, threshold=near)
    keys = [normalise(text) for text in texts]  # equal ones need no comparing, and the others cannot be near
    count = Counter(keys)
    repeated = np.array([row for row, key in enumerate(keys) if count[key] > 1], dtype=np.int64)
    return repeated[near_pairs([texts[row] for row in repeated], threshold=near)]


def _read_judgements(data: Dataset, query_ids: Sequence[str]) -> Qrels:
    """Those of the queries to mine for, then those of the dev queries that train does not have."""
    train, dev = data.qrels.get("train", {}), data.qrels.get("dev", {})
    own = {query_id: train[query_id] for query_id in query_ids}
    return own | {query_id: grades for query_id, grades in dev.items() if query_id not in train}
