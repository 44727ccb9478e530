"""General text: everyday questions and passages outside any field, to see what a model loses there when it is tuned."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from lexitune.errors import DataError
from lexitune.io.dataset import read_folder
from lexitune.io.quarantine import Quarantine
from lexitune.types import Doc, Qrels, Query

__all__ = ["FEWEST_QUERIES", "read_general"]

FEWEST_QUERIES = 50
"""With fewer judged queries a loss that matters cannot be told from chance."""

SHIPPED = Path(str(files("lexitune.io").joinpath("general_text")))


def read_general(folder: Path | None = None) -> tuple[list[Doc], dict[str, Query], Qrels]:
    """Read general text: its passages, the queries with a relevant passage, and their judgements.

    A guard with holes guards less than it says, so a line that cannot be used is refused, not set aside.

    Args:
        folder: A BEIR folder; its splits, if it has any, are taken together. None: the set that comes with lexitune.

    Raises:
        DataError: A file is missing, empty, of another kind or has a line that cannot be used; or too few queries
            have a relevant passage.
    """
    folder = folder or SHIPPED
    raw = read_folder(folder, Quarantine(max_share=0.0))
    qrels: dict[str, dict[str, int]] = {}
    for split in raw.qrels.values():
        for query_id, grades in split.items():
            qrels.setdefault(query_id, {}).update(grades)
    qrels = {query_id: grades for query_id, grades in qrels.items() if max(grades.values()) > 0}
    if len(qrels) < FEWEST_QUERIES:
        raise DataError(
            "E3104",
            f"{len(qrels)} queries of {folder} have a relevant passage; general text needs {FEWEST_QUERIES}",
            fix="judge more queries, or give no folder: lexitune brings general text of its own",
        )
    return list(raw.docs), {query_id: raw.queries[query_id] for query_id in qrels}, qrels
