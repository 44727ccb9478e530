"""Matryoshka: vectors that stay good when they are cut short (Kusupati et al. 2022, arXiv 2205.13147)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from torch import Tensor

from lexitune.errors import UsageError
from lexitune.stages.train.losses.batch import Batch, Loss

__all__ = ["matryoshka"]


def matryoshka(loss: Loss, *, dimensions: Sequence[int], weights: Sequence[float] | None = None) -> Loss:
    """A loss that also holds for the first numbers of the vectors alone.

    The network runs once; the loss is taken on each prefix, which it brings to unit length itself. The whole vector
    is among them, named or not: numbers behind the longest prefix would learn nothing otherwise.

    Args:
        loss: What is to hold for the prefixes too.
        dimensions: Sizes of the prefixes, descending, such as 256, 128, 64.
        weights: How much each counts; all 1 by default, as is the whole vector where it is not named.

    Returns:
        The weighted mean, so that learning rate and clipping mean what they mean without it. Called with a batch
        whose vectors are shorter than a prefix, it raises UsageError.

    Raises:
        UsageError: No size, sizes that do not descend, or weights that do not go with them.
    """
    sizes, shares = tuple(dimensions), (1.0,) * len(dimensions) if weights is None else tuple(weights)
    if not sizes or sizes[-1] < 1 or any(larger <= smaller for larger, smaller in pairwise(sizes)):
        raise UsageError(
            "E2126", f"sizes {_text(sizes)} do not descend to 1 or more", fix="write them as in --matryoshka 256,128,64"
        )
    if len(shares) != len(sizes) or not all(0 < share < math.inf for share in shares):
        raise UsageError(
            "E2126",
            f"weights {_text(shares)} for sizes {_text(sizes)}",
            fix="give each size one weight above 0, or leave the weights out",
        )

    def of_prefixes(batch: Batch, *, temperature: float | Tensor) -> Tensor:
        whole = batch.queries.shape[1]
        if sizes[0] > whole:
            raise UsageError(
                "E2126",
                f"vectors of {whole} numbers have no prefix of {sizes[0]}",
                fix=f"write sizes below {whole}, as in --matryoshka {whole // 2},{whole // 4}",
            )
        parts = {whole: 1.0} | dict(zip(sizes, shares, strict=True))
        values = [part * loss(_prefix(batch, size), temperature=temperature) for size, part in parts.items()]
        return sum(values[1:], values[0]) / sum(parts.values())

    return of_prefixes


def _prefix(batch: Batch, size: int) -> Batch:
    return replace(
        batch,
        queries=batch.queries[:, :size],
        positives=batch.positives[:, :size],
        negatives=None if batch.negatives is None else batch.negatives[:, :size],
    )


def _text(values: Sequence[float]) -> str:
    return ",".join(f"{value:g}" for value in values) or "(none)"
