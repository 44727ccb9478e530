"""Qdrant's local mode behind HTTP: the paths and bodies are Qdrant's, the answers are its client's own imitation.

It is not a Qdrant. It shows that requests go where they should, that the contract holds for Qdrant's filters, aliases
and points as its authors imitate them, and what comes of faults. It builds no graph: every search is exact.
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from threading import RLock
from typing import Any
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel
from qdrant_client import models
from qdrant_client.local.qdrant_local import QdrantLocal
from tests.http_server import answering


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    key: str | None
    body: Any


@dataclass
class Server:
    """What the server does, and what it saw.

    Attributes:
        faults: Status of the next requests, one each; 0 is answered as it should be.
        key: What requests must come with.
        old: It forgets the metadata of collections, as Qdrant did before 1.16.
        status: Of every collection, one after the other; then green.
    """

    url: str = ""
    key: str | None = None
    old: bool = False
    faults: list[int] = field(default_factory=list)
    status: list[str] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)


def _paths(local: QdrantLocal, server: Server) -> dict[tuple[str, str], Callable[[str, Any], Any]]:
    """(method, pattern of the path) -> what answers, given the collection's name and the body."""

    def create(name: str, body: Any) -> bool:
        asked = models.CreateCollection(**body)
        assert isinstance(asked.vectors, models.VectorParams)
        return local.create_collection(name, asked.vectors, metadata=None if server.old else asked.metadata)

    def info(name: str, _: Any) -> Any:
        if name not in local.collections and name not in local.aliases:
            raise ValueError(f"Collection `{name}` not found")
        found = local.get_collection(name)
        return (
            found.model_copy(update={"status": models.CollectionStatus(server.status.pop(0))})
            if server.status
            else found
        )

    def upsert(name: str, body: Any) -> Any:
        return local.upsert(name, models.PointsList(**body).points)

    def retrieve(name: str, body: Any) -> Any:
        asked = models.PointRequest(**body)
        return local.retrieve(name, asked.ids, with_payload=asked.with_payload or False, with_vectors=True)

    def scroll(name: str, body: Any) -> Any:
        asked = models.ScrollRequest(**body)
        points, place = local.scroll(
            name, limit=asked.limit or 10, offset=asked.offset, with_payload=asked.with_payload or False
        )
        return models.ScrollResult(points=points, next_page_offset=place)

    def query(name: str, body: Any) -> Any:
        return local.query_batch_points(name, models.QueryRequestBatch(**body).searches)

    return {
        ("GET", r"/collections"): lambda _, __: local.get_collections(),
        ("GET", r"/aliases"): lambda _, __: local.get_aliases(),
        ("POST", r"/collections/aliases"): lambda _, body: local.update_collection_aliases(
            models.ChangeAliasesOperation(**body).actions
        ),
        ("GET", r"/collections/([^/]+)"): info,
        ("PUT", r"/collections/([^/]+)"): create,
        ("PATCH", r"/collections/([^/]+)"): lambda name, body: local.update_collection(
            name, metadata=None if server.old else body.get("metadata")
        ),
        ("DELETE", r"/collections/([^/]+)"): lambda name, _: local.delete_collection(name),
        ("PUT", r"/collections/([^/]+)/index"): lambda name, body: local.create_payload_index(
            name, **models.CreateFieldIndex(**body).model_dump()
        ),
        ("PUT", r"/collections/([^/]+)/points"): upsert,
        ("POST", r"/collections/([^/]+)/points"): retrieve,
        ("POST", r"/collections/([^/]+)/points/delete"): lambda name, body: local.delete(
            name, models.PointIdsList(**body)
        ),
        ("POST", r"/collections/([^/]+)/points/count"): lambda name, _: local.count(name, exact=True),
        ("POST", r"/collections/([^/]+)/points/scroll"): scroll,
        ("POST", r"/collections/([^/]+)/points/query/batch"): query,
        ("POST", r"/collections/([^/]+)/points/query"): lambda name, body: query(name, {"searches": [body]})[0],
    }


def _status_of(error: ValueError) -> int:
    return 404 if "not found" in str(error) else 409 if "already exists" in str(error) else 400


def _plain(found: Any) -> Any:
    if isinstance(found, BaseModel):
        return found.model_dump(mode="json")
    return [_plain(one) for one in found] if isinstance(found, list) else found


@contextmanager
def serve() -> Iterator[Server]:
    server, local, lock = Server(), QdrantLocal(":memory:", force_disable_check_same_thread=True), RLock()
    paths = _paths(local, server)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path)
            text = self.rfile.read(int(self.headers["Content-Length"] or 0))
            body = json.loads(text) if text else None
            server.asked.append(Asked(self.command, path, self.headers["api-key"], body))
            fault = server.faults.pop(0) if server.faults else 0
            if server.key and self.headers["api-key"] != server.key:
                fault = 401
            if fault:
                self.answer(fault, {"status": {"error": f"out of\norder {fault}"}})
                return
            for (method, pattern), call in paths.items():
                if method == self.command and (found := re.fullmatch(pattern, path)):
                    with lock:
                        self.call(call, found[1] if found.groups() else "", body)
                    return
            self.answer(405, {"status": {"error": f"no path {self.command} {path}"}})

        do_PUT = do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815  # the names are the library's

        def call(self, call: Callable[[str, Any], Any], name: str, body: Any) -> None:
            try:
                found = _plain(call(name, body))
            except ValueError as error:
                self.answer(_status_of(error), {"status": {"error": str(error)}})
            else:
                self.answer(200, {"result": found, "status": "ok", "time": 0.0})

        def answer(self, status: int, found: Any) -> None:
            body = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            if status == 429:
                self.send_header("Retry-After", "1")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the name is the library's
            pass

    try:
        with answering(Handler) as url:
            server.url = url
            yield server
    finally:
        local.close()
