"""Vectors of docs in this machine's memory or on its disk, as a search reads them: block by block, and row by row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lexitune.errors import DataError
from lexitune.io.vectors import Vectors

__all__ = ["Block", "HostDocs", "length_bound", "plain", "refuse_rows"]

Matrix = NDArray[np.floating[Any]]
Doubles = NDArray[np.float64]

SLACK = 1.001  # the bounds are themselves computed in floating point
TINY = 2.0**-62  # what squaring loses of a component when the square is below the smallest float32


class Block(NamedTuple):
    """Rows of the corpus, from `start` on, and a bound on their lengths."""

    start: int
    vectors: Any
    longest: float


class HostDocs:
    """Vectors that numpy reads.

    Args:
        source: Stored vectors, or a matrix [docs, dim].
        doc_ids: Ids by row.
    """

    def __init__(self, source: Vectors | Matrix, doc_ids: Sequence[str]) -> None:
        self.source, self.doc_ids = source, doc_ids
        self.dim = source.dim if isinstance(source, Vectors) else source.shape[1]

    def blocks(self, most: int) -> Iterator[Block]:
        """All rows in order, at most `most` at a time.

        Raises:
            DataError: NaN or infinity in a vector.
        """
        for start, rows in self.source.blocks() if isinstance(self.source, Vectors) else [(0, self.source)]:
            for offset in range(0, len(rows), most):
                vectors = plain(rows[offset : offset + most])
                bounds = length_bound(vectors)
                # An infinite bound may also be a sum of squares beyond float32.
                if not np.isfinite(bounds).all():
                    refuse_rows(np.isfinite(vectors), self.doc_ids[start + offset : start + offset + most], "doc")
                yield Block(start + offset, vectors, float(bounds.max(initial=0.0)))

    def dots(self, rows: NDArray[np.int64], queries: Doubles) -> Doubles:
        """Dot products of each query with docs of its own, summed in double precision.

        Each pair is summed alone and in one order, so a value depends on its two vectors and on nothing else.

        Args:
            rows: [queries, any number] rows of docs.
            queries: [queries, dim].
        """
        if isinstance(self.source, Vectors):
            found: Matrix = self.source.rows(rows.ravel()).reshape(*rows.shape, self.dim)
        else:
            found = self.source[rows]
        products: Doubles = np.vecdot(found.astype(np.float64), queries[:, None, :])
        return products


def plain(vectors: Matrix) -> Matrix:
    """The same numbers as float32 where that holds them, else as float64."""
    if vectors.dtype in (np.float32, np.float64):
        return vectors
    return vectors.astype(np.float32 if vectors.dtype == np.float16 else np.float64)


def length_bound(vectors: Matrix) -> Doubles:
    """For each row, a number that its Euclidean length does not exceed; infinite or NaN where it has no finite one."""
    with np.errstate(over="ignore", invalid="ignore"):
        squares = np.einsum("ij,ij->i", vectors, vectors).astype(np.float64)
    bounds: Doubles = np.sqrt(squares) * SLACK + vectors.shape[1] * TINY
    return bounds


def refuse_rows(finite: NDArray[np.bool_], ids: Sequence[str], what: str) -> None:
    """Raise where a vector is not finite throughout.

    Args:
        finite: bool [rows, dim].
        what: "query" or "doc".

    Raises:
        DataError: The first such vector is named.
    """
    bad = np.flatnonzero(~finite.all(axis=1))
    if bad.size:
        raise DataError(
            "E3141",
            f"the vector of {what} '{ids[int(bad[0])]}' holds NaN or infinity",
            fix="encode again with --precision fp32; if it stays, the model is damaged: choose another",
        )
