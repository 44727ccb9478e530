"""The faster number format beside fp32, over whole corpora: how near vectors are, and what that does to recall.

    python -m benchmarks.precision [--json] [--sets scifact,tatqa]

Every passage and dev query of each set is encoded twice, and searched exactly. Cosines are of passages; recall@10 is of
dev queries. It takes a quarter of an hour for all nine sets on two cores of Zen 5: each set is told as it is done.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import SETS, arguments, hardware, minilm_folder, real_set, show
from lexitune.metrics.measures import measure_hits, parse_measures
from lexitune.models.load import load
from lexitune.models.options import ModelOptions
from lexitune.search.exact import exact_search
from lexitune.types import Dataset

Matrix = NDArray[np.float32]

(RECALL,) = parse_measures("R@10")
LEAST_MEAN, LEAST, UNIT, MOVED = 0.9998, 0.9995, 1e-5, 0.003


def main() -> None:
    """Compare, set by set."""
    parser = arguments("bf16 beside fp32 over whole corpora")
    parser.add_argument("--sets", default=",".join(SETS), help="retrieval sets, separated by commas (default all nine)")
    given = parser.parse_args()
    found = {}
    for name in given.sets.split(","):
        found[name] = compare(real_set(name))
        sys.stderr.write(f"{name}: {found[name]}\n")
    holds = all(row["holds"] for row in found.values())
    show({"sets": found, "agreement": holds, "hardware": hardware(given.threads)}, as_json=given.json)
    sys.exit(int(not holds))


def compare(data: Dataset) -> dict[str, Any]:
    """One set in both formats."""
    right, recall = encoded(data, "fp32")
    half, moved = encoded(data, "bf16")
    cosines = np.einsum("ij,ij->i", right.astype(np.float64), half.astype(np.float64))
    lengths = np.linalg.norm(half.astype(np.float64), axis=1)
    cosines /= lengths * np.linalg.norm(right.astype(np.float64), axis=1)
    row = {
        "docs": len(right),
        "cosine_mean": float(cosines.mean()),
        "cosine_least": float(cosines.min()),
        "length_error": float(np.abs(lengths - 1).max()),
        "fp32": recall,
        "bf16": moved,
    }
    near = row["cosine_mean"] >= LEAST_MEAN and row["cosine_least"] >= LEAST and row["length_error"] <= UNIT
    return {**row, "holds": bool(near and abs(moved - recall) <= MOVED)}


def encoded(data: Dataset, precision: str) -> tuple[Matrix, float]:
    """Vectors of the passages, and recall@10 of the dev queries."""
    model = load(str(minilm_folder()), options=ModelOptions(precision=precision))
    docs = model.encode_docs([doc.full_text for doc in data.docs])
    judged = data.qrels["dev"]
    asked = model.encode_queries([data.queries[query_id].text for query_id in judged])
    hits = exact_search(asked, (docs, [doc.doc_id for doc in data.docs]), 10, query_ids=list(judged))
    return docs, measure_hits(hits, judged, [RECALL]).mean(RECALL)


if __name__ == "__main__":
    main()
