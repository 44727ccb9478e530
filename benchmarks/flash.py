"""FlashAttention for a peer that asks for the package `flash-attn`, where only PyTorch's own copy of it is installed.

The kernel is the same: `torch.nn.attention.varlen` is FlashAttention's for texts of varying lengths. The package is
compiled for one release of PyTorch and CUDA at a time, and seldom there for the newest.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import sys
import types
from typing import Any

import torch

__all__ = ["offer_flash_attention"]


def offer_flash_attention() -> None:
    """Let `attn_implementation="flash_attention_2"` of transformers work in this process, packed texts included."""
    flash: Any = importlib.import_module("transformers.modeling_flash_attention_utils")
    if flash.is_flash_attn_2_available():
        return
    package: Any = types.ModuleType("flash_attn")
    padding: Any = types.ModuleType("flash_attn.bert_padding")
    package.__spec__ = importlib.machinery.ModuleSpec("flash_attn", None)
    package.flash_attn_func = package.flash_attn_varlen_func = _varlen  # the first is never called: texts come packed
    package.flash_attn_with_kvcache = None
    padding.pad_input, padding.unpad_input = flash._pad_input, flash._unpad_input
    sys.modules |= {"flash_attn": package, "flash_attn.bert_padding": padding}
    flash.is_flash_attn_2_available = lambda *_, **__: True
    flash.FLASH_ATTENTION_COMPATIBILITY_MATRIX[2] |= {
        "general_availability_check": lambda *_, **__: True,
        "pkg_availability_check": lambda *_, **__: True,
    }


def _varlen(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    cu_seqlens_q: torch.Tensor,
    cu_seqlens_k: torch.Tensor,
    max_seqlen_q: int,
    max_seqlen_k: int,
    dropout_p: float = 0.0,
    softmax_scale: float | None = None,
    causal: bool = False,
    window_size: tuple[int, int] = (-1, -1),
    softcap: float = 0.0,
    deterministic: bool = False,
) -> torch.Tensor:
    """`flash_attn_varlen_func` by PyTorch's kernel.

    Raises:
        NotImplementedError: Dropout, a cap, or attention to what lies before alone.
    """
    from torch.nn.attention.varlen import varlen_attn

    if causal or dropout_p or softcap:
        raise NotImplementedError("PyTorch's kernel is called without dropout, cap and causal attention")
    longest = int(max_seqlen_q), int(max_seqlen_k)
    out: Any = varlen_attn(q, k, v, cu_seqlens_q, cu_seqlens_k, *longest, scale=softmax_scale, window_size=window_size)
    return out  # type: ignore[no-any-return]
