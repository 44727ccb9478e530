"""A workspace's judgements in a format of others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lexitune.errors import DataError, UsageError
from lexitune.io.dataset import open_data
from lexitune.io.examples import examples_path, is_of_other_data, read_examples
from lexitune.io.formats.records import NOT_RELEVANT, Format, Labelled, Opinion
from lexitune.io.formats.registry import FORMATS
from lexitune.io.workspace import Workspace
from lexitune.types import Qrels

__all__ = ["Exported", "export_pairs"]


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written, and what the format could not hold, in sentences."""

    queries: int
    docs: int
    judgements: int
    notes: Sequence[str]


def export_pairs(
    workspace: Workspace, out: Path, *, to: str, split: str = "train", with_mined: bool = False
) -> Exported:
    """Write the judgements of one split with their texts; formats with a corpus get all of it.

    Args:
        to: The name of a format.
        split: "train" or "dev". Test stays sealed: what was looked at outside an evaluation proves nothing.
        with_mined: In place of the judgements, what `mine` made of those of train: right passages, wrong ones hardest
            first, and a teacher's scores. Formats of judgements refuse it: nobody judged those.

    Raises:
        DataError: The split is test or is not there, nothing was mined of these data, or the format has no room for an
            id, a text or negatives that nobody judged.
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
    notes: list[str] = []
    if with_mined:
        _refuse_judgements(to, form, split)
        opinions, notes = _mined(workspace, qrels)
    asked = dict.fromkeys(one.query_id for one in opinions)
    queries = {query_id: data.queries[query_id] for query_id in asked if query_id in data.queries}
    docs_by_id = {doc.doc_id: doc for doc in data.docs}
    notes += form.write(out, Labelled(queries, docs_by_id, opinions), split=split)
    return Exported(len(queries), len(docs_by_id), len(opinions), notes)


def _refuse_judgements(name: str, form: Format, split: str) -> None:
    if split != "train":
        fix = "leave out --mined, or --split"
        raise DataError("E3028", f"negatives are mined for train, not for {split}", fix=fix)
    if not form.trains:
        names = [other for other in FORMATS.names() if FORMATS.get(other).trains]
        raise DataError(
            "E3026",
            f"'{name}' holds judgements, and mined negatives are none",
            fix=f"give a format of training rows: --format {' or '.join(names)}",
        )


def _mined(workspace: Workspace, qrels: Qrels) -> tuple[list[Opinion], list[str]]:
    """What training would read, in its order, with the grades of what was judged."""
    path = examples_path(workspace)
    if not path.exists():
        raise DataError("E3325", f"{path} is not there: nothing was mined", fix="lexitune mine")
    if is_of_other_data(workspace):
        raise DataError("E3325", f"{path} was mined from other data", fix="lexitune mine makes it anew")
    asked = {query_id for query_id, grades in qrels.items() if any(grade > NOT_RELEVANT for grade in grades.values())}
    found, mined, others = list[Opinion](), 0, 0
    for example in read_examples(path):
        if example.query_id not in asked:  # training passes over it: of dev, unknown, or with no right passage
            others += 1
            continue
        judged = qrels[example.query_id]
        doc_ids = [*example.positives, *example.negatives]
        scores: Sequence[float | None] = example.teacher_scores or [None] * len(doc_ids)
        if len(scores) != len(doc_ids):
            problem = f"{path}: query '{example.query_id}' has {len(doc_ids)} passages and {len(scores)} teacher_scores"
            raise DataError("E3325", problem, fix="lexitune mine makes it anew")
        for place, (doc_id, score) in enumerate(zip(doc_ids, scores, strict=True)):
            is_right = place < len(example.positives)
            grade = max(judged.get(doc_id, 1), 1) if is_right else NOT_RELEVANT
            found.append(Opinion(example.query_id, doc_id, grade, score=score))
            mined += not is_right and doc_id not in judged
    notes = [f"{mined:,} wrong passages were mined, nobody judged them"]
    if others:
        notes.append(f"{others:,} examples are of no train query with a right passage: left out")
    return found, notes
