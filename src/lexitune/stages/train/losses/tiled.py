"""The softmax over a whole batch in closed form: each row picks its own column, and no matrix of all scores is kept.

Autograd would keep several matrices of n x c numbers until the backward pass. The gradient of a softmax is known
when its row is: it is summed up tile by tile in the forward pass, and the backward pass only hands it out.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from lexitune.stages.train.losses.rows import row_tiles, shares, unit

__all__ = ["pick_own"]


def pick_own(
    left: Tensor, right: Tensor, *, own: Tensor, relevant: Tensor, weights: Tensor, temperature: float | Tensor
) -> Tensor:
    """Cross entropy of each row's softmax over its cosines to all columns, divided by the temperature.

    Gradients flow to both sides and to the temperature, once: there is no second derivative. Memory beside the
    arguments is one tile and the gradients.

    Args:
        left: (n, dim), of any lengths.
        right: (c, dim).
        own: int64 (n,): the column that each row has to pick.
        relevant: bool (n, c): True cells take no part. The own column always does.
        weights: (n,): how much each row counts.
        temperature: A number, or a scalar tensor that learns.

    Returns:
        The weighted mean over the rows, a scalar; not finite if any row's loss is not; 0 where no row counts.
    """
    # 1 / 0.05 is 20 exactly, and cosines times 20 are rounded as sentence-transformers rounds them.
    scale = torch.as_tensor(1 / temperature, dtype=left.dtype, device=left.device)
    value: Tensor = _PickOwn.apply(left, right, scale, own, relevant, weights)  # type: ignore[no-untyped-call]
    return value


class _PickOwn(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, left: Tensor, right: Tensor, scale: Tensor, own: Tensor, relevant: Tensor, weights: Tensor
    ) -> Tensor:
        (left_unit, left_lengths), (right_unit, right_lengths) = unit(left), unit(right)
        share, losses = shares(weights), left.new_empty(len(left))
        to_left, to_right = torch.empty_like(left_unit), torch.zeros_like(right_unit)  # but for the scale
        for rows in row_tiles(len(left), len(right)):
            cells = (left_unit[rows] @ right_unit.T).mul_(scale)
            at = torch.arange(len(cells), device=own.device), own[rows]
            own_score = cells[at]
            cells.masked_fill_(relevant[rows], -torch.inf)
            # The own cell stands apart from the sum: 1 - p loses every digit where p is nearly 1.
            cells[at] = -torch.inf
            top = torch.maximum(cells.amax(dim=1), own_score)
            others = cells.sub_(top[:, None]).exp_().sum(dim=1)
            losses[rows] = functional.softplus(others.log() + top - own_score)
            cells[at] = -others
            factor = (share[rows] / (others + (own_score - top).exp()))[:, None]
            to_left[rows] = (cells @ right_unit) * factor
            to_right.addmm_(cells.T, left_unit[rows] * factor)
        to_scale = torch.linalg.vecdot(to_left, left_unit).sum()
        ctx.save_for_backward(
            _before_unit(to_left.mul_(scale), left_unit, left_lengths),
            _before_unit(to_right.mul_(scale), right_unit, right_lengths),
            to_scale,
        )
        return (losses * share).sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, flowing: Tensor) -> tuple[Tensor | None, ...]:
        return *(flowing * gradient for gradient in ctx.saved_tensors), None, None, None


def _before_unit(gradient: Tensor, at_unit: Tensor, lengths: Tensor) -> Tensor:
    """The gradient for vectors from that for their unit vectors, in place: along the vector nothing changes."""
    along = torch.linalg.vecdot(gradient, at_unit)[:, None]
    return gradient.addcmul_(at_unit, along, value=-1).div_(lengths)
