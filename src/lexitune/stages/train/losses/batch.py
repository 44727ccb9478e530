"""What a loss sees: the embeddings of one batch, and which documents are known to be right."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lexitune.stages.train.examples import PairBatch

__all__ = ["Batch", "join_batch"]


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch of n pairs as tensors; a loss is a function from it to a scalar.

    Attributes:
        queries: float32 (n, dim).
        positives: float32 (n, dim); row i answers query i.
        negatives: float32 (m, dim), or None. Every query is scored against all of them.
        weights: float32 (n,): how much each pair counts in the mean.
        relevant: bool (n, n + m): the column's document is known to answer the row's query.
            The diagonal is True. Other True cells are taken out of the softmax: to push a known
            answer away would teach the model a mistake.
    """

    queries: Tensor
    positives: Tensor
    negatives: Tensor | None
    weights: Tensor
    relevant: Tensor


def join_batch(pairs: PairBatch, embeddings: Tensor) -> Batch:
    """Lay the embeddings of the batch's distinct texts out as pairs; gradients flow back through the gather.

    Args:
        pairs: Which texts make which pair.
        embeddings: float32 (len(pairs.rows), dim), one row for each distinct text.
    """
    device = embeddings.device
    return Batch(
        queries=embeddings[torch.from_numpy(pairs.query_at).to(device)],
        positives=embeddings[torch.from_numpy(pairs.doc_at).to(device)],
        negatives=None,
        weights=torch.ones(len(pairs.query_at), device=device),
        relevant=torch.from_numpy(pairs.relevant).to(device),
    )
