"""Weights of training pairs: `qrels/train.weights.tsv`, beside the judgements."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lexitune.errors import DataError
from lexitune.io.atomic import replace_text
from lexitune.io.jsonl import open_lines
from lexitune.io.quarantine import Quarantine

__all__ = ["WEIGHTS", "Weights", "read_weights", "write_weights"]

Weights = Mapping[str, Mapping[str, float]]
"""query_id -> doc_id -> how much the pair counts; 1 where nothing is said."""

WEIGHTS = "train.weights"
"""Name of the file in `qrels`, without its ending: no split, though it lies among them."""

HEADER = "query-id\tcorpus-id\tweight\n"


def read_weights(path: Path) -> dict[str, dict[str, float]]:
    """Read lines of query id, doc id and weight separated by tabs, with or without a header line.

    Raises:
        DataError: A line that is none, or is not UTF-8, by its number.
    """
    found: dict[str, dict[str, float]] = {}
    bad = Quarantine(max_share=0.0)
    for number, line in open_lines(path, bad):
        cells = line.split("\t")
        try:
            query_id, doc_id, weight = cells[0].strip(), cells[1].strip(), float(cells[2])
        except (IndexError, ValueError) as error:
            if number == 1 and not any(map(str.isdigit, cells[-1])):
                continue
            raise DataError(
                "E3324",
                f"{line!r} is no weight",
                fix="write query-id, corpus-id and weight, separated by tabs, below one header line",
                at=f"{path}:{number}",
            ) from error
        found.setdefault(query_id, {})[doc_id] = weight
    bad.check(path)
    return found


def write_weights(path: Path, weights: Weights) -> None:
    """Write them as `read_weights` reads them, whole or not at all."""
    rows = (
        f"{query_id}\t{doc_id}\t{weight!r}\n" for query_id, docs in weights.items() for doc_id, weight in docs.items()
    )
    replace_text(path, HEADER + "".join(rows))
