"""Judgements that other collections, or an earlier run of this one, made of passages that are now cut otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from lexitune.fingerprint import hash_file, hash_json
from lexitune.io.jsonl import read_jsonl, write_jsonl
from lexitune.io.judgements import add_texts, collections, read_collection
from lexitune.io.quarantine import Quarantine
from lexitune.io.workspace import Workspace
from lexitune.sources.documents.carrying import Place, rechunk
from lexitune.sources.documents.passages import Passage
from lexitune.types import Judgement, Query

__all__ = ["Carried", "carry_over", "hash_others", "keep_places", "places_before"]


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

    Raises:
        DataError: Two collections have one id for two queries.
    """
    if not old:
        return Carried()
    places = [_place(one) for one in new]
    there = {one.doc_id for one in places}
    judgements, queries = list[Judgement](), dict[str, Query]()
    for other in _others(workspace, name):
        found = read_collection(workspace, other)
        moved = [one for one in found.judgements if one.doc_id in old and one.doc_id not in there]
        judgements += moved
        asked = {one.query_id for one in moved}
        add_texts(queries, {key: query for key, query in found.queries.items() if key in asked}, name=other)
    done = rechunk(judgements, old=old.values(), new=places)
    asked = {one.query_id for one in done.carried}
    return Carried(done.carried, {key: query for key, query in queries.items() if key in asked}, done.gone)


def hash_others(workspace: Workspace, name: str) -> dict[str, str]:
    """The hash of what `carry_over` takes from each other collection, by the step that made it."""
    return {
        f"collect {other}": hash_json([hash_file(path) for path in _parts(workspace.collected / other)])
        for other in _others(workspace, name)
    }


def _others(workspace: Workspace, name: str) -> list[str]:
    return [other for other, _ in collections(workspace) if other != name]


def _parts(folder: Path) -> list[Path]:
    # The text of a question may be put right without any judgement of it.
    return [path for part in ("judgements", "queries") if (path := folder / f"{part}.jsonl").exists()]


def _place(one: Passage) -> Place:
    return Place(one.doc_id, one.family, one.version, one.start, one.end)
