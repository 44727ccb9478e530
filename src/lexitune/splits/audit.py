"""The audit of splits: a question that is tested must not have been learnt, nor be copied from its answer."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lexitune.splits.grouped import families_of
from lexitune.text.near import near_cover
from lexitune.text.normalise import normalise
from lexitune.types import Doc, Qrels, Query

__all__ = ["KINDS", "Leak", "find_alike", "find_leaks", "repair", "tell", "that_stop"]

KINDS = {
    "equal": "ask what a {other} query asks",
    "near": "ask nearly what a {other} query asks",
    "family": "are of a family that a {other} query is of",
    "copied": "stand word for word in their own passage",
    "cosine": "mean nearly what a {other} query means",
}
"""What a leak is, said of test queries."""

HELD_OUT_FIRST = ("test", "dev", "train")
COPIED_WORDS = 5  # below, words of a field meet by chance: "is x inherited" stands in its answer
MOST_COPIED = 0.05  # share of the test queries
COSINE = 0.95
CELLS_AT_ONCE = 10_000_000
SHOWN = 3


@dataclass(frozen=True, slots=True)
class Leak:
    """A query that is held out and what gives it away.

    Args:
        query_id: The held-out query.
        other_id: A query of `split`, or for "copied" the passage.
        split: "train", "dev" or "corpus".
        kind: A key of `KINDS`.
        similarity: Jaccard of the shingles, or the cosine; 1 for the other kinds.
    """

    query_id: str
    other_id: str
    split: str
    kind: str
    similarity: float


def find_leaks(splits: Mapping[str, Qrels], queries: Mapping[str, Query], *, docs: Iterable[Doc] = ()) -> list[Leak]:
    """What gives test queries away, by their texts and families.

    A test query leaks when its text equals a train or dev query's or nearly does, when its family (its own or that of
    a relevant doc) is a train or dev query's too, or when it is copied from its passage: five words or more of it, all
    of it, stand in a relevant doc in the same order. A shared passage alone is no leak.

    Each query that leaks, and each that gives away, is in some pair; not every pair of them is listed.

    Args:
        splits: With "test"; without, nothing leaks.
        docs: The corpus: families and passages.

    Returns:
        By kind in the order of `KINDS`, then by test query.

    Example:
        >>> queries = {"a": Query("a", "What is tort?"), "t": Query("t", "what is  tort")}
        >>> find_leaks({"train": {"a": {"d": 1}}, "test": {"t": {"e": 1}}}, queries)
        [Leak(query_id='t', other_id='a', split='train', kind='equal', similarity=1.0)]
    """
    test = splits.get("test", {})
    relevant = _relevant(splits, docs)
    found = list(_copied(test, queries, relevant["test"]))
    for name in ("train", "dev"):
        learnt = splits.get(name, {})
        found += _alike(list(test), list(learnt), queries, name)
        found += _of_one_family(
            _by_family(test, queries, relevant["test"]), _by_family(learnt, queries, relevant[name]), name
        )
    order = {kind: place for place, kind in enumerate(KINDS)}
    return sorted(found, key=lambda leak: (order[leak.kind], leak.query_id, leak.split, leak.other_id))


def find_alike(
    test: tuple[Sequence[str], NDArray[np.float32]], learnt: tuple[Sequence[str], NDArray[np.float32]], *, split: str
) -> list[Leak]:
    """Test queries whose vectors lie within a cosine of 0.95 of a learnt query's, each with the nearest one.

    Args:
        test: Query ids, and float32 (n, dim) vectors of unit length in their order; `learnt` likewise.
        split: What the learnt queries are of, "train" or "dev".
    """
    (ids, vectors), (others, known) = test, learnt
    found = []
    step = max(1, CELLS_AT_ONCE // max(1, len(others)))
    for start in range(0, len(ids) if len(others) else 0, step):
        scores = vectors[start : start + step] @ known.T
        nearest = scores.argmax(axis=1)
        for row in np.flatnonzero(scores.max(axis=1) >= COSINE).tolist():
            other, score = int(nearest[row]), float(scores[row, nearest[row]])
            found.append(Leak(ids[start + row], others[other], split, "cosine", min(1.0, score)))
    return found


def repair(splits: Mapping[str, Qrels], queries: Mapping[str, Query]) -> tuple[dict[str, Qrels], list[Leak]]:
    """Drop train and dev queries that equal or nearly equal a test query, and such train queries of dev.

    The test set is never touched: what was measured on it before stays comparable.

    Returns:
        The splits in the order given, and what was dropped: each `other_id`, with the query that held its ground.
    """
    kept = dict(splits)
    dropped: list[Leak] = []
    for place, name in enumerate(HELD_OUT_FIRST):
        held_out = dict.fromkeys(query_id for above in HELD_OUT_FIRST[:place] for query_id in kept.get(above, ()))
        leaks = {leak.other_id: leak for leak in _alike(list(held_out), list(kept.get(name, ())), queries, name)}
        if leaks:
            kept[name] = {query_id: grades for query_id, grades in kept[name].items() if query_id not in leaks}
            dropped += leaks.values()
    return kept, dropped


def that_stop(leaks: Sequence[Leak], test_count: int) -> list[Leak]:
    """The leaks by which a run must not go on.

    Not a cosine: it calls "increases" and "decreases" alike, and one question to two reports. Nor copies of at most one
    test query in twenty: they help every system, so a gain hardly moves; sets that nobody copied have up to 2 %.
    """
    copied = {leak.query_id for leak in leaks if leak.kind == "copied"}
    borne = {"cosine", "copied"} if len(copied) <= MOST_COPIED * test_count else {"cosine"}
    return [leak for leak in leaks if leak.kind not in borne]


def tell(leaks: Sequence[Leak], test_count: int) -> list[str]:
    """One line for each kind: how many test queries, and the first pairs.

    Example:
        >>> tell([Leak("t1", "q7", "train", "near", 0.91)], 50)
        ['1 of 50 test queries ask nearly what a train query asks: t1 ~ q7 (0.91)']
    """
    lines = []
    for kind, said in KINDS.items():
        of_kind = [leak for leak in leaks if leak.kind == kind]
        if not of_kind:
            continue
        count = len({leak.query_id for leak in of_kind})
        other = " or ".join(name for name in ("train", "dev") if any(leak.split == name for leak in of_kind))
        pairs = ", ".join(_pair(leak) for leak in of_kind[:SHOWN]) + (", ..." if len(of_kind) > SHOWN else "")
        lines.append(f"{count:,} of {test_count:,} test queries {said.format(other=other)}: {pairs}")
    return lines


def _pair(leak: Leak) -> str:
    value = "" if leak.similarity == 1 else f" ({leak.similarity:.2f})"
    return f"{leak.query_id} ~ {leak.other_id}{value}"


def _alike(held_out: Sequence[str], learnt: Sequence[str], queries: Mapping[str, Query], split: str) -> Iterator[Leak]:
    texts, others = ([queries[query_id].text for query_id in ids] for ids in (held_out, learnt))
    pairs, likeness = near_cover(texts, others)
    for (i, j), value in zip(pairs.tolist(), likeness.tolist(), strict=True):
        equal = value == 1 and normalise(texts[i]) == normalise(others[j])
        yield Leak(held_out[i], learnt[j], split, "equal" if equal else "near", value)


def _relevant(splits: Mapping[str, Qrels], docs: Iterable[Doc]) -> dict[str, dict[str, list[Doc]]]:
    """split -> query -> its relevant docs, as far as `docs` has them."""
    of_doc: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for name, split in splits.items():
        for query_id, grades in split.items():
            for doc_id in (doc_id for doc_id, grade in grades.items() if grade > 0):
                of_doc[doc_id].append((name, query_id))
    found: dict[str, dict[str, list[Doc]]] = {name: {} for name in HELD_OUT_FIRST}
    for doc in docs:
        for name, query_id in of_doc.get(doc.doc_id, ()):
            found[name].setdefault(query_id, []).append(doc)
    return found


def _copied(test: Qrels, queries: Mapping[str, Query], relevant: Mapping[str, Sequence[Doc]]) -> Iterator[Leak]:
    for query_id in test:
        text = normalise(queries[query_id].text)
        if len(text.split()) < COPIED_WORDS:
            continue
        source = next((doc for doc in relevant.get(query_id, ()) if _holds(normalise(doc.full_text), text)), None)
        if source is not None:
            yield Leak(query_id, source.doc_id, "corpus", "copied", 1.0)


def _holds(passage: str, text: str) -> bool:
    """Whether a text stands in a passage, neither beginning nor ending inside a word of it."""
    # Most texts stand in none, and a pattern takes long to compile.
    return text in passage and re.search(rf"(?<!\w){re.escape(text)}(?!\w)", passage) is not None


def _by_family(
    split: Qrels, queries: Mapping[str, Query], relevant: Mapping[str, Sequence[Doc]]
) -> dict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for query_id in split:
        for family in families_of(queries[query_id], relevant.get(query_id, ())):
            found[family].append(query_id)
    return found


def _of_one_family(
    test: Mapping[str, Sequence[str]], learnt: Mapping[str, Sequence[str]], split: str
) -> Iterator[Leak]:
    pairs: dict[tuple[str, str], None] = {}
    for family in sorted(test.keys() & learnt.keys()):
        asked, known = test[family], learnt[family]
        pairs |= dict.fromkeys([*((query_id, known[0]) for query_id in asked), *((asked[0], other) for other in known)])
    for query_id, other in pairs:
        yield Leak(query_id, other, split, "family", 1.0)
