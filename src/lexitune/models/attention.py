"""Attention: which kernel computes it, chosen by a table of what was measured (docs/decisions.md).

Three ways, all through transformers' attention interface: plain matrix products, PyTorch's fused kernel on padded
batches, and the fused kernel on packed texts without any padding (CUDA only).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import pairwise
from typing import Any

import torch
from torch.nn import functional
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import sdpa_mask

__all__ = ["PLAIN_UP_TO", "encoding", "packed_attention", "pairs_up_to", "plain_attention", "use_attention"]

# Whether no backward pass follows. Not the same as gradients being off: a training step that encodes once without them
# and once with has to agree to the bit. Nor torch's inference mode: a model may keep such tensors and train later.
ENCODING: ContextVar[bool] = ContextVar("lexitune_encoding", default=False)

PLAIN, PACKED = "lexitune_plain", "lexitune_packed"
SEVERAL = 1 << 30
SMALL = 60.0  # e^60 times the longest text is far from the end of the range, and so is e^-60
NOTHING = 1e-30  # padding that may look nowhere, as in a window, has weights of 0 and gets 0

PLAIN_UP_TO = {
    # (number format, fp32 products go to oneDNN, training): longest padded text for which plain products win on a CPU.
    # The fused kernel's backward pass is three times slower than its parts; its small fp32 products suffer in oneDNN.
    ("bf16", False, False): 512,
    ("bf16", False, True): 512,
    ("bf16", True, False): 512,
    ("bf16", True, True): 512,
    ("fp32", False, False): 0,
    ("fp32", False, True): 512,
    ("fp32", True, False): 256,
    ("fp32", True, True): 512,
}
"""Beyond these lengths the score matrix, which grows with the square, costs more than it saves."""


@contextmanager
def encoding() -> Iterator[None]:
    """Within the block nothing is trained: kernels are chosen for the forward pass alone, and keep no gradients."""
    token = ENCODING.set(True)
    try:
        with torch.no_grad():
            yield
    finally:
        ENCODING.reset(token)


def use_attention(trunk: Any, *, packed: bool = False) -> bool:
    """Let a transformers model compute attention as this module does; False: it keeps its own.

    Models that do not go through transformers' attention interface (MPNet, remote code) keep theirs.

    Args:
        packed: Texts will come packed, see `Network`; otherwise padded.
    """
    if not (trunk._supports_attention_backend and trunk._can_set_attn_implementation()):
        return False
    AttentionInterface.register(PLAIN, plain_attention)
    AttentionMaskInterface.register(PLAIN, plain_mask)
    AttentionInterface.register(PACKED, packed_attention)
    AttentionMaskInterface.register(PACKED, no_mask)
    trunk.set_attn_implementation(PACKED if packed else PLAIN)
    return True


def pairs_up_to(trunk: Any) -> float:
    """Longest text in tokens for which a trunk keeps a weight for each pair of tokens, when it is trained."""
    implementation = trunk.config._attn_implementation
    if implementation == "eager":
        return math.inf
    parameter = next(trunk.parameters())
    return _plain_up_to(parameter, encodes=False) if implementation == PLAIN else 0


def plain_mask(*args: Any, **kwargs: Any) -> torch.Tensor | None:
    """The fused kernel's boolean mask. A causal one is always written out: plain products cannot imply it.

    It carries `first_hidden`, the first column that is hidden from anything: batches are sorted by length, so only a
    few columns have to be covered, and all layers share the mask.
    """
    mask = sdpa_mask(*args, **{**kwargs, "allow_is_causal_skip": False})
    if mask is not None:
        seen = mask.flatten(0, -2).all(dim=0)
        mask.first_hidden = len(seen) if bool(seen.all()) else int(seen.byte().argmin())  # type: ignore[attr-defined]
    return mask


def no_mask(*args: Any, **kwargs: Any) -> None:
    """Packed texts are kept apart by where they begin, and have no padding to hide."""
    return


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
    key, value = _share_groups(query, key, value)
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    if key.shape[2] > _plain_up_to(query, encodes=ENCODING.get()):
        mixed = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=attention_mask, dropout_p=dropout, scale=scale
        )
        return mixed.transpose(1, 2).contiguous(), None
    # One matrix a text and head. Keys are copied as they lie and turned by the product, which is the quicker way round.
    shape, flat = query.shape, (-1, key.shape[2], key.shape[3])
    scores = torch.bmm((query * scale).reshape(-1, *shape[2:]), key.reshape(flat).transpose(1, 2))
    small = ENCODING.get() and _are_small(scores)
    if attention_mask is not None:
        # In place: the scores are ours alone, and their gradient needs only the mask.
        start = getattr(attention_mask, "first_hidden", 0)
        by_text = scores.view(*shape[:3], -1)[..., start:]
        by_text.masked_fill_(~attention_mask[..., start:], torch.finfo(scores.dtype).min)
    if small:
        weights = scores.exp_()
        mixed = torch.bmm(weights, value.reshape(flat)) / weights.sum(dim=-1, keepdim=True).clamp_min_(NOTHING)
    else:
        weights = torch.softmax(scores, dim=-1)
        if dropout:
            weights = functional.dropout(weights, p=dropout)
        mixed = torch.bmm(weights, value.reshape(flat))
    return mixed.view(*shape[:3], -1).transpose(1, 2).contiguous(), None


def _are_small(scores: torch.Tensor) -> bool:
    """Whether no power of e of them overflows, or all of a row vanish: then softmax needs no row's maximum.

    Finding it costs more than the powers themselves: softmax in bf16 takes two to four times as long.
    """
    least, most = torch.aminmax(scores)
    return bool(least > -SMALL) and bool(most < SMALL)


def packed_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    cu_seq_lens_q: torch.Tensor | None = None,
    max_length_q: int = 0,
    sliding_window: int | None = None,
    is_causal: bool | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Attention within each text of one packed row: (1, heads, all tokens, d), text i from `cu_seq_lens_q[i]` on.

    On CUDA by FlashAttention's kernel for varying lengths (`torch.nn.attention.varlen`), elsewhere text by text: the
    slow reference.
    """
    if cu_seq_lens_q is None:
        raise ValueError("packed attention needs cu_seq_lens_q")
    if dropout:
        raise ValueError("packed attention has no dropout")
    causal = bool(getattr(module, "is_causal", False) if is_causal is None else is_causal)
    ahead = 0 if causal else -1
    # transformers' window counts the token itself; where attention looks both ways, it is the window on each side.
    reach = (-1, ahead) if not sliding_window else (sliding_window - 1, 0 if causal else sliding_window - 1)
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    if query.device.type == "cuda":
        from torch.nn.attention.varlen import varlen_attn

        # PyTorch 2.11 knows no grouped heads here, so keys are repeated; newer releases would spare the copy.
        q, k, v = (part[0].transpose(0, 1) for part in (query, *_share_groups(query, key, value)))
        mixed = varlen_attn(
            q, k, v, cu_seq_lens_q, cu_seq_lens_q, max_length_q, max_length_q, scale=scale, window_size=reach
        )
        return mixed.unsqueeze(0), None  # type: ignore[union-attr]
    key, value = _share_groups(query, key, value)
    ends = cu_seq_lens_q.tolist()
    mixed = torch.cat(
        [
            functional.scaled_dot_product_attention(
                query[:, :, start:end],
                key[:, :, start:end],
                value[:, :, start:end],
                attn_mask=_reach_mask(end - start, reach),
                scale=scale,
            )
            for start, end in pairwise(ends)
        ],
        dim=2,
    )
    return mixed.transpose(1, 2).contiguous(), None


def _reach_mask(length: int, reach: tuple[int, int]) -> torch.Tensor:
    """True where a token may look: `reach` tokens back and ahead, -1 without limit."""
    place = torch.arange(length)
    back, ahead = (SEVERAL if limit < 0 else limit for limit in reach)
    distance = place[:, None] - place[None, :]
    return (distance <= back) & (-distance <= ahead)


def _share_groups(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    groups = query.shape[1] // key.shape[1]
    if groups == 1:
        return key, value
    return key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)


def _plain_up_to(query: torch.Tensor, *, encodes: bool) -> int:
    if query.device.type != "cpu":
        return 0
    name = "fp32" if query.dtype == torch.float32 else "bf16"
    onednn = torch.get_float32_matmul_precision() != "highest"
    return PLAIN_UP_TO[name, onednn, not encodes]
