"""A workspace's judgements in a format of others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lexitune.errors import DataError, UsageError
from lexitune.io.dataset import open_data
from lexitune.io.formats.records import Format, Labelled, Opinion
from lexitune.io.formats.registry import FORMATS
from lexitune.io.workspace import Workspace

__all__ = ["Exported", "export_pairs"]


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written, and what the format could not hold, in sentences."""

    queries: int
    docs: int
    judgements: int
    notes: Sequence[str]


def export_pairs(workspace: Workspace, out: Path, *, to: str, split: str = "train") -> Exported:
    """Write the judgements of one split with their texts; formats with a corpus get all of it.

    Args:
        to: The name of a format.
        split: "train" or "dev". Test stays sealed: what was looked at outside an evaluation proves nothing.

    Raises:
        DataError: The split is test or is not there, or the format has no room for an id or a text.
        UsageError: No such format, or `out` exists.
        StageFailed: The disk is full, or the place cannot be written to.
    """
    form: Format = FORMATS.get(to)
    if split == "test":
        raise DataError(
            "E3025",
            "test judgements stay sealed: a set that was looked at proves nothing",
            fix=f"lexitune export pairs {out} --format {to} --split dev; for a benchmark of your own, export the "
            "data that you imported",
        )
    if out.exists():
        raise UsageError("E2122", f"{out} exists already", fix=f"rm -r {out}, or give another name")
    data = open_data(workspace)
    if split not in data.qrels:
        fix = f"--split {' or '.join(data.qrels) or 'train'}"
        raise DataError("E3028", f"the workspace has no split '{split}'", fix=fix)
    qrels = data.qrels[split]
    opinions = [Opinion(query_id, doc_id, grade) for query_id, docs in qrels.items() for doc_id, grade in docs.items()]
    queries = {query_id: data.queries[query_id] for query_id in qrels if query_id in data.queries}
    docs_by_id = {doc.doc_id: doc for doc in data.docs}
    notes = form.write(out, Labelled(queries, docs_by_id, opinions), split=split)
    return Exported(len(queries), len(docs_by_id), len(opinions), notes)
