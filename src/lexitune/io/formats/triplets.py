"""sentence-transformers: rows of anchor, positive and negatives, in the order that its trainer reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from lexitune.errors import DataError
from lexitune.io.formats.cells import Cells, open_cells, write_cells
from lexitune.io.formats.records import (
    NOT_RELEVANT,
    Choices,
    Format,
    Gathering,
    Labelled,
    Look,
    Opinion,
    grouped,
    lost,
    score_of,
    text_of,
)
from lexitune.io.quarantine import Quarantine

__all__ = ["ST", "Rows", "gather_rows", "is_triplets", "training_rows", "without_right"]

ANCHORS = ("anchor", "query", "question", "sentence1")
POSITIVES = ("positive", "passage", "answer", "doc", "document", "text", "sentence2")
LABELS = ("label", "labels", "score", "scores", "relevance")
MAPPED = ("query", "doc", "relevance", "negative")  # fields of `--map`
KEEPS = ("doc", "wrong")


@dataclass(frozen=True, slots=True)
class Rows:
    """Labels as rows of texts, with the names of their columns."""

    names: Sequence[str]
    rows: Sequence[Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Roles:
    """Which column is what."""

    anchor: str
    positive: str
    negatives: Sequence[str]
    label: str


def _roles(names: Sequence[str], choices: Choices, quarantine: Quarantine, path: Path) -> Roles:
    mapped = choices.columns
    if homeless := [field for field in mapped if field not in MAPPED]:
        problem = f"{path} holds rows of texts, which have no place for {', '.join(homeless)}"
        raise DataError("E3007", problem, fix=f"map {', '.join(MAPPED)} alone")
    for column in mapped.values():
        if column not in names:
            fix = f"name one of its columns: {', '.join(names)}"
            raise DataError("E3007", f"{path} has no column '{column}'", fix=fix)
    label = mapped.get("relevance") or next((name for name in names if name.lower() in LABELS), "")
    texts = [name for name in names if name != label and name.lower() not in LABELS]
    anchor = mapped.get("query") or next((name for name in texts if name.lower() in ANCHORS), "")
    positive = mapped.get("doc") or next((name for name in texts if name.lower() in POSITIVES), "")
    if not anchor or not positive:
        if len(texts) < 2:
            raise DataError(
                "E3007",
                f"{path} has the columns {', '.join(map(repr, names)) or 'of no name'}: two of texts are needed",
                fix="call them anchor and positive, or --map query=COLUMN,doc=COLUMN",
            )
        # As the trainer takes them: by order, whatever they are called.
        anchor, positive = texts[0], texts[1]
        quarantine.note(f"{path.name}: '{anchor}' is taken as the query, '{positive}' as the right passage")
    negatives = [name for name in texts if name == mapped.get("negative") or name.lower().startswith("neg")]
    if unused := [name for name in names if name not in (anchor, positive, label, *negatives)]:
        quarantine.note(f"columns of {path.name} that are not used: {', '.join(unused)}")
    return Roles(anchor, positive, negatives, label)


def gather_rows(path: Path, cells: Cells, gathering: Gathering, *, choices: Choices) -> None:
    """Read rows of anchor, positive, negatives, and a label or scores where they have one.

    Raises:
        DataError: There are no two columns of texts, or too many rows cannot be used.
    """
    roles = _roles(list(cells.names), choices, gathering.quarantine, path)

    def use(row: Mapping[str, Any]) -> None:
        query_id, label = gathering.query(row.get(roles.anchor)), row.get(roles.label)
        positive = row.get(roles.positive)
        if isinstance(positive, list):
            _judge_list(gathering, query_id, positive, label)
            return
        texts = [positive, *(row[name] for name in roles.negatives if row.get(name) not in (None, ""))]
        scores: Sequence[Any] = label if isinstance(label, list) else [None] * len(texts)
        if len(scores) != len(texts):
            raise ValueError(f"{len(scores)} scores for {len(texts)} passages")
        has_label = roles.label and not isinstance(label, list)
        first = gathering.grade(label) if has_label else 1
        for place, (text, score) in enumerate(zip(texts, scores, strict=True)):
            relevance = NOT_RELEVANT if place else first
            teacher = None if score is None else score_of(score)
            opinion = Opinion(query_id, gathering.doc(text), relevance, score=teacher)
            gathering.judge(opinion, is_mined=True)

    gathering.take(path, cells.rows, use)


def _judge_list(gathering: Gathering, query_id: str, texts: list[Any], labels: Any) -> None:
    if not isinstance(labels, list) or len(labels) != len(texts):
        raise ValueError("no list of labels as long as that of passages")
    for text, label in zip(texts, labels, strict=True):
        gathering.judge(Opinion(query_id, gathering.doc(text), gathering.grade(label)), is_mined=True)


def training_rows(labelled: Labelled) -> tuple[Rows, Rows]:
    """The labels as rows that are all of one width, for the trainer takes no gaps; and pairs of queries without any
    negative where others have some.

    With equally many negatives for each query they stand in one row, else there is a row for each (positive, negative).
    """
    found = {query_id: sides for query_id, sides in grouped(labelled).items() if sides[0]}
    widths = {len(wrong) for _, wrong in found.values()} - {0}
    bare = [query_id for query_id, (_, wrong) in found.items() if not wrong]
    pairs = [
        {"anchor": labelled.queries[query_id].text, "positive": text_of(labelled, one.doc_id)}
        for query_id in bare
        for one in found[query_id][0]
    ]
    if not widths:
        return Rows(("anchor", "positive"), pairs), Rows((), ())
    width = widths.pop() if len(widths) == 1 else 1
    negatives = ["negative"] if width == 1 else [f"negative_{place}" for place in range(1, width + 1)]
    rows = []
    for query_id, (right, wrong) in found.items():
        texts = [text_of(labelled, one.doc_id) for one in wrong]
        groups = [texts[start : start + width] for start in range(0, len(texts), width)]
        for one, group in product(right, groups):
            row = {"anchor": labelled.queries[query_id].text, "positive": text_of(labelled, one.doc_id)}
            rows.append(row | dict(zip(negatives, group, strict=True)))
    return Rows(("anchor", "positive", *negatives), rows), Rows(("anchor", "positive"), pairs)


def without_right(labelled: Labelled) -> list[str]:
    """What these rows leave out beside what `lost` tells."""
    count = sum(not right for right, _ in grouped(labelled).values())
    return [f"{count:,} queries have no right passage: left out"] if count else []


def _read(path: Path, quarantine: Quarantine, *, choices: Choices) -> Labelled:
    gathering = Gathering(path, quarantine, choices)
    gather_rows(path, open_cells(path, quarantine), gathering, choices=choices)
    return gathering.done()


def _write(path: Path, labelled: Labelled, *, split: str) -> list[str]:
    rows, pairs = training_rows(labelled)
    notes = lost(labelled, KEEPS) + without_right(labelled)
    write_cells(path, rows.names, rows.rows)
    if pairs.rows:
        beside = path.with_name(f"{path.stem}-pairs{path.suffix}")
        write_cells(beside, pairs.names, pairs.rows)
        notes.append(f"{len(pairs.rows):,} pairs of queries without a negative stand in {beside.name}: rows are even")
    return notes


def is_triplets(look: Look) -> bool:
    """Whether the columns bear the trainer's own names."""
    return {"anchor", "positive"} <= {name.lower() for name in look.names}


ST = Format(lambda look: look.kind in ("table", "jsonl", "parquet") and is_triplets(look), _read, _write, trains=True)
