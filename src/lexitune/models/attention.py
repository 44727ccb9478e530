"""Attention as plain matrix products: on a CPU, faster than the fused kernel for the lengths we encode."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import sdpa_mask

__all__ = ["use_plain_attention"]

NAME = "lexitune_plain"
LONGEST = 512  # tokens; the score matrix grows with the square, and beyond this the fused kernel wins


def use_plain_attention(trunk: Any) -> bool:
    """Let a transformers model compute attention as matrix products; False: it keeps its own.

    Models that do not go through transformers' attention interface (MPNet, remote code) keep theirs.
    """
    if not (trunk._supports_attention_backend and trunk._can_set_attn_implementation()):
        return False
    AttentionInterface.register(NAME, plain_attention)
    AttentionMaskInterface.register(NAME, plain_mask)
    trunk.set_attn_implementation(NAME)
    return True


def plain_mask(*args: Any, **kwargs: Any) -> torch.Tensor | None:
    """The fused kernel's boolean mask. A causal one is always written out: plain products cannot imply it."""
    return sdpa_mask(*args, **{**kwargs, "allow_is_causal_skip": False})


def plain_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Softmax(QK'/sqrt(d))V over (batch, heads, tokens, d); the mask is True where attention may look."""
    if key.shape[1] != query.shape[1]:
        groups = query.shape[1] // key.shape[1]
        key, value = key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    if key.shape[2] > LONGEST:
        mixed = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=attention_mask, dropout_p=dropout, scale=scale
        )
        return mixed.transpose(1, 2).contiguous(), None
    scores = torch.matmul(query * scale, key.transpose(2, 3))
    if attention_mask is not None:
        # In place: the scores are ours alone, and their gradient needs only the mask.
        scores = scores.masked_fill_(~attention_mask, torch.finfo(scores.dtype).min)
    weights = torch.softmax(scores, dim=-1)
    if dropout:
        weights = functional.dropout(weights, p=dropout)
    return torch.matmul(weights, value).transpose(1, 2).contiguous(), None
