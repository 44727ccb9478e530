"""The query adapter: one matrix that query vectors go through. Passages, and so the index, stay the stock model's.

query_adapter.safetensors   the matrix, named `weight`, float32 (dimension, dimension)
query_adapter/              the same as a Dense module of sentence-transformers
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from sentence_transformers.base.modules.dense import Dense

from lexitune.errors import DataError
from lexitune.models.record import ADAPTER

__all__ = ["Matrix", "adapt", "dense_use", "hash_matrix", "read_adapter", "unit_rows", "write_adapter"]

Matrix = NDArray[np.float32]


def adapt(queries: Matrix, weight: Matrix, *, normalise: bool) -> Matrix:
    """Query vectors through the map, float32 (n, dimension).

    Args:
        normalise: Give them unit length again.

    Example:
        >>> turn = np.array([[0, -2], [2, 0]], np.float32)
        >>> adapt(np.array([[1, 0]], np.float32), turn, normalise=True).tolist()
        [[0.0, 1.0]]
    """
    mapped: Matrix = queries @ weight.T
    return unit_rows(mapped) if normalise else mapped


def unit_rows(vectors: Matrix) -> Matrix:
    """Each vector with unit length; zeros stay zeros."""
    unit: Matrix = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    return unit


def hash_matrix(weight: Matrix) -> str:
    """Hash of a matrix's numbers and shape: equal before saving and after loading."""
    digest = hashlib.blake2b(repr(weight.shape).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(weight, dtype="<f4").tobytes())
    return digest.hexdigest()


def write_adapter(weight: Matrix, folder: Path) -> None:
    """Write the file and the module into a model folder."""
    save_file({"weight": np.ascontiguousarray(weight, dtype=np.float32)}, folder / f"{ADAPTER}.safetensors")
    rows, columns = weight.shape
    module = Dense(columns, rows, bias=False, activation_function=None, init_weight=torch.from_numpy(weight.copy()))
    (folder / ADAPTER).mkdir()
    module.save(str(folder / ADAPTER))


def read_adapter(folder: Path, record: Mapping[str, Any] | None, *, dimension: int) -> Matrix | None:
    """The map of a model folder; None: the record names none, and there is none.

    Args:
        record: The folder's `lexitune.json`; None where it has none.

    Raises:
        DataError: Record and file disagree: queries would go through another map, or through none, unnoticed.
    """
    path = folder / f"{ADAPTER}.safetensors"
    recorded = (record or {}).get(ADAPTER)
    if recorded is None:
        if path.exists() or (folder / ADAPTER).exists():
            raise _disagreed(f"{folder} holds a query adapter that no lexitune.json records")
        return None
    try:
        weight = load_file(path)["weight"]
    except (OSError, SafetensorError, KeyError) as error:
        raise _disagreed(f"{path} is missing or cannot be read") from error
    if weight.shape != (dimension, dimension) or weight.dtype != np.float32:
        raise _disagreed(f"{path} is {weight.dtype} {weight.shape}; vectors have {dimension} numbers")
    if hash_matrix(weight) != recorded:
        raise _disagreed(f"{path} is not the query adapter that lexitune.json records")
    return weight


def dense_use(name: str, *, normalise: bool) -> list[str]:
    """How to use the adapter by its module: lines of Markdown for the folder `name`'s README."""
    mapped = 'adapter({"sentence_embedding": queries})["sentence_embedding"]'
    return [
        "",
        "With sentence-transformers alone:",
        "",
        "```python",
        "from sentence_transformers import SentenceTransformer",
        "from sentence_transformers.sentence_transformer.modules import Dense",
        *(["from torch.nn.functional import normalize"] if normalise else []),
        "",
        f'model = SentenceTransformer("{name}")',
        f'adapter = Dense.load("{name}/{ADAPTER}").to(model.device).requires_grad_(False)',
        'queries = model.encode_query(["what you look for"], convert_to_tensor=True)',
        f"queries = {f'normalize({mapped})' if normalise else mapped}",
        'passages = model.encode_document(["what may answer it"], convert_to_tensor=True)',
        "print(model.similarity(queries, passages))",
        "```",
    ]


def _disagreed(problem: str) -> DataError:
    return DataError("E3206", problem, fix="copy the whole folder again, or train again: lexitune train")
