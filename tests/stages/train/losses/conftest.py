"""Batches for losses: what is not given is plain."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from lexitune.stages.train.losses.batch import Batch


def make_batch(
    queries: Tensor,
    positives: Tensor,
    *,
    negatives: Tensor | None = None,
    relevant: Tensor | None = None,
    weights: Tensor | None = None,
    teacher: Tensor | None = None,
) -> Batch:
    """Pairs of weight 1 that know only their own docs; a teacher's scores are of the own doc, then of the negatives."""
    count, more = len(queries), 0 if negatives is None else len(negatives)
    listed = torch.cat([torch.arange(count)[:, None], torch.arange(count, count + more).expand(count, more)], dim=1)
    return Batch(
        queries,
        positives,
        negatives,
        torch.ones(count, dtype=queries.dtype) if weights is None else weights,
        torch.eye(count, count + more, dtype=torch.bool) if relevant is None else relevant,
        None if teacher is None else listed,
        teacher,
    )


@pytest.fixture(scope="session")
def batch_of() -> Callable[..., Batch]:
    return make_batch
