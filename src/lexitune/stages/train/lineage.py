"""Lineage: which queries and docs a training lets reach the weights, by id."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lexitune.io.learnt import DOC, MODEL, QUERY, Learnt, read_learnt
from lexitune.io.workspace import read_meta
from lexitune.stages.train.examples import Examples
from lexitune.stages.train.recipe import Recipe
from lexitune.types import Dataset

__all__ = ["inherited", "trace"]


def trace(data: Dataset, examples: Examples, *, recipe: Recipe) -> Iterator[Learnt]:
    """Every query and doc that this training may learn from.

    It goes by texts, as training does: a copy of a right passage is listed under its own id too. A training that
    stops early has not seen all of them; nothing tells which, so all are listed. Dev is not: its queries choose among
    weights, and no weight learns from them.

    Args:
        recipe: Mined negatives count where it draws any; `adapter` draws wrong passages from the whole corpus.
    """
    queries = set(examples.queries)
    right = {examples.docs[row] for row in examples.pairs[:, 1].tolist()}
    wrong = {examples.docs[row] for row in examples.negatives.tolist()} if recipe.negatives else set()
    for query_id, query in data.queries.items():
        if query.text in queries:
            yield Learnt(QUERY, query_id, "pair")
    for doc in data.docs:
        text = doc.full_text
        if text in right or text in wrong:
            yield Learnt(DOC, doc.doc_id, "pair" if text in right else "negative")
        elif recipe.recipe == "adapter":
            yield Learnt(DOC, doc.doc_id, "drawn")


def inherited(source: str) -> list[Learnt]:
    """What the model had learnt before, where it is one that lexitune trained.

    Copied rather than pointed at: the earlier model may be removed, and what it learnt stays in this one.

    Args:
        source: Folder or Hub id that training started from.
    """
    folder = Path(source)
    meta = read_meta(folder) if source and folder.is_dir() else None
    if meta is None or meta.stage != "train":
        return []
    rows = read_learnt(folder)
    if rows is None:
        return [Learnt(MODEL, folder.resolve().name, "unknown", folder.resolve().name)]
    return [row._replace(through=row.through or folder.resolve().name) for row in rows]
