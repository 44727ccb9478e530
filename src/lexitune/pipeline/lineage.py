"""Which models saw a document: for whoever must make a system forget it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lexitune.errors import DataError
from lexitune.io.dataset import open_data
from lexitune.io.learnt import MODEL, read_learnt
from lexitune.io.workspace import Workspace

__all__ = ["NO", "UNKNOWN", "YES", "Sighting", "is_here", "models_trained_on"]

YES, NO, UNKNOWN = "yes", "no", "not known"

HOW = {"pair": "in a training pair", "negative": "as a mined negative", "drawn": "drawn as a wrong passage, perhaps"}


@dataclass(frozen=True, slots=True)
class Sighting:
    """Whether a model learnt from a query or doc.

    Args:
        answer: `yes`, `no`, or `not known`: the model, or one that it was trained from, has no record.
        how: In words.
    """

    model_id: str
    answer: str
    how: str = ""

    def to_json(self) -> dict[str, Any]:
        """A plain dict that `json.dumps` takes."""
        return asdict(self)


def models_trained_on(workspace: Workspace, wanted: str) -> list[Sighting]:
    """Ask the record of every model whether it learnt from the query or doc of this id.

    A model that was stopped on its way counts as not known: its checkpoints may have seen anything.

    Raises:
        DataError: A record cannot be read.
    """
    folders = sorted(folder for folder in workspace.models.glob("*") if folder.is_dir())
    found = []
    for folder in folders:
        if folder.name.startswith(".building-"):
            how = "its training is not finished"
            found.append(Sighting(folder.name.removeprefix(".building-"), UNKNOWN, how))
        elif not folder.name.startswith("."):
            found.append(_sighting(workspace, folder.name, wanted))
    return found


def is_here(workspace: Workspace, wanted: str) -> bool | None:
    """Whether the data have a passage or query of this id; None: they cannot be read."""
    try:
        data = open_data(workspace)
    except DataError:
        return None
    return wanted in data.queries or any(doc.doc_id == wanted for doc in data.docs)


def _sighting(workspace: Workspace, model_id: str, wanted: str) -> Sighting:
    rows = read_learnt(workspace.models / model_id)
    if rows is None:
        return Sighting(model_id, UNKNOWN, "it has no record of what it learnt from: an older lexitune made it")
    seen = [row for row in rows if row.id == wanted and row.kind != MODEL]
    if seen:
        how = [f"{row.kind}, {HOW.get(row.role, row.role)}{f', by {row.through}' * bool(row.through)}" for row in seen]
        return Sighting(model_id, YES, "; ".join(dict.fromkeys(how)))
    unknown: Sequence[str] = [row.id for row in rows if row.kind == MODEL]
    if unknown:
        return Sighting(model_id, UNKNOWN, f"it was trained from {', '.join(unknown)}, which has no record")
    return Sighting(model_id, NO)
