"""An embeddings service: what is asked again, what is refused, and that the key stays where it belongs."""

import email.utils
import time
from collections.abc import Iterator

import numpy as np
import pytest
from tests.embeddings_server import KEY, Server, serve, vector_of

from lexitune.errors import DataError, LexituneError, StageFailed, UsageError
from lexitune.models.service import Service, open_service


class Ears:
    """Keeps what was told, and how long it was waited for."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.waits: list[float] = []


@pytest.fixture
def server() -> Iterator[Server]:
    with serve() as running:
        yield running


@pytest.fixture
def ears() -> Ears:
    return Ears()


@pytest.fixture
def service(server: Server, ears: Ears) -> Service:
    return Service(server.url, "tiny", KEY, pause=ears.waits.append)


def test_vectors_come_in_the_order_of_the_texts(server: Server, service: Service, ears: Ears) -> None:
    found = service.embed(["a", "bb", "ccc"], tell=ears.told.append)

    assert found.dtype == np.float32
    assert found.tolist() == [vector_of(text) for text in ("a", "bb", "ccc")]  # the server answers them backwards
    assert [request.texts for request in server.requests] == [["a", "bb", "ccc"]]
    assert (server.requests[0].path, server.requests[0].authorization) == ("/v1/embeddings", f"Bearer {KEY}")
    assert (ears.told, ears.waits) == ([], [])


def test_an_empty_text_goes_as_a_blank(server: Server, service: Service, ears: Ears) -> None:
    service.embed([""], tell=ears.told.append)

    assert server.requests[0].texts == [" "]


def test_what_is_busy_or_cut_off_is_asked_again(server: Server, service: Service, ears: Ears) -> None:
    server.faults = ["429 after 7", "500", "cut", "hang up"]

    found = service.embed(["a"], tell=ears.told.append)

    assert found.tolist() == [vector_of("a")]
    assert len(server.requests) == 5
    assert ears.waits == [7.0, 2.0, 4.0, 8.0]  # seven seconds are asked for; else each wait is twice the last
    assert ears.told[0] == "waits 7 s: 429: slow down"
    assert all("the connection failed" in line for line in ears.told[2:])


def test_a_date_to_come_again_is_heeded(server: Server, service: Service, ears: Ears) -> None:
    server.faults = [f"429 after {email.utils.formatdate(time.time() + 90, usegmt=True)}"]

    service.embed(["a"], tell=ears.told.append)

    assert 85 < ears.waits[0] <= 90


@pytest.mark.parametrize(
    ("faults", "requests", "told"),
    [
        (["500"] * 8, 8, "(500: out of order)"),
        (["429 after 3600"], 1, "(429: slow down)"),
        (["no money"], 1, "insufficient_quota: buy more"),
    ],
    ids=["patience ends", "later than patience", "waiting does not help"],
)
def test_it_gives_up(faults: list[str], requests: int, told: str, server: Server, service: Service, ears: Ears) -> None:
    server.faults = list(faults)

    with pytest.raises(StageFailed) as caught:
        service.embed(["a"], tell=ears.told.append)

    assert caught.value.code == "E1102"
    assert told in caught.value.problem
    assert len(server.requests) == requests


def test_a_text_that_cannot_be_taken_is_found_among_the_others(server: Server, service: Service, ears: Ears) -> None:
    server.longest = 10

    with pytest.raises(DataError) as caught:
        service.embed(["a", "b", "c", "x" * 11, "e"], tell=ears.told.append)

    assert caught.value.code == "E3207"
    assert f"'{'x' * 11}', 11 characters (400): too long" in caught.value.problem


def test_more_texts_than_a_server_takes_go_in_halves(server: Server, service: Service, ears: Ears) -> None:
    server.most = 2
    texts = ["a", "bb", "ccc", "dddd", "eeeee"]

    assert service.embed(texts, tell=ears.told.append).tolist() == [vector_of(text) for text in texts]


@pytest.mark.parametrize(
    ("fault", "error", "code"),
    [
        ("401", UsageError, "E2108"),
        ("404", UsageError, "E2108"),
        ("302", UsageError, "E2108"),
        ("400", DataError, "E3207"),
        ("no json", StageFailed, "E1103"),
        ("one too few", StageFailed, "E1103"),
        ("nan", StageFailed, "E1103"),
        ("two widths", StageFailed, "E1103"),
    ],
)
def test_what_waiting_does_not_mend_stops_it_and_never_shows_the_key(
    fault: str, error: type[LexituneError], code: str, server: Server, service: Service, ears: Ears
) -> None:
    server.faults = [fault] * 3

    with pytest.raises(error) as caught:
        service.embed(["a", "bb"] if fault != "400" else ["a"], tell=ears.told.append)

    assert caught.value.code == code
    assert KEY not in str(caught.value) + repr(service) + "".join(ears.told)
    assert len(server.requests) == 1
    assert server.visits == 0  # a redirect is not followed: another host would get texts and key


@pytest.mark.parametrize(
    ("fault", "fix"),
    [("400", "shorten that text, or leave out openai:tiny"), ("no json", "leave out openai:tiny")],
)
def test_what_to_do_holds_whichever_option_named_the_model(
    fault: str, fix: str, server: Server, service: Service, ears: Ears
) -> None:
    server.faults = [fault]

    with pytest.raises(LexituneError) as caught:
        service.embed(["a"], tell=ears.told.append)

    assert caught.value.fix == fix


def test_a_server_of_ones_own_needs_no_key(server: Server, ears: Ears) -> None:
    open_service("tiny", environ={"OPENAI_BASE_URL": f"{server.url}/"}).embed(["a"], tell=ears.told.append)

    assert server.requests[0].authorization is None


@pytest.mark.parametrize(
    "environ",
    [
        {"OPENAI_BASE_URL": "file:///etc", "OPENAI_API_KEY": KEY},
        {"OPENAI_BASE_URL": "https://me:secret@host/v1", "OPENAI_API_KEY": KEY},
        {"OPENAI_BASE_URL": "host", "OPENAI_API_KEY": KEY},
        {"OPENAI_API_KEY": f"{KEY}\nX-Other: secret"},
        {"OPENAI_API_KEY": f"{KEY} secret"},
    ],
)
def test_an_address_or_key_that_can_be_none_is_refused_and_not_shown(environ: dict[str, str]) -> None:
    with pytest.raises(UsageError) as caught:
        open_service("tiny", environ=environ)

    assert caught.value.code == "E2107"
    assert KEY not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_openai_needs_a_key_before_anything_is_asked() -> None:
    service = open_service("text-embedding-3-small", environ={})

    assert service.origin == "https://api.openai.com"
    with pytest.raises(UsageError) as caught:
        service.embed(["a"], tell=print)
    assert caught.value.code == "E2107"
