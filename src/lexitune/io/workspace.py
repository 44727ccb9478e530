"""The workspace: where each artefact lies, who works in it, and which artefacts are finished."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, is_dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from lexitune.errors import DataError, StageFailed
from lexitune.fingerprint import hash_json
from lexitune.io.atomic import TEMPORARY, remove, replace_text
from lexitune.io.processes import processes
from lexitune.io.weights import WEIGHTS

__all__ = [
    "NEW_WORKSPACE",
    "Meta",
    "Workspace",
    "find_workspace",
    "installed_versions",
    "is_finished",
    "meta_path",
    "read_meta",
    "read_object",
    "write_meta",
]

VERSIONED = ("lexitune", "numpy", "torch", "transformers", "sentence-transformers", "tokenizers", "accelerate", "bm25s")
NEW_WORKSPACE = "lexitune-work"  # what `tune` makes where there is none, and where later commands find it again
FOLDERS = ("collected", "qrels", "reports", "models", "runs", "uploads", "vectors", "verdicts")


@dataclass(frozen=True, slots=True)
class Workspace:
    """A folder in BEIR layout with what the stages make of it. Making the record touches no disk."""

    root: Path

    @property
    def config(self) -> Path:
        return self.root / "lexitune.toml"

    @property
    def corpus(self) -> Path:
        return self.root / "corpus.jsonl"

    @property
    def queries(self) -> Path:
        return self.root / "queries.jsonl"

    def qrels(self, split: str) -> Path:
        """The judgements of "train", "dev" or "test"."""
        return self.root / "qrels" / f"{split}.tsv"

    @property
    def weights(self) -> Path:
        """How much each training pair counts; it need not be there."""
        return self.qrels(WEIGHTS)

    @property
    def dataset(self) -> Path:
        """The manifest of the data, written last: present means imported."""
        return self.root / "dataset.json"

    @property
    def quarantine(self) -> Path:
        return self.root / "quarantine.jsonl"

    @property
    def collected(self) -> Path:
        """Judgements as they were collected, one folder a source, and the data that was made of them."""
        return self.root / "collected"

    @property
    def reports(self) -> Path:
        return self.root / "reports"

    @property
    def openings(self) -> Path:
        """One line for each time that somebody looked at the test judgements."""
        return self.reports / "test-openings.jsonl"

    @property
    def leaks(self) -> Path:
        """Queries that gave a test query away, or would have: what the import found."""
        return self.reports / "leaks.jsonl"

    @property
    def models(self) -> Path:
        return self.root / "models"

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def vectors(self) -> Path:
        return self.root / "vectors"

    @property
    def uploads(self) -> Path:
        """Folders made for the Hub, one a model."""
        return self.root / "uploads"

    @property
    def verdicts(self) -> Path:
        return self.root / "verdicts"

    @property
    def serving(self) -> Path:
        return self.root / "serving"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other processes out. A thread that holds the lock may take it again.

        Processes that share one piece of work (`accelerate launch`) work under the lock of the first.
        What a killed process left half-written is removed on entry.

        Raises:
            StageFailed: Another process holds it; the message names its pid and host.
        """
        group = processes()
        if group.rank > 0:
            group.wait()  # until the first has the lock and has tidied up
            yield
            return
        self.root.mkdir(parents=True, exist_ok=True)
        # One instance for each path, so that a stage called by the journey finds the journey's own lock.
        lock = FileLock(self.root.resolve() / ".lexitune-lock", is_singleton=True)
        holder = self.root / ".lexitune-holder"
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise StageFailed(
                "E1002",
                f"another process works in {self.root}: {_read_holder(holder)}",
                fix="wait until it ends, or work in another folder with -C",
            ) from error
        try:
            if lock.lock_counter == 1:
                with suppress(OSError):
                    holder.unlink()  # it names the one before
                _remove_leftovers(self.root)
                # It serves a message alone: a full disk must not keep out the command that makes room.
                with suppress(StageFailed):
                    replace_text(holder, json.dumps({"pid": os.getpid(), "host": platform.node()}) + "\n")
                group.wait()
            yield
        finally:
            lock.release()


def _read_holder(path: Path) -> str:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return f"pid {found['pid']} on {found['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "it has not said who it is"


def _remove_leftovers(root: Path) -> None:
    # Only our own folders: the root may be a project with much else in it.
    for left in root.glob(f"{TEMPORARY}*"):
        remove(left)
    for folder in FOLDERS:
        for left in [*(root / folder).rglob(f"{TEMPORARY}*")]:
            remove(left)


def find_workspace(start: Path) -> Workspace | None:
    """The nearest folder upwards from `start` that holds `lexitune.toml`, itself or in its `lexitune-work`.

    A `lexitune-work` in which something was collected is one too, before `tune` writes the options into it.
    """
    here = start.resolve()
    for folder in (here, *here.parents):
        work = Workspace(folder / NEW_WORKSPACE)
        for place in (Workspace(folder), work):
            if place.config.is_file() or (place is work and place.collected.is_dir()):
                return place
    return None


def installed_versions() -> dict[str, str]:
    """Versions of what a result depends on. Reads package records, imports nothing."""
    found = {"python": platform.python_version()}
    for name in VERSIONED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@dataclass(frozen=True, slots=True)
class Meta:
    """What made an artefact. Written last: present means finished.

    `inputs` name the hashes of what was read, `outputs` whatever the stage wants to find again,
    `cost_s` the wall time in seconds.
    """

    stage: str
    options: Mapping[str, Any]
    inputs: Mapping[str, str]
    versions: Mapping[str, str] = field(default_factory=installed_versions)
    seed: int | None = None
    cost_s: float = 0.0
    outputs: Mapping[str, Any] = field(default_factory=dict)


def meta_path(artefact: Path) -> Path:
    """`models/a1` -> `models/a1/meta.json`, `reports/assess.json` -> `reports/assess.json.meta.json`."""
    return artefact / "meta.json" if artefact.is_dir() else artefact.with_name(f"{artefact.name}.meta.json")


def write_meta(artefact: Path, meta: Meta) -> None:
    """Mark an artefact as finished. `meta.options` may be an options record as well as a mapping.

    Raises:
        StageFailed: The place cannot be written to.
    """
    replace_text(meta_path(artefact), json.dumps(asdict(meta), indent=1, default=str) + "\n")


def read_meta(artefact: Path) -> Meta | None:
    """What made an artefact; None when it is absent, unfinished, or its record cannot be read."""
    try:
        found = json.loads(meta_path(artefact).read_text(encoding="utf-8"))
        return Meta(**found)
    except (OSError, ValueError, TypeError):
        return None


def read_object(path: Path) -> dict[str, Any]:
    """A JSON object that a stage wrote; empty where it is absent.

    Raises:
        DataError: It cannot be read.
    """
    if not path.exists():
        return {}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise DataError("E3011", f"{path} cannot be read: {error}", fix=f"rm {path} and make it again") from error


def is_finished(artefact: Path, *, stage: str, inputs: Mapping[str, str], options: Any) -> bool:
    """Whether an artefact exists that this stage made from equal inputs with equal options.

    Versions, seed and cost do not count: the seed is an option where it matters.
    """
    meta = read_meta(artefact) if artefact.exists() else None
    if meta is None:
        return False
    return (
        meta.stage == stage
        and dict(meta.inputs) == dict(inputs)
        and hash_json(_plain(meta.options)) == hash_json(_plain(options))
    )


def _plain(options: Any) -> Any:
    # Through JSON, so that a tuple equals the list that it was read back as.
    value = asdict(options) if is_dataclass(options) and not isinstance(options, type) else dict(options)
    return json.loads(json.dumps(value, default=str))
