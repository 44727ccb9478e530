"""InfoNCE: the right document must win a softmax over the batch's documents.

van den Oord et al. 2018 (arXiv 1807.03748); with in-batch negatives for retrieval, Karpukhin et al. 2020.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from lexitune.stages.train.losses.batch import Batch

__all__ = ["infonce", "infonce_symmetric"]


def infonce(batch: Batch, *, temperature: float = 0.05) -> Tensor:
    """Each query picks its document among all documents of the batch.

    With no known positives off the diagonal this is sentence-transformers' MultipleNegativesRankingLoss
    at scale 1 / temperature.

    Args:
        batch: n pairs and m further negatives.
        temperature: Cosines are divided by it. Lower looks harder at the nearest wrong documents.

    Returns:
        The weighted mean over the queries, a scalar.

    Example:
        Two queries at right angles, each on its own document: the scores are [[1, 0], [0, 1]], so at
        temperature 1 each query loses log(1 + e^-1) = 0.3133.

        >>> eye = torch.eye(2)
        >>> batch = Batch(eye, eye, None, torch.ones(2), torch.eye(2, dtype=torch.bool))
        >>> round(infonce(batch, temperature=1.0).item(), 4)
        0.3133
    """
    docs = batch.positives if batch.negatives is None else torch.cat([batch.positives, batch.negatives])
    scores = _cosines(batch.queries, docs) / temperature
    return _pick_own(scores, batch.relevant, batch.weights)


def infonce_symmetric(batch: Batch, *, temperature: float = 0.05) -> Tensor:
    """Each query picks its document, and each document picks its query; the mean of both.

    The second direction gives each step twice the comparisons for no further encoding. Explicit
    negatives answer no query of the batch, so they take part in the first direction only.

    Args:
        batch: n pairs and m further negatives.
        temperature: Cosines are divided by it.
    """
    count = len(batch.queries)
    backwards = _cosines(batch.positives, batch.queries) / temperature
    return 0.5 * (
        infonce(batch, temperature=temperature) + _pick_own(backwards, batch.relevant[:, :count].T, batch.weights)
    )


def _cosines(left: Tensor, right: Tensor) -> Tensor:
    return functional.normalize(left, dim=1) @ functional.normalize(right, dim=1).T


def _pick_own(scores: Tensor, relevant: Tensor, weights: Tensor) -> Tensor:
    own = torch.arange(len(scores), device=scores.device)
    known = relevant.clone()
    known[own, own] = False
    losses = functional.cross_entropy(scores.masked_fill(known, -torch.inf), own, reduction="none")
    return (losses * weights).sum() / weights.sum()
