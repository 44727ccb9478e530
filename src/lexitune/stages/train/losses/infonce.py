"""InfoNCE: the right document must win a softmax over the batch's documents.

van den Oord et al. 2018 (arXiv 1807.03748); with in-batch negatives for retrieval, Karpukhin et al. 2020.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lexitune.stages.train.losses.batch import Batch
from lexitune.stages.train.losses.tiled import pick_own

__all__ = ["infonce", "infonce_reverse", "infonce_symmetric"]


def infonce(batch: Batch, *, temperature: float | Tensor = 0.05) -> Tensor:
    """Each query picks its document among all documents of the batch.

    With no known positives off the diagonal this is sentence-transformers' MultipleNegativesRankingLoss
    at scale 1 / temperature.

    Args:
        batch: n pairs and m further negatives.
        temperature: Cosines are divided by it. Lower looks harder at the nearest wrong documents. A scalar
            tensor learns.

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
    return pick_own(
        batch.queries,
        batch.docs,
        own=torch.arange(len(batch.queries), device=batch.queries.device),
        relevant=batch.relevant,
        weights=batch.weights,
        temperature=temperature,
    )


def infonce_reverse(batch: Batch, *, temperature: float | Tensor = 0.05) -> Tensor:
    """Each document picks its query among the queries of the batch.

    Explicit negatives answer no query of the batch: they have nothing to pick, and take no part.

    Args:
        batch: n pairs; `relevant` is read the other way round.
        temperature: Cosines are divided by it.
    """
    count = len(batch.queries)
    return pick_own(
        batch.positives,
        batch.queries,
        own=torch.arange(count, device=batch.queries.device),
        relevant=batch.relevant[:, :count].T,
        weights=batch.weights,
        temperature=temperature,
    )


def infonce_symmetric(batch: Batch, *, temperature: float | Tensor = 0.05) -> Tensor:
    """Each query picks its document, and each document picks its query; the mean of both.

    The second direction gives each step twice the comparisons for no further encoding. Explicit
    negatives take part in the first direction only.

    Args:
        batch: n pairs and m further negatives.
        temperature: Cosines are divided by it.
    """
    return 0.5 * (infonce(batch, temperature=temperature) + infonce_reverse(batch, temperature=temperature))
