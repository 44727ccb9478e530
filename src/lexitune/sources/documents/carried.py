"""Judgements that other collections, or an earlier run of this one, made of passages that are now cut otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lexitune.io.beir import read_docs
from lexitune.io.judgements import collections, read_collection
from lexitune.io.quarantine import Quarantine
from lexitune.io.workspace import Workspace
from lexitune.sources.documents.carrying import MARK, Place, place_of, rechunk
from lexitune.sources.documents.passages import Passage
from lexitune.types import Judgement, Query

__all__ = ["BEFORE", "PASSAGES", "Carried", "carry_over", "places_before"]


PASSAGES, BEFORE = "passages.jsonl", "passages-before.jsonl"


@dataclass(frozen=True, eq=False)
class Carried:
    """Judgements of new passages, what they ask, and those whose passage is gone."""

    judgements: Sequence[Judgement] = ()
    queries: dict[str, Query] = field(default_factory=dict)
    gone: Sequence[Judgement] = ()


def places_before(folder: Path) -> list[Place]:
    """Where the passages of an earlier run stand; none where there was none.

    They are kept until this run is through: killed half-way, the next one finds them still.
    """
    before, passages = folder / BEFORE, folder / PASSAGES
    if passages.exists() and not before.exists():
        passages.rename(before)
    found: dict[str, Place] = {}
    for path in (one for one in (before, passages) if one.exists()):
        for doc in read_docs(path, Quarantine(max_share=0.0)):
            if place := place_of(doc):
                found[doc.doc_id] = place
    return list(found.values())


def carry_over(workspace: Workspace, name: str, *, old: Sequence[Place], new: Iterable[Passage]) -> Carried:
    """What people and logs said of the passages of an earlier run, said of those that show the same places now.

    The judgements themselves stay in the collections that they are of, unchanged; what is made of them goes into this
    one, with a note of where it comes from.

    Args:
        name: This collection's.
        old: Empty on a first run: then nothing is carried.
    """
    if not old:
        return Carried()
    places = [Place(one.doc_id, one.family, one.version, one.start, one.end) for one in new]
    there, known = {one.doc_id for one in places}, {one.doc_id for one in old}
    others, queries = list[Judgement](), dict[str, Query]()
    # This collection is unfinished by now. Of it only what was carried before is taken: its pairs are made anew.
    for other in [*(one for one, _ in collections(workspace) if one != name), name]:
        found = read_collection(workspace, other)
        mine = (one for one in found.judgements if other != name or MARK in one.evidence)
        others += [one for one in mine if one.doc_id in known or one.doc_id in there]
        queries |= found.queries
    original = {_key(one) for one in others if MARK not in one.evidence and one.doc_id in there}
    done = rechunk([one for one in others if one.doc_id not in there or MARK in one.evidence], old=old, new=places)
    kept = [one for one in done.carried if _key(one) not in original]
    return Carried(kept, {one.query_id: queries[one.query_id] for one in kept if one.query_id in queries}, done.gone)


def _key(one: Judgement) -> tuple[str, str, str, str]:
    return one.query_id, one.doc_id, one.source, one.judge
