"""Learning from a teacher's scores: a cross-encoder says how right each listed document is, not only which one.

Student and teacher meet as logits. A cosine divided by the temperature is what the other losses put into a softmax,
a difference of two is a log ratio of probabilities; so is a difference of a cross-encoder's outputs. A plain cosine is
none: it moves within 2, and a margin of 10 logits would push every pair of vectors apart without end. Where the teacher
gives numbers between 0 and 1, or cosines, the temperature for `margin-mse` is 1.

`relevant` is not looked at: the teacher has scored each listed document itself, known and unknown answers alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from lexitune.errors import UsageError
from lexitune.stages.train.losses.batch import Batch
from lexitune.stages.train.losses.rows import shares, unit

__all__ = ["kl", "margin_mse"]


@dataclass(frozen=True, slots=True)
class _Lists:
    """The r rows in which the teacher has scored the own document and another: logits (r, w), and which are there."""

    student: Tensor
    teacher: Tensor
    there: Tensor
    share: Tensor


def margin_mse(batch: Batch, *, temperature: float | Tensor = 0.05) -> Tensor:
    """The student's margins, own document less another, come as near as they can to the teacher's.

    Hofstaetter et al. 2020 (arXiv 2010.02666). At temperature 1 this is sentence-transformers' MarginMSELoss with
    cosines.

    Args:
        batch: With `listed` and `teacher`. Cells of NaN take no part.
        temperature: Cosines are divided by it before they are compared.

    Returns:
        The mean of squared differences in each row, then the weighted mean over the rows that have any.

    Raises:
        UsageError: No teacher, or none that has scored a row's own document and another.

    Example:
        The student's cosines are 1 and 0, its margin at temperature 1 is 1; the teacher's is 3: (1 - 3)^2 = 4.

        >>> eye = torch.eye(2)
        >>> listed, teacher = torch.tensor([[0, 1], [1, 0]]), torch.tensor([[5.0, 2.0], [5.0, 2.0]])
        >>> batch = Batch(eye, eye, None, torch.ones(2), eye.bool(), listed, teacher)
        >>> margin_mse(batch, temperature=1.0).item()
        4.0
    """
    lists = _scored(batch, temperature, "margin-mse")
    there = lists.there[:, 1:]
    student, teacher = (logits[:, :1] - logits[:, 1:] for logits in (lists.student, lists.teacher))
    errors = torch.where(there, student - teacher, 0.0).square()
    return (errors.sum(dim=1) / there.sum(dim=1) * lists.share).sum()


def kl(batch: Batch, *, temperature: float | Tensor = 0.05) -> Tensor:
    """The student's softmax over the listed documents comes as near as it can to the teacher's.

    The Kullback-Leibler divergence from the teacher's to the student's, as in sentence-transformers'
    DistillKLDivLoss; without its factor temperature^2, which a temperature that learns would drive to 0.

    Args:
        batch: With `listed` and `teacher`. Cells of NaN take no part.
        temperature: The student's cosines are divided by it. The teacher's logits are taken as they are.

    Returns:
        The weighted mean over the rows in which the own document and another are scored.

    Raises:
        UsageError: No teacher, or none that has scored a row's own document and another.

    Example:
        The student's cosines are 1 and 0, its softmax at temperature 1 is e/(1 + e) and 1/(1 + e); the teacher sees
        no difference: log(1/2) - 1/2 log(e/(1 + e)) - 1/2 log(1/(1 + e)) = 0.1201.

        >>> eye = torch.eye(2)
        >>> listed, teacher = torch.tensor([[0, 1], [1, 0]]), torch.zeros(2, 2)
        >>> batch = Batch(eye, eye, None, torch.ones(2), eye.bool(), listed, teacher)
        >>> round(kl(batch, temperature=1.0).item(), 4)
        0.1201
    """
    lists = _scored(batch, temperature, "kl")
    student, teacher = (
        functional.log_softmax(logits.masked_fill(~lists.there, -torch.inf), dim=1)
        for logits in (lists.student, lists.teacher)
    )
    errors = torch.where(lists.there, teacher.exp() * (teacher - student), 0.0)
    return (errors.sum(dim=1) * lists.share).sum()


def _scored(batch: Batch, temperature: float | Tensor, loss: str) -> _Lists:
    if batch.listed is None or batch.teacher is None:
        raise _no_teacher(loss)
    scored = ~batch.teacher.isnan()
    rows = (scored[:, 0] & scored[:, 1:].any(dim=1)).nonzero()[:, 0]
    if not len(rows):  # a loss of 0 would train on and teach nothing
        raise _no_teacher(loss)
    there = scored[rows]
    docs = unit(batch.docs)[0][batch.listed[rows]]
    student = torch.einsum("rd,rwd->rw", unit(batch.queries)[0][rows], docs) / temperature
    teacher = torch.where(there, batch.teacher[rows], 0.0)  # NaN would spoil the gradient even where it is left out
    return _Lists(student, teacher, there, shares(batch.weights[rows]))


def _no_teacher(loss: str) -> UsageError:
    return UsageError(
        "E2125",
        f"the loss '{loss}' learns from a teacher's scores, and no query of a batch has its own passage and another "
        "scored",
        fix="give the mined examples a column teacher_scores (of positives, then negatives) and train with "
        "--negatives 1 or more, or take --loss infonce-symmetric",
    )
