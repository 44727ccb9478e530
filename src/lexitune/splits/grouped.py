"""Splits by group: what belongs together stays on one side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from lexitune.errors import DataError
from lexitune.fingerprint import hash_text
from lexitune.text.normalise import normalise
from lexitune.types import Doc, Qrels, Query

__all__ = ["groups_of", "split_by_group"]


def split_by_group(
    qrels: Qrels,
    queries: Mapping[str, Query],
    *,
    docs: Iterable[Doc],
    dev_share: float,
    test_share: float,
    seed: int,
    strict: bool = False,
) -> dict[str, Qrels]:
    """Divide judged queries into train, dev and test so that no group is on two sides.

    Groups come in an order that depends on the seed and their ids alone, not on the order of the
    input, and fill test, then dev, then train. A group too large for the room left in test or dev
    goes on to the next, so one huge family cannot become the test set.

    Args:
        qrels: The judgements to divide.
        queries: Their texts, and `metadata["family"]` where a query has one.
        docs: The corpus, for `metadata["family"]` and, when strict, the texts.
        dev_share: Share of the queries for dev; 0 makes none.
        test_share: Share of the queries for test; 0 makes none.
        seed: Another seed, another division.
        strict: Also keep queries with a shared relevant passage together.

    Returns:
        The splits that have a share, train always first.

    Raises:
        DataError: Fewer groups than splits.
    """
    groups = groups_of(qrels, queries, docs=docs, strict=strict)
    order = sorted(groups, key=lambda group: (hash_text(f"{seed}\n{group[0]}"), group[0]))
    room = {
        name: max(1, round(share * len(qrels)))
        for name, share in (("test", test_share), ("dev", dev_share))
        if share > 0
    }
    if len(groups) <= len(room):
        raise DataError(
            "E3101",
            f"{len(qrels)} queries make {len(groups)} groups that belong together; "
            f"train, {' and '.join(sorted(room))} need {len(room) + 1}",
            fix="give more queries, or write the splits yourself: qrels/train.tsv, dev.tsv and test.tsv",
        )
    placed: dict[str, list[tuple[str, ...]]] = {"train": [], **{name: [] for name in sorted(room)}}
    for group in order:
        name = next((name for name, left in room.items() if len(group) <= left), "train")
        placed[name].append(group)
        if name in room:
            room[name] -= len(group)
    for name in room:
        _fill_if_empty(placed, name)
    _fill_if_empty(placed, "train")
    sides = {name: {query_id for group in members for query_id in group} for name, members in placed.items()}
    return {
        name: {query_id: grades for query_id, grades in qrels.items() if query_id in ids} for name, ids in sides.items()
    }


def _fill_if_empty(placed: dict[str, list[tuple[str, ...]]], name: str) -> None:
    # With a few large groups none may fit, or tiny data may leave none for train: the smallest group of
    # the side that has most of them moves over.
    if placed[name]:
        return
    giver = max(placed, key=lambda other: len(placed[other]))
    smallest = min(placed[giver], key=lambda group: (len(group), group[0]))
    placed[giver].remove(smallest)
    placed[name].append(smallest)


def groups_of(
    qrels: Qrels, queries: Mapping[str, Query], *, docs: Iterable[Doc], strict: bool = False
) -> list[tuple[str, ...]]:
    """The queries that belong together, as sorted ids; groups by their first id.

    Two queries are tied by an equal text (normalised), a family (their own, or that of a relevant doc)
    and, when strict, a relevant doc or its text; ties of ties count.

    Example:
        >>> queries = {"a": Query("a", "Who?"), "b": Query("b", "who"), "c": Query("c", "when")}
        >>> groups_of({"a": {"d": 1}, "b": {"e": 1}, "c": {"e": 1}}, queries, docs=[])
        [('a', 'b'), ('c',)]
    """
    wanted = {doc_id for grades in qrels.values() for doc_id, grade in grades.items() if grade > 0}
    by_id = {doc.doc_id: doc for doc in docs if doc.doc_id in wanted}
    parent = {query_id: query_id for query_id in qrels}

    def root(query_id: str) -> str:
        while parent[query_id] != query_id:
            parent[query_id] = parent[parent[query_id]]
            query_id = parent[query_id]
        return query_id

    first: dict[tuple[str, Any], str] = {}
    for query_id, grades in qrels.items():
        relevant = [doc_id for doc_id, grade in grades.items() if grade > 0]
        for tie in _ties(queries[query_id], relevant, by_id, strict=strict):
            parent[root(query_id)] = root(first.setdefault(tie, query_id))
    members: defaultdict[str, list[str]] = defaultdict(list)
    for query_id in sorted(qrels):
        members[root(query_id)].append(query_id)
    return sorted(tuple(group) for group in members.values())


def _ties(query: Query, relevant: list[str], docs: Mapping[str, Doc], *, strict: bool) -> set[tuple[str, str]]:
    ties = {("text", normalise(query.text))}
    known = [docs[doc_id] for doc_id in relevant if doc_id in docs]
    families = [query.metadata.get("family"), *(doc.metadata.get("family") for doc in known)]
    ties |= {("family", str(family)) for family in families if family not in (None, "")}
    if strict:
        ties |= {("doc", doc_id) for doc_id in relevant}
        ties |= {("passage", normalise(doc.full_text)) for doc in known}
    return ties
