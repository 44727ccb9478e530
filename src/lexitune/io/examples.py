"""Mined examples in a workspace: of each train query the right passages, and wrong ones that look right."""

from __future__ import annotations

from pathlib import Path

from lexitune.errors import DataError
from lexitune.fingerprint import hash_file
from lexitune.io.workspace import Meta, Workspace, read_meta
from lexitune.types import Example

__all__ = ["examples_path", "is_of_other_data", "is_users", "read_examples"]

COLUMNS = ("query_id", "positives", "negatives")


def examples_path(workspace: Workspace) -> Path:
    """Where the training examples lie."""
    return workspace.root / "examples.parquet"


def is_of_other_data(workspace: Workspace) -> bool:
    """Whether they were mined here from data that the workspace no longer holds. A file of one's own never was."""
    mining = _mining(workspace)
    return mining is not None and mining.inputs.get("data") != hash_file(workspace.dataset)


def is_users(workspace: Workspace) -> bool:
    """Whether they are of the user's making: by hand, or mined on purpose from the data that the workspace holds."""
    mining = _mining(workspace)
    if mining is None:
        return examples_path(workspace).exists()
    return not mining.outputs.get("by_tune") and mining.inputs.get("data") == hash_file(workspace.dataset)


def _mining(workspace: Workspace) -> Meta | None:
    """The record of the mining that wrote them; None: there are none, or they are of another hand."""
    path, meta = examples_path(workspace), read_meta(workspace.reports / "mine.json")
    written = meta is not None and path.exists() and meta.outputs.get(path.name) == hash_file(path)
    return meta if written else None


def read_examples(path: Path) -> list[Example]:
    """Examples of a Parquet file as `mine` writes it; a column `teacher_scores` may stand beside its own.

    Raises:
        DataError: No Parquet file, or one without the columns query_id, positives and negatives.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    fix = f"make it again with: lexitune mine, or train without it: rm {path}"
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError("E3325", f"{path} cannot be read: {error}", fix=fix) from error
    missing = [name for name in COLUMNS if name not in table.column_names]
    if missing:
        raise DataError("E3325", f"{path} has no column {', '.join(missing)}", fix=fix)
    teacher = table["teacher_scores"].to_pylist() if "teacher_scores" in table.column_names else [()] * len(table)
    columns = (table[name].to_pylist() for name in COLUMNS)
    return [
        Example(query_id, tuple(positives or ()), tuple(negatives or ()), teacher_scores=tuple(scores or ()))
        for query_id, positives, negatives, scores in zip(*columns, teacher, strict=True)
    ]
