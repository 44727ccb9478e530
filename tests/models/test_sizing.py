"""Sizing: operations and bytes that can be worked out by hand, and the limits that follow from them."""

from pathlib import Path

import numpy as np
import pytest

from lexitune.models.hardware import known_hardware
from lexitune.models.load import load
from lexitune.models.options import ModelOptions
from lexitune.models.shape import SHAPES, Shape
from lexitune.models.sizing import (
    TRAINING_PASSES,
    encoding_memory,
    forward_flops,
    graph_bytes,
    lora_weights,
    padded_flops,
    state_memory,
)
from lexitune.stages.train.gradients import GraphCost

MINILM = SHAPES["sentence-transformers/all-MiniLM-L6-v2"]
BASE, LARGE = SHAPES["BAAI/bge-base-en-v1.5"], SHAPES["BAAI/bge-large-en-v1.5"]


def test_operations_by_hand() -> None:
    # One layer of width 4 and inner width 16: 4 * 16 + 2 * 64 = 192 weights, two operations each for 3 tokens; and
    # scores and mixing, two operations each for 4 numbers and 9 pairs of tokens.
    shape = Shape(layers=1, width=4, inner=16, heads=2, mixed=4, keys=4, gated=False, parameters=0)

    assert forward_flops(shape, np.array([3])) == 2 * 192 * 3 + 4 * 4 * 9


@pytest.mark.parametrize(
    ("shape", "tokens", "mega"),
    [(MINILM, 32, 21.5), (MINILM, 512, 26.0), (BASE, 128, 174.6), (LARGE, 256, 629.1), (LARGE, 512, 654.3)],
)
def test_operations_a_token_are_24_layers_width_squared_and_attention(shape: Shape, tokens: int, mega: float) -> None:
    each = forward_flops(shape, np.array([tokens])) / tokens

    assert each == 24 * shape.layers * shape.width**2 + 4 * tokens * shape.width * shape.layers
    assert round(each / 1e6, 1) == mega


@pytest.mark.parametrize(
    ("shape", "device", "pairs_per_s"),
    # 3 x 24 + 256 tokens: 19.66, 150 and 526.8 GFLOP a pair.
    [
        (MINILM, "4090", 8401),
        (BASE, "4090", 1101),
        (LARGE, "4090", 313.6),
        (LARGE, "H100", 1877),
        (MINILM, "H100", 50295),
    ],
)
def test_the_limits_of_training_at_the_peak(shape: Shape, device: str, pairs_per_s: float) -> None:
    pair = TRAINING_PASSES * forward_flops(shape, np.array([24, 256]))

    assert 1e12 * known_hardware()[device].bf16_tflops / pair == pytest.approx(pairs_per_s, rel=1e-3)


def test_padding_is_that_of_the_longest_text_of_each_column() -> None:
    # Two batches of two, whatever the order: lengths 5 and 9 are padded to 9 where they meet.
    queries, docs = np.array([3, 3]), np.array([5, 9])

    found = padded_flops(MINILM, queries, docs, batch_size=2)

    assert found == forward_flops(MINILM, np.array([3, 3, 9, 9]))


def test_the_bytes_a_token_keeps_are_those_that_training_counts_on_the_network(minilm_folder: Path) -> None:
    model = load(str(minilm_folder), options=ModelOptions(device="cpu", precision="fp32"))

    cost = GraphCost.of(model.network)

    assert graph_bytes(MINILM, length=0, item_bytes=4) == cost.token_bytes
    assert graph_bytes(MINILM, length=100, item_bytes=4, pairs=1.0) == cost.bytes(100) / 100


def test_adamw_holds_the_weights_four_times_in_fp32_and_bf16_adds_a_copy_of_weights_and_gradients() -> None:
    plain = state_memory(LARGE, half=False, copies=0)
    half = state_memory(LARGE, half=True, copies=2)

    assert sum(plain.values()) == 16 * LARGE.parameters  # 5.4 GB
    assert sum(half.values()) == (16 + 2 + 2 + 8) * LARGE.parameters


def test_with_lora_only_its_matrices_have_gradients_and_moments(minilm_folder: Path) -> None:
    from lexitune.models.learning import add_lora, learning

    model = load(str(minilm_folder), options=ModelOptions(device="cpu", precision="fp32"))
    add_lora(model.network, rank=4, seed=1)
    count = sum(parameter.numel() for parameter in learning(model.network))

    assert lora_weights(MINILM, rank=4, layers=6) == count
    parts = state_memory(MINILM, half=False, copies=1, learning=count)
    assert parts == {
        "weights": 4 * MINILM.parameters,
        "gradients": 4 * count,
        "optimiser": 8 * count,
        "copies": 4 * count,
    }


def test_a_fused_kernel_keeps_no_scores_while_encoding() -> None:
    plain = encoding_memory(LARGE, length=512, tokens=10, half=False, plain=True)
    fused = encoding_memory(LARGE, length=512, tokens=10, half=False, plain=False)

    assert fused["weights"] == plain["weights"] == 4 * LARGE.parameters
    assert fused["pass"] == 10 * 4 * (3 * 1024 + 2 * 4096)
    assert plain["pass"] - fused["pass"] == 10 * 4 * 2 * 16 * 512
