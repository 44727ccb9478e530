"""Parts of the real sets: fewer pairs, passages and queries, the same whenever they are drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lexitune.splits.sealing import open_test
from lexitune.types import Dataset, Qrels, SealedQrels

__all__ = ["WHOLE", "cut", "draw", "opened"]

WHOLE = 1_000_000_000
"""More than any set has."""


def opened(data: Dataset, work: Path) -> Qrels:
    """The test judgements of a set that has them; that they were opened is written down in `work`."""
    assert data.test is not None
    work.mkdir(parents=True, exist_ok=True)
    return open_test(data.test, openings=work / "openings.jsonl", purpose="benchmark", expected_sha256=None)


def cut(data: Dataset, work: Path, *, pairs: int, docs: int, queries: int) -> Dataset:
    """Pairs, dev and test queries drawn by seed; of the passages those that answer any of them, and some others."""
    dev, test = (draw(qrels, queries, each_pair=False) for qrels in (data.qrels["dev"], opened(data, work)))
    train = draw(data.qrels["train"], pairs, each_pair=True)
    wanted = {doc_id for qrels in (train, dev, test) for grades in qrels.values() for doc_id in grades}
    kept = sorted(data.docs, key=lambda doc: doc.doc_id not in wanted)[: max(docs, len(wanted))]
    asked = {query_id: data.queries[query_id] for qrels in (train, dev, test) for query_id in qrels}
    return Dataset(kept, asked, {"train": train, "dev": dev}, SealedQrels(None, len(test), test))


def draw(qrels: Qrels, most: int, *, each_pair: bool, seed: int = 13) -> dict[str, dict[str, int]]:
    """At most so many pairs, or queries with all of their passages; the same whenever it is called."""
    pairs = [(query_id, doc_id, grade) for query_id, grades in qrels.items() for doc_id, grade in grades.items()]
    units = pairs if each_pair else list(qrels)
    chosen = {units[place] for place in np.random.default_rng(seed).permutation(len(units))[:most]}
    found: dict[str, dict[str, int]] = {}
    for pair in pairs:
        if (pair if each_pair else pair[0]) in chosen:
            found.setdefault(pair[0], {})[pair[1]] = pair[2]
    return found
