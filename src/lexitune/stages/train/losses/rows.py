"""What losses do with rows: bring them to unit length, take them tile by tile, and weigh them."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

__all__ = ["row_tiles", "shares", "unit"]

CELLS = 2**22  # of a tile: 16 MB of float32
SHORTEST = 1e-12  # a vector of zeros has no direction and stays one of zeros, as in torch's normalize


def unit(vectors: Tensor) -> tuple[Tensor, Tensor]:
    """The rows at length 1, and the lengths (n, 1) that they were divided by."""
    lengths = torch.linalg.vector_norm(vectors, dim=1, keepdim=True).clamp_min(SHORTEST)
    return vectors / lengths, lengths


def row_tiles(rows: int, columns: int) -> Iterator[slice]:
    """Slices over all rows, each with few enough of them that memory grows with the columns only by the result.

    Example:
        >>> [(tile.start, tile.stop) for tile in row_tiles(3, 2**21)]
        [(0, 2), (2, 4)]
    """
    height = max(1, CELLS // max(1, columns))
    return (slice(start, start + height) for start in range(0, rows, height))


def shares(weights: Tensor) -> Tensor:
    """What each row counts in the weighted mean; nothing where no row counts, so that such a batch loses 0."""
    return weights / weights.sum().clamp_min(torch.finfo(weights.dtype).tiny)
