"""Qdrant: a collection for each index, and Qdrant's own alias for the one that serves.

An alias is deleted and made in one request, which Qdrant applies as one, so a reader meets the old index or the new
one. The stamp is the collection's own metadata, made with it in one request: a collection without it is not ours.

Qdrant numbers its points by whole numbers or UUIDs, so a point's id is made from `doc_id`, which lies in its payload.
Two passages with one id would show after loading, when every `doc_id` is read back.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import Any
from uuid import UUID, uuid5

import numpy as np
from qdrant_client import QdrantClient, models
from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from lexitune.errors import StageFailed
from lexitune.io.hits import Hits
from lexitune.registry import Spec
from lexitune.stores.store import (
    Filter,
    Matrix,
    Stamp,
    check_rows,
    facet,
    facets_of,
    no_index,
    no_passage,
    not_dropped,
    portions,
    same_stamp,
    taken,
)
from lexitune.stores.web import (
    BUSY,
    NUMBER_BYTES,
    REQUEST_BYTES,
    STAMP,
    Question,
    Ranking,
    away,
    by_size,
    enough,
    read_alias,
    read_secret,
    read_stamp,
    read_url,
    refused,
    written_stamp,
)
from lexitune.types import Doc

__all__ = ["QdrantStore"]

NAMESPACE = UUID("6b1a9a3c-9a54-5f0e-8d0b-3f2f0c1f7a11")  # ours alone: made once, and never to change
NAME = "Qdrant"
KEY = "QDRANT_API_KEY"
TIMEOUT_S = 60
FETCH = 5_000  # ids a round trip
QUERIES = 100  # asked together
WIDER = 8  # times as many are asked for where equal scores lie across rank k
MOST_TIED = 10_000
LOOK_S = 1.0
BUILD_S = 6 * 3600.0
TOLD = 200  # characters of what Qdrant says


class QdrantStore:
    """Passages in collections `TABLE_<key>`, and the alias TABLE of the one that serves. It needs Qdrant 1.16.

    Args:
        target: The address; without a port it is 6333. A key comes from QDRANT_API_KEY.
        table: The alias.
        hnsw_from: Passages from which an index is searched by HNSW; below, every one is compared.

    Raises:
        UsageError: The address holds a password or key, or cannot be read.
    """

    efforts: tuple[int, ...] = (32, 64, 128, 256, 512, 1024)  # hnsw_ef

    def __init__(self, target: str = "http://localhost:6333", *, table: str = "docs", hnsw_from: int = 50_000) -> None:
        self.url, self.alias = read_url(target, store="qdrant", secrets=KEY), read_alias(table)
        self.hnsw_from = hnsw_from
        self.place = str(Spec("qdrant", self.url, {"table": table}))
        self.spec = f"{self.place},hnsw_from={hnsw_from}"
        self._open: QdrantClient | None = None

    def create(self, index: str, *, stamp: Stamp) -> None:
        with self._speaking() as client:
            held = self._stamp(client, index)
            if held is not None:
                same_stamp(index, held, stamp.fingerprint)
            else:
                self._refuse_taken(client, index)
                client.create_collection(
                    index,
                    vectors_config=models.VectorParams(size=stamp.dim, distance=models.Distance.DOT),
                    metadata={STAMP: written_stamp(stamp, index=index, alias=self.alias)},
                )
                if self._stamp(client, index) is None:
                    client.delete_collection(index)
                    said = "this Qdrant keeps no metadata of collections"
                    raise StageFailed("E1303", said, fix="take Qdrant 1.16 or newer")
            # Before there are points, so that HNSW is built with the filters in mind; it may have been missed before.
            client.create_payload_index(index, "facets", models.PayloadSchemaType.KEYWORD, wait=True)

    def upsert(self, index: str, docs: Sequence[Doc], vectors: Matrix, *, row_hashes: Sequence[str]) -> None:
        with self._speaking() as client:
            check_rows(docs, vectors, dim=self._required(client, index).dim)
            rows = zip(docs, np.asarray(vectors, dtype=np.float32), row_hashes, strict=True)
            for points in by_size((_point(*row) for row in rows), REQUEST_BYTES):
                client.upsert(index, points, wait=True)

    def delete(self, index: str, doc_ids: Sequence[str]) -> None:
        with self._speaking() as client:
            self._required(client, index)
            for some in portions(doc_ids, FETCH):
                client.delete(index, models.PointIdsList(points=[_point_id(doc_id) for doc_id in some]), wait=True)

    def count(self, index: str) -> int:
        with self._speaking() as client:
            self._required(client, index)
            return client.count(index, exact=True).count

    def row_hashes(self, index: str) -> dict[str, str]:
        found: dict[str, str] = {}
        with self._speaking() as client:
            self._required(client, index)
            place: Any = None
            while True:
                points, place = client.scroll(
                    index, limit=FETCH, offset=place, with_payload=["doc_id", "row_hash"], with_vectors=False
                )
                payloads = [point.payload or {} for point in points]
                found |= {payload["doc_id"]: payload["row_hash"] for payload in payloads}
                if place is None:
                    return found

    def vectors(self, index: str, doc_ids: Sequence[str]) -> Matrix:
        held: dict[str, Any] = {}
        with self._speaking() as client:
            stamp = self._required(client, index)
            for some in portions(list(dict.fromkeys(doc_ids)), max(1, REQUEST_BYTES // (NUMBER_BYTES * stamp.dim))):
                ids = [_point_id(doc_id) for doc_id in some]
                points = client.retrieve(index, ids, with_payload=["doc_id"], with_vectors=True)
                held |= {(point.payload or {})["doc_id"]: point.vector for point in points}
        if gone := [doc_id for doc_id in doc_ids if doc_id not in held]:
            raise no_passage(index, gone[0])
        return np.array([held[doc_id] for doc_id in doc_ids], dtype=np.float32).reshape(len(doc_ids), stamp.dim)

    def build(self, index: str) -> bool:
        approximate = self.count(index) >= max(1, self.hnsw_from)
        if approximate:
            with self._speaking() as client:
                _wait_for_graph(client, index)
        return approximate

    def set_effort(self, index: str, effort: int) -> None:
        with self._speaking() as client:
            stamp = replace(self._required(client, index), effort=effort)
            written = written_stamp(stamp, index=index, alias=self.alias)
            client.update_collection(index, metadata={STAMP: written})

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
        questions = [(row, filters[place] if filters else {}) for place, row in enumerate(queries)]
        with self._speaking() as client:
            stamp = self._required(client, index)
            same_stamp(index, stamp, fingerprint)
            found = enough(partial(_nearest, client, index, k), questions, k=k, effort=stamp.effort)
        return Hits.from_run({query_id: dict(hits) for query_id, hits in zip(query_ids, found, strict=True)})

    def stamp(self, index: str) -> Stamp | None:
        with self._speaking() as client:
            return self._stamp(client, index)

    def indexes(self) -> list[str]:
        with self._speaking() as client:
            return self._indexes(client)

    def serving(self) -> str | None:
        with self._speaking() as client:
            return self._serving(client)

    def switch(self, index: str | None) -> None:
        with self._speaking() as client:
            if index is not None:
                self._required(client, index)
            self._refuse_taken(client, None)
            # Deleting an alias that is not there is no error.
            change: list[Any] = [models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=self.alias))]
            if index is not None:
                made = models.CreateAlias(collection_name=index, alias_name=self.alias)
                change.append(models.CreateAliasOperation(create_alias=made))
            client.update_collection_aliases(change)

    def drop(self, index: str) -> None:
        with self._speaking() as client:
            if self._stamp(client, index) is None:
                return
            if self._serving(client) == index:
                raise not_dropped(index, self.alias)
            client.delete_collection(index)

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None

    @contextmanager
    def _speaking(self) -> Iterator[QdrantClient]:
        """A client, and its errors in our words.

        Raises:
            StageFailed: The server is not there, goes away, or refuses.
        """
        try:
            if self._open is None:
                key = read_secret(KEY) or None
                self._open = QdrantClient(url=self.url, api_key=key, timeout=TIMEOUT_S, check_compatibility=False)
            yield self._open
        except UnexpectedResponse as error:
            said = _said(error)
            if error.status_code in BUSY:
                raise away(NAME, said) from error
            if error.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
                raise refused(NAME, said, fix=f"export {KEY}, a key that may write") from error
            raise refused(NAME, said) from error
        except ResponseHandlingException as error:
            if isinstance(error.source, ValueError):  # pydantic's, of an answer that does not fit
                raise refused(NAME, f"{self.url} answers what Qdrant does not answer") from error
            raise away(NAME, f"{self.url}: {error.source}") from error
        except QdrantException as error:  # too many requests
            raise away(NAME, str(error)) from error

    def _stamp(self, client: QdrantClient, index: str) -> Stamp | None:
        try:
            held = client.get_collection(index).config.metadata
        except UnexpectedResponse as error:
            if error.status_code == HTTPStatus.NOT_FOUND:
                return None
            raise
        return read_stamp(held, index=index, alias=self.alias)

    def _required(self, client: QdrantClient, index: str) -> Stamp:
        if (stamp := self._stamp(client, index)) is None:
            raise no_index(index, self._indexes(client))
        return stamp

    def _indexes(self, client: QdrantClient) -> list[str]:
        names = (held.name for held in client.get_collections().collections)
        return sorted(name for name in names if name.startswith(f"{self.alias}_") and self._stamp(client, name))

    def _serving(self, client: QdrantClient) -> str | None:
        target = _aliases(client).get(self.alias)
        return target if target is not None and self._stamp(client, target) else None

    def _refuse_taken(self, client: QdrantClient, index: str | None) -> None:
        """Refuse names that somebody else gave to a collection or an alias."""
        names, aliases = {held.name for held in client.get_collections().collections}, _aliases(client)
        if self.alias in names or (self.alias in aliases and self._serving(client) is None):
            raise taken(self.alias, self.alias)
        if index is not None and index in names | aliases.keys():
            raise taken(index, self.alias)


def _aliases(client: QdrantClient) -> dict[str, str]:
    """alias -> collection."""
    return {held.alias_name: held.collection_name for held in client.get_aliases().aliases}


def _point_id(doc_id: str) -> str:
    return str(uuid5(NAMESPACE, doc_id))


def _point(doc: Doc, row: Matrix, row_hash: str) -> tuple[models.PointStruct, int]:
    """A passage as a point, and how many bytes it takes in a request, or fewer."""
    payload = json.dumps(
        {
            "doc_id": doc.doc_id,
            "title": doc.title,
            "text": doc.text,
            "metadata": dict(doc.metadata),
            "facets": facets_of(doc),
            "row_hash": row_hash,
        }
    )
    point = models.PointStruct(id=_point_id(doc.doc_id), vector=row.tolist(), payload=json.loads(payload))
    return point, len(payload) + NUMBER_BYTES * len(row)


def _wait_for_graph(client: QdrantClient, index: str) -> None:
    """Until HNSW stands: Qdrant builds it by itself, beside what else it does.

    Raises:
        StageFailed: It fails, or takes longer than anybody waits.
    """
    end = time.monotonic() + BUILD_S
    while time.monotonic() < end:
        time.sleep(LOOK_S)  # first, too: a server that was written to just now may not have begun
        found = client.get_collection(index)
        if found.status == models.CollectionStatus.GREEN:
            return
        if found.status == models.CollectionStatus.RED:
            raise refused(NAME, f"index '{index}' cannot be built: {found.optimizer_status}")
        if found.status == models.CollectionStatus.GREY:  # after a restart it waits for a change
            client.update_collection(index, optimizers_config=models.OptimizersConfigDiff())
    raise refused(NAME, f"index '{index}' is not built after {BUILD_S / 3600:.0f} hours")


def _nearest(client: QdrantClient, index: str, k: int, questions: Sequence[Question], effort: int) -> list[Ranking]:
    """The k nearest of each question in the tie rule's order; without an effort every vector is compared.

    Qdrant gives any of those whose scores are equal, so one more than k is asked for, and many more where it ties.
    """
    found: list[Ranking] = [[] for _ in questions]
    waiting = list(range(len(questions)))
    limit = k + 1
    while waiting:
        for some in portions(waiting, QUERIES):
            requests = [_request(questions[place], limit=limit, effort=effort) for place in some]
            for place, answer in zip(some, client.query_batch_points(index, requests), strict=True):
                found[place] = [((point.payload or {})["doc_id"], point.score) for point in answer.points]
        waiting = [place for place in waiting if limit < MOST_TIED and _cut_in_a_tie(found[place], k, limit)]
        limit *= WIDER
    return [sorted(hits, key=lambda hit: (-hit[1], hit[0]))[:k] for hits in found]


def _cut_in_a_tie(hits: Ranking, k: int, limit: int) -> bool:
    """Whether passages as good as the k-th may have been left out."""
    return len(hits) == limit and hits[k - 1][1] == hits[-1][1]


def _request(question: Question, *, limit: int, effort: int) -> models.QueryRequest:
    row, wanted = question
    conditions: list[Any] = [
        models.FieldCondition(key="facets", match=models.MatchAny(any=[facet(field, value) for value in allowed]))
        for field, allowed in wanted.items()
    ]
    return models.QueryRequest(
        query=np.asarray(row, dtype=np.float32).tolist(),
        filter=models.Filter(must=conditions) if conditions else None,
        params=models.SearchParams(hnsw_ef=max(effort, limit)) if effort else models.SearchParams(exact=True),
        limit=limit,
        with_payload=["doc_id"],
    )


def _said(error: UnexpectedResponse) -> str:
    """What Qdrant says, in one line."""
    try:
        text = str(error.structured()["status"]["error"])
    except (ValueError, KeyError, TypeError):
        text = error.content.decode("utf-8", errors="replace")
    return f"{error.status_code}: {' '.join(text.split())[:TOLD]}"
