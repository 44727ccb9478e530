"""Rivals: whoever has vectors of the passages and queries, to stand in the ledger beside the stock model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from lexitune.io.vectors import Vectors
from lexitune.types import Doc, Query, Talk

if TYPE_CHECKING:
    from lexitune.models.embedder import Embedder

__all__ = ["Corpus", "LocalModel", "Rival", "as_rival"]

Matrix = NDArray[np.floating[Any]]
Corpus = Vectors | tuple[Matrix, Sequence[str]]


@runtime_checkable
class Rival(Protocol):
    """Vectors of passages and of queries, wherever they come from.

    Attributes:
        encodes_here: Queries are encoded on this machine, so that their time can be measured.
    """

    encodes_here: bool

    @property
    def fingerprint(self) -> str:
        """Another one where the vectors would be others."""

    def doc_vectors(self, docs: Sequence[Doc], *, talk: Talk) -> Corpus:
        """All passages, in any order."""

    def query_vectors(self, queries: Sequence[Query], *, talk: Talk) -> Matrix:
        """In the order of the queries."""


class LocalModel:
    """A model that encodes on this machine.

    Args:
        vectors: Folder of the encode cache; None: nothing is kept.
    """

    encodes_here = True

    def __init__(self, model: Embedder, *, vectors: Path | None) -> None:
        self.model, self.vectors = model, vectors

    @property
    def fingerprint(self) -> str:
        return self.model.fingerprint

    def doc_vectors(self, docs: Sequence[Doc], *, talk: Talk) -> Vectors | tuple[NDArray[np.float32], list[str]]:
        if self.vectors is not None:
            from lexitune.models.corpus import encode_corpus

            return encode_corpus(self.model, docs, self.vectors, talk=talk, stage="assess")
        matrix = self.model.encode_docs([doc.full_text for doc in docs], talk=talk, stage="assess")
        return matrix, [doc.doc_id for doc in docs]

    def query_vectors(self, queries: Sequence[Query], *, talk: Talk) -> NDArray[np.float32]:
        return self.model.encode_queries([query.text for query in queries])


def as_rival(one: Embedder | Rival, *, vectors: Path | None) -> Rival:
    """The same where it is a rival, else the rival that a model is."""
    return one if isinstance(one, Rival) else LocalModel(one, vectors=vectors)
