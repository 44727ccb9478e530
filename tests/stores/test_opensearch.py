"""OpenSearch: what is its own beside the contract. The server is a small one of ours, not an OpenSearch."""

import base64
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.stores.filling import DOCS, fill, sent, write_vectors
from tests.stores.opensearch_server import Index, Server, serve

from lexitune.errors import StageFailed, UsageError
from lexitune.io.vectors import Vectors
from lexitune.stores import loading, opensearch
from lexitune.stores.loading import load_index
from lexitune.stores.opensearch import OpenSearchStore
from lexitune.stores.store import Stamp, open_store
from lexitune.types import Doc

ONES = np.ones((1, 4), np.float32)


@pytest.fixture
def server() -> Iterator[Server]:
    with serve() as running:
        yield running


@pytest.fixture
def store(server: Server) -> OpenSearchStore:
    return OpenSearchStore(server.url)


@pytest.fixture
def vectors(tmp_path: Path) -> Vectors:
    return write_vectors(tmp_path / "0123456789abcdef")


def test_the_alias_is_taken_and_given_by_one_list_of_actions(store: OpenSearchStore, server: Server) -> None:
    first, second = fill(store, "first"), fill(store, "second")
    store.switch(first)
    server.asked.clear()

    store.switch(second)

    assert sent(server, "/_aliases") == [
        {"actions": [{"remove": {"index": first, "alias": "docs"}}, {"add": {"index": second, "alias": "docs"}}]}
    ]
    assert server.aliases == {"docs": {second}}


def test_scores_are_inner_products_above_and_below_zero(store: OpenSearchStore) -> None:
    store.create("docs_m", stamp=Stamp("m", 2))
    rows = np.array([[1, 0], [0.25, 0], [0, 1], [-0.5, 0], [-3, 0]], np.float32)
    store.upsert("docs_m", DOCS[:5], rows, row_hashes=["h"] * 5)

    found = store.search("docs_m", np.array([[2, 0]], np.float32), query_ids=["q"], k=5, fingerprint="m")

    assert [round(score, 5) for _, score in found.run("q")] == [2.0, 0.5, 0.0, -1.0, -6.0]


def test_of_equal_passages_across_rank_k_the_lower_ids_are_given(store: OpenSearchStore) -> None:
    index = fill(store, "ties", docs=DOCS[::-1])

    found = store.search(index, ONES, query_ids=["q"], k=3, fingerprint="ties")

    assert [doc_id for doc_id, _ in found.run("q")] == ["d000", "d001", "d002"]


def test_an_effort_asks_the_graph_and_what_it_leaves_short_is_compared_whole(
    store: OpenSearchStore, server: Server
) -> None:
    index = fill(store, "first", docs=DOCS[:3])
    store.set_effort(index, 64)

    found = store.search(index, ONES, query_ids=["q"], k=10, fingerprint="first", filters=[{"tenant": ["b"]}])

    graph, whole = (lines[1]["query"] for lines in sent(server, "/_msearch"))
    assert graph["knn"]["embedding"]["method_parameters"] == {"ef_search": 64}
    assert graph["knn"]["embedding"]["filter"] == whole["script_score"]["query"]
    assert [doc_id for doc_id, _ in found.run("q")] == ["d001"]


def test_a_passage_that_a_bulk_refuses_is_told_though_the_answer_is_200(store: OpenSearchStore, server: Server) -> None:
    server.items = [0, 429, 400]

    with pytest.raises(StageFailed) as raised:
        fill(store, "first", docs=DOCS[:3])

    said = "OpenSearch refuses: passage 'd002': 400: some_exception: for some reason"
    assert (raised.value.code, raised.value.args[0]) == ("E1303", said)


def test_an_id_that_is_no_keyword_is_refused_by_its_name(store: OpenSearchStore) -> None:
    with pytest.raises(StageFailed, match=r"passage 'x{60}': 400: illegal_argument_exception: immense term"):
        fill(store, "first", docs=[Doc("x" * 40_000, "text")])


def test_passages_that_were_not_taken_just_now_are_written_once_more(
    store: OpenSearchStore, server: Server, vectors: Vectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "WAITS_S", (0, 0))
    server.items = [0, 429, 503]

    done = load_index(store, vectors, DOCS, queries=vectors.rows(np.arange(3)))

    assert (done.rows, done.agreement, len(sent(server, "/_bulk"))) == (60, 1.0, 2)


@pytest.mark.parametrize("fault", [429, 503])
def test_a_server_that_is_busy_is_waited_for(
    fault: int, store: OpenSearchStore, server: Server, vectors: Vectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "WAITS_S", (0, 0, 0))
    server.faults = [fault, 0, 0, fault, 0, 0, 0, 0, fault]

    done = load_index(store, vectors, DOCS, queries=vectors.rows(np.arange(3)))

    assert (done.rows, done.agreement, server.faults) == (60, 1.0, [])


def test_an_answer_without_some_shards_is_no_answer(store: OpenSearchStore, server: Server) -> None:
    index = fill(store, "first")
    server.lost = 1

    for read in (
        lambda: store.count(index),
        lambda: store.row_hashes(index),
        lambda: store.search(index, ONES, query_ids=["q"], k=1, fingerprint="first"),
    ):
        with pytest.raises(StageFailed, match="1 of 2 shards gave nothing") as raised:
            read()
        assert raised.value.code == "E1302"


def test_more_than_a_search_gives_is_refused_where_it_is_asked(store: OpenSearchStore) -> None:
    index = fill(store, "first")

    with pytest.raises(StageFailed, match="Result window is too large"):
        store.search(index, ONES, query_ids=["q"], k=10_001, fingerprint="first")


def test_all_hashes_are_read_however_many_round_trips_it_takes(
    store: OpenSearchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = fill(store, "first", docs=DOCS)
    monkeypatch.setattr(opensearch, "FETCH", 7)

    assert store.row_hashes(index) == {doc.doc_id: "h" for doc in DOCS}


def test_a_large_write_goes_in_requests_that_a_server_takes(
    store: OpenSearchStore, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opensearch, "REQUEST_BYTES", 1000)

    index = fill(store, "first", docs=DOCS)

    assert len(sent(server, "/_bulk")) > 10
    assert store.count(index) == len(DOCS)


def test_a_server_that_is_away_is_told_as_that() -> None:
    with pytest.raises(StageFailed, match=r"OpenSearch does not answer: http://127\.0\.0\.1:9") as raised:
        open_store("opensearch:http://127.0.0.1:9").serving()

    assert raised.value.code == "E1302"


@pytest.mark.parametrize(
    ("status", "fix"),
    [
        (302, "mend what it names"),
        (400, "mend what it names"),
        (401, "export OPENSEARCH_USERNAME"),
        (403, "export OPENSEARCH_USERNAME"),
    ],
)
def test_what_the_server_refuses_is_told_in_one_line(
    status: int, fix: str, store: OpenSearchStore, server: Server
) -> None:
    server.faults = [status]

    with pytest.raises(StageFailed) as raised:
        store.indexes()

    said = f"OpenSearch refuses: {status}: some_exception: out of order"
    assert (raised.value.code, raised.value.args[0]) == ("E1303", said)
    assert raised.value.fix.startswith(fix)
    assert len(server.asked) == 1  # a redirect is not followed


def test_user_and_password_go_into_a_header_and_nowhere_else(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENSEARCH_USERNAME", "me")
    monkeypatch.setenv("OPENSEARCH_PASSWORD", "geheim-ü")
    store = OpenSearchStore(server.url)
    fill(store, "first")

    assert {asked.authorization for asked in server.asked} == {
        "Basic " + base64.b64encode("me:geheim-ü".encode()).decode()
    }
    assert "geheim" not in store.spec + store.place + str([asked.body for asked in server.asked])


@pytest.mark.parametrize(
    ("spec", "code"),
    [
        ("opensearch:https://me:secret@host", "E2017"),
        ("opensearch:localhost:9200", "E2004"),
        ("opensearch:http://me:secret", "E2004"),
        ("opensearch:https://host,table=Docs", "E2002"),
        ("opensearch:https://host,table=_docs", "E2002"),
    ],
)
def test_an_address_or_name_that_can_be_none_is_refused(spec: str, code: str) -> None:
    with pytest.raises(UsageError) as raised:
        open_store(spec)

    assert raised.value.code == code
    assert "secret" not in str(raised.value)


def test_what_somebody_else_made_is_never_written_over(store: OpenSearchStore, server: Server) -> None:
    index = fill(store, "first")
    server.indexes |= {"theirs": Index({}), "docs_theirs": Index({})}
    server.aliases = {"docs": {"theirs"}}

    for change in (lambda: store.switch(index), lambda: store.switch(None), lambda: fill(store, "second")):
        with pytest.raises(UsageError, match="'docs' is there already, and lexitune did not make it"):
            change()
    assert (store.indexes(), store.serving()) == ([index], None)
    server.aliases = {"docs": {index, "theirs"}}  # a reader of the alias would meet both
    with pytest.raises(UsageError, match="'docs' is there already"):
        store.switch(index)
    with pytest.raises(UsageError, match="'theirs' is there already"):
        OpenSearchStore(server.url, table="theirs").create("theirs_1", stamp=Stamp("m", 4))


def test_the_alias_is_not_taken_for_the_index_behind_it(store: OpenSearchStore) -> None:
    store.switch(fill(store, "first"))

    assert store.stamp("docs") is None
