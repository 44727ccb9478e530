"""An embeddings service: texts go out over HTTP, vectors come back. The form is OpenAI's, which many servers speak.

Nothing here asks for leave: whoever calls `embed` has it.
"""

from __future__ import annotations

import email.utils
import http.client
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

import numpy as np
from numpy.typing import NDArray

from lexitune.errors import DataError, StageFailed, UsageError

__all__ = ["Service", "StayHere", "open_service"]

Matrix = NDArray[np.float32]

OPENAI = "https://api.openai.com/v1"
TIMEOUT_S = 120.0
TRIES = 8
LONGEST_PAUSE_S = 60.0  # of our own choice; a service may ask for more
MOST_PATIENCE_S = 600.0
BUSY = {408, 409, 425, 429, *range(500, 600)}
TOO_MUCH = {400, 413, 422}  # for one text of many, or for all of them together
NO_MONEY = "insufficient_quota"  # comes as 429, and no waiting helps
TOLD = 300  # characters of what a service says


class StayHere(HTTPRedirectHandler):
    """A redirect would take texts, and the key, to another host."""

    def redirect_request(self, *_: Any) -> None:
        return None


@dataclass(frozen=True)
class Service:
    """One model behind one address.

    Attributes:
        url: What stands before `/embeddings`.
        key: Goes into one header of each request, and nowhere else.
        pause: Waits so many seconds.
    """

    url: str
    model: str
    key: str = field(repr=False)
    pause: Callable[[float], None] = field(default=time.sleep, repr=False)

    @property
    def origin(self) -> str:
        """Scheme and host, which is where texts go."""
        found = urlsplit(self.url)
        return f"{found.scheme}://{found.netloc}"

    def check_key(self) -> None:
        """See that there is a key where one is needed: a server of your own may need none, OpenAI's does.

        Raises:
            UsageError: There is none.
        """
        if not self.key and self.url == OPENAI:
            raise UsageError("E2107", f"{self.origin} asks for a key", fix="export OPENAI_API_KEY, or OPENAI_BASE_URL")

    def embed(self, texts: Sequence[str], *, tell: Callable[[str], None]) -> Matrix:
        """A vector for each text, float32 (n, dim).

        What is busy or broken off is asked again, a while later, or as late as it says. What is refused is asked in
        halves, down to the one text that it cannot take.

        Args:
            tell: Hears why it waits.

        Raises:
            StageFailed: It does not answer, for all patience, or answers what is no vector.
            UsageError: It knows no such key or model.
            DataError: A text that it cannot take.
        """
        self.check_key()
        status, answer = self._ask(texts, tell)
        if status == http.client.OK:
            return self._vectors(answer, len(texts))
        said = self._said(answer)
        if status not in TOO_MUCH:
            raise UsageError(
                "E2108",
                f"{self.origin} refuses '{self.model}' ({status}): {said}",
                fix="see that OPENAI_API_KEY, OPENAI_BASE_URL and the model's name belong together",
            )
        if len(texts) > 1:
            half = len(texts) // 2
            return np.concatenate([self.embed(some, tell=tell) for some in (texts[:half], texts[half:])])
        raise DataError(
            "E3207",
            f"{self.origin} cannot take the text {texts[0][:60]!r}, {len(texts[0]):,} characters ({status}): {said}",
            fix=f"shorten that text, or leave out openai:{self.model}",
        )

    def _ask(self, texts: Sequence[str], tell: Callable[[str], None]) -> tuple[int, bytes]:
        """The first answer that is not to be asked for again."""
        # An empty text is an error there; a blank is the nearest that is none.
        body = json.dumps({"model": self.model, "input": [text or " " for text in texts]}).encode()
        why = ""
        for attempt in range(TRIES):
            status, answer, later = self._send(body)
            if status and status not in BUSY:
                return status, answer
            why = f"{status}: {self._said(answer)}" if status else self._said(answer)
            asked = _retry_after(later)
            if NO_MONEY in why or asked > MOST_PATIENCE_S:
                break
            if attempt + 1 < TRIES:
                wait = max(asked, min(LONGEST_PAUSE_S, 2.0**attempt))
                tell(f"waits {wait:.0f} s: {why}")
                self.pause(wait)
        raise StageFailed(
            "E1102", f"{self.origin} gives no vectors ({why})", fix="later, the same command again: what came is kept"
        )

    def _send(self, body: bytes) -> tuple[int, bytes, str]:
        """Status, answer, and when to come again; status 0 where the connection failed, and the answer says how."""
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {self.key}"} if self.key else {})
        request = Request(f"{self.url}/embeddings", data=body, headers=headers, method="POST")
        try:
            with build_opener(StayHere).open(request, timeout=TIMEOUT_S) as answer:
                return answer.status, answer.read(), ""
        except HTTPError as error:
            with error:
                return error.code, _read(error), error.headers.get("Retry-After") or ""
        except (OSError, http.client.HTTPException) as error:
            return 0, f"the connection failed: {error}".encode(), ""

    def _said(self, answer: bytes) -> str:
        """What an answer says, in one line, and never the key, which some repeat."""
        text = answer.decode("utf-8", errors="replace")
        try:
            found = json.loads(text)["error"]
            text = f"{found['code']}: {found['message']}" if found.get("code") else str(found["message"])
        except (ValueError, KeyError, TypeError, AttributeError):
            pass
        text = text.replace(self.key, "***") if self.key else text
        return " ".join(text.split())[:TOLD]

    def _vectors(self, answer: bytes, count: int) -> Matrix:
        try:
            rows = sorted(json.loads(answer)["data"], key=lambda row: row["index"])
            found = np.array([row["embedding"] for row in rows], dtype=np.float32)
            places = [row["index"] for row in rows]
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            raise self._no_vectors(f"it cannot be read: {error!r}") from error
        if places != list(range(count)) or found.ndim != 2:
            raise self._no_vectors(f"{len(places)} vectors for {count} texts")
        if not (np.isfinite(found).all() and found.any(axis=1).all()):
            raise self._no_vectors("a vector is NaN, infinite or all zeros")
        return found

    def _no_vectors(self, why: str) -> StageFailed:
        return StageFailed(
            "E1103",
            f"{self.origin} answers for '{self.model}' what is no vector for each text: {why}",
            fix=f"leave out openai:{self.model}",
        )


def open_service(model: str, *, environ: Mapping[str, str]) -> Service:
    """The service that `OPENAI_BASE_URL` names, with the key of `OPENAI_API_KEY`.

    Raises:
        UsageError: An address or key that can be none.
    """
    url = (environ.get("OPENAI_BASE_URL") or OPENAI).strip().rstrip("/")
    key = (environ.get("OPENAI_API_KEY") or "").strip()
    found = urlsplit(url)
    if found.scheme not in ("http", "https") or not found.hostname or "@" in found.netloc or found.query:
        # Not shown: it may hold a password.
        raise UsageError("E2107", "OPENAI_BASE_URL is no address", fix="export OPENAI_BASE_URL=https://HOST/v1")
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise UsageError("E2107", "OPENAI_API_KEY holds what no key holds", fix="export the key alone, on one line")
    return Service(url, model, key)


def _read(error: HTTPError) -> bytes:
    try:
        return error.read()
    except (OSError, http.client.HTTPException):
        return b""


def _retry_after(value: str) -> float:
    """Seconds that the service asks for, by the header's seconds or date; 0 where it asks for none."""
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return 0.0
