"""What a model computes, in floating-point operations, and what it keeps, in bytes: arithmetic, nothing is run.

Two operations for each weight of a linear map and each token, and four for each number that attention mixes and each
pair of tokens (Kaplan et al. 2020, arXiv 2001.08361). Tables, norms and activations are left out: under one per cent
of the work. A backward pass costs two forward ones; where activations are computed again, it costs three.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray

from lexitune.models.memory import pass_bytes
from lexitune.models.shape import Shape

__all__ = [
    "TRAINING_PASSES",
    "encoding_memory",
    "forward_flops",
    "graph_bytes",
    "lora_weights",
    "padded_flops",
    "state_memory",
]

Lengths = NDArray[np.int64]

TRAINING_PASSES = 3
"""Forward passes that a step of training costs; one more for what gradient caching encodes again."""

DRAWS = 16  # orders of the pairs over which padding is averaged


def forward_flops(shape: Shape, lengths: Lengths) -> float:
    """Operations of one forward pass over texts of so many tokens each, without padding.

    Example:
        bge-large, one text of 512 tokens: 335 GFLOP, 0.65 for each token.

        >>> from lexitune.models.shape import SHAPES
        >>> round(forward_flops(SHAPES["BAAI/bge-large-en-v1.5"], np.array([512])) / 1e9)
        335
    """
    tokens = np.asarray(lengths, dtype=np.float64)
    linear, attention = 2 * shape.layer_weights * shape.layers, 4 * shape.mixed * shape.layers
    return float((linear * tokens + attention * tokens**2).sum())


def padded_flops(shape: Shape, queries: Lengths, docs: Lengths, *, batch_size: int) -> float:
    """Operations of one forward pass over pairs in random batches, each column padded to its longest text.

    Args:
        queries: Tokens of the query of each pair; `docs` of its passage.

    Example:
        >>> from lexitune.models.shape import SHAPES
        >>> shape, one = SHAPES["BAAI/bge-large-en-v1.5"], np.array([10, 10, 10, 30])
        >>> padded_flops(shape, one, one, batch_size=4) == 2 * forward_flops(shape, np.full(4, 30))
        True
    """
    total, draw = 0.0, np.random.default_rng(0)
    for _ in range(DRAWS):
        order = draw.permutation(len(queries))
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            for column in (queries[chosen], docs[chosen]):
                total += forward_flops(shape, np.full(len(chosen), column.max()))
    return total / DRAWS


def graph_bytes(shape: Shape, *, length: float, item_bytes: int, pairs: float = 0.0) -> float:
    """Bytes that one token of a text of `length` tokens keeps until its backward pass.

    As `stages/train/gradients.py` counts them on the network itself: what goes into each linear map, what comes out,
    and what the norms saw.

    Args:
        item_bytes: Of one number: 2 in bf16, 4 in fp32.
        pairs: Copies of each head's weights of all pairs of tokens that are kept; 0 where a fused kernel computes
            them again.

    Example:
        BERT-large in bf16: 20 numbers for each one of its width, in 24 layers.

        >>> from lexitune.models.shape import SHAPES
        >>> graph_bytes(SHAPES["BAAI/bge-large-en-v1.5"], length=256, item_bytes=2)
        983040.0
    """
    numbers = _ends(shape) + 2 * shape.width
    return float(shape.layers * item_bytes * (numbers + pairs * shape.heads * length))


def lora_weights(shape: Shape, *, rank: int, layers: int) -> int:
    """Weights of the two small matrices beside each linear map of `layers` layers.

    Example:
        BERT-large at rank 16: 18 numbers in and out for each one of its width, in 24 layers.

        >>> from lexitune.models.shape import SHAPES
        >>> lora_weights(SHAPES["BAAI/bge-large-en-v1.5"], rank=16, layers=24)
        7077888
    """
    return rank * layers * _ends(shape)


def _ends(shape: Shape) -> int:
    """Numbers that go into the linear maps of a layer, and come out."""
    mixing = 4 * shape.width + 2 * shape.mixed + 2 * shape.keys
    return mixing + (3 if shape.gated else 2) * (shape.width + shape.inner)


def state_memory(shape: Shape, *, half: bool, copies: int, learning: int | None = None) -> dict[str, float]:
    """Bytes that a training holds whatever the batch: weights, gradients, AdamW's two moments, and further copies.

    Args:
        half: Computed in bf16: a copy of the weights and one of the gradients stand beside those in fp32.
        copies: Further copies in fp32 of the weights that learn.
        learning: How many learn; None: all.
    """
    count = shape.parameters if learning is None else learning
    return {
        "weights": (6.0 if half else 4.0) * shape.parameters,
        "gradients": (6.0 if half else 4.0) * count,
        "optimiser": 8.0 * count,
        "copies": 4.0 * copies * count,
    }


def encoding_memory(shape: Shape, *, length: int, tokens: int, half: bool, plain: bool) -> Mapping[str, float]:
    """Bytes that encoding holds: the weights, and the activations of one pass of `tokens` tokens.

    Args:
        length: Of the longest text, in tokens.
        plain: Attention keeps its scores of all pairs of tokens, as it may on a processor; a fused kernel does not.
    """
    heads = shape.heads if plain else 0
    config = SimpleNamespace(hidden_size=shape.width, intermediate_size=shape.inner, num_attention_heads=heads)
    each = pass_bytes(config, length=length, item_bytes=2 if half else 4)
    return {"weights": (6.0 if half else 4.0) * shape.parameters, "pass": each * tokens}
