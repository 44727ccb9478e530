"""Splits by group: what belongs together stays on one side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from lexitune.errors import DataError
from lexitune.fingerprint import hash_text
from lexitune.text.near import near_clusters
from lexitune.text.normalise import normalise
from lexitune.types import Doc, Qrels, Query

__all__ = ["families_of", "family_of", "groups_of", "known_times", "split_by_group", "time_decides"]

MOST_UNDATED = 0.05  # share of the queries; what bears no time counts as oldest
LONG_AGO = datetime.min.replace(tzinfo=UTC)
Group = tuple[str, ...]
Key = TypeVar("Key", str, int)


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

    Groups fill test, then dev, then train. Where the queries bear times (`time_decides`), the newest come first, as a
    model that is trained today meets tomorrow's questions; else the order depends on the seed and the ids alone, not on
    the order of the input. A group too large for the room left in test or dev goes on to the next, so one huge family
    cannot become the test set; by time, no older group then takes the place that it left.

    Args:
        qrels: The judgements to divide.
        queries: Their texts, and `metadata["family"]` and `metadata["at"]` (ISO 8601) where a query has them.
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
    order = sorted(groups, key=lambda group: (hash_text(f"{seed}\n{group[0]}"), group[0]))
    times = known_times({query_id: queries[query_id].metadata for query_id in qrels})
    dated = time_decides(times, len(qrels))
    if dated:
        # By its newest query: then no train query is newer than the newest one of any test group.
        order.sort(key=lambda group: max(times.get(query_id, LONG_AGO) for query_id in group), reverse=True)
    placed = _place(order, room, in_order=dated)
    for name in room:
        _fill_if_empty(placed, name)
    _fill_if_empty(placed, "train")
    sides = {name: {query_id for group in members for query_id in group} for name, members in placed.items()}
    return {
        name: {query_id: grades for query_id, grades in qrels.items() if query_id in ids} for name, ids in sides.items()
    }


def known_times(metadata: Mapping[Key, Mapping[str, Any]]) -> dict[Key, datetime]:
    """The times that queries or docs bear as `at`, ISO 8601; without an offset it is UTC. Others are left out.

    Example:
        >>> known_times({"a": {"at": "2024-05-01T10:00Z"}, "b": {"at": "May"}})["a"].isoformat()
        '2024-05-01T10:00:00+00:00'
    """
    found = {}
    for key, fields in metadata.items():
        try:
            at = datetime.fromisoformat(str(fields.get("at")))
            found[key] = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):  # the year 1, which stands for no date at all, may be none in UTC
            continue
    return found


def time_decides(times: Mapping[str, datetime], count: int) -> bool:
    """Whether times order the groups: at most one query in twenty bears none, and not all are the same."""
    return count - len(times) <= MOST_UNDATED * count and len(set(times.values())) > 1


def _place(order: Sequence[Group], room: Mapping[str, int], *, in_order: bool) -> dict[str, list[Group]]:
    left = dict(room)
    placed: dict[str, list[Group]] = {"train": [], **{name: [] for name in sorted(room)}}
    for group in order:
        name = next((name for name in left if len(group) <= left[name]), "train")
        placed[name].append(group)
        for passed in left:
            if passed == name:
                left[name] -= len(group)
                break
            if in_order and len(group) <= room[passed]:
                left[passed] = 0
    return placed


def _fill_if_empty(placed: dict[str, list[Group]], name: str) -> None:
    # With a few large groups none may fit, or tiny data may leave none for train: the smallest group of
    # the side that has most of them moves over.
    if placed[name]:
        return
    giver = max(placed, key=lambda other: len(placed[other]))
    smallest = min(placed[giver], key=lambda group: (len(group), group[0]))
    placed[giver].remove(smallest)
    placed[name].append(smallest)


def groups_of(qrels: Qrels, queries: Mapping[str, Query], *, docs: Iterable[Doc], strict: bool = False) -> list[Group]:
    """The queries that belong together, as sorted ids; groups by their first id.

    Two queries are tied by equal or nearly equal texts (`lexitune.text.near`), a family (their own, or that of a
    relevant doc) and, when strict, a relevant doc or its text; ties of ties count.

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
    alike = near_clusters([queries[query_id].text for query_id in qrels]).tolist()
    for (query_id, grades), cluster in zip(qrels.items(), alike, strict=True):
        relevant = [doc_id for doc_id, grade in grades.items() if grade > 0]
        for tie in {("text", str(cluster)), *_ties(queries[query_id], relevant, by_id, strict=strict)}:
            parent[root(query_id)] = root(first.setdefault(tie, query_id))
    members: defaultdict[str, list[str]] = defaultdict(list)
    for query_id in sorted(qrels):
        members[root(query_id)].append(query_id)
    return sorted(tuple(group) for group in members.values())


def _ties(query: Query, relevant: list[str], docs: Mapping[str, Doc], *, strict: bool) -> set[tuple[str, str]]:
    known = [docs[doc_id] for doc_id in relevant if doc_id in docs]
    ties = {("family", family) for family in families_of(query, known)}
    if strict:
        ties |= {("doc", doc_id) for doc_id in relevant}
        ties |= {("passage", normalise(doc.full_text)) for doc in known}
    return ties


def families_of(query: Query, relevant: Iterable[Doc]) -> set[str]:
    """The families of a query: its own and those of its relevant docs. An empty one is none."""
    fields = (query.metadata, *(doc.metadata for doc in relevant))
    return {family for one in fields if (family := family_of(one))}


def family_of(metadata: Mapping[str, Any]) -> str:
    """The family of a query or doc; empty where it has none."""
    family = metadata.get("family")
    return "" if family is None else str(family)
