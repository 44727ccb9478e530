"""A real embeddings server on this machine, which fails on demand and counts what it is asked."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.http_server import answering

KEY = "sk-do-not-show-me-0123456789"
DIM = 16


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    path: str
    authorization: str | None
    texts: list[str]


@dataclass
class Server:
    """What the server does, and what it saw.

    Attributes:
        faults: What goes wrong with the next requests, one each.
        longest: Characters of a text beyond which it refuses all of them.
        most: Texts beyond which it refuses them.
        width: Of its vectors.
        visits: How often somebody followed its redirect.
    """

    url: str = ""
    faults: list[str] = field(default_factory=list)
    longest: int = 10_000
    most: int = 10_000
    requests: list[Asked] = field(default_factory=list)
    width: int = DIM
    visits: int = 0

    @property
    def texts(self) -> list[str]:
        """Everything that was sent to it."""
        return [text for request in self.requests for text in request.texts]


def vector_of(text: str) -> list[float]:
    """Letters counted, by their number modulo the width: alike where the letters are."""
    counts = [0.25] * DIM
    for letter in text:
        counts[ord(letter) % DIM] += 1.0
    return counts


@contextmanager
def serve() -> Iterator[Server]:
    server = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.visits += 1
            self.answer(200, {})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            server.requests.append(Asked(self.path, self.headers["Authorization"], body["input"]))
            fault = server.faults.pop(0) if server.faults else ""
            status, _, after = fault.partition(" after ")
            if status == "hang up":
                self.close_connection = True
            elif status == "no json":
                self.answer(200, None)
            elif status == "no money":
                self.answer(429, {"error": {"code": "insufficient_quota", "message": "buy more"}})
            elif status.isdigit():
                said = {"429": "slow down", "500": "out of order"}.get(
                    status, f"what is {self.headers['Authorization']}?"
                )
                headers = {"Retry-After": after} if after else {"Location": f"{server.url}/elsewhere"}
                self.answer(int(status), {"error": {"message": said}}, headers)
            elif len(body["input"]) > server.most or max(map(len, body["input"])) > server.longest:
                self.answer(400, {"error": {"message": "too long"}})
            else:
                self.answer(200, {"data": self.rows(body["input"], status)}, cut=status == "cut")

        def rows(self, texts: list[str], fault: str) -> list[dict[str, Any]]:
            rows = [{"index": place, "embedding": vector_of(text)[: server.width]} for place, text in enumerate(texts)]
            if fault == "one too few":
                rows.pop()
            elif fault == "nan":
                rows[0]["embedding"] = [float("nan")] * DIM
            elif fault == "two widths":
                rows[0]["embedding"] = [1.0]
            return rows[::-1]

        def answer(self, status: int, found: Any, headers: dict[str, str] | None = None, *, cut: bool = False) -> None:
            body = b"<html>" if found is None else json.dumps(found).encode()
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if cut else body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the name is the library's
            pass

    with answering(Handler) as url:
        server.url = f"{url}/v1"
        yield server
