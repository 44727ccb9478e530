"""A small server that answers as OpenSearch's documentation says, for the requests that our adapter makes.

It is not an OpenSearch. It is strict where the real one is: what is written is not found before a refresh, a bulk is
answered 200 whatever became of its items, a list of alias actions is applied whole or not at all, results are cut at
10,000, and fields that the mapping does not have are refused. It builds no graph: every search is exact.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler
from threading import RLock
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np
from tests.http_server import answering

WINDOW = 10_000  # hits of a search
LONGEST = 32_766  # bytes of a keyword


class Refused(Exception):
    """An error as OpenSearch tells it."""

    def __init__(self, status: int, kind: str, reason: str = "") -> None:
        super().__init__(kind)
        self.status, self.told = status, {"type": kind, "reason": reason}


@dataclass
class Index:
    """One index: what was written, and what a search sees of it since the last refresh."""

    mappings: dict[str, Any]
    written: dict[str, dict[str, Any]] = field(default_factory=dict)
    seen: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def dim(self) -> int:
        return int(self.mappings["properties"]["embedding"]["dimension"])


@dataclass(frozen=True)
class Asked:
    """A request as it came; a body of lines is a list."""

    method: str
    path: str
    authorization: str | None
    body: Any


@dataclass
class Server:
    """What the server does, and what it saw.

    Attributes:
        faults: Status of the next requests, one each; 0 is answered as it should be.
        items: Status of the next items of bulks, one each; 0 is written as it should be.
        lost: Shards that give nothing to searches.
    """

    url: str = ""
    faults: list[int] = field(default_factory=list)
    items: list[int] = field(default_factory=list)
    lost: int = 0
    asked: list[Asked] = field(default_factory=list)
    indexes: dict[str, Index] = field(default_factory=dict)
    aliases: dict[str, set[str]] = field(default_factory=dict)

    def named(self, target: str) -> dict[str, Index]:
        """The indexes that a name, an alias or a pattern stands for."""
        if "*" in target:
            return {name: index for name, index in self.indexes.items() if fnmatchcase(name, target)}
        names = self.aliases.get(target) or {target}
        if names - self.indexes.keys():
            raise Refused(404, "index_not_found_exception", f"no such index [{target}]")
        return {name: self.indexes[name] for name in names}

    def one(self, target: str) -> Index:
        (index,) = self.named(target).values()
        return index

    @property
    def shards(self) -> dict[str, int]:
        return {"total": 2, "successful": 2 - self.lost, "skipped": 0, "failed": self.lost}


def create(server: Server, name: str, body: Any) -> Any:
    if name != name.lower() or name[0] in "_-+":
        raise Refused(400, "invalid_index_name_exception", name)
    if name in server.indexes or name in server.aliases:
        raise Refused(400, "resource_already_exists_exception", f"index [{name}] already exists")
    assert body["settings"]["index"]["knn"] is True
    assert body["mappings"]["properties"]["embedding"]["type"] == "knn_vector"
    server.indexes[name] = Index(body["mappings"])
    return {"acknowledged": True, "shards_acknowledged": True, "index": name}


def remove(server: Server, name: str, _: Any) -> Any:
    if name in server.aliases:
        raise Refused(400, "illegal_argument_exception", f"[{name}] is an alias")
    server.one(name)
    del server.indexes[name]
    server.aliases = {alias: left for alias, names in server.aliases.items() if (left := names - {name})}
    return {"acknowledged": True}


def mapping(server: Server, name: str, _: Any) -> Any:
    return {found: {"mappings": index.mappings} for found, index in server.named(name).items()}


def change_mapping(server: Server, name: str, body: Any) -> Any:
    server.one(name).mappings |= body
    return {"acknowledged": True}


def alias(server: Server, name: str, _: Any) -> Any:
    if name not in server.aliases:
        raise Refused(404, f"alias [{name}] missing")
    return {index: {"aliases": {name: {}}} for index in server.aliases[name]}


def change_aliases(server: Server, _: str, body: Any) -> Any:
    changed = {name: set(names) for name, names in server.aliases.items()}
    for action in body["actions"]:
        ((what, of),) = action.items()
        if of["index"] not in server.indexes:
            raise Refused(404, "index_not_found_exception", of["index"])
        if of["alias"] in server.indexes:
            raise Refused(400, "invalid_alias_name_exception", of["alias"])
        if what == "add":
            changed.setdefault(of["alias"], set()).add(of["index"])
        elif of["index"] not in changed.get(of["alias"], set()):
            raise Refused(404, "aliases_not_found_exception", of["alias"])
        else:
            changed[of["alias"]].remove(of["index"])
    server.aliases = {name: names for name, names in changed.items() if names}
    return {"acknowledged": True}


def bulk(server: Server, name: str, body: Any) -> Any:
    index, lines, items = server.one(name), iter(body), []
    for line in lines:
        ((what, of),) = line.items()
        row = next(lines) if what == "index" else None
        status = server.items.pop(0) if server.items else 0
        try:
            if status:
                raise Refused(status, "some_exception", "for some\nreason")
            done = {"status": 200, "result": _write(index, of["_id"], row)}
        except Refused as error:
            done = {"status": error.status, "error": error.told}
        items.append({what: {"_id": of["_id"], **done}})
    return {"took": 1, "errors": any("error" in next(iter(item.values())) for item in items), "items": items}


def _write(index: Index, row_id: str, row: dict[str, Any] | None) -> str:
    assert len(row_id.encode()) <= 512
    if row is None:
        return "deleted" if index.written.pop(row_id, None) else "not_found"
    if strange := row.keys() - index.mappings["properties"].keys():
        raise Refused(400, "strict_dynamic_mapping_exception", str(strange))
    if len(row["doc_id"].encode()) > LONGEST or any(len(facet.encode()) > LONGEST for facet in row["facets"]):
        raise Refused(400, "illegal_argument_exception", "immense term")
    if len(row["embedding"]) != index.dim:
        raise Refused(400, "mapper_parsing_exception", "Vector dimension mismatch")
    index.written[row_id] = row
    return "created"


def refresh(server: Server, name: str, _: Any) -> Any:
    for index in server.named(name).values():
        index.seen = dict(index.written)
    return {"_shards": server.shards}


def count(server: Server, name: str, _: Any) -> Any:
    return {"count": len(server.one(name).seen), "_shards": server.shards}


def get_many(server: Server, name: str, body: Any) -> Any:
    written = server.one(name).written  # a get sees what no search sees yet
    return {
        "docs": [
            {"_id": row_id, "found": True, "_source": written[row_id]}
            if row_id in written
            else {"_id": row_id, "found": False}
            for row_id in body["ids"]
        ]
    }


def search(server: Server, name: str, body: Any) -> Any:
    index = server.one(name)
    if body["size"] > WINDOW:
        raise Refused(400, "illegal_argument_exception", "Result window is too large")
    scores = _scores(index, body.get("query", {"match_all": {}}))
    hits: list[dict[str, Any]] = [
        {
            "_id": row_id,
            "sort": [score, row["doc_id"]] if "query" in body else [row["doc_id"]],
            "fields": {column: [row[column]] for column in body.get("docvalue_fields", [])},
        }
        for (row_id, row), score in zip(index.seen.items(), scores, strict=True)
        if score is not None
    ]
    if "query" in body:
        assert body["sort"] == [{"_score": "desc"}, {"doc_id": "asc"}]
        hits.sort(key=lambda hit: (-hit["sort"][0], hit["sort"][1].encode()))
    else:
        assert body["sort"] == [{"doc_id": "asc"}]
        hits.sort(key=lambda hit: hit["sort"][0].encode())
        after = body.get("search_after", [""])[0].encode()
        hits = [hit for hit in hits if hit["sort"][0].encode() > after]
    return {"timed_out": False, "_shards": server.shards, "hits": {"hits": hits[: body["size"]]}}


def _scores(index: Index, query: dict[str, Any]) -> list[float | None]:
    """Of each row that is seen; None: the filter does not let it pass."""
    ((kind, of),) = query.items()
    if kind == "match_all":
        return [1.0] * len(index.seen)
    if kind == "bool":
        return [1.0 if _passes(row, of["filter"]) else None for row in index.seen.values()]
    if kind == "knn":
        asked = of["embedding"]
        assert asked["method_parameters"]["ef_search"] >= asked["k"]
        return _products(index, asked["vector"], asked.get("filter", {"match_all": {}}))
    script = of["script"]
    assert (script["lang"], script["source"], script["params"]["space_type"]) == ("knn", "knn_score", "innerproduct")
    return _products(index, script["params"]["query_value"], of["query"])


def _products(index: Index, vector: list[float], passing: dict[str, Any]) -> list[float | None]:
    passed = _scores(index, passing)
    rows = np.array([row["embedding"] for row in index.seen.values()], dtype=np.float32).reshape(-1, index.dim)
    found = [float(one) for one in rows @ np.array(vector, dtype=np.float32)]
    scores = [float(np.float32(one + 1 if one > 0 else 1 / (1 - one))) for one in found]
    return [score if there is not None else None for score, there in zip(scores, passed, strict=True)]


def _passes(row: dict[str, Any], filters: list[dict[str, Any]]) -> bool:
    return all(set(of["terms"]["facets"]) & set(row["facets"]) for of in filters)


def search_many(server: Server, _: str, body: Any) -> Any:
    found = []
    for head, asked in zip(body[::2], body[1::2], strict=True):
        try:
            found.append({**search(server, head["index"], asked), "status": 200})
        except Refused as error:
            found.append({"error": error.told, "status": error.status})
    return {"took": 1, "responses": found}


PATHS: dict[tuple[str, str], Callable[[Server, str, Any], Any]] = {
    ("PUT", r"/([^/_][^/]*)"): create,
    ("DELETE", r"/([^/_][^/]*)"): remove,
    ("GET", r"/([^/]+)/_mapping"): mapping,
    ("PUT", r"/([^/]+)/_mapping"): change_mapping,
    ("GET", r"/_alias/([^/]+)"): alias,
    ("POST", r"/_aliases()"): change_aliases,
    ("POST", r"/([^/]+)/_bulk"): bulk,
    ("POST", r"/([^/]+)/_refresh"): refresh,
    ("GET", r"/([^/]+)/_count"): count,
    ("POST", r"/([^/]+)/_mget"): get_many,
    ("POST", r"/([^/]+)/_search"): search,
    ("POST", r"/_msearch()"): search_many,
}


@contextmanager
def serve() -> Iterator[Server]:
    server, lock = Server(), RLock()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, text = unquote(urlsplit(self.path).path), self.rfile.read(int(self.headers["Content-Length"] or 0))
            lines = path.endswith(("/_bulk", "/_msearch"))
            if lines and not (text.endswith(b"\n") and self.headers["Content-Type"] == "application/x-ndjson"):
                self.answer(400, {"error": {"type": "illegal_argument_exception", "reason": "no lines"}})
                return
            body = [json.loads(line) for line in text.splitlines()] if lines else json.loads(text) if text else None
            server.asked.append(Asked(self.command, path, self.headers["Authorization"], body))
            if fault := server.faults.pop(0) if server.faults else 0:
                self.answer(fault, {"error": {"type": "some_exception", "reason": "out of\norder"}, "status": fault})
                return
            for (method, pattern), call in PATHS.items():
                if method == self.command and (found := re.fullmatch(pattern, path)):
                    with lock:
                        self.call(call, found[1], body)
                    return
            self.answer(405, {"error": f"no path {self.command} {path}", "status": 405})

        do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815  # the names are the library's

        def call(self, call: Callable[[Server, str, Any], Any], name: str, body: Any) -> None:
            try:
                self.answer(200, call(server, name, body))
            except Refused as error:
                self.answer(error.status, {"error": error.told, "status": error.status})

        def answer(self, status: int, found: Any) -> None:
            body = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            if status == 302:
                self.send_header("Location", f"{server.url}/elsewhere")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the name is the library's
            pass

    with answering(Handler) as url:
        server.url = url
        yield server
