"""Judgements that other collections, or an earlier run of this one, made of passages that are now cut otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from lexitune.io.jsonl import read_jsonl, write_jsonl
from lexitune.io.judgements import collections, read_collection
from lexitune.io.quarantine import Quarantine
from lexitune.io.workspace import Workspace
from lexitune.sources.documents.carrying import Place, rechunk
from lexitune.sources.documents.passages import Passage
from lexitune.types import Judgement, Query

__all__ = ["Carried", "carry_over", "keep_places", "places_before"]


PLACES = "places.jsonl"


@dataclass(frozen=True, eq=False)
class Carried:
    """Judgements of new passages, what they ask, and those whose passage is gone."""

    judgements: Sequence[Judgement] = ()
    queries: dict[str, Query] = field(default_factory=dict)
    gone: Sequence[Judgement] = ()


def places_before(folder: Path) -> dict[str, Place]:
    """Where every passage stands that was ever made here, by its id; none on a first run."""
    path = folder / PLACES
    rows = read_jsonl(path, Quarantine(max_share=0.0)) if path.exists() else ()
    return {row["doc_id"]: Place(**row) for _, row in rows}


def keep_places(folder: Path, old: Mapping[str, Place], new: Iterable[Passage]) -> None:
    """Add the places of new passages. It is done before anything else is written, so a killed run forgets none.

    Raises:
        StageFailed: The disk is full, or the place cannot be written to.
    """
    kept = {**old, **{one.doc_id: _place(one) for one in new}}
    write_jsonl(folder / PLACES, (asdict(one) for one in kept.values()))


def carry_over(workspace: Workspace, name: str, *, old: Mapping[str, Place], new: Iterable[Passage]) -> Carried:
    """What people and logs said of passages of earlier runs, said of those that show the same places now.

    The judgements themselves stay in the collections that they are of, unchanged; what is made of them goes into this
    one, with a note of where it comes from. It is made anew in each run, so nothing is carried twice.

    Args:
        name: This collection's.
    """
    if not old:
        return Carried()
    places = [_place(one) for one in new]
    there = {one.doc_id for one in places}
    judgements, queries = list[Judgement](), dict[str, Query]()
    for other in (one for one, _ in collections(workspace) if one != name):
        found = read_collection(workspace, other)
        judgements += [one for one in found.judgements if one.doc_id in old and one.doc_id not in there]
        queries |= found.queries
    done = rechunk(judgements, old=old.values(), new=places)
    asked = {one.query_id for one in done.carried}
    return Carried(done.carried, {key: query for key, query in queries.items() if key in asked}, done.gone)


def _place(one: Passage) -> Place:
    return Place(one.doc_id, one.family, one.version, one.start, one.end)
