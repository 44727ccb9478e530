"""Packed texts: without padding every architecture gives the vectors that it gives with it, or is found out."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    AutoModel,
    BertConfig,
    DistilBertConfig,
    ElectraConfig,
    ModernBertConfig,
    MPNetConfig,
    PreTrainedConfig,
    Qwen3Config,
    XLMRobertaConfig,
)

from lexitune.models.load import open_model
from lexitune.models.network import Network
from lexitune.models.tokens import TokenIds

SMALL: dict[str, Any] = {
    "vocab_size": 50,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
}
ARCHITECTURES: dict[str, PreTrainedConfig] = {
    "bert": BertConfig(**SMALL),
    "xlm-roberta": XLMRobertaConfig(**SMALL, pad_token_id=1),
    # Texts longer than the window of 4 tokens on each side.
    "modernbert": ModernBertConfig(
        **SMALL, local_attention=8, pad_token_id=0, bos_token_id=1, eos_token_id=2, cls_token_id=1, sep_token_id=2
    ),
    "qwen3": Qwen3Config(**SMALL, num_key_value_heads=2, head_dim=8),
    "distilbert": DistilBertConfig(vocab_size=50, dim=32, n_layers=2, n_heads=4, hidden_dim=64),
    "electra": ElectraConfig(**SMALL, embedding_size=32),
}
OWN_ATTENTION = MPNetConfig(**SMALL, pad_token_id=1)

LENGTHS = (5, 17, 1, 12)
TOKENS = TokenIds(
    np.random.default_rng(3).integers(3, 23, sum(LENGTHS)).astype(np.int32), np.cumsum([0, *LENGTHS]).astype(np.int64)
)
ROWS = np.array([2, 0, 3, 1], dtype=np.int64)


def network(folder: Path, config: PreTrainedConfig) -> Network:
    """The tiny model with another transformer in the place of its own."""
    model = open_model(folder)
    torch.manual_seed(5)
    trunk = AutoModel.from_config(config).eval()  # type: ignore[no-untyped-call]
    with torch.no_grad():
        for parameter in trunk.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, 0.2)  # far from the cautious start: a look in a wrong place shows
    model[0].model = trunk
    return Network(model, precision="fp32")


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_packed_vectors_are_the_padded_ones(tiny_folder: Path, name: str) -> None:
    net = network(tiny_folder, ARCHITECTURES[name])
    with torch.no_grad():
        padded = net.embed(TOKENS, ROWS)

        assert net.use_packed()
        packed = net.embed(TOKENS, ROWS)

    torch.testing.assert_close(packed, padded, atol=2e-5, rtol=2e-5)


def test_a_model_with_its_own_attention_goes_on_padded(tiny_folder: Path) -> None:
    net = network(tiny_folder, OWN_ATTENTION)
    with torch.no_grad():
        padded = net.embed(TOKENS, ROWS)

        assert not net.use_packed()
        assert net.padded_because == "it computes attention in its own way"

        torch.testing.assert_close(net.embed(TOKENS, ROWS), padded, atol=0, rtol=0)


def test_positions_that_start_elsewhere_are_found_out_by_the_probe(tiny_folder: Path) -> None:
    net = network(tiny_folder, ARCHITECTURES["xlm-roberta"])

    net._first_position = 0

    assert not net.use_packed()
    assert net.padded_because == "its vectors would differ"


def test_a_kernel_that_refuses_the_arguments_is_told(tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def older(*_: object, **__: object) -> None:
        raise TypeError("varlen_attn() got an unexpected keyword argument")

    net = network(tiny_folder, ARCHITECTURES["bert"])
    monkeypatch.setattr("lexitune.models.attention.packed_attention", older)

    assert not net.use_packed()
    assert net.padded_because == "varlen_attn() got an unexpected keyword argument"


def test_gradients_of_packed_texts_are_those_of_padded_ones(tiny_folder: Path) -> None:
    net = network(tiny_folder, ARCHITECTURES["bert"])
    found = []
    for packed in (False, True):
        if packed:
            assert net.use_packed()
        net.trunk.zero_grad()
        net.embed(TOKENS, ROWS)[:, :3].sum().backward()  # type: ignore[no-untyped-call]
        found.append(net.trunk.get_parameter("encoder.layer.0.attention.self.value.weight").grad.clone())  # type: ignore[union-attr]

    torch.testing.assert_close(found[1], found[0], atol=1e-5, rtol=1e-4)
