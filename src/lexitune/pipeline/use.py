"""How an application uses a model of the workspace."""

from __future__ import annotations

from pathlib import Path

from lexitune.errors import DataError
from lexitune.io.workspace import Workspace
from lexitune.models.record import ADAPTER, read_record, spec_of_record
from lexitune.models.snippets import Place, snippet
from lexitune.models.spec import ModelSpec

__all__ = ["open_place", "snippet_of"]


def snippet_of(workspace: Workspace, model_id: str, library: str) -> str:
    """Code that encodes with a model from wherever it runs: the path in it is a whole one.

    Raises:
        UsageError: No such library.
        DataError: The model's record cannot be read.
    """
    return snippet(library, *open_place((workspace.models / model_id).resolve()))


def open_place(folder: Path) -> tuple[Place, ModelSpec]:
    """Where a model lies and what it wants, as its record tells; nothing is loaded.

    Raises:
        DataError: The folder has no record, or one that cannot be read.
    """
    record = read_record(folder)
    if record is None:
        raise DataError("E3206", f"{folder} has no lexitune.json: prompts and length are not known", fix="train again")
    return Place(str(folder), has_map=ADAPTER in record), spec_of_record(record, folder)
