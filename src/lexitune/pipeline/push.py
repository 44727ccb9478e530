"""A model of the workspace as a folder for the Hub: what others need to use it, and nothing of what it learnt from."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lexitune.errors import DataError
from lexitune.io.dataset import open_data
from lexitune.io.workspace import Workspace, read_object
from lexitune.models.record import ADAPTER, RECORD, hub_id
from lexitune.models.snippets import Place
from lexitune.pipeline.hub_card import hub_card, languages
from lexitune.pipeline.model_record import CHANGED, ModelRecord, read_model
from lexitune.pipeline.use import open_place
from lexitune.stages.evaluate.evaluation import Evaluation

__all__ = ["Package", "write_package"]

# What may leave, by name: a file that some library of tomorrow leaves in the folder stays here. learnt.parquet,
# meta.json, the training log and a tracker's files are in none of these.
CONFIGURATION = (
    "config.json",
    "config_sentence_transformers.json",
    "modules.json",
    "sentence_bert_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "tokenizer_config.json",
)
AS_THEY_ARE = (
    "*.safetensors",
    "*.safetensors.index.json",
    "chat_template.jinja",
    "merges.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tokenizer.json",
    "tokenizer.model",
    "vocab.json",
    "vocab.txt",
)
PUBLIC = ("schema", "spec", "base", "weights", "tokenizer", "fingerprint", "notes", ADAPTER)
OWN_PATHS = ("_name_or_path", "name_or_path")
SOMEWHERE = "a model that is not on the Hub"


@dataclass(frozen=True, slots=True)
class Package:
    """What would leave.

    Args:
        folder: Holds all of it, and nothing else.
        sizes: Bytes by name, relative to the folder.
    """

    model_id: str
    repo_id: str
    folder: Path
    sizes: Mapping[str, int]


def write_package(workspace: Workspace, model_id: str, repo_id: str) -> Package:
    """Write the folder that is uploaded: weights, tokenizer, configurations without paths, a record and a card.

    Raises:
        DataError: The model has no record, its files are not those that training left, or its evaluation cannot be
            read.
    """
    source, folder = workspace.models / model_id, workspace.uploads / model_id
    record = read_model(workspace, model_id)
    if record.state == CHANGED:
        problem = f"{source} is not what training left: {', '.join(record.changed)}"
        raise DataError("E3206", problem, fix=f"lexitune models rm {model_id}, and train again")
    here, spec = open_place(source)
    card = read_object(source / RECORD)
    base = _public_base(card["base"])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path in _files(source, with_code=spec.remote_code):
        _copy(path, folder / path.relative_to(source))
    told = {"spec": {**card["spec"], "name": repo_id, "source": "", "revision": ""}, "base": base, "notes": {}}
    _write_json(folder / RECORD, {key: told.get(key, card[key]) for key in PUBLIC if key in card})
    readme = hub_card(
        Place(repo_id, on_hub=True, has_map=here.has_map),
        spec,
        replace(record, base=base),
        base=base,
        evaluation=_evaluation(workspace, model_id),
        verdict=read_object(workspace.verdicts / f"{model_id}.json"),
        spoken=_languages(workspace, record),
    )
    (folder / "README.md").write_text(readme, encoding="utf-8")
    sizes = {path.relative_to(folder).as_posix(): path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    return Package(model_id, repo_id, folder, dict(sorted(sizes.items())))


def _files(source: Path, *, with_code: bool) -> Iterator[Path]:
    """The files of the model itself, in its folder and in those of its modules."""
    modules = json.loads((source / "modules.json").read_text(encoding="utf-8"))
    names = [*CONFIGURATION, *AS_THEY_ARE, *(["*.py"] if with_code else [])]
    for part in dict.fromkeys(["", *(module["path"] for module in modules), ADAPTER]):
        yield from sorted({path for name in names for path in (source / part).glob(name) if path.is_file()})


def _copy(path: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    if path.name in CONFIGURATION:
        _write_json(to, _without_paths(json.loads(path.read_text(encoding="utf-8"))))
    else:
        shutil.copyfile(path, to)


def _without_paths(value: Any) -> Any:
    """A configuration without what only this machine knows: where its files lay.

    Example:
        >>> _without_paths({"_name_or_path": "models/law", "vocab_file": "/home/anna/vocab.txt", "sep": "/", "n": [1]})
        {'sep': '/', 'n': [1]}
    """
    if isinstance(value, dict):
        kept = {key: one for key, one in value.items() if key not in OWN_PATHS and not _is_path(one)}
        return {key: _without_paths(one) for key, one in kept.items()}
    return [_without_paths(one) for one in value if not _is_path(one)] if isinstance(value, list) else value


def _is_path(value: Any) -> bool:
    return isinstance(value, str) and Path(value).is_absolute() and len(Path(value).parts) > 2


def _public_base(base: Mapping[str, str]) -> dict[str, str]:
    """Where the weights come from. What a folder is called and where it lies is its owner's business."""
    if known := hub_id(base):
        return {**base, "name": known}
    return {**base, "name": SOMEWHERE, "source": "", "revision": ""}


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _evaluation(workspace: Workspace, model_id: str) -> Evaluation | None:
    found = read_object(workspace.reports / f"{model_id}.json")
    return Evaluation.from_json(found) if found else None


def _languages(workspace: Workspace, record: ModelRecord) -> list[str]:
    """Those of the passages, where they are still the ones that were trained on."""
    if not record.data.get("corpus", {}).get("same"):
        return []
    return languages(open_data(workspace).docs)
