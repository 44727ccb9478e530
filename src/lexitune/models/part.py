"""One part of a corpus as work: the texts to encode for it and the vectors it has already. Engines share parts out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lexitune.io.vectors import Part, write_part

__all__ = ["PartWork"]


@dataclass(frozen=True, eq=False)
class PartWork:
    """One part to be encoded and written, by whatever process: it needs nothing of the others.

    Args:
        number: Of the part.
        doc_ids: Of its rows.
        text_hashes: Of its rows.
        texts: Texts without a vector yet, one of each.
        names: What an error calls each of these texts.
        known: float32 (n, dimension): vectors of texts that were encoded before.
        source: int64, by row: which of `texts`, and from their count on which of `known`.
        chars: How much work it is, in characters of all its rows.
    """

    number: int
    doc_ids: Sequence[str]
    text_hashes: Sequence[str]
    texts: Sequence[str]
    names: Sequence[str]
    known: NDArray[np.float32]
    source: NDArray[np.int64]
    chars: int

    def write(self, encoded: NDArray[np.float32], folder: Path) -> Part:
        """Write the part.

        Args:
            encoded: float32 (len(texts), dimension).

        Raises:
            StageFailed: A vector that must not be stored, or the disk is full.
        """
        matrix = np.concatenate([encoded, self.known])[self.source]
        return write_part(folder, self.number, self.doc_ids, self.text_hashes, matrix)
