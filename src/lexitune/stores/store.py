"""What a store is: indexes of passages under names of their own, and an alias that says which of them serves.

An index holds the vectors of one model, and a stamp that says of which. A new model gets a new index beside the old
one; `switch` points the alias at it in one step, and points it back just as fast as long as the old index is kept. An
application reads through the alias and never meets two models.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from lexitune.errors import DataError, StageFailed, UsageError
from lexitune.fingerprint import hash_text
from lexitune.io.hits import Hits
from lexitune.registry import Registry, parse_spec
from lexitune.search.filters import texts_of
from lexitune.types import Doc

__all__ = [
    "STORES",
    "UNVERIFIED",
    "Filter",
    "Matrix",
    "Stamp",
    "Store",
    "check_rows",
    "facet",
    "facets_of",
    "is_whole",
    "made",
    "no_index",
    "no_passage",
    "not_dropped",
    "open_store",
    "opened",
    "portions",
    "same_stamp",
    "taken",
    "useless_rows",
]

Matrix = NDArray[np.float32]
Filter = Mapping[str, Sequence[str]]
"""field of the passages' metadata -> values, one of which the passage must have."""

STORES = Registry(
    "store",
    {
        "lancedb": "lexitune.stores.lance:LanceStore",
        "opensearch": "lexitune.stores.opensearch:OpenSearchStore",
        "pgvector": "lexitune.stores.pgvector:PgvectorStore",
        "qdrant": "lexitune.stores.qdrant:QdrantStore",
    },
)
"""name -> what makes a Store from a spec's target and values."""

UNVERIFIED = frozenset({"opensearch", "qdrant"})
"""Stores that were written by their documentation: no test of ours met a real server of theirs."""

UNKEPT = re.compile(r"[\x00\ud800-\udfff]")  # NUL, and halves of characters, which UTF-8 does not have
LONG = 500  # characters of a facet; indexes of databases end at a few thousand bytes
EXTRAS = {  # package -> the extra that brings it
    "lancedb": "lancedb",
    "pgvector": "pgvector",
    "psycopg": "pgvector",
    "qdrant_client": "qdrant",
}

Part = TypeVar("Part")


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the vectors of an index are. It lies in the store, and every search names the model it comes with.

    Args:
        fingerprint: Of the model's side of passages.
        dim: Numbers in a vector.
        effort: How widely an approximate index is searched, in the store's own measure; 0: every vector is compared.
    """

    fingerprint: str
    dim: int
    effort: int = 0


class Store(Protocol):
    """The contract, which `lexitune.testing.check_store` checks.

    Scores are inner products: of vectors of unit length, cosines. Every method may raise StageFailed where the store
    cannot be reached or refuses, and DataError E3146 for an index that is not there.

    Attributes:
        spec: What opens it again, from any directory.
        place: The spec without the settings that only say how it is searched: one alias has one.
        alias: The name that an application reads.
        efforts: Values of `effort` worth trying, from the fastest to the widest.
    """

    spec: str
    place: str
    alias: str
    efforts: tuple[int, ...]

    def create(self, index: str, *, stamp: Stamp) -> None:
        """Make an empty index beside those that are there. One that is there already stays as it is.

        Args:
            index: A name that begins with the alias and `_`: some stores find the indexes of an alias by it.

        Raises:
            DataError: It is there, and its vectors are of another model.
            UsageError: The name belongs to something that lexitune did not make.
        """
        ...

    def upsert(self, index: str, docs: Sequence[Doc], vectors: Matrix, *, row_hashes: Sequence[str]) -> None:
        """Write passages, replacing those with the same id; all of them, or none where it fails.

        A store without transactions may leave some written where it fails, each of them whole and with its hash, so
        that the next load writes the rest.

        Args:
            row_hashes: Of everything that is held of each passage: `row_hash` in `loading.py`.

        Raises:
            StageFailed: A vector is not finite or all zeros.
            DataError: A text that the store cannot hold.
        """
        ...

    def delete(self, index: str, doc_ids: Sequence[str]) -> None:
        """Remove passages; an id that is not there is no error."""
        ...

    def count(self, index: str) -> int:
        """How many passages it holds."""
        ...

    def row_hashes(self, index: str) -> dict[str, str]:
        """doc_id -> the hash that was written with it, of every passage: what need not be written again."""
        ...

    def vectors(self, index: str, doc_ids: Sequence[str]) -> Matrix:
        """The vectors held, float32 (len(doc_ids), dim), in the order of `doc_ids`.

        Raises:
            StageFailed: One is not there.
        """
        ...

    def build(self, index: str) -> bool:
        """Make search fast after loading: whether it is approximate now, so that an effort must be found."""
        ...

    def set_effort(self, index: str, effort: int) -> None:
        """How widely every later search of this index looks."""
        ...

    def search(
        self,
        index: str,
        queries: Matrix,
        *,
        query_ids: Sequence[str],
        k: int,
        fingerprint: str,
        filters: Sequence[Filter] | None = None,
    ) -> Hits:
        """The k nearest passages of each query, in the tie rule's order.

        Args:
            fingerprint: Of the model that encoded the queries, its side of passages.
            filters: What each query may see; an empty one: everything.

        Raises:
            DataError: The index holds vectors of another model.
        """
        ...

    def stamp(self, index: str) -> Stamp | None:
        """What an index holds; None: there is no such index."""
        ...

    def indexes(self) -> list[str]:
        """The indexes behind this alias, sorted: the one that serves, and those beside it."""
        ...

    def serving(self) -> str | None:
        """The index that the alias points at."""
        ...

    def switch(self, index: str | None) -> None:
        """Point the alias at an index, in one step; None: at nothing, as before the first switch."""
        ...

    def drop(self, index: str) -> None:
        """Remove an index; one that is not there is no error.

        Raises:
            UsageError: It serves.
        """
        ...

    def close(self) -> None:
        """Let go of connections and files."""
        ...


def open_store(spec: str) -> Store:
    """The store that a spec names, such as `pgvector:postgresql:///shop,table=docs` or `lancedb:index.lance`.

    Nothing is asked of a server yet.

    Raises:
        UsageError: An unknown store or setting, a package that is missing, or a password in the address.
    """
    store: Store = made(STORES, spec)
    return store


def made(registry: Registry, spec: str) -> Any:
    """What a spec names in a registry whose entries wrap packages of extras.

    Raises:
        UsageError: An unknown name or setting, or a package that is missing.
    """
    try:
        return registry.make(spec)
    except ModuleNotFoundError as error:
        if error.name not in EXTRAS:
            raise
        name, extra = parse_spec(spec).name, EXTRAS[error.name]
        raise UsageError(
            "E2005", f"'{name}' needs the package '{error.name}'", fix=f"pip install 'lexitune[{extra}]'"
        ) from error


@contextmanager
def opened(spec: str) -> Iterator[Store]:
    """The store that a spec names, closed at the end.

    Raises:
        UsageError: As `open_store`.
    """
    store = open_store(spec)
    try:
        yield store
    finally:
        store.close()


def is_whole(spec: str, index: str, *, fingerprint: str, rows: int) -> bool:
    """Whether an index is there, of this model, and holds so many passages.

    Raises:
        StageFailed: The store cannot be reached, or refuses.
    """
    with opened(spec) as store:
        stamp = store.stamp(index)
        return stamp is not None and stamp.fingerprint == fingerprint and store.count(index) == rows


def facet(field: str, value: str) -> str:
    """`field=value`, or the hash of it where it is long: what a filter is compared with."""
    text = f"{field}={value}"
    return text if len(text) <= LONG else hash_text(text)


def facets_of(doc: Doc) -> list[str]:
    """The metadata as texts `field=value`, each value of a list on its own: what filters are compared with.

    Example:
        >>> facets_of(Doc("d1", "", metadata={"tenant": "a", "year": [2023, 2024]}))
        ['tenant=a', 'year=2023', 'year=2024']
    """
    return [facet(field, value) for field, given in doc.metadata.items() for value in texts_of(given)]


def portions(values: Sequence[Part], size: int) -> Iterator[Sequence[Part]]:
    """The values in their order, at most `size` at a time."""
    return (values[start : start + size] for start in range(0, len(values), size))


def useless_rows(vectors: Matrix) -> list[int]:
    """Rows that are not finite, or all zeros: nothing would find them, or everything."""
    rows: list[int] = np.flatnonzero(~(np.isfinite(vectors).all(axis=1) & vectors.any(axis=1))).tolist()
    return rows


def check_rows(docs: Sequence[Doc], vectors: Matrix, *, dim: int) -> None:
    """Refuse what would lie in a store as a passage that nothing finds, or could not be written.

    Raises:
        StageFailed: A vector is not finite, all zeros, or of another width.
        DataError: A text with what no database keeps, metadata that are no JSON, or an id that stands twice.
    """
    if vectors.shape != (len(docs), dim):
        said = f"{len(docs)} passages, vectors {vectors.shape}, width {dim}"
        raise StageFailed("E1003", said, fix="lexitune reembed")
    for row in useless_rows(vectors):
        said = f"the vector of '{docs[row].doc_id}' is not finite, or all zeros"
        raise StageFailed("E1003", said, fix="lexitune reembed")
    ids = Counter(doc.doc_id for doc in docs)
    for doc_id, count in ids.most_common(1):
        if count > 1:
            raise DataError("E3005", f"passage '{doc_id}' comes twice", fix="keep one of them")
    for doc in docs:
        try:
            json.dumps(dict(doc.metadata), allow_nan=False)
        except (TypeError, ValueError) as error:
            said = f"the metadata of {doc.doc_id!r} are no JSON: {error}"
            raise DataError("E3006", said, fix="use texts, finite numbers, lists and objects") from error
        written = chain((doc.doc_id, doc.title, doc.text), _texts_in(doc.metadata))
        if found := UNKEPT.search("".join(written)):
            said = f"{doc.doc_id!r} holds {found[0]!r}, which no database keeps"
            raise DataError("E3006", said, fix="take it out of the text")


def _texts_in(value: Any) -> Iterator[str]:
    """Every text of a JSON value, however deep, names of fields among them."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for field, inner in value.items():
            yield str(field)
            yield from _texts_in(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts_in(inner)


def same_stamp(index: str, held: Stamp, asked: str) -> None:
    """Refuse another model's fingerprint: its scores would mean nothing.

    Raises:
        DataError: The index was made by another model.
    """
    if held.fingerprint != asked:
        raise DataError(
            "E3145",
            f"index '{index}' holds vectors of model {held.fingerprint[:12]}, not of {asked[:12]}",
            fix="lexitune reembed",
        )


def no_index(index: str, indexes: Sequence[str]) -> DataError:
    """An index that is not there, for a store to raise."""
    known = ", ".join(indexes) or "none"
    return DataError("E3146", f"the store has no index '{index}'; it has: {known}", fix="lexitune reembed")


def no_passage(index: str, doc_id: str) -> StageFailed:
    """A passage that an index lacks, for a store to raise."""
    return StageFailed("E1301", f"index '{index}' holds no passage '{doc_id}'", fix="lexitune reembed")


def taken(name: str, alias: str, *, where: str = "") -> UsageError:
    """A name that belongs to somebody else, for a store to raise."""
    place = f" in {where}" if where else ""
    return UsageError(
        "E2018",
        f"'{name}' is there already{place}, and lexitune did not make it",
        fix=f"give another name: table={alias}_search",
    )


def not_dropped(index: str, alias: str) -> UsageError:
    """An index that serves, for a store to raise."""
    return UsageError(
        "E2143", f"'{index}' serves as '{alias}'", fix="lexitune rollback, or promote another model first"
    )
