"""A model folder: what sentence-transformers reads, our record `lexitune.json`, and a short README."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer

from lexitune.errors import DataError
from lexitune.models.adapter import ADAPTER, adapter_use, hash_matrix, write_adapter
from lexitune.models.spec import ModelSpec

__all__ = ["RECORD", "check_folder", "read_record", "spec_of_record", "write_folder"]

RECORD = "lexitune.json"
SCHEMA = 1


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
    use = _use(folder.name) if query_map is None else adapter_use(folder.name, normalise=spec.normalise)
    (partial / "README.md").write_text(readme(folder.name, spec, base, use), encoding="utf-8")
    if folder.exists():
        old = folder.with_name(f".{folder.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
        partial.rename(folder)
        shutil.rmtree(old)
    else:
        partial.rename(folder)


def readme(name: str, spec: ModelSpec, base: Mapping[str, str], use: Sequence[str]) -> str:
    """A model card that names the base, the prompts and the use, and quotes no training text."""
    head = ["library_name: sentence-transformers", "pipeline_tag: sentence-similarity"]
    origin = base.get("source", "")
    if origin.count("/") == 1 and not Path(origin).exists():
        head.append(f"base_model: {origin}")
    if spec.licence:
        head.append(f"license: {spec.licence}")
    prompts = f"query {spec.query_prompt!r}, passage {spec.doc_prompt!r}"
    return "\n".join(
        [
            "---",
            *head,
            "---",
            f"# {name}",
            "",
            f"An embedding model for search, made by lexitune from {base.get('name') or spec.name}.",
            f"Vectors of {spec.dimension} numbers; texts of up to {spec.max_length} tokens.",
            f"Prompts, which the calls below add by themselves: {prompts}.",
            "",
            *use,
            "",
        ]
    )


def _use(name: str) -> list[str]:
    return [
        "```python",
        "from sentence_transformers import SentenceTransformer",
        "",
        f'model = SentenceTransformer("{name}")',
        'queries = model.encode_query(["what you look for"])',
        'passages = model.encode_document(["what may answer it"])',
        "print(model.similarity(queries, passages))",
        "```",
    ]


def read_record(folder: Path) -> dict[str, Any] | None:
    """`lexitune.json` of a model folder; None where lexitune did not write it.

    Raises:
        DataError: The record cannot be read, or a newer lexitune wrote it.
    """
    path = folder / RECORD
    if not path.is_file():
        return None
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        known = record["schema"] <= SCHEMA and isinstance(record["spec"], dict)
    except (ValueError, KeyError, TypeError) as error:
        raise DataError("E3206", f"{path} cannot be read", fix="train the model again, or copy it again") from error
    if not known:
        raise DataError(
            "E3206",
            f"{path} has schema {record['schema']}; this lexitune reads {SCHEMA}",
            fix="pip install -U lexitune",
        )
    return dict(record)


def spec_of_record(record: Mapping[str, Any], folder: Path) -> ModelSpec:
    """The spec that a record holds, for the place where its folder lies now."""
    names = {field.name for field in fields(ModelSpec)}
    stored = {name: value for name, value in record["spec"].items() if name in names}
    return replace(ModelSpec(**stored), name=folder.resolve().name, source=str(folder), revision="")


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
