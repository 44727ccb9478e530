"""Live indexes: tables that serve already, whoever made them. They are read as they are, and never written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from lexitune.registry import Registry
from lexitune.stores.store import Matrix, made
from lexitune.types import Doc

__all__ = ["LIVE", "LiveIndex", "open_live"]

LIVE = Registry("live index", {"pgvector": "lexitune.stores.pgvector_table:PgvectorTable"})
"""name -> what makes a LiveIndex from a spec's target and values."""


class LiveIndex(Protocol):
    """Passages and their vectors, as they serve.

    Attributes:
        name: What people call it, such as the table's name.
        skipped: Rows without a vector that the last reading left out.
    """

    name: str
    skipped: int

    def state(self) -> str:
        """Another text where rows were added, changed or removed since; no vector leaves the store for it."""
        ...

    def read(self) -> Iterator[tuple[Sequence[Doc], Matrix]]:
        """All passages with their vectors, float32 (n, dim), a batch at a time, at one moment of the table.

        Raises:
            DataError: A vector is not finite, or all zeros.
            StageFailed: The server cannot be reached, or refuses.
        """
        ...


def open_live(spec: str) -> LiveIndex:
    """The live index that a spec names, such as `pgvector:postgresql:///shop,table=items`.

    Raises:
        UsageError: An unknown kind or setting, a package that is missing, or a password in the address.
    """
    live: LiveIndex = made(LIVE, spec)
    return live
