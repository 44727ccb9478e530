"""What nobody judged: hits of the challenger that count as wrong, and might not be."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from lexitune.io.atomic import replacing
from lexitune.io.hits import Hits
from lexitune.types import Qrels

__all__ = ["pairs_to_label", "write_pairs"]

FIRST = 10


def pairs_to_label(hits: Mapping[str, Hits], test: Qrels) -> list[tuple[str, str, int]]:
    """(query, doc, rank) of unjudged docs that tuned has in its first ten and stock has not, the highest ranks first.

    Those that both have count against both, so that their judgement would hardly move the gain.
    """
    found = []
    for query_id in hits["tuned"].query_ids:
        known = {doc for doc, _ in hits["stock"].run(query_id)[:FIRST]} | test[query_id].keys()
        ranked = enumerate(hits["tuned"].run(query_id)[:FIRST], start=1)
        found += [(query_id, doc, rank) for rank, (doc, _) in ranked if doc not in known]
    return sorted(found, key=lambda pair: (pair[2], pair[0]))


def write_pairs(path: Path, pairs: Sequence[tuple[str, str, int]]) -> None:
    """Write them as a table: query_id, doc_id, rank."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["query_id", "doc_id", "rank"])
        table.writerows(pairs)
