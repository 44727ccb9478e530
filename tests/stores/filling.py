"""Passages for the stores that are imitated: an index of some, vectors on disk, and what a server was sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from lexitune.fingerprint import hash_text
from lexitune.io.vectors import Vectors, VectorWriter
from lexitune.stores.store import Stamp, Store
from lexitune.types import Doc

DOCS = [Doc(f"d{row:03}", f"text {row}", metadata={"tenant": "ab"[row % 2]}) for row in range(60)]


def write_vectors(folder: Path) -> Vectors:
    """Vectors of all `DOCS`, of model `m`."""
    rows = np.random.default_rng(3).standard_normal((len(DOCS), 8)).astype(np.float32)
    writer = VectorWriter(folder, dim=8)
    writer.append([doc.doc_id for doc in DOCS], [hash_text(doc.full_text) for doc in DOCS], rows, number=0)
    return writer.finish({"fingerprint": "m"})


def fill(store: Store, model: str, *, docs: list[Doc] | None = None) -> str:
    """The name of an index of these passages, by default the first alone, all with one vector."""
    index, docs = f"{store.alias}_{model}", docs or DOCS[:1]
    store.create(index, stamp=Stamp(model, 4))
    store.upsert(index, docs, np.ones((len(docs), 4), np.float32), row_hashes=["h"] * len(docs))
    return index


def sent(server: Any, path: str) -> list[Any]:
    """The bodies of the requests to paths that end so."""
    return [asked.body for asked in server.asked if asked.path.endswith(path)]
