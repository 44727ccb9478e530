"""Shapes: the sizes that models are published with, and what a folder says without its weights being read."""

import json
from pathlib import Path

import pytest

from lexitune.errors import DataError, UsageError
from lexitune.models.catalog import Choice
from lexitune.models.load import load
from lexitune.models.options import ModelOptions
from lexitune.models.shape import SHAPES, config_shape, read_shape, shape_of
from lexitune.models.spec import KNOWN


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        ("sentence-transformers/all-MiniLM-L6-v2", 22.7),
        ("BAAI/bge-small-en-v1.5", 33.4),
        ("sentence-transformers/all-mpnet-base-v2", 109.5),
        ("BAAI/bge-base-en-v1.5", 109.5),
        ("BAAI/bge-large-en-v1.5", 335.1),
        ("intfloat/multilingual-e5-large", 559.9),
        ("BAAI/bge-m3", 567.8),
    ],
)
def test_a_known_model_has_as_many_weights_as_it_was_published_with(name: str, millions: float) -> None:
    assert round(SHAPES[name].parameters / 1e6, 1) == millions


def test_every_shape_is_that_of_a_known_family_and_as_wide_as_its_vectors() -> None:
    assert {name: shape.width for name, shape in SHAPES.items()} == {name: KNOWN[name].dimension for name in SHAPES}


def test_a_folder_has_the_shape_of_its_published_model(minilm_folder: Path) -> None:
    assert read_shape(minilm_folder) == SHAPES["sentence-transformers/all-MiniLM-L6-v2"]


def test_the_heads_of_weight_files_count_what_the_loaded_model_has(minilm_folder: Path) -> None:
    model = load(str(minilm_folder), options=ModelOptions(device="cpu", precision="fp32"))

    assert read_shape(minilm_folder).parameters == sum(one.numel() for one in model.network.trunk.parameters())


def test_gated_layers_and_shared_keys_are_counted() -> None:
    # Qwen3-0.6B: queries of 16 heads and keys of 8, of 128 numbers each; three matrices in the feed-forward.
    config = {
        "model_type": "qwen3",
        "hidden_size": 1024,
        "intermediate_size": 3072,
        "num_hidden_layers": 28,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
        "head_dim": 128,
    }

    shape = config_shape(config, parameters=595_776_512)

    assert shape == SHAPES["Qwen/Qwen3-Embedding-0.6B"]
    assert shape.layer_weights == 2 * 1024 * 2048 + 2 * 1024 * 1024 + 3 * 1024 * 3072


def test_a_hub_model_that_is_neither_here_nor_known_names_the_nearest_and_a_way_out() -> None:
    with pytest.raises(UsageError) as caught:
        shape_of(Choice("BAAI/bge-lage-en-v1.5", "BAAI/bge-lage-en-v1.5"))

    assert caught.value.code == "E2101"
    assert (
        caught.value.fix == "--model FOLDER, with its config.json and weights; did you mean 'BAAI/bge-large-en-v1.5'?"
    )


@pytest.mark.parametrize("config", ["{", "{}", json.dumps({"hidden_size": 8, "num_attention_heads": 2})])
def test_a_folder_that_does_not_say_is_refused(tmp_path: Path, config: str) -> None:
    (tmp_path / "config.json").write_text(config)

    with pytest.raises(DataError, match="does not say how large"):
        read_shape(tmp_path)


def test_a_folder_without_safetensors_does_not_say_either(minilm_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((minilm_folder / "config.json").read_bytes())

    with pytest.raises(DataError, match="it has no"):
        read_shape(tmp_path)
