"""Starting: which data lies here, and a complete `lexitune.toml` for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lexitune.errors import LexituneError, UsageError
from lexitune.io.atomic import replace_text
from lexitune.io.dataset import data_files
from lexitune.io.jsonl import open_lines
from lexitune.io.options import DataOptions
from lexitune.io.pairs import DOC_NAMES, QUERY_NAMES
from lexitune.io.quarantine import Quarantine
from lexitune.io.workspace import NEW_WORKSPACE, Workspace
from lexitune.models.options import ModelOptions
from lexitune.pipeline.sections import SECTIONS
from lexitune.settings import write_toml
from lexitune.stages.promote.options import PromoteOptions
from lexitune.stages.train.options import TrainOptions

__all__ = ["Answers", "Found", "choose_workspace", "find_data", "start"]

TABLES = (".csv", ".tsv")
LINES = (".jsonl", ".jsonl.gz", ".ndjson")


@dataclass(frozen=True, slots=True)
class Found:
    """Data in a folder: BEIR folders, files of pairs and files of passages, each by name."""

    folders: tuple[Path, ...] = ()
    pairs: tuple[Path, ...] = ()
    corpora: tuple[Path, ...] = ()

    @property
    def data(self) -> Path | None:
        """What a tune would most likely start from: a whole data set before pairs alone."""
        return next(iter((*self.folders, *self.pairs)), None)


@dataclass(frozen=True, slots=True)
class Answers:
    """What is asked before a file of options is written; the defaults are those of the options."""

    corpus: Path | None = None
    model: str = ModelOptions.model
    hourly_rate: float = TrainOptions.hourly_rate
    min_gain: float = PromoteOptions.min_gain


def find_data(folder: Path) -> Found:
    """Look through a folder, not below it. Files of JSON lines are told by the keys of their first line."""
    folders, pairs, corpora = [], [], []
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            if _is_beir(path):
                folders.append(path)
        elif path.suffix.lower() in TABLES:
            pairs.append(path)
        elif path.name.lower().endswith(LINES):
            keys = set(_first_keys(path))
            if keys.intersection(QUERY_NAMES) and keys.intersection(DOC_NAMES):
                pairs.append(path)
            elif "text" in keys:
                corpora.append(path)
    return Found(tuple(folders), tuple(pairs), tuple(corpora))


def choose_workspace(folder: Path) -> Workspace:
    """The folder, or `lexitune-work` in it where an import would write over files that lie there.

    Later commands find either of them from the folder.
    """
    here = Workspace(folder)
    taken = any(path.exists() for path in (here.corpus, here.queries, here.qrels("train").parent))
    return Workspace(folder / NEW_WORKSPACE) if taken and not here.dataset.exists() else here


def start(workspace: Workspace, answers: Answers) -> Path:
    """Write every option of every stage into `lexitune.toml`: what was answered in force, the rest as comments.

    The corpus is named by its whole path, since later commands may be typed in another folder.

    Raises:
        UsageError: The file exists.
    """
    if workspace.config.exists():
        raise UsageError("E2122", f"{workspace.config} exists already", fix=f"edit it, or rm {workspace.config}")
    given = {
        "data": DataOptions(corpus=None if answers.corpus is None else str(answers.corpus.resolve())),
        "model": ModelOptions(model=answers.model),
        "train": TrainOptions(hourly_rate=answers.hourly_rate),
        "promote": PromoteOptions(min_gain=answers.min_gain),
    }
    workspace.root.mkdir(parents=True, exist_ok=True)
    replace_text(workspace.config, write_toml(SECTIONS, given))
    return workspace.config


def _is_beir(folder: Path) -> bool:
    try:
        return bool(data_files(folder))
    except LexituneError:
        return False


def _first_keys(path: Path) -> Iterator[str]:
    try:
        _, line = next(iter(open_lines(path, Quarantine())))
        row = json.loads(line)
    except (StopIteration, ValueError, LexituneError):
        return
    yield from row if isinstance(row, dict) else ()
