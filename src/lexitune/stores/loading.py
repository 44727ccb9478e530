"""Load vectors into a store beside what serves, and see that they arrived: counted, compared, and searched."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from lexitune.errors import StageFailed
from lexitune.fingerprint import hash_json
from lexitune.io.hits import Hits
from lexitune.io.vectors import Vectors, row_cosines, spread_rows
from lexitune.search.exact import exact_search
from lexitune.stores.store import Matrix, Stamp, Store
from lexitune.types import Doc, Silent, Talk

Answer = TypeVar("Answer")

__all__ = ["Loaded", "agreement", "index_name", "load_index", "row_hash"]

BATCH = 5_000  # passages written at once: all of them, or none
K = 10
SAMPLE = 300  # passages that stand in where there are no queries, and vectors that are read back
LEAST_COSINE = 0.999  # half floats move a vector by 1e-4 or so
WAITS_S = (1, 2, 4, 8, 16)  # for a server that is being restarted
SAME = 1e-5  # of two scores, or of their size where it is above 1: equal texts tie, and either may be found


@dataclass(frozen=True, slots=True)
class Loaded:
    """What loading did.

    Args:
        index: Its name in the store.
        rows: Passages held now.
        written: Of these, new or changed since it was loaded before.
        removed: Passages that are no longer in the corpus.
        agreement: Share of exact search's first ten that the index gives, on the queries it was tried with.
        effort: How widely it is searched for that; 0: every vector is compared.
        query_ms: Milliseconds a query, one client.
        seconds: Wall time.
    """

    index: str
    rows: int
    written: int
    removed: int
    agreement: float
    effort: int
    query_ms: float
    seconds: float


def load_index(
    store: Store,
    vectors: Vectors,
    docs: Sequence[Doc],
    *,
    queries: Matrix,
    least_agreement: float = 0.99,
    talk: Talk | None = None,
) -> Loaded:
    """Bring an index of the store to these vectors and passages, whatever it held before.

    Only what is new or changed is written, so a load that was cut off goes on where it was, and a corpus that changed
    by one part in a hundred writes that part. What serves is not touched, unless it is the index of this very model.

    Args:
        queries: What the index is tried with, float32 (n, dim); none: a sample of the passages.
        least_agreement: The index is searched as widely as this share of exact search's first ten needs.

    Raises:
        StageFailed: The store cannot be reached, refuses, or does not give back what was written.
        DataError: The index holds another model's vectors, or a text cannot be held.
    """
    talk, start = talk or Silent(), time.monotonic()
    index, by_id = index_name(store, vectors), {doc.doc_id: doc for doc in docs}
    hashes = {doc_id: row_hash(by_id[doc_id]) for doc_id in vectors.doc_ids}
    stamp = Stamp(str(vectors.manifest["fingerprint"]), vectors.dim)
    _patiently(partial(store.create, index, stamp=stamp), talk)
    held = _patiently(partial(store.row_hashes, index), talk)
    stale = [row for row, doc_id in enumerate(vectors.doc_ids) if held.get(doc_id) != hashes[doc_id]]
    for first in range(0, len(stale), BATCH):
        talk.progress("load", first, len(stale))
        rows = stale[first : first + BATCH]
        some = [by_id[vectors.doc_ids[row]] for row in rows]
        kept = [hashes[doc.doc_id] for doc in some]
        _patiently(partial(store.upsert, index, some, vectors.rows(np.array(rows)), row_hashes=kept), talk)
    if stale:
        talk.progress("load", len(stale), len(stale))
    gone = sorted(held.keys() - hashes.keys())
    if gone:
        _patiently(partial(store.delete, index, gone), talk)
    if len(stale) >= BATCH:
        talk.say(f"load: {len(stale):,} passages are written; now the store indexes them")
    approximate = _patiently(partial(store.build, index), talk)
    _patiently(partial(_verify, store, index, vectors, hashes), talk)
    tune = partial(_tune, store, index, vectors, queries, approximate=approximate, least=least_agreement)
    tried, effort, query_ms = _patiently(tune, talk)
    seconds = time.monotonic() - start
    return Loaded(index, len(hashes), len(stale), len(gone), tried, effort, query_ms, seconds)


def index_name(store: Store, vectors: Vectors) -> str:
    """What an index of these vectors is called: one name for one model."""
    return f"{store.alias}_{vectors.folder.name[:12]}"  # databases cut long names short; the stamp holds the rest


def row_hash(doc: Doc) -> str:
    """Hash of everything that a store holds of a passage, its metadata too: a tenant that changed must be written."""
    return hash_json([doc.title, doc.text, dict(doc.metadata)])


def agreement(hits: Hits, vectors: Vectors, queries: Matrix, *, exact: Hits, k: int = K) -> NDArray[np.float64]:
    """For each query the share of exact search's first k that a ranking gives; equal scores are equally good.

    Args:
        hits: Of these queries, in the order of `exact.query_ids`.
        queries: float32 (n, dim).
    """
    row = {doc_id: number for number, doc_id in enumerate(vectors.doc_ids)}
    shares = np.zeros(len(exact.query_ids))
    for place, query_id in enumerate(exact.query_ids):
        truth, found = exact.run(query_id)[:k], hits.run(query_id)[:k]
        if not truth:
            shares[place] = 1.0
            continue
        numbers = np.array([row[doc_id] for doc_id, _ in found], dtype=np.int64)
        scores = vectors.rows(numbers) @ queries[place]
        last = truth[-1][1]
        shares[place] = min(1.0, float((scores >= last - SAME * max(1.0, abs(last))).sum()) / len(truth))
    return shares


def _verify(store: Store, index: str, vectors: Vectors, hashes: Mapping[str, str]) -> None:
    """Every id and hash must be there, and a sample of vectors, evenly spread, must be what was written.

    Raises:
        StageFailed: Anything of this does not hold.
    """
    held = store.row_hashes(index)
    if held != hashes:
        wrong = sorted(doc_id for doc_id in held.keys() | hashes.keys() if held.get(doc_id) != hashes.get(doc_id))
        raise _failed(
            index, f"holds {len(held):,} passages for {len(hashes):,}; the first that differs is '{wrong[0]}'"
        )
    rows = spread_rows(len(vectors), SAMPLE)
    ids, written = [vectors.doc_ids[row] for row in rows], vectors.rows(rows)
    cosines = row_cosines(store.vectors(index, ids), written)
    worst = int(cosines.argmin())
    if not cosines[worst] >= LEAST_COSINE:
        raise _failed(index, f"gives '{ids[worst]}' another vector than was written (cosine {cosines[worst]:.3f})")


def _tune(
    store: Store, index: str, vectors: Vectors, queries: Matrix, *, approximate: bool, least: float
) -> tuple[float, int, float]:
    """The least effort that finds enough: the share found, the effort, and milliseconds a query.

    An effort that was found before is where it begins: the index may serve, and must not be searched less widely than
    it was while others are tried.

    Raises:
        StageFailed: Not even comparing every vector finds what exact search over the same vectors does.
    """
    if not len(queries):
        queries = vectors.rows(spread_rows(len(vectors), SAMPLE))
    ids = [f"q{row}" for row in range(len(queries))]
    exact = exact_search(queries, vectors, min(K, len(vectors)), query_ids=ids)
    fingerprint, found = str(vectors.manifest["fingerprint"]), 0.0
    stamp = store.stamp(index)
    before = stamp.effort if stamp else 0
    for effort in (*(one for one in store.efforts if approximate and one >= before), 0):
        store.set_effort(index, effort)
        start = time.perf_counter()
        hits = store.search(index, queries, query_ids=ids, k=K, fingerprint=fingerprint)
        query_ms = 1000 * (time.perf_counter() - start) / len(ids)
        found = float(agreement(hits, vectors, queries, exact=exact).mean())
        if found >= least:
            return found, effort, query_ms
    raise _failed(index, f"gives {100 * found:.1f} % of what exact search over the same vectors gives")


def _patiently(call: Callable[[], Answer], talk: Talk) -> Answer:
    """Call once more where the store is away for a moment: every call here may be made twice.

    Raises:
        StageFailed: It stays away.
    """
    for wait_s in WAITS_S:
        try:
            return call()
        except StageFailed as error:
            if error.code != "E1302":
                raise
            talk.say(f"load: the store does not answer, trying again in {wait_s} s")
            time.sleep(wait_s)
    return call()


def _failed(index: str, what: str) -> StageFailed:
    return StageFailed("E1301", f"index '{index}' {what}", fix=f"lexitune indexes --drop {index} && lexitune reembed")
