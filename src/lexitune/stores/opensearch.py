"""OpenSearch over plain HTTP: an index for each of ours, and OpenSearch's own alias for the one that serves.

An alias is taken and given by one list of actions, which OpenSearch applies as one. The stamp is `_meta` of the
mapping, made with the index in one request: an index without it is not ours.

Many of its answers are 200 where something failed: a bulk whose items were refused, a search that some shards missed.
Each is read to the end. What was written is refreshed before a write returns, or nobody would find it yet.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, build_opener

import numpy as np

from lexitune.errors import StageFailed, UsageError
from lexitune.fingerprint import hash_text
from lexitune.io.hits import Hits
from lexitune.models.service import StayHere
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
    read_stamp,
    read_url,
    refused,
    written_stamp,
)
from lexitune.types import Doc

__all__ = ["OpenSearchStore"]

NAME = "OpenSearch"
USER, PASSWORD = "OPENSEARCH_USERNAME", "OPENSEARCH_PASSWORD"
TIMEOUT_S = 120.0
FETCH = 5_000  # rows a round trip; a search gives 10,000 at most
QUERIES = 100  # asked together
TOLD = 300  # characters of what OpenSearch says
TOLD_ID = 60  # of a passage


class OpenSearchStore:
    """Passages in indexes `TABLE_<key>`, and the alias TABLE of the one that serves. It needs OpenSearch 2.16.

    Args:
        target: The address. User and password come from OPENSEARCH_USERNAME and OPENSEARCH_PASSWORD.
        table: The alias, in lower case.
        hnsw_from: Passages from which an index is searched by HNSW; below, every one is compared.

    Raises:
        UsageError: The address holds a password, or cannot be read.
    """

    efforts: tuple[int, ...] = (64, 128, 256, 512, 1024)  # ef_search

    def __init__(self, target: str = "http://localhost:9200", *, table: str = "docs", hnsw_from: int = 50_000) -> None:
        self.url, self.alias = read_url(target, store="opensearch", secrets=f"{USER} {PASSWORD}"), read_alias(table)
        if table != table.lower():
            raise UsageError("E2002", f"table '{table}' is not in lower case", fix=f"table={table.lower()}")
        self.hnsw_from = hnsw_from
        self.place = str(Spec("opensearch", self.url, {"table": table}))
        self.spec = f"{self.place},hnsw_from={hnsw_from}"

    def create(self, index: str, *, stamp: Stamp) -> None:
        held = self.stamp(index)
        if held is not None:
            same_stamp(index, held, stamp.fingerprint)
            return
        self._refuse_taken(index)
        meta = {STAMP: written_stamp(stamp, index=index, alias=self.alias)}
        mappings = {"dynamic": "strict", "_meta": meta, "properties": _fields(stamp.dim)}
        self._ask("PUT", _path(index), {"settings": {"index": {"knn": True}}, "mappings": mappings})

    def upsert(self, index: str, docs: Sequence[Doc], vectors: Matrix, *, row_hashes: Sequence[str]) -> None:
        check_rows(docs, vectors, dim=self._required(index).dim)
        rows = zip(docs, np.asarray(vectors, dtype=np.float32), row_hashes, strict=True)
        lines = ((doc.doc_id, _row_line(doc, row, row_hash)) for doc, row, row_hash in rows)
        self._bulk(index, lines)

    def delete(self, index: str, doc_ids: Sequence[str]) -> None:
        self._required(index)
        self._bulk(index, ((doc_id, _lines({"delete": {"_id": hash_text(doc_id)}})) for doc_id in doc_ids))

    def count(self, index: str) -> int:
        self._required(index)
        return int(_whole(self._ask("GET", _path(index, "_count")))["count"])

    def row_hashes(self, index: str) -> dict[str, str]:
        self._required(index)
        found: dict[str, str] = {}
        # `doc_id` is held once and never changes its place in the order, so no page can miss one.
        asked: dict[str, Any] = {
            "size": FETCH,
            "sort": [{"doc_id": "asc"}],
            "_source": False,
            "docvalue_fields": ["row_hash"],
            "track_total_hits": False,
        }
        while hits := _whole(self._ask("POST", _path(index, "_search"), asked))["hits"]["hits"]:
            found |= {hit["sort"][0]: hit["fields"]["row_hash"][0] for hit in hits}
            asked["search_after"] = hits[-1]["sort"]
        return found

    def vectors(self, index: str, doc_ids: Sequence[str]) -> Matrix:
        dim = self._required(index).dim
        held: dict[str, Any] = {}
        path = _path(index, "_mget?_source_includes=doc_id,embedding")
        for some in portions(list(dict.fromkeys(doc_ids)), max(1, REQUEST_BYTES // (NUMBER_BYTES * dim))):
            rows = self._ask("POST", path, {"ids": [hash_text(doc_id) for doc_id in some]})["docs"]
            held |= {row["_source"]["doc_id"]: row["_source"]["embedding"] for row in rows if row.get("found")}
        if gone := [doc_id for doc_id in doc_ids if doc_id not in held]:
            raise no_passage(index, gone[0])
        return np.array([held[doc_id] for doc_id in doc_ids], dtype=np.float32).reshape(len(doc_ids), dim)

    def build(self, index: str) -> bool:
        return self.count(index) >= max(1, self.hnsw_from)  # OpenSearch makes the graph while it writes

    def set_effort(self, index: str, effort: int) -> None:
        stamp = replace(self._required(index), effort=effort)
        meta = {STAMP: written_stamp(stamp, index=index, alias=self.alias)}
        self._ask("PUT", _path(index, "_mapping"), {"_meta": meta})

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
        stamp = self._required(index)
        same_stamp(index, stamp, fingerprint)
        found = enough(partial(self._nearest, index, k), questions, k=k, effort=stamp.effort)
        return Hits.from_run({query_id: dict(hits) for query_id, hits in zip(query_ids, found, strict=True)})

    def stamp(self, index: str) -> Stamp | None:
        return self._stamps(index).get(index)

    def indexes(self) -> list[str]:
        return sorted(self._stamps(f"{self.alias}_*"))

    def serving(self) -> str | None:
        held = self._held()
        return held[0] if len(held) == 1 and self.stamp(held[0]) else None

    def switch(self, index: str | None) -> None:
        if index is not None:
            self._required(index)
        self._refuse_taken(None)
        actions = [{"remove": {"index": held, "alias": self.alias}} for held in self._held() if held != index]
        if index is not None:
            actions.append({"add": {"index": index, "alias": self.alias}})
        if actions:
            self._ask("POST", "/_aliases", {"actions": actions})

    def drop(self, index: str) -> None:
        if self.stamp(index) is None:
            return
        if self.serving() == index:
            raise not_dropped(index, self.alias)
        self._ask("DELETE", _path(index), absent={})

    def close(self) -> None:
        pass  # each request has a connection of its own

    def _required(self, index: str) -> Stamp:
        if (stamp := self.stamp(index)) is None:
            raise no_index(index, self.indexes())
        return stamp

    def _stamps(self, pattern: str) -> dict[str, Stamp]:
        """Of the indexes of this alias whose names fit."""
        found = self._ask("GET", _path(pattern, "_mapping"), absent={})
        stamps = {
            name: read_stamp(held["mappings"].get("_meta"), index=name, alias=self.alias)
            for name, held in found.items()
        }
        return {name: stamp for name, stamp in stamps.items() if stamp is not None}

    def _held(self) -> list[str]:
        """The indexes that the alias points at, whoever made it point there."""
        return sorted(self._ask("GET", f"/_alias/{quote(self.alias)}", absent={}))

    def _refuse_taken(self, index: str | None) -> None:
        """Refuse names that somebody else gave to an index or an alias."""
        is_index = self.alias in self._ask("GET", _path(self.alias, "_mapping"), absent={})
        if is_index or (self._held() and self.serving() is None):
            raise taken(self.alias, self.alias)
        if index is not None and self._ask("GET", _path(index, "_mapping"), absent={}):
            raise taken(index, self.alias)

    def _nearest(self, index: str, k: int, questions: Sequence[Question], effort: int) -> list[Ranking]:
        """The k nearest of each question in the tie rule's order; without an effort every vector is compared."""
        found: list[Ranking] = []
        for some in portions(questions, QUERIES):
            lines = b"".join(_lines({"index": index}, _question(one, k=k, effort=effort)) for one in some)
            for answer in self._ask("POST", "/_msearch", lines)["responses"]:
                if "error" in answer:
                    raise _failure(int(answer["status"]), answer["error"])
                found.append([(hit["sort"][1], _product(hit["sort"][0])) for hit in _whole(answer)["hits"]["hits"]])
        return found

    def _bulk(self, index: str, lines: Iterator[tuple[str, bytes]]) -> None:
        """Write or delete passages, and make it seen.

        Raises:
            StageFailed: One was refused, or the server is busy.
        """
        for some in by_size((((doc_id, line), len(line)) for doc_id, line in lines), REQUEST_BYTES):
            answer = self._ask("POST", _path(index, "_bulk"), b"".join(line for _, line in some))
            done = [next(iter(item.values())) for item in answer["items"]]
            failed = [(one, doc_id) for one, (doc_id, _) in zip(done, some, strict=True) if "error" in one]
            # One that is refused stands before those that are not taken just now: waiting does not help it.
            for one, doc_id in sorted(failed, key=lambda pair: pair[0]["status"] in BUSY)[:1]:
                raise _failure(int(one["status"]), one["error"], what=f"passage {doc_id[:TOLD_ID]!r}: ")
        self._ask("POST", _path(index, "_refresh"))

    def _ask(self, method: str, path: str, body: Any = None, *, absent: Any = None) -> Any:
        """The answer, from JSON.

        Args:
            body: Goes as JSON, or as it is where it is lines of JSON.
            absent: Given where there is no such thing; None: that is an error.

        Raises:
            StageFailed: The server is not there, is busy, or refuses.
        """
        headers = {"Content-Type": "application/x-ndjson" if isinstance(body, bytes) else "application/json"}
        user, password = os.environ.get(USER, ""), os.environ.get(PASSWORD, "")
        if user:
            headers["Authorization"] = f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        try:
            status, text = _send(Request(f"{self.url}{path}", data=data, headers=headers, method=method))
        except (OSError, http.client.HTTPException) as error:
            raise away(NAME, f"{self.url}: {error}") from error
        if status == HTTPStatus.NOT_FOUND and absent is not None:
            return absent
        try:
            answer = json.loads(text)
        except ValueError:
            answer = {"error": f"{self.url} answers what is no JSON: {text.decode('utf-8', errors='replace')}"}
        if not isinstance(answer, dict) or status >= HTTPStatus.MULTIPLE_CHOICES or "error" in answer:
            raise _failure(status, answer.get("error") if isinstance(answer, dict) else answer)
        return answer


def _send(request: Request) -> tuple[int, bytes]:
    """Status and answer. A redirect is not followed: it would take passages, and the password, to another host."""
    try:
        with build_opener(StayHere).open(request, timeout=TIMEOUT_S) as answer:
            return answer.status, answer.read()
    except HTTPError as error:
        with error:
            return error.code, error.read()


def _path(index: str, rest: str = "") -> str:
    return f"/{quote(index, safe='*')}/{rest}".rstrip("/")


def _fields(dim: int) -> dict[str, Any]:
    """The mapping. `doc_id` and `row_hash` have doc values, so that reading them loads no vectors."""
    method = {"name": "hnsw", "engine": "faiss", "space_type": "innerproduct"}
    return {
        "doc_id": {"type": "keyword"},
        "title": {"type": "text"},
        "text": {"type": "text"},
        "metadata": {"type": "object", "enabled": False},  # kept as it is: two passages may disagree about a type
        "facets": {"type": "keyword"},
        "row_hash": {"type": "keyword", "index": False},
        "embedding": {"type": "knn_vector", "dimension": dim, "method": method},
    }


def _row_line(doc: Doc, row: Matrix, row_hash: str) -> bytes:
    """A passage in a bulk. Its id is a hash, for OpenSearch takes ids of 512 bytes at most."""
    fields = {
        "doc_id": doc.doc_id,
        "title": doc.title,
        "text": doc.text,
        "metadata": dict(doc.metadata),
        "facets": facets_of(doc),
        "row_hash": row_hash,
        "embedding": row.tolist(),
    }
    return _lines({"index": {"_id": hash_text(doc.doc_id)}}, fields)


def _lines(*rows: Mapping[str, Any]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def _question(question: Question, *, k: int, effort: int) -> dict[str, Any]:
    row, wanted = question
    vector = np.asarray(row, dtype=np.float32).tolist()
    terms = [{"terms": {"facets": [facet(field, value) for value in allowed]}} for field, allowed in wanted.items()]
    passing: dict[str, Any] = {"bool": {"filter": terms}} if terms else {"match_all": {}}
    if effort:
        graph = {"vector": vector, "k": k, "method_parameters": {"ef_search": max(effort, k)}}
        query: dict[str, Any] = {"knn": {"embedding": graph | ({"filter": passing} if terms else {})}}
    else:
        params = {"field": "embedding", "query_value": vector, "space_type": "innerproduct"}
        script = {"lang": "knn", "source": "knn_score", "params": params}
        query = {"script_score": {"query": passing, "script": script}}
    order = [{"_score": "desc"}, {"doc_id": "asc"}]
    return {"size": k, "query": query, "sort": order, "_source": False, "track_total_hits": False}


def _product(score: float) -> float:
    """The inner product x of a score, which OpenSearch keeps above 0: x + 1, or 1 / (1 - x) where x is below 0."""
    return score - 1.0 if score >= 1.0 else 1.0 - 1.0 / score


def _whole(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """An answer to which every shard gave its part.

    Raises:
        StageFailed: One did not: the answer is 200 all the same, and passages are missing from it.
    """
    shards = answer.get("_shards", {})
    if shards.get("failed") or answer.get("timed_out"):
        raise away(NAME, f"{shards.get('failed', 0)} of {shards.get('total', 0)} shards gave nothing, or not in time")
    return answer


def _failure(status: int, error: Any, *, what: str = "") -> StageFailed:
    """An error of its own in our words."""
    if isinstance(error, Mapping):
        error = f"{error.get('type')}: {error.get('reason')}"
    said = f"{what}{status}: {' '.join(str(error).split())[:TOLD]}"
    if status in BUSY:
        return away(NAME, said)
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return refused(NAME, said, fix=f"export {USER} and {PASSWORD} of one who may make such indexes")
    return refused(NAME, said)
