"""Where scores of the stock model lie under the tuned one: learnt on dev, told, and written as a table."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import astuple, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lexitune.io.atomic import replacing
from lexitune.io.hits import Hits
from lexitune.metrics.score_map import RankedScores, ScoreMap, Threshold, learn_score_map
from lexitune.types import Qrels

__all__ = ["map_scores", "tell_scores", "write_score_table"]

K = 10  # hits of a query: what `lexitune search` shows, and about what a prompt takes
LEAST = 10  # queries in each half: fewer do not tell what another ten would
FAR = 0.10  # one hit of ten
SAME = 0.005  # scores are told to two places


def map_scores(stock: Hits, tuned: Hits, dev: Qrels, *, clusters: Mapping[str, str]) -> ScoreMap | None:
    """The map from scores under `stock` to those under `tuned` at which as many of the first ten hits pass.

    Args:
        stock: Rankings of the dev queries, through what would serve; `tuned` those of the same queries in that order.
        dev: What is relevant to them.
        clusters: query -> a label; queries with equal labels stand in one half.

    Returns:
        None where there are too few queries, or too few clusters of them, to check a map on queries that it has not
        seen.
    """
    # A query that finds nothing, behind its filter or in an index that misses it, has nothing to cut.
    both = np.isfinite(stock.score[:, 0]) & np.isfinite(tuned.score[:, 0])
    asked = [query_id for query_id, found in zip(stock.query_ids, both.tolist(), strict=True) if found]
    stock, tuned = stock.of(asked), tuned.of(asked)
    held_out = _held_out([clusters[query_id] for query_id in stock.query_ids])
    if min(held_out.sum(), (~held_out).sum()) < LEAST:
        return None
    return learn_score_map(_first(stock, dev), _first(tuned, dev), held_out=held_out)


def tell_scores(found: ScoreMap | None) -> list[str]:
    """An example, where scores moved, and how far the map may be off, where that is far. A line fits 80 columns."""
    if found is None or all(abs(row.new - row.old) < SAME for row in found.rows):
        return []
    # A threshold such as people have: a quarter of the hits pass.
    old = round(min(found.rows, key=lambda row: abs(row.passes - 0.25)).old, 2)
    lines = [
        f"a threshold of {old:.2f} under stock is {found.image(old):.2f} under tuned: lexitune thresholds {old:.2f}"
    ]
    if found.reach > FAR:
        lines.append(f"of 100 hits it may let {100 * found.reach:.0f} more or fewer pass, by the dev queries held out")
    return lines


def write_score_table(path: Path, found: ScoreMap) -> None:
    """The map as tab-separated columns, a threshold a line."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, delimiter="\t", lineterminator="\n")
        table.writerow([one.name for one in fields(Threshold)])
        table.writerows([f"{value:.6f}" for value in astuple(row)] for row in found.rows)


def _first(hits: Hits, dev: Qrels) -> RankedScores:
    relevant = [
        [place >= 0 and dev[query_id].get(hits.doc_ids[place], 0) > 0 for place in row[:K]]
        for query_id, row in zip(hits.query_ids, hits.index.tolist(), strict=True)
    ]
    return RankedScores(hits.score[:, :K], np.array(relevant, dtype=bool))


def _held_out(labels: Sequence[str]) -> NDArray[np.bool_]:
    """Whole clusters, drawn until half of the queries are in. One that is too large stays on the other side."""
    _, cluster, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    room, inside = len(labels) // 2, []
    for drawn in np.random.default_rng(13).permutation(len(sizes)).tolist():
        if sizes[drawn] <= room:
            room -= sizes[drawn]
            inside.append(drawn)
    out: NDArray[np.bool_] = np.isin(cluster, inside)
    return out
