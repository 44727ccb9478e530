"""Qdrant: what is its own beside the contract. The server is Qdrant's local mode behind HTTP, not a Qdrant."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.stores.filling import DOCS, fill, sent, write_vectors

from lexitune.errors import StageFailed, UsageError
from lexitune.fingerprint import hash_text
from lexitune.io.vectors import Vectors
from lexitune.stores import loading
from lexitune.stores.loading import load_index
from lexitune.stores.store import Stamp, open_store
from lexitune.types import Doc

pytest.importorskip("qdrant_client", reason="the client of Qdrant is missing: pip install 'lexitune[qdrant]'")

from tests.stores.qdrant_server import serve

from lexitune.stores import qdrant
from lexitune.stores.qdrant import QdrantStore

if TYPE_CHECKING:
    from tests.stores.qdrant_server import Server

# The imitation says that it has no payload index, and no graph to search more or less widely.
pytestmark = pytest.mark.filterwarnings("ignore:Payload indexes:UserWarning", "ignore:Local mode:UserWarning")


@pytest.fixture
def server() -> Iterator[Server]:
    with serve() as running:
        yield running


@pytest.fixture
def store(server: Server) -> Iterator[QdrantStore]:
    opened = QdrantStore(server.url)
    yield opened
    opened.close()


@pytest.fixture
def vectors(tmp_path: Path) -> Vectors:
    return write_vectors(tmp_path / "0123456789abcdef")


def test_the_alias_is_taken_and_given_in_one_request(store: QdrantStore, server: Server) -> None:
    first, second = fill(store, "first"), fill(store, "second")
    store.switch(first)
    server.asked.clear()

    store.switch(second)

    assert sent(server, "/collections/aliases") == [
        {
            "actions": [
                {"delete_alias": {"alias_name": "docs"}},
                {"create_alias": {"collection_name": second, "alias_name": "docs"}},
            ]
        }
    ]


def test_an_application_searches_the_alias_and_filters_by_its_own_fields(store: QdrantStore, server: Server) -> None:
    from qdrant_client import QdrantClient, models

    store.switch(fill(store, "first", docs=DOCS))
    client = QdrantClient(url=server.url, check_compatibility=False)
    tenant = models.FieldCondition(key="metadata.tenant", match=models.MatchValue(value="b"))

    found = client.query_points("docs", query=[1.0] * 4, query_filter=models.Filter(must=[tenant]), limit=100)

    assert {(point.payload or {})["text"] for point in found.points} == {doc.text for doc in DOCS[1::2]}


@pytest.mark.parametrize("docs", [DOCS, DOCS[::-1]], ids=["rising", "falling"])  # whichever the server takes first
def test_of_equal_passages_across_rank_k_the_lower_ids_are_given(store: QdrantStore, docs: list[Doc]) -> None:
    index = fill(store, "ties", docs=docs)

    found = store.search(index, np.ones((1, 4), np.float32), query_ids=["q"], k=3, fingerprint="ties")

    assert [doc_id for doc_id, _ in found.run("q")] == ["d000", "d001", "d002"]


def test_what_is_found_with_an_effort_is_asked_for_with_that_effort(store: QdrantStore, server: Server) -> None:
    index = fill(store, "first")
    query = np.ones((1, 4), np.float32)
    for effort in (0, 64):
        store.set_effort(index, effort)
        store.search(index, query, query_ids=["q"], k=1, fingerprint="first")

    params = [body["searches"][0]["params"] for body in sent(server, "/points/query/batch")]
    assert [(one.get("exact"), one.get("hnsw_ef")) for one in params] == [(True, None), (None, 64)]


def test_fewer_than_k_through_the_graph_are_looked_for_once_more_without_it(store: QdrantStore, server: Server) -> None:
    index = fill(store, "first", docs=DOCS[:3])
    store.set_effort(index, 64)

    store.search(index, np.ones((1, 4), np.float32), query_ids=["q"], k=10, fingerprint="first")

    params = [body["searches"][0]["params"] for body in sent(server, "/points/query/batch")]
    assert [one.get("exact") for one in params] == [None, True]


def test_a_large_write_goes_in_requests_that_a_server_takes(
    store: QdrantStore, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qdrant, "REQUEST_BYTES", 1000)

    index = fill(store, "first", docs=DOCS)

    sizes = [len(body["points"]) for body in sent(server, "/points") if "points" in body]
    assert len(sizes) > 10
    assert (sum(sizes), store.count(index)) == (len(DOCS), len(DOCS))


def test_all_hashes_are_read_however_many_round_trips_it_takes(
    store: QdrantStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = fill(store, "first", docs=DOCS)
    monkeypatch.setattr(qdrant, "FETCH", 7)

    assert store.row_hashes(index) == {doc.doc_id: "h" for doc in DOCS}


def test_two_passages_with_one_id_are_noticed(
    store: QdrantStore, vectors: Vectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qdrant, "uuid5", lambda _, name: hash_text(name[-1])[:32])

    with pytest.raises(StageFailed, match="holds 10 passages for 60"):
        load_index(store, vectors, DOCS, queries=vectors.rows(np.arange(3)))


@pytest.mark.parametrize("fault", [429, 503])
def test_a_server_that_is_busy_is_waited_for(
    fault: int, store: QdrantStore, server: Server, vectors: Vectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "WAITS_S", (0, 0, 0))
    server.faults = [fault, 0, 0, fault, 0, 0, 0, 0, fault]

    done = load_index(store, vectors, DOCS, queries=vectors.rows(np.arange(3)))

    assert (done.rows, done.agreement, server.faults) == (60, 1.0, [])


def test_a_server_that_is_away_is_told_as_that() -> None:
    with pytest.raises(StageFailed, match=r"Qdrant does not answer: http://127\.0\.0\.1:9") as raised:
        open_store("qdrant:http://127.0.0.1:9").serving()

    assert raised.value.code == "E1302"


@pytest.mark.parametrize(
    ("status", "fix"), [(400, "mend what it names"), (401, "export QDRANT_API_KEY"), (403, "export QDRANT_API_KEY")]
)
def test_what_the_server_refuses_is_told_in_one_line(status: int, fix: str, store: QdrantStore, server: Server) -> None:
    server.faults = [status]

    with pytest.raises(StageFailed) as raised:
        store.indexes()

    assert (raised.value.code, raised.value.args[0]) == ("E1303", f"Qdrant refuses: {status}: out of order {status}")
    assert raised.value.fix.startswith(fix)


def test_the_key_goes_into_a_header_and_nowhere_else(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.key = "a-key-of-ours"
    monkeypatch.setenv("QDRANT_API_KEY", "a-key-of-ours\n")
    store = QdrantStore(server.url)
    with pytest.warns(UserWarning, match="insecure connection"):  # the client's own: over http anybody can read it
        store.indexes()
    fill(store, "first")

    assert {asked.key for asked in server.asked} == {"a-key-of-ours"}
    assert "a-key" not in store.spec + store.place + str([asked.body for asked in server.asked])
    store.close()


def test_a_key_that_can_be_none_is_refused_and_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QDRANT_API_KEY", "schlüssel")

    with pytest.raises(UsageError, match="QDRANT_API_KEY holds what no key holds"):
        open_store("qdrant:http://127.0.0.1:9").serving()


@pytest.mark.parametrize(
    ("spec", "code"),
    [
        ("qdrant:http://me:secret@host", "E2017"),
        ("qdrant:http://host?api_key=secret", "E2017"),
        ("qdrant:localhost:6333", "E2004"),
        ("qdrant:http://host:port", "E2004"),
        ("qdrant:http://host,table=a/b", "E2002"),
        ("qdrant:http://host,table=", "E2002"),
    ],
)
def test_an_address_or_name_that_can_be_none_is_refused(spec: str, code: str) -> None:
    with pytest.raises(UsageError) as raised:
        open_store(spec)

    assert raised.value.code == code
    assert "secret" not in str(raised.value)


def test_what_somebody_else_made_is_never_written_over(store: QdrantStore, server: Server) -> None:
    from qdrant_client import QdrantClient, models

    index = fill(store, "first")
    client = QdrantClient(url=server.url, check_compatibility=False)
    client.create_collection("theirs", models.VectorParams(size=4, distance=models.Distance.DOT))
    client.create_collection("docs_theirs", models.VectorParams(size=4, distance=models.Distance.DOT))
    client.update_collection_aliases(
        [
            models.CreateAliasOperation(
                create_alias=models.CreateAlias(collection_name="theirs", alias_name="docs"),
            )
        ]
    )

    for change in (lambda: store.switch(index), lambda: store.switch(None), lambda: fill(store, "second")):
        with pytest.raises(UsageError, match="'docs' is there already, and lexitune did not make it"):
            change()
    assert (store.indexes(), store.serving()) == ([index], None)
    with pytest.raises(UsageError, match="'theirs' is there already"):
        QdrantStore(server.url, table="theirs").create("theirs_1", stamp=Stamp("m", 4))
    client.close()


def test_the_alias_is_not_taken_for_the_index_behind_it(store: QdrantStore) -> None:
    store.switch(fill(store, "first"))

    assert store.stamp("docs") is None


def test_a_qdrant_that_forgets_stamps_is_refused_and_left_as_it_was(store: QdrantStore, server: Server) -> None:
    server.old = True

    with pytest.raises(StageFailed) as raised:
        fill(store, "first")

    assert raised.value.fix == "take Qdrant 1.16 or newer"
    assert [asked.method for asked in server.asked if asked.path == "/collections/docs_first"][-1] == "DELETE"
    server.old = False
    assert fill(store, "first") in store.indexes()


def test_a_graph_is_waited_for(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qdrant, "LOOK_S", 0.0)
    store = QdrantStore(server.url, hnsw_from=1)
    index = fill(store, "first")
    server.asked.clear()
    server.status = ["green", "yellow", "grey"]  # the first is read with the stamp

    assert store.build(index)

    looks = [asked.method for asked in server.asked if asked.path == f"/collections/{index}"]
    assert looks == ["GET", "GET", "GET", "PATCH", "GET"]
    server.status = ["green", "red"]
    with pytest.raises(StageFailed, match="cannot be built"):
        store.build(index)
    store.close()
