"""The shape of a transformer: what decides how much it computes and keeps, known without its weights."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lexitune.errors import DataError, UsageError
from lexitune.models.catalog import BUILT_IN, Choice
from lexitune.settings import did_you_mean

__all__ = ["SHAPES", "Shape", "check_frozen", "config_shape", "read_shape", "shape_of"]

GATED = ("gemma", "llama", "mistral", "modernbert", "nomic_bert", "qwen")
"""Beginnings of the model types whose feed-forward has a third matrix, which gates the first."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A stack of equal layers.

    Args:
        width: Numbers in a token's vector.
        inner: Numbers in the middle of the feed-forward.
        heads: Attention heads.
        mixed: Numbers in the queries of all heads together; most models have `width` of them.
        keys: Numbers in the keys of all heads together, fewer where heads share keys.
        gated: The feed-forward has a third matrix.
        parameters: Weights of the whole model, tables of words and positions included.
    """

    layers: int
    width: int
    inner: int
    heads: int
    mixed: int
    keys: int
    gated: bool
    parameters: int

    @property
    def layer_weights(self) -> int:
        """Weights of the linear maps of one layer."""
        return 2 * self.width * (self.mixed + self.keys) + (3 if self.gated else 2) * self.width * self.inner


def _bert(layers: int, width: int, *, vocab: int = 30522, positions: int = 512, types: int = 2) -> Shape:
    """A BERT as its authors build them: heads of 64 numbers in wide ones and twelve in narrow ones, and a pooler.

    Example:
        The published all-MiniLM-L6-v2 has 22.7 million weights, bge-large 335 million.

        >>> _bert(6, 384).parameters, _bert(24, 1024).parameters
        (22713216, 335141888)
    """
    inner = 4 * width
    table = (vocab + positions + types) * width
    layer = 4 * width * width + 2 * width * inner
    vectors = 4 * width + inner + width + 2 * 2 * width  # biases, and two norms
    pooler = width * width + width
    parameters = table + 2 * width + layers * (layer + vectors) + pooler
    return Shape(layers, width, inner, max(12, width // 64), width, width, False, parameters)


SMALL, BASE, LARGE = _bert(12, 384), _bert(12, 768), _bert(24, 1024)
SIZES = {"small": SMALL, "base": BASE, "large": LARGE}
XLM = {"vocab": 250002, "positions": 514, "types": 1}

SHAPES: Mapping[str, Shape] = {
    "sentence-transformers/all-MiniLM-L6-v2": _bert(6, 384),
    "sentence-transformers/multi-qa-MiniLM-L6-cos-v1": _bert(6, 384),
    "sentence-transformers/all-MiniLM-L12-v2": SMALL,
    "sentence-transformers/all-mpnet-base-v2": _bert(12, 768, vocab=30527, positions=514, types=0),
    "sentence-transformers/multi-qa-mpnet-base-cos-v1": _bert(12, 768, vocab=30527, positions=514, types=0),
    "sentence-transformers/multi-qa-mpnet-base-dot-v1": _bert(12, 768, vocab=30527, positions=514, types=0),
    **{f"BAAI/bge-{size}-en-v1.5": shape for size, shape in SIZES.items()},
    **{f"BAAI/bge-{size}-en": shape for size, shape in SIZES.items()},
    **{f"intfloat/e5-{size}-v2": shape for size, shape in SIZES.items()},
    **{f"intfloat/e5-{size}": shape for size, shape in SIZES.items()},
    **{f"thenlper/gte-{size}": shape for size, shape in SIZES.items()},
    "intfloat/multilingual-e5-small": _bert(12, 384, vocab=250037),
    "intfloat/multilingual-e5-base": _bert(12, 768, **XLM),
    "intfloat/multilingual-e5-large": _bert(24, 1024, **XLM),
    "intfloat/multilingual-e5-large-instruct": _bert(24, 1024, **XLM),
    "BAAI/bge-m3": _bert(24, 1024, vocab=250002, positions=8194, types=1),
    "Snowflake/snowflake-arctic-embed-xs": _bert(6, 384),
    "Snowflake/snowflake-arctic-embed-s": SMALL,
    "Snowflake/snowflake-arctic-embed-m": BASE,
    "Snowflake/snowflake-arctic-embed-m-v1.5": BASE,
    "Snowflake/snowflake-arctic-embed-l": LARGE,
    "Snowflake/snowflake-arctic-embed-l-v2.0": _bert(24, 1024, vocab=250002, positions=8194, types=1),
    "mixedbread-ai/mxbai-embed-large-v1": LARGE,
    "nomic-ai/modernbert-embed-base": Shape(22, 768, 1152, 12, 768, 768, True, 149_014_272),
    "Alibaba-NLP/gte-modernbert-base": Shape(22, 768, 1152, 12, 768, 768, True, 149_014_272),
    "Qwen/Qwen3-Embedding-0.6B": Shape(28, 1024, 3072, 16, 2048, 1024, True, 595_776_512),
}
"""Shapes by Hub id, so that a model can be planned for before it is fetched."""


def shape_of(choice: Choice) -> Shape:
    """The shape of the model that a name means: of its folder, or of the table where it is not on this machine.

    Raises:
        UsageError: A Hub model that is neither here nor in the table.
        DataError: A folder whose files do not say.
    """
    if isinstance(choice.location, Path):
        return read_shape(choice.location)
    if found := SHAPES.get(choice.location):
        return found
    from lexitune.models.hub import cached_folder

    if folder := cached_folder(choice.location):
        return read_shape(folder)
    near = did_you_mean(choice.name, [*BUILT_IN, *SHAPES]).partition(" known:")[0]
    raise UsageError(
        "E2101",
        f"'{choice.name}' is not on this machine, and its size is not known",
        fix=f"--model FOLDER, with its config.json and weights{'; ' + near if near.startswith('did') else ''}",
    )


def read_shape(folder: Path) -> Shape:
    """The shape of a model folder, from `config.json` and the heads of its weight files; no weight is read.

    Raises:
        DataError: A file is missing or says too little.
    """
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        shape = config_shape(config, parameters=sum(map(_count, sorted(folder.glob("*.safetensors")))))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            "E3201", f"{folder} does not say how large its model is: {error!r}", fix=f"check {path}"
        ) from error
    if not shape.parameters:
        raise DataError(
            "E3201",
            f"{folder} does not say how large its model is: it has no *.safetensors",
            fix="copy its weights too",
        )
    return shape


def config_shape(config: Mapping[str, Any], *, parameters: int) -> Shape:
    """The shape that a transformers configuration describes.

    Args:
        parameters: Weights of the model, which the configuration does not count.

    Raises:
        KeyError: It has no width, say.
    """

    def known(*names: str) -> int:
        return next(int(config[name]) for name in names if config.get(name) is not None)

    try:
        width, heads = known("hidden_size", "dim", "d_model"), known("num_attention_heads", "n_heads")
        layers = known("num_hidden_layers", "n_layers")
        inner = known("intermediate_size", "hidden_dim")
    except StopIteration:
        raise KeyError("hidden_size, num_attention_heads, num_hidden_layers or intermediate_size") from None
    size = int(config.get("head_dim") or width // heads)
    sharing = int(config.get("num_key_value_heads") or heads)
    gated = str(config.get("model_type", "")).startswith(GATED)
    return Shape(layers, width, inner, heads, heads * size, sharing * size, gated, parameters)


def _count(path: Path) -> int:
    """Weights in a safetensors file, by its head: its length in eight bytes, then JSON."""
    with path.open("rb") as file:
        head: dict[str, Any] = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    floats = (one for name, one in head.items() if name != "__metadata__" and not one["dtype"].startswith("I"))
    return sum(math.prod(one["shape"]) for one in floats)


def check_frozen(count: int, layers: int) -> None:
    """Refuse to freeze `count` of `layers` layers where none is left.

    Raises:
        UsageError: None is.
    """
    if count >= layers:
        raise UsageError(
            "E2123",
            f"--freeze-layers {count} leaves nothing to learn: the model has {layers} layers",
            fix=f"--freeze-layers {layers // 2}",
        )
