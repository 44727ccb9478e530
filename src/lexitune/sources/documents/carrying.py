"""Judgements of old passages carried to new ones that show the same places of the same text."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from lexitune.types import Judgement

__all__ = ["Place", "Rechunked", "rechunk"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a passage stands: from `start` to `end` of the text of a document in one version."""

    doc_id: str
    family: str
    version: str
    start: int
    end: int


@dataclass(frozen=True, eq=False)
class Rechunked:
    """Attributes:
    carried: Judgements of new passages.
    gone: Those whose place no new passage shows, in the order given.
    """

    carried: Sequence[Judgement]
    gone: Sequence[Judgement]


def rechunk(judgements: Iterable[Judgement], *, old: Iterable[Place], new: Iterable[Place]) -> Rechunked:
    """Give each judgement of an old passage to the new passage that shows the largest part of it.

    Its weight is multiplied by that part: an opinion of 200 words is a weaker one of the 60 among them that are left.
    Of equal parts the first is taken. A judgement of a passage that is still there stays as it is, and so does one of
    a passage that is not among the old ones.

    Example:
        >>> old, new = [Place("a#0-100", "a", "v", 0, 100)], [Place("a#0-80", "a", "v", 0, 80)]
        >>> rechunk([Judgement("q", "a#0-100", 1, "ann")], old=old, new=new).carried[0].weight
        0.8
    """
    places = {one.doc_id: one for one in old}
    by_text: dict[tuple[str, str], list[Place]] = defaultdict(list)
    for one in sorted(new, key=lambda one: (one.start, one.end)):
        by_text[one.family, one.version].append(one)
    there = {one.doc_id for rows in by_text.values() for one in rows}
    carried, gone = list[Judgement](), list[Judgement]()
    for judgement in judgements:
        was = places.get(judgement.doc_id)
        if was is None or judgement.doc_id in there:
            carried.append(judgement)
            continue
        share, best = _largest(was, by_text.get((was.family, was.version), []))
        if best is None:
            gone.append(judgement)
            continue
        said = f"carried over from {was.doc_id}, {share:.0%} of it"
        evidence = f"{judgement.evidence}; {said}" if judgement.evidence else said
        carried.append(
            replace(judgement, doc_id=best.doc_id, weight=round(judgement.weight * share, 6), evidence=evidence)
        )
    return Rechunked(carried, gone)


def _largest(was: Place, rows: Sequence[Place]) -> tuple[float, Place | None]:
    """The largest part of a place that one of these, which are in order, shows; and which."""
    best: Place | None = None
    most = 0
    for one in rows[: bisect_left(rows, was.end, key=lambda one: one.start)]:
        shared = min(one.end, was.end) - max(one.start, was.start)
        if shared > most:
            most, best = shared, one
    return most / max(1, was.end - was.start), best
