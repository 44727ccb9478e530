"""What serves: one line that names model, vectors and thresholds together. Search uses nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lexitune.errors import DataError
from lexitune.io.workspace import Workspace

__all__ = ["Serving", "locate", "parse_serving", "read_serving", "same_model", "serving_of"]


@dataclass(frozen=True)
class Serving:
    """A champion with everything that must change together.

    Args:
        model: Folder inside the workspace, or the name, folder or Hub id of a stock model.
        vectors: Folder of the corpus in that model's vectors; relative to the workspace where it lies inside.
        thresholds: Scores under this model that mean something, such as `relevant_p05`: scores of two
            models do not compare, so a threshold kept from the last champion would be wrong. Those with names of the
            user's are what his code cuts at; `carry_over` finds their images when another model takes over.
        at: When it began to serve (ISO 8601, UTC); empty for a stock model that no promotion put there.
        fingerprint: Of the model as it was evaluated. The vectors cannot stand for it: several models that differ in
            their query side read the same ones. Empty in a line of an older lexitune: not known.
        store: Spec of the store that serves the vectors; empty: the folder of vectors serves.
        index: Its index there, which the store's alias points at.
    """

    model: str
    vectors: str
    thresholds: Mapping[str, float]
    at: str = ""
    fingerprint: str = ""
    store: str = ""
    index: str = ""

    def __str__(self) -> str:
        """The model, and the index that it serves through: one model may serve from files and from a store."""
        return self.model + f" through index {self.index}" * bool(self.index)

    def to_line(self) -> str:
        """The one line of `serving`, with its newline."""
        return json.dumps(asdict(self), sort_keys=True) + "\n"


def serving_of(values: Mapping[str, Any]) -> Serving:
    """A record from the JSON object that `to_line` writes.

    Example:
        >>> serving_of({"model": "minilm", "vectors": "vectors/1f", "thresholds": {}}).model
        'minilm'
    """
    return Serving(
        values["model"],
        values["vectors"],
        dict(values["thresholds"]),
        at=values.get("at", ""),
        fingerprint=values.get("fingerprint", ""),
        store=values.get("store", ""),
        index=values.get("index", ""),
    )


def parse_serving(text: str, path: Path) -> Serving:
    """Read the line of the file `path`.

    Raises:
        DataError: Not the line that `promote` writes.
    """
    try:
        return serving_of(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            "E3306", f"cannot read what serves: {text[:80]!r}", fix=f"rm {path} && lexitune promote", at=f"{path}:1"
        ) from error


def read_serving(workspace: Workspace) -> Serving | None:
    """What serves now; None before the first promotion.

    Raises:
        DataError: The file `serving` is not the line that `promote` writes.
    """
    if not workspace.serving.exists():
        return None
    return parse_serving(workspace.serving.read_text(encoding="utf-8"), workspace.serving)


def same_model(one: Serving, other: Serving) -> bool:
    """Whether two lines name one model. That of an older lexitune is known by its name alone."""
    if one.fingerprint and other.fingerprint:
        return one.fingerprint == other.fingerprint
    return one.model == other.model


def locate(workspace: Workspace, name: str) -> Path | None:
    """The path that a serving line's `model` or `vectors` means, or None for a model's name or Hub id."""
    inside = workspace.root / name
    return inside if inside.exists() or name.startswith(("models/", "vectors/")) else None
