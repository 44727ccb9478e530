"""Going on without a store that is lost: its alias stays as it is, and what it served is served from its files.

The vectors of an index lie in the workspace too, so exact search over them gives what the index gave.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from lexitune.errors import StageFailed
from lexitune.stages.promote.serving import Serving
from lexitune.stores.store import opened

__all__ = ["from_files", "lost_places", "offering_to_leave"]


def lost_places(lines: Sequence[Serving]) -> list[str]:
    """The stores of these lines that do not answer, or have lost an index that a line names; their places, sorted."""
    return sorted({_place(line.store) for line in lines if line.store and _is_lost(line)})


def from_files(serving: Serving, places: Sequence[str]) -> Serving:
    """The same model, vectors and thresholds without their store, where it is one of these; else the line as it is."""
    if not serving.store or _place(serving.store) not in places:
        return serving
    return replace(serving, store="", index="")


@contextmanager
def offering_to_leave() -> Iterator[None]:
    """Name the way round a store that stops a rollback.

    Raises:
        StageFailed: The store cannot be reached.
    """
    try:
        yield
    except StageFailed as error:
        if error.code != "E1302":
            raise
        raise StageFailed(
            "E1305",
            f"a rollback needs a store that is away: {error.problem}",
            fix='start it and try again, or do without it: lexitune rollback --leave-store "why"',
        ) from error


def _is_lost(serving: Serving) -> bool:
    try:
        with opened(serving.store) as store:
            return store.stamp(serving.index) is None
    except StageFailed:
        return True


def _place(spec: str) -> str:
    with opened(spec) as store:
        return store.place
