"""Exact top-k against faiss's flat index: the same vectors, the same threads.

python -m benchmarks.search                     one size, at k = 10 and k = 100
python -m benchmarks.search --scaling           1,000 to 1,000,000 vectors: growth of time and memory

Both compare every vector with every query. faiss gives float32 sums, and equal ones in no stated order; ours are exact,
rounded once, with ties by id.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import Race, Side, Work, arguments, hardware, race, running, show
from lexitune.search.exact import exact_search

Matrix = NDArray[np.float32]

DIM = 384
DEPTHS = (10, 100)
SIZES = (1_000, 10_000, 100_000, 1_000_000)
CLOSE = 1e-6  # scores nearer than this are one score to float32 sums of 384 products


def main() -> None:
    """Run what the arguments ask for."""
    parser = arguments("Exact top-k against faiss's flat index")
    parser.add_argument("--queries", type=int, default=1_000, help="queries (default 1,000)")
    parser.add_argument("--docs", type=int, default=50_000, help="passages (default 50,000)")
    parser.add_argument("--scaling", action="store_true", help="1,000 to 1,000,000 passages at k = 10")
    given = parser.parse_args()
    how = {"rounds": given.rounds, "threads": given.threads}
    found = scaling(given.queries, how) if given.scaling else depths(given.queries, given.docs, how)
    show({**found, "hardware": hardware(given.threads)}, as_json=given.json)


def depths(queries: int, docs: int, how: Mapping[str, Any]) -> dict[str, Any]:
    """One size at each depth; the first depth gives the object's own figures."""
    races = {k: compare(queries, docs, k, how) for k in DEPTHS}
    first, *others = DEPTHS
    return {"k": first, **races[first], **{f"k={k}": races[k] for k in others}}


def scaling(queries: int, how: Mapping[str, Any]) -> dict[str, Any]:
    """Each size at k = 10. Growth is how many times more ten times the vectors take: 10 is linear."""
    rows = {f"{docs:,}": compare(queries, docs, DEPTHS[0], how) for docs in SIZES}
    last, before = rows[f"{SIZES[-1]:,}"], rows[f"{SIZES[-2]:,}"]
    growth = {what: last["ours"][what] / max(before["ours"][what], 1.0) for what in ("seconds", "peak_mb")}
    return {**last, "growth": growth, "sizes": rows}


def compare(queries: int, docs: int, k: int, how: Mapping[str, Any]) -> dict[str, Any]:
    """A race at one size and depth, its memory above the vectors, and the agreement of its results."""
    given = {"queries": queries, "docs": docs, "k": k}
    ours, peer = Side(make_ours, given), Side(make_peer, given)
    laps = race(ours, peer, **how)
    found = {**laps.to_json(), "agreement": agreement(laps)}
    for name, side in (("ours", ours), ("peer", peer)):
        # In a process that has searched before, memory is there already.
        with running(side, how["threads"]) as lap:
            found[name]["peak_mb"] = lap().peak_mb
    return found


def vectors(queries: int, docs: int) -> tuple[Matrix, Matrix]:
    """Random unit vectors, made in blocks."""
    random = np.random.default_rng(0)
    found = []
    for count in (queries, docs):
        matrix = np.empty((count, DIM), dtype=np.float32)
        for start in range(0, count, 10_000):
            block = random.standard_normal((min(10_000, count - start), DIM), dtype=np.float32)
            matrix[start : start + 10_000] = block / np.linalg.norm(block, axis=1, keepdims=True)
        found.append(matrix)
    return found[0], found[1]


def make_ours(*, queries: int, docs: int, k: int) -> Work:
    """`exact_search` on a matrix in memory."""
    asked, stored = vectors(queries, docs)
    doc_ids, query_ids = [f"d{row}" for row in range(docs)], [f"q{row}" for row in range(queries)]

    def work() -> tuple[NDArray[np.int64], Matrix]:
        hits = exact_search(asked, (stored, doc_ids), k, query_ids=query_ids)
        return hits.index.astype(np.int64), hits.score

    return work


def make_peer(*, queries: int, docs: int, k: int) -> Work:
    """`IndexFlatIP`, filled beforehand."""
    import faiss

    asked, stored = vectors(queries, docs)
    index = faiss.IndexFlatIP(DIM)
    index.add(stored)

    def work() -> tuple[NDArray[np.int64], Matrix]:
        score, rows = index.search(asked, k)
        return rows, score

    return work


def agreement(laps: Race) -> float:
    """Share of queries with the same docs in the same places, but for places whose scores are one score."""
    (rows, score), (peer_rows, peer_score) = laps.ours[-1].value, laps.peer[-1].value
    same = (rows == peer_rows) | (np.abs(score - peer_score) <= CLOSE)
    return float(same.all(axis=1).mean())


if __name__ == "__main__":
    main()
