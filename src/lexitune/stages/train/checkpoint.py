"""Checkpoints: weights, optimiser and progress, each in a fresh folder, the marker written last.

    checkpoints/step-000012/weights.safetensors, optimizer.safetensors, state.json, complete.json
    checkpoints/best-000012.safetensors

`complete.json` holds the hash of every other file: a folder without it, or with a file that
does not match, is not there. No pickle is written or read.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from lexitune.errors import UsageError
from lexitune.fingerprint import hash_file, hash_json
from lexitune.io.atomic import check_space, replace_text, replacing
from lexitune.stages.train.progress import Progress
from lexitune.types import Talk

__all__ = [
    "best_weights",
    "load_weights",
    "newest",
    "of_training",
    "read_progress",
    "restore",
    "save",
    "save_best",
    "seal",
]

KEPT = 2
MACHINE = {"torch", "device"}  # fingerprints that may differ: on another machine a training can go on
MARKER = "complete.json"


def save(
    folder: Path,
    *,
    parameters: Iterable[Tensor],
    optimizer: torch.optim.Optimizer,
    progress: Progress,
    fingerprints: Mapping[str, str],
) -> Path:
    """Write one checkpoint and remove all but the newest two.

    Args:
        folder: Holds all checkpoints of one training.
        fingerprints: What the training is made of; `newest` compares them.

    Raises:
        StageFailed: The disk has no room for it.
    """
    weights = _numbered(parameters)
    moments = _moments(optimizer)
    _check_space(folder, weights, copies=3, what="a checkpoint needs")
    target = folder / f"step-{progress.step:06}"
    shutil.rmtree(target, ignore_errors=True)
    for name, tensors in (("weights", weights), ("optimizer", moments)):
        with replacing(target / f"{name}.safetensors") as temporary:
            save_file(tensors, temporary)
    seal(target, progress=progress, fingerprints=fingerprints)
    _drop_old(folder)
    return target


def seal(checkpoint: Path, *, progress: Progress, fingerprints: Mapping[str, str]) -> None:
    """Complete a checkpoint whose tensors are written: what it stands for, then the hash of every file."""
    replace_text(
        checkpoint / "state.json", json.dumps({"fingerprints": dict(fingerprints), "progress": asdict(progress)})
    )
    files = sorted(path for path in checkpoint.rglob("*") if path.is_file() and path.name != MARKER)
    hashes = {path.relative_to(checkpoint).as_posix(): hash_file(path) for path in files}
    replace_text(checkpoint / MARKER, json.dumps(hashes))


def save_best(folder: Path, parameters: Iterable[Tensor], *, progress: Progress) -> None:
    """Keep the weights of `progress.best_step` apart from the checkpoints, and note their hash in `progress`.

    Raises:
        StageFailed: The disk has no room for them.
    """
    weights, path = _numbered(parameters), _best_path(folder, progress.best_step)
    _check_space(folder, weights, copies=1, what="the best weights need")
    with replacing(path) as temporary:
        save_file(weights, temporary)
    progress.best_hash = hash_file(path)


def load_weights(path: Path, parameters: Iterable[Tensor]) -> None:
    """Copy saved weights into parameters, in place."""
    found = load_file(path)
    with torch.no_grad():
        for number, parameter in enumerate(parameters):
            parameter.copy_(found[str(number)])


def best_weights(folder: Path, progress: Progress) -> Path:
    """File of the best weights."""
    return _best_path(folder, progress.best_step)


def of_training(folder: Path, name: str, *, fingerprints: Mapping[str, str]) -> Path:
    """Where in `folder` something lies that this training alone may use.

    The folder may hold another training's, killed before its first checkpoint could tell that it is another's.
    """
    return folder / f"{name}-{hash_json(dict(fingerprints))[:8]}"


def newest(folder: Path, *, fingerprints: Mapping[str, str], talk: Talk) -> Path | None:
    """The newest complete checkpoint.

    Each one that is passed over is told with the reason, and removed: the training will come by its step again.

    Raises:
        UsageError: It is one of another training; the differences are named.
    """
    for found in _folders(folder):
        reason = _damage(found)
        if reason:
            talk.say(f"checkpoint {found.name} is not used: {reason}")
            shutil.rmtree(found, ignore_errors=True)  # another process of the group may be at it too
            continue
        theirs = json.loads((found / "state.json").read_text(encoding="utf-8"))["fingerprints"]
        other = sorted(key for key in {*theirs, *fingerprints} if theirs.get(key) != fingerprints.get(key))
        told = [f"{key} was {theirs.get(key) or 'not set'}, is {fingerprints.get(key) or 'not set'}" for key in other]
        if set(other) - MACHINE:
            raise UsageError(
                "E2124",
                f"{folder.parent} holds an unfinished training of another kind: {'; '.join(told)}",
                fix=f"go on with the same data and options, or begin anew: rm -r {folder.parent}",
            )
        if other:
            talk.say(f"the training goes on elsewhere, so its figures agree within rounding only: {'; '.join(told)}")
        return found
    return None


def restore(checkpoint: Path, *, parameters: Iterable[Tensor], optimizer: torch.optim.Optimizer) -> Progress:
    """Set weights and optimiser to a checkpoint that `newest` has approved, and tell where it stands."""
    load_weights(checkpoint / "weights.safetensors", parameters)
    moments: dict[int, dict[str, Tensor]] = {}
    for name, tensor in load_file(checkpoint / "optimizer.safetensors").items():
        number, _, key = name.partition(".")
        moments.setdefault(int(number), {})[key] = tensor
    optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
    return read_progress(checkpoint)


def read_progress(checkpoint: Path) -> Progress:
    """Where the training of a sealed checkpoint stands."""
    state = json.loads((checkpoint / "state.json").read_text(encoding="utf-8"))
    return Progress(**state["progress"])


def _damage(checkpoint: Path) -> str:
    try:
        hashes: dict[str, str] = json.loads((checkpoint / MARKER).read_text(encoding="utf-8"))
        for name, expected in hashes.items():
            if hash_file(checkpoint / name) != expected:
                return f"{name} is damaged"
        progress = read_progress(checkpoint)
    except (OSError, ValueError, KeyError, TypeError):
        return "it is incomplete"
    if progress.best_hash:
        best = best_weights(checkpoint.parent, progress)
        if not best.is_file() or hash_file(best) != progress.best_hash:
            return "the best weights it names are missing or damaged"
    return ""


def _drop_old(folder: Path) -> None:
    kept, old = _folders(folder)[:KEPT], _folders(folder)[KEPT:]
    for found in old:
        shutil.rmtree(found)
    # The older of the two may name an older best: that file stays as long as it.
    steps = [read_progress(found).best_step for found in kept if (found / MARKER).is_file()]
    for best in set(folder.glob("best-*")) - {_best_path(folder, step) for step in steps}:
        best.unlink()


def _folders(folder: Path) -> list[Path]:
    found = [path for path in folder.glob("*-*") if path.is_dir()]  # step-000012, or checkpoint-12 of transformers
    return sorted(found, key=lambda path: int(path.name.rpartition("-")[2]), reverse=True)


def _best_path(folder: Path, step: int | None) -> Path:
    return folder / f"best-{step or 0:06}.safetensors"


def _check_space(folder: Path, weights: Mapping[str, Tensor], *, copies: int, what: str) -> None:
    needed = copies * sum(tensor.nbytes for tensor in weights.values())
    check_space(folder, needed, what=what, fix="free some space and run the same command again: it resumes")


def _numbered(parameters: Iterable[Tensor]) -> dict[str, Tensor]:
    return {str(number): parameter.detach().contiguous() for number, parameter in enumerate(parameters)}


def _moments(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    state = optimizer.state_dict()["state"]
    return {
        f"{number}.{key}": torch.as_tensor(value).contiguous()
        for number, values in state.items()
        for key, value in values.items()
    }
