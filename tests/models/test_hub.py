"""The Hub, from a machine that cannot reach it: a clear error, and soon. Only the loopback is used."""

import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from huggingface_hub import constants

from lexitune.errors import DataError
from lexitune.models.hub import cached_folder, fetch, hub_answers

ABSENT = "lexitune-tests/no-such-model"


class Answer(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    """A server that lets everyone connect and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def point_to(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{port}")


def test_a_server_that_answers_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        point_to(monkeypatch, server.server_port)

        assert hub_answers()


def test_a_closed_port_is_no_answer(monkeypatch: pytest.MonkeyPatch, listening: socket.socket) -> None:
    port = listening.getsockname()[1]
    listening.close()
    point_to(monkeypatch, port)

    assert not hub_answers()


def test_a_server_that_keeps_silent_is_given_up_in_time(
    monkeypatch: pytest.MonkeyPatch, listening: socket.socket
) -> None:
    point_to(monkeypatch, listening.getsockname()[1])

    start = time.monotonic()
    answered = hub_answers(timeout_s=0.2)

    assert not answered
    assert time.monotonic() - start < 3.0


def test_a_model_that_was_never_fetched_is_not_in_the_cache() -> None:
    assert cached_folder(ABSENT) is None
    assert cached_folder("not a hub id") is None


def test_offline_the_missing_model_is_named_with_the_ways_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)

    with pytest.raises(DataError, match=f"'{ABSENT}' is not on this machine, and HF_HUB_OFFLINE forbids") as refusal:
        fetch(ABSENT)

    assert refusal.value.code == "E3202"
    assert refusal.value.fix == "take the built-in --model minilm or a model folder, or connect to the network"


def test_an_unreachable_hub_is_named(monkeypatch: pytest.MonkeyPatch, listening: socket.socket) -> None:
    port = listening.getsockname()[1]
    listening.close()
    point_to(monkeypatch, port)

    with pytest.raises(DataError, match=f"http://127.0.0.1:{port} cannot be reached"):
        fetch(ABSENT)
