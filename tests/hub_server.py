"""A Hub on this machine: what huggingface_hub asks of the real one for an upload, with everything that was sent."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.http_server import answering

TOKEN = "hf_donotshowmeanywhere0123456789"


@dataclass
class Hub:
    """What it holds, and what it was asked.

    Attributes:
        private: Repository -> whether it is private.
        files: Repository -> name -> bytes, as they are after the last commit.
        asked: Method and path of every request, in their order.
        sent: Every body, as it came.
        faults: Beginning of a path -> the status that it is answered with.
    """

    url: str = ""
    private: dict[str, bool] = field(default_factory=dict)
    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)
    faults: dict[str, int] = field(default_factory=dict)


def commit(files: dict[str, bytes], body: bytes) -> None:
    """Apply the lines of a commit."""
    for line in body.decode().splitlines():
        step = json.loads(line)
        if step["key"] == "file":
            files[step["value"]["path"]] = base64.b64decode(step["value"]["content"])
        elif step["key"] == "deletedFile":
            del files[step["value"]["path"]]


@contextmanager
def serve_hub() -> Iterator[Hub]:
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.respond()

        def do_POST(self) -> None:
            self.respond()

        def respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = self.path.partition("?")[0]
            hub.asked.append(f"{self.command} {path}")
            hub.sent.append(body)
            fault = next((status for start, status in hub.faults.items() if path.startswith(start)), 0)
            if self.headers["Authorization"] != f"Bearer {TOKEN}":
                fault = 401
            self.answer(fault, {"error": "no"}) if fault else self.answer(*self.found(path, body))

        def found(self, path: str, body: bytes) -> tuple[int, Any]:
            if path == "/api/whoami-v2":
                return 200, {"type": "user", "name": "acme"}
            if path == "/api/validate-yaml":
                return 200, {"errors": [], "warnings": []}
            if path == "/api/repos/create":
                return self.created(json.loads(body))
            _, _, _, owner, name, *rest = path.split("/")
            repo = f"{owner}/{name}"
            if repo not in hub.files:
                return 404, {"error": "Repository not found"}
            return 200, self.of_repo(repo, rest[0] if rest else "", body)

        def created(self, wanted: dict[str, Any]) -> tuple[int, Any]:
            repo = f"{wanted.get('organization') or 'acme'}/{wanted['name']}"
            if repo in hub.files:
                return 409, {"error": "there already", "url": f"{hub.url}/{repo}"}
            hub.private[repo] = wanted.get("private", wanted.get("visibility") == "private")
            hub.files[repo] = {".gitattributes": b""}
            return 200, {"url": f"{hub.url}/{repo}"}

        def of_repo(self, repo: str, what: str, body: bytes) -> Any:
            if what == "tree":
                return [{"type": "file", "path": name, "size": 1, "oid": "0"} for name in hub.files[repo]]
            if what == "preupload":
                names = [file["path"] for file in json.loads(body)["files"]]
                return {"files": [{"path": name, "uploadMode": "regular", "shouldIgnore": False} for name in names]}
            if what == "commit":
                commit(hub.files[repo], body)
                return {"commitUrl": f"{hub.url}/{repo}/commit/1", "commitOid": "1" * 40}
            return {"id": repo, "private": hub.private[repo], "siblings": []}

        def answer(self, status: int, found: Any) -> None:
            body = json.dumps(found).encode()
            self.send_response(status)
            if status == 404:
                self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the name is the library's
            pass

    with answering(Handler) as url:
        hub.url = url
        yield hub
