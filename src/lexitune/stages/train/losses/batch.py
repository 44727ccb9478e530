"""What a loss sees: the embeddings of one batch, which documents are known to be right, and what a teacher says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from lexitune.stages.train.batches import PairBatch
from lexitune.stages.train.losses.guide import guided_out

__all__ = ["Batch", "Loss", "join_batch"]


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch of n pairs as tensors; a loss is a function from it to a scalar.

    Attributes:
        queries: float32 (n, dim).
        positives: float32 (n, dim); row i answers query i.
        negatives: float32 (m, dim), or None. Every query is scored against all of them.
        weights: float32 (n,): how much each pair counts in the mean. The docs of a pair that counts nothing are
            still columns.
        relevant: bool (n, n + m): the column's document is known to answer the row's query, or a guide takes it for
            an answer. The diagonal is True. Other True cells are taken out of the softmax: to push an answer away
            would teach the model a mistake.
        listed: int64 (n, w), or None: columns that a teacher may have scored, the pair's own first.
        teacher: float32 (n, w), or None: its scores, NaN where it has none.
    """

    queries: Tensor
    positives: Tensor
    negatives: Tensor | None
    weights: Tensor
    relevant: Tensor
    listed: Tensor | None = None
    teacher: Tensor | None = None

    @property
    def docs(self) -> Tensor:
        """The columns, (n + m, dim): positives, then negatives."""
        return self.positives if self.negatives is None else torch.cat([self.positives, self.negatives])


class Loss(Protocol):
    """A function of embeddings: it knows nothing of the network, nor of how its vectors were computed."""

    def __call__(self, batch: Batch, *, temperature: float | Tensor) -> Tensor: ...


def join_batch(pairs: PairBatch, embeddings: Tensor, *, guide: Tensor | None = None) -> Batch:
    """Lay the embeddings of the batch's distinct texts out as pairs; gradients flow back through the gather.

    Args:
        pairs: Which texts make which pair.
        embeddings: float32 (len(pairs.rows), dim), one row for each distinct text.
        guide: Vectors of the same texts by the guide; what it takes for an answer is marked as one.
    """
    query_at, doc_at, negative_at, weights, relevant, listed, teacher = (
        torch.from_numpy(part).to(embeddings.device)
        for part in (
            pairs.query_at,
            pairs.doc_at,
            pairs.negative_at,
            pairs.weights,
            pairs.relevant,
            pairs.listed,
            pairs.teacher,
        )
    )
    if guide is not None:
        relevant = relevant | guided_out(guide[query_at], guide[torch.cat([doc_at, negative_at])])
    return Batch(
        queries=embeddings[query_at],
        positives=embeddings[doc_at],
        negatives=embeddings[negative_at] if len(negative_at) else None,
        weights=weights,
        relevant=relevant,
        listed=listed,
        teacher=teacher,
    )
