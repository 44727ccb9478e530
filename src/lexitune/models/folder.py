"""A model folder: what sentence-transformers reads, our record `lexitune.json`, and a short README."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer

from lexitune.errors import DataError
from lexitune.models.adapter import dense_use, hash_matrix, write_adapter
from lexitune.models.card import model_card, use
from lexitune.models.record import ADAPTER, RECORD, SCHEMA
from lexitune.models.snippets import Place
from lexitune.models.spec import ModelSpec

__all__ = ["check_folder", "write_folder"]


def write_folder(
    model: SentenceTransformer,
    folder: Path,
    *,
    spec: ModelSpec,
    base: Mapping[str, str],
    hashes: Mapping[str, str],
    notes: Mapping[str, Any],
    query_map: NDArray[np.float32] | None = None,
) -> None:
    """Save a model under a temporary name, then let it take the place of `folder`: a kill leaves no half model.

    Args:
        base: Where the weights come from: name, source, revision, weights (their hash).
        hashes: Hashes of weights and tokenizer, and the fingerprint.
        query_map: Written beside the model, see `lexitune.models.adapter`; None: there is none.
    """
    folder = folder.absolute()
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    # Their model card would show training texts; ours below says what the model is and how to use it.
    model.save_pretrained(str(partial), create_model_card=False)
    record = {
        "schema": SCHEMA,
        "spec": {**asdict(spec), "source": ""},
        "base": dict(base),
        **hashes,
        "notes": dict(notes),
    }
    if query_map is not None:
        write_adapter(query_map, partial)
        record[ADAPTER] = hash_matrix(query_map)
    (partial / RECORD).write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    chapters = use(Place(folder.name, has_map=query_map is not None), spec)
    if query_map is not None:
        chapters += dense_use(folder.name, normalise=spec.normalise)
    (partial / "README.md").write_text(model_card(folder.name, spec, base, chapters), encoding="utf-8")
    if folder.exists():
        old = folder.with_name(f".{folder.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
        partial.rename(folder)
        shutil.rmtree(old)
    else:
        partial.rename(folder)


def check_folder(folder: Path) -> None:
    """Refuse what is no model folder, and weights that only a pickle holds: loading one can run any code.

    Raises:
        DataError: No `config.json`; or a part whose weights are not safetensors.
    """
    if not (folder / "config.json").is_file():
        raise DataError(
            "E3201",
            f"{folder} is no model folder: it has no config.json",
            fix="give the folder that holds config.json and model.safetensors, or take --model minilm",
        )
    for part in (folder, *(path for path in folder.iterdir() if path.is_dir() and path.name[:1].isdigit())):
        pickles = sorted(part.glob("*.bin"))
        if pickles and not any(part.glob("*.safetensors")):
            raise DataError(
                "E3204",
                f"{part} has its weights only as a pickle ({pickles[0].name}), which can run code when it is read",
                fix="take a revision of the model with model.safetensors, or convert it: "
                "https://huggingface.co/spaces/safetensors/convert",
            )
    if not any(folder.glob("*.safetensors")):
        raise DataError(
            "E3201", f"{folder} holds no model.safetensors", fix="copy the whole model folder, or take --model minilm"
        )
