"""Checks for what people plug in: a store of their own passes `check_store`, or it says what it does not keep."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lexitune.errors import DataError, LexituneError, StageFailed, UsageError
from lexitune.fingerprint import hash_text
from lexitune.search.exact import exact_search
from lexitune.search.filters import allowed_docs
from lexitune.stores.store import Matrix, Stamp, Store
from lexitune.types import Doc, Query

__all__ = ["check_store"]

DIM, DOCS, K = 16, 200, 10
LONG = "".join(hash_text(str(number)) for number in range(300))  # no index of a database holds it whole
OURS, OTHER = "a" * 64, "b" * 64


def check_store(open_store: Callable[[], Store]) -> None:
    """Put a store through its contract: `lexitune.stores.store.Store` says what is asked of each method.

    Two indexes are made beside what is there, filled, searched, switched between and dropped, and every now and then
    the store is closed and opened anew: what it says must lie in the store, not in the object.

    Args:
        open_store: Opens the same empty alias each time it is called.

    Raises:
        AssertionError: What the store does not keep.

    Example:
        >>> from lexitune.stores.store import open_store
        >>> check_store(lambda: open_store("lancedb:my-index.lance"))  # doctest: +SKIP
    """
    docs, vectors, queries = _passages()
    hashes = [hash_text(doc.full_text) for doc in docs]
    store = open_store()
    old, new = f"{store.alias}_old", f"{store.alias}_new"
    _expect(store.indexes() == [] and store.serving() is None, "the alias is empty at first")
    _expect(open_store().place == store.place, "the place of an alias is always told in the same words")
    try:
        _fill(store, old, docs, vectors, hashes)
        store.close()
        _holds(open_store(), old, docs, vectors, hashes)
        _searches(open_store(), old, docs, vectors, queries)
        _changes(open_store(), old, docs, vectors, hashes)
        _refuses(open_store(), old, docs, vectors, hashes)
        _switches(open_store, old, new, docs)
    finally:
        last = open_store()
        last.switch(None)
        for index in last.indexes():
            last.drop(index)
        last.close()
    _expect(last.indexes() == [], "a dropped index is gone")


def _passages() -> tuple[list[Doc], Matrix, Matrix]:
    """Passages with awkward ids, texts and metadata; the last two have one vector, so that a tie must be broken."""
    random = np.random.default_rng(5)
    vectors = random.standard_normal((DOCS, DIM)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[-1] = vectors[-2]
    odd = [
        "it's",
        'a "quoted" id',
        "Ünïcode-日本",
        "semi;colon--drop",
        "percent%s",
        "tab\tand\nline",
        "B",
        "a",
        "back\\slash",
    ]
    ids = [*odd, *(f"d{number:03}" for number in range(DOCS - len(odd)))]
    docs = [
        Doc(
            doc_id,
            f"text of {doc_id} '\"\\",
            title="" if row % 2 else f"title {row}",
            metadata={
                "tenant": "ab"[row % 2],
                "year": 2020 + row % 3,
                "tags": ["x", f"o'{row % 5}"],
                "open": row > 9,
                "long": LONG[row % 2 :],
                "nothing": None,
                "deep": {"a": [1, {"b": None}]},
            },
        )
        for row, doc_id in enumerate(ids)
    ]
    queries = random.standard_normal((20, DIM)).astype(np.float32)
    return docs, vectors, np.vstack([queries, vectors[-1:]])


def _fill(store: Store, index: str, docs: list[Doc], vectors: Matrix, hashes: list[str]) -> None:
    _expect(store.stamp(index) is None, "an index that was not made has no stamp")
    stamp = Stamp(OURS, DIM)
    store.create(index, stamp=stamp)
    store.create(index, stamp=stamp)
    _expect(store.stamp(index) == stamp, "the stamp comes back as it was given")
    half = len(docs) // 2
    store.upsert(index, docs[:half], vectors[:half], row_hashes=hashes[:half])
    store.upsert(index, docs, vectors, row_hashes=hashes)
    if store.build(index):
        store.set_effort(index, store.efforts[-1])
    _expect(store.indexes() == [index], "the index is listed")
    _expect(store.serving() is None, "what is staged does not serve")


def _holds(store: Store, index: str, docs: list[Doc], vectors: Matrix, hashes: list[str]) -> None:
    ids = [doc.doc_id for doc in docs]
    _expect(store.row_hashes(index) == dict(zip(ids, hashes, strict=True)), "each passage is held once, with its hash")
    _expect(store.count(index) == len(docs), "and counted once")
    some = [7, 0, 3, len(docs) - 1]
    found = store.vectors(index, [ids[row] for row in some])
    _expect(found.dtype == np.float32 and np.allclose(found, vectors[some], atol=1e-3), "vectors come back in order")
    store.close()


def _searches(store: Store, index: str, docs: list[Doc], vectors: Matrix, queries: Matrix) -> None:
    ids = [doc.doc_id for doc in docs]
    query_ids = [f"q{row}" for row in range(len(queries))]
    wanted = [
        {},
        {"tenant": ["a"]},
        {"tags": ["o'2", "o'3"]},
        {"year": ["2021"], "tenant": ["b"]},
        {"open": ["false"]},
        {"long": [LONG]},
    ]
    for filters in (None, [wanted[row % len(wanted)] for row in range(len(queries))]):
        asked = [
            Query(query_id, "", {"filter": filters[row]} if filters else {}) for row, query_id in enumerate(query_ids)
        ]
        allowed = allowed_docs(asked, docs)
        exact = exact_search(queries, (vectors, ids), K, query_ids=query_ids, allowed=allowed)
        found = store.search(index, queries, query_ids=query_ids, k=K, fingerprint=OURS, filters=filters)
        for query_id in query_ids:
            mine, truth = found.run(query_id), exact.run(query_id)
            same = [doc_id for doc_id, _ in mine] == [doc_id for doc_id, _ in truth]
            close = np.allclose([score for _, score in mine], [score for _, score in truth], atol=1e-3)
            what = "filtered search" if filters else "search"
            _expect(same and close, f"{what} gives what exact search gives: {mine} for {truth}")
    deep = store.search(index, queries[:1], query_ids=["q"], k=DOCS + 5, fingerprint=OURS)
    _expect(len(deep.run("q")) == DOCS, "a search deeper than the index gives all of it")
    none = store.search(index, queries[:1], query_ids=["q"], k=K, fingerprint=OURS, filters=[{"tenant": ["nobody's"]}])
    _expect(none.run("q") == [], "a filter that nothing passes leaves nothing")
    store.close()


def _changes(store: Store, index: str, docs: list[Doc], vectors: Matrix, hashes: list[str]) -> None:
    changed = Doc(docs[0].doc_id, "another text", metadata={"tenant": "c"})
    store.upsert(index, [changed], vectors[5:6], row_hashes=[hash_text("another text")])
    _expect(store.row_hashes(index)[changed.doc_id] == hash_text("another text"), "a passage is replaced by its id")
    _expect(np.allclose(store.vectors(index, [changed.doc_id]), vectors[5], atol=1e-3), "and so is its vector")
    found = store.search(index, vectors[5:6], query_ids=["q"], k=K, fingerprint=OURS, filters=[{"tenant": ["c"]}])
    _expect([doc_id for doc_id, _ in found.run("q")] == [changed.doc_id], "and so is its metadata")
    store.delete(index, [docs[1].doc_id, "no such id"])
    _expect(len(store.row_hashes(index)) == len(docs) - 1, "deleting removes what is named, and no more")
    store.upsert(index, docs[:2], vectors[:2], row_hashes=hashes[:2])
    store.close()


def _refuses(store: Store, index: str, docs: list[Doc], vectors: Matrix, hashes: list[str]) -> None:
    def upsert(rows: Matrix) -> Callable[[], object]:
        return lambda: store.upsert(index, docs[:3], rows, row_hashes=hashes[:3])

    def write(some: list[Doc]) -> Callable[[], object]:
        return lambda: store.upsert(index, some, vectors[: len(some)], row_hashes=hashes[: len(some)])

    def search(name: str, fingerprint: str) -> Callable[[], object]:
        return lambda: store.search(name, vectors[:1], query_ids=["q"], k=3, fingerprint=fingerprint)

    for bad, what in ((np.nan, "NaN"), (np.inf, "infinity"), (0.0, "zeros")):
        rows = vectors[:3].copy()
        rows[1] = bad
        _raises(StageFailed, f"a vector of {what} is refused", upsert(rows))
    _raises(DataError, "one id twice is refused", write([docs[0], docs[0]]))
    for odd in ("a NUL \0", "half a character \ud800"):
        _raises(DataError, f"{odd!r} is refused", write([Doc("odd", odd)]))
        _raises(DataError, f"and so it is deep in metadata: {odd!r}", write([Doc("d", "", metadata={"a": [{odd: 1}]})]))
    _raises(DataError, "NaN in metadata is refused", write([Doc("odd", "", metadata={"a": {"b": np.nan}})]))
    _raises(StageFailed, "another width is refused", upsert(vectors[:3, :5]))
    _raises(DataError, "another model's index is not taken over", lambda: store.create(index, stamp=Stamp(OTHER, DIM)))
    _raises(DataError, "another model does not search", search(index, OTHER))
    _raises(DataError, "an index that is not there cannot be searched", search("nowhere", OURS))
    _raises(DataError, "the alias points at no index that is not there", lambda: store.switch("nowhere"))
    _raises(StageFailed, "a passage that is not there has no vector", lambda: store.vectors(index, ["no such id"]))
    _expect(store.row_hashes(index) == {doc.doc_id: h for doc, h in zip(docs, hashes, strict=True)}, "nothing changed")
    store.close()


def _switches(open_store: Callable[[], Store], old: str, new: str, docs: list[Doc]) -> None:
    store = open_store()
    store.switch(old)
    store.switch(old)
    _expect(store.serving() == old, "the alias points where it was switched to")
    # The second model is wider: its vectors are of another type in most databases.
    wide = np.random.default_rng(6).standard_normal((len(docs), 2 * DIM)).astype(np.float32)
    store.create(new, stamp=Stamp(OTHER, 2 * DIM))
    store.upsert(new, docs, wide, row_hashes=[hash_text(doc.full_text) for doc in docs])
    store.build(new)
    _expect(store.serving() == old, "staging a second index leaves the first serving")
    store.switch(new)
    store.close()
    store = open_store()
    _expect(store.serving() == new, "the switch lies in the store")
    _expect(store.indexes() == sorted([old, new]), "the old index is kept")
    serving = store
    _raises(UsageError, "what serves is not dropped", lambda: serving.drop(new))
    store.switch(old)
    _expect(store.serving() == old, "and back")
    store.drop(new)
    store.drop(new)
    _expect(store.indexes() == [old], "the dropped index is gone, the other is not")
    store.switch(None)
    _expect(store.serving() is None, "the alias can be taken away")
    store.close()


def _raises(kind: type[LexituneError], what: str, call: Callable[[], object]) -> None:
    try:
        call()
    except kind:
        return
    raise AssertionError(f"not kept: {what}")


def _expect(kept: bool, what: str) -> None:
    if not kept:
        raise AssertionError(f"not kept: {what}")
