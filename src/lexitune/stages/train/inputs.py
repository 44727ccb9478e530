"""What training may read beside the judgements and their weights: mined negatives, and a teacher's scores."""

from __future__ import annotations

from pathlib import Path

from lexitune.errors import DataError
from lexitune.fingerprint import hash_file
from lexitune.io.workspace import Workspace, read_meta
from lexitune.types import Example, Talk

__all__ = ["mined_examples", "read_examples"]

COLUMNS = ("query_id", "positives", "negatives")


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


def mined_examples(workspace: Workspace, *, talk: Talk) -> list[Example]:
    """The workspace's `examples.parquet`; none where there is no such file, or where it was mined from other data."""
    path = workspace.root / "examples.parquet"
    if not path.exists():
        return []
    meta = read_meta(workspace.reports / "mine.json")
    own = meta is not None and meta.outputs.get(path.name) == hash_file(path)
    if own and meta is not None and meta.inputs.get("data") != hash_file(workspace.dataset):
        talk.say("train: examples.parquet was mined from other data and is not used; lexitune mine makes it anew")
        return []
    return read_examples(path)
