"""What mining leaves in a workspace: examples.parquet, negatives.parquet, and the suspects for an expert."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lexitune.io.atomic import replacing
from lexitune.stages.mine.mining import Mined
from lexitune.stages.mine.negatives import JUDGED

__all__ = ["SUSPECT_COLUMNS", "write_examples", "write_negatives", "write_suspects"]

ROWS = 65_536  # of a row group: what is in memory as Python objects at a time
SUSPECT_COLUMNS = ("relevance", "query", "passage", "why", "score", "positive_score", "query_id", "doc_id")

EXAMPLES = pa.schema(
    [
        ("query_id", pa.string()),
        ("positives", pa.list_(pa.string())),
        ("negatives", pa.list_(pa.string())),
        ("grades", pa.list_(pa.int32())),
        ("weight", pa.float32()),
        ("source", pa.string()),
    ]
)
TEACHER = pa.field("teacher_scores", pa.list_(pa.float32()))


def write_examples(path: Path, found: Mined) -> None:
    """One row a query, in the judgements' order; `grades` belong to `positives`.

    Where a cross-encoder scored them, `teacher_scores` belong to `positives`, then `negatives`.
    """
    schema = EXAMPLES if found.positive_scores is None else EXAMPLES.append(TEACHER)
    with replacing(path) as temporary, pq.ParquetWriter(temporary, schema) as writer:
        rows = []
        for example in found.examples():
            rows.append({name: getattr(example, name) for name in schema.names})
            if len(rows) == ROWS:
                writer.write_table(pa.Table.from_pylist(rows, schema))
                rows = []
        writer.write_table(pa.Table.from_pylist(rows, schema))


def write_negatives(path: Path, found: Mined) -> None:
    """One row a negative: query_id, doc_id, system, rank (null: judged), score, positive_score, why."""
    negatives = found.negatives
    judged = negatives.rank == JUDGED
    query_ids = pa.array([query.query_id for query in found.queries], pa.string())
    used, doc = np.unique(negatives.doc, return_inverse=True)
    doc_ids = pa.array([found.docs[row].doc_id for row in used], pa.string())
    table = pa.table(
        {
            "query_id": pa.DictionaryArray.from_arrays(negatives.query.astype(np.int32), query_ids),
            "doc_id": pa.DictionaryArray.from_arrays(doc.astype(np.int32), doc_ids),
            "system": _either(judged, "judgement", found.options.candidates),
            "rank": pa.array(negatives.rank, pa.int32(), mask=judged),
            "score": pa.array(negatives.score, pa.float32()),
            "positive_score": pa.array(negatives.positive_score, pa.float32()),
            "why": _either(judged, "judged not relevant", f"score is at most {_line(found)}"),
        }
    )
    with replacing(path) as temporary:
        pq.write_table(table, temporary)


def write_suspects(path: Path, found: Mined) -> None:
    """The most suspect first, with an empty column `relevance`: 1 for a right answer after all, 0 for a wrong one."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8-sig", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(SUSPECT_COLUMNS)
        for row in found.suspects.tolist():
            query = found.queries[int(found.negatives.query[row])]
            doc = found.docs[int(found.negatives.doc[row])]
            score, p = float(found.negatives.score[row]), float(found.negatives.positive_score[row])
            gap = (p - score) / max(abs(p), 1e-9)
            why = f"rank {found.negatives.rank[row]}, score {gap:.1%} below that of the weakest right passage"
            texts = _plain(query.text), _plain(doc.full_text)
            table.writerow(["", *texts, why, f"{score:.4f}", f"{p:.4f}", query.query_id, doc.doc_id])


def _line(found: Mined) -> str:
    """The line of the margin, as the options draw it."""
    options = found.options
    lines = [f"p - {options.margin} * |p|"]
    if options.absolute_margin is not None:
        lines.append(f"p - {options.absolute_margin}")
    if options.max_score is not None:
        lines.append(str(options.max_score))
    return " and at most ".join(lines) + (", by the cross-encoder" if options.reranker else "")


def _either(judged: np.ndarray[tuple[int], np.dtype[np.bool_]], one: str, other: str) -> pa.Array:
    return pa.DictionaryArray.from_arrays((~judged).astype(np.int8), pa.array([one, other]))


def _plain(text: str) -> str:
    # A spreadsheet would run a cell that begins like a formula.
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text
