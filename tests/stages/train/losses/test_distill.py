"""Learning from a teacher: what has no score takes no part, and equality with sentence-transformers' losses."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import DistillKLDivLoss, MarginMSELoss
from sentence_transformers.util import pairwise_cos_sim
from torch import Tensor

from lexitune.errors import UsageError
from lexitune.stages.train.losses.batch import Batch, Loss
from lexitune.stages.train.losses.distill import kl, margin_mse

BatchOf = Callable[..., Batch]

NAN = math.nan
BOTH = pytest.mark.parametrize("loss", [margin_mse, kl])
# Queries, their docs, and two negatives of each; the teacher's logits of the docs.
TEXTS = [
    ["w1 w2", "w3", "w4 w5 w6", "w7"],
    ["w1 w9", "w3 w10 w11", "w5", "w12 w7"],
    ["w2 w8", "w13", "w6 w14", "w7 w15 w16"],
    ["w17", "w3 w18", "w4 w19 w20", "w1"],
]
TEACHER = torch.tensor([[5.0, 2.0, -3.0], [1.0, 4.0, 0.5], [8.0, -2.0, 7.0], [3.0, 3.0, -6.0]])


def drawn(batch_of: BatchOf, teacher: Tensor) -> Batch:
    """As many pairs as the teacher has rows, and a negative for each further column."""
    seed = torch.Generator().manual_seed(4)
    count, more = len(teacher), teacher.shape[1] - 1
    queries, positives, negatives = (torch.randn(n, 4, generator=seed) for n in (count, count, more))
    return batch_of(queries.requires_grad_(), positives, negatives=negatives, teacher=teacher)


@BOTH
def test_cells_without_a_score_are_as_good_as_not_listed(loss: Loss, batch_of: BatchOf) -> None:
    batch = drawn(batch_of, torch.tensor([[4.0, NAN, 1.0], [2.0, NAN, 5.0]]))
    assert batch.listed is not None
    assert batch.teacher is not None
    short = replace(batch, listed=batch.listed[:, [0, 2]], teacher=batch.teacher[:, [0, 2]])

    value, expected = loss(batch, temperature=0.1), loss(short, temperature=0.1)
    gradients = [torch.autograd.grad(found, batch.queries)[0] for found in (value, expected)]

    assert value.item() == pytest.approx(expected.item(), rel=1e-6)
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize(
    "row",
    [[4.0, NAN, NAN], [NAN, 1.0, NAN], [NAN, 1.0, 2.0], [NAN, NAN, NAN]],
    ids=["only the own doc", "only another", "all but the own", "nothing"],
)
@BOTH
def test_a_row_without_the_own_doc_and_another_is_not_counted(loss: Loss, row: list[float], batch_of: BatchOf) -> None:
    scored = [3.0, 1.0, -1.0]
    batch = drawn(batch_of, torch.tensor([scored, row]))
    weighed = replace(batch, weights=torch.tensor([1.0, 5.0]))

    value = loss(weighed, temperature=0.1)
    value.backward()  # type: ignore[no-untyped-call]

    # As if the first row stood alone, whatever the second weighs.
    alone = drawn(batch_of, torch.tensor([scored, scored]))
    assert value.item() == pytest.approx(
        loss(replace(alone, weights=torch.tensor([1.0, 0.0])), temperature=0.1).item(), rel=1e-6
    )
    assert batch.queries.grad is not None
    assert batch.queries.grad[0].abs().sum() > 0
    assert not batch.queries.grad[1].any()


@pytest.mark.parametrize(
    "teacher",
    [None, torch.full((2, 3), NAN), torch.tensor([[1.0, NAN, NAN], [2.0, NAN, NAN]])],
    ids=["no teacher", "no score", "own docs only"],
)
@BOTH
def test_a_batch_without_a_teacher_is_refused_with_what_to_do(
    loss: Loss, teacher: Tensor | None, batch_of: BatchOf
) -> None:
    negatives = torch.tensor([[1.0, 1.0], [1.0, -1.0]])

    with pytest.raises(UsageError) as caught:
        loss(batch_of(torch.eye(2), torch.eye(2), negatives=negatives, teacher=teacher), temperature=0.1)

    assert caught.value.code == "E2125"
    assert "teacher_scores" in caught.value.fix


@BOTH
def test_a_student_that_says_what_the_teacher_says_has_nothing_to_learn(loss: Loss, batch_of: BatchOf) -> None:
    # Cosines 1 and 0 at temperature 0.25 are the logits 4 and 0; where the teacher's zero lies does not matter.
    batch = batch_of(torch.eye(2)[:1].requires_grad_(), torch.eye(2)[:1], negatives=torch.eye(2)[1:])
    taught = replace(batch, listed=torch.tensor([[0, 1]]), teacher=torch.tensor([[9.0, 5.0]]))

    value = loss(taught, temperature=0.25)
    value.backward()  # type: ignore[no-untyped-call]

    assert value.item() == pytest.approx(0.0, abs=1e-6)
    assert batch.queries.grad is not None
    torch.testing.assert_close(batch.queries.grad, torch.zeros(1, 2), rtol=0, atol=1e-5)


@pytest.mark.parametrize("columns", [3, 4], ids=["one negative", "two negatives"])
@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_they_are_sentence_transformers_own(
    columns: int, temperature: float, tiny_folder: Path, batch_of: BatchOf
) -> None:
    model = SentenceTransformer(str(tiny_folder), device="cpu").train()
    features = [model.preprocess(list(column)) for column in TEXTS[:columns]]
    teacher = TEACHER[:, : columns - 1]
    # Their margins are of plain cosines, so the teacher's are brought down and the error up again. Their divergence
    # is multiplied by temperature^2, which ours is not.
    square = temperature**2
    peers = [
        (MarginMSELoss(model, similarity_fct=pairwise_cos_sim), teacher * temperature),
        (
            DistillKLDivLoss(
                model, similarity_fct=pairwise_cos_sim, student_temperature=temperature, teacher_temperature=1.0
            ),
            teacher,
        ),
    ]
    for loss, (theirs, labels) in zip((margin_mse, kl), peers, strict=True):
        model.zero_grad()
        expected = theirs([dict(column) for column in features], labels) / square
        expected.backward()
        wanted = flat_gradient(model)

        model.zero_grad()
        queries, positives, *more = (model(dict(column))["sentence_embedding"] for column in features)
        batch = batch_of(queries, positives, negatives=torch.cat(more), teacher=None)
        listed = torch.stack([torch.arange(4) + 4 * column for column in range(columns - 1)], dim=1)
        value = loss(replace(batch, listed=listed, teacher=teacher), temperature=temperature)
        value.backward()  # type: ignore[no-untyped-call]

        assert value.item() == pytest.approx(expected.item(), rel=1e-6)
        assert ((flat_gradient(model) - wanted).norm() / wanted.norm()).item() < 1e-6


def flat_gradient(model: SentenceTransformer) -> Tensor:
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
