"""pgvector: what is its own beside the contract: names, grants, passwords, readers while it switches."""

from collections.abc import Iterator
from itertools import count

import numpy as np
import psycopg
import pytest

from lexitune.errors import StageFailed, UsageError
from lexitune.fingerprint import hash_text
from lexitune.stores.pgvector import PgvectorStore
from lexitune.stores.store import Stamp, open_store
from lexitune.types import Doc

NUMBERS = count()
LONG = "".join(hash_text(str(number)) for number in range(300))  # too long for a key of an index, however it is packed


@pytest.fixture
def store(postgres: str) -> Iterator[PgvectorStore]:
    opened = PgvectorStore(postgres, table=f"own{next(NUMBERS)}")
    yield opened
    opened.close()


def fill(store: PgvectorStore, model: str, *, dim: int) -> str:
    index = f"{store.alias}_{model}"
    store.create(index, stamp=Stamp(model, dim))
    store.upsert(index, [Doc("d1", "text")], np.ones((1, dim), np.float32), row_hashes=["h"])
    return index


@pytest.mark.parametrize("dims", [(4, 8), (4, 2500), (2500, 4)])
def test_a_switch_keeps_what_others_may_read(store: PgvectorStore, postgres: str, dims: tuple[int, int]) -> None:
    store.switch(fill(store, "first", dim=dims[0]))
    role = f"reader_{store.alias}"
    with psycopg.connect(postgres) as db:
        db.execute(f"CREATE ROLE {role}")
        db.execute(f"GRANT SELECT ON {store.alias} TO {role}")

    store.switch(fill(store, "second", dim=dims[1]))

    with psycopg.connect(postgres) as db:
        db.execute(f"SET ROLE {role}")
        assert db.execute(f"SELECT doc_id, model FROM {store.alias}").fetchall() == [("d1", "second")]


def test_a_reader_meets_one_model_before_and_after_a_switch(store: PgvectorStore, postgres: str) -> None:
    first, second = fill(store, "first", dim=4), fill(store, "second", dim=8)
    store.switch(first)
    ask = f"SELECT model, vector_dims(embedding) FROM {store.alias}"
    with psycopg.connect(postgres, autocommit=True) as reader:
        before = reader.execute(ask).fetchall()
        store.switch(second)
        assert (before, reader.execute(ask).fetchall()) == ([("first", 4)], [("second", 8)])


@pytest.mark.parametrize("what", ["TABLE {} (x int)", "VIEW {} AS SELECT 1 AS x"])
def test_what_somebody_else_made_is_never_written_over(store: PgvectorStore, postgres: str, what: str) -> None:
    index = fill(store, "first", dim=4)
    with psycopg.connect(postgres) as db:
        db.execute(f"CREATE {what.format(store.alias)}")

    for change in (lambda: store.switch(index), lambda: store.switch(None), lambda: fill(store, "second", dim=4)):
        with pytest.raises(UsageError, match="lexitune did not make it") as raised:
            change()
        assert raised.value.code == "E2018"


def test_a_user_who_may_make_tables_but_no_schemas(store: PgvectorStore, postgres: str) -> None:
    role = f"app_{store.alias}"
    fill(store, "first", dim=4)  # the extension, and the table of stamps
    with psycopg.connect(postgres) as db:
        db.execute(f"CREATE ROLE {role} LOGIN")
        db.execute(f"GRANT CREATE, USAGE ON SCHEMA public TO {role}")
        db.execute(f"GRANT ALL ON lexitune_indexes TO {role}")

    theirs = PgvectorStore(postgres.replace("postgres:@", f"{role}:@"), table=f"{store.alias}_theirs")
    assert role in theirs.target
    index = fill(theirs, "first", dim=4)
    theirs.switch(index)

    assert theirs.serving() == index
    theirs.close()


def test_what_the_server_refuses_is_not_told_as_a_server_that_is_away(store: PgvectorStore) -> None:
    index = fill(store, "first", dim=4)
    with pytest.raises(StageFailed) as raised:
        store.upsert(index, [Doc(LONG, "text")], np.ones((1, 4), np.float32), row_hashes=["h"])

    assert raised.value.code == "E1303"
    assert "may read and make tables" not in raised.value.fix


def test_of_equal_passages_across_rank_k_the_lower_ids_are_given(store: PgvectorStore) -> None:
    index = f"{store.alias}_ties"
    store.create(index, stamp=Stamp("m", 4))
    docs = [Doc(f"d{row:03}", "text") for row in reversed(range(50))]
    store.upsert(index, docs, np.ones((50, 4), np.float32), row_hashes=["h"] * 50)

    found = store.search(index, np.ones((1, 4), np.float32), query_ids=["q"], k=3, fingerprint="m")

    assert [doc_id for doc_id, _ in found.run("q")] == ["d000", "d001", "d002"]


def test_a_filter_whose_passages_lie_far_away_still_finds_them(postgres: str) -> None:
    """300 of 6,000, all of them the farthest from the query: HNSW gives up before it meets one."""
    # As in a large table: few rows are looked at, and sorting those that pass the filter looks dearer than HNSW.
    options = "-c%20hnsw.max_scan_tuples%3D500%20-c%20enable_sort%3Doff"
    gives_up = PgvectorStore(f"{postgres}&options={options}", table="far", hnsw_from=1)
    vectors = np.random.default_rng(0).standard_normal((6000, 8)).astype(np.float32)
    far = np.argsort(vectors @ vectors[0])[:300].tolist()
    docs = [Doc(f"d{row}", "", metadata={"tenant": "near"}) for row in range(6000)]
    for row in far:
        docs[row] = Doc(f"d{row}", "", metadata={"tenant": "far"})
    gives_up.create("far_1", stamp=Stamp("m", 8))
    gives_up.upsert("far_1", docs, vectors, row_hashes=["h"] * 6000)
    assert gives_up.build("far_1")
    gives_up.set_effort("far_1", 40)

    found = gives_up.search("far_1", vectors[:1], query_ids=["q"], k=10, fingerprint="m", filters=[{"tenant": ["far"]}])

    assert [doc_id for doc_id, _ in found.run("q")] == [f"d{row}" for row in far[:-11:-1]]
    gives_up.close()


def test_a_schema_of_its_own(postgres: str) -> None:
    store = open_store(f"pgvector:{postgres},table=search.passages")
    assert isinstance(store, PgvectorStore)

    store.switch(fill(store, "first", dim=4))

    with psycopg.connect(postgres) as db:
        assert db.execute("SELECT count(*) FROM search.passages").fetchone() == (1,)
    store.close()


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://me:secret@host/db",
        "postgresql:///db?password=secret",
        "host=a password=secret",
        "host=a sslpassword=secret",
    ],
)
def test_a_password_in_the_address_is_refused_and_not_repeated(address: str) -> None:
    with pytest.raises(UsageError) as raised:
        open_store(f"pgvector:{address}")

    assert (raised.value.code, raised.value.fix) == ("E2017", "put it in PGPASSWORD or ~/.pgpass")
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("table", ["", "x" * 41, "ü" * 21])
def test_a_name_that_postgresql_would_cut_is_refused(table: str) -> None:
    with pytest.raises(UsageError):
        open_store(f"pgvector:postgresql:///db,table={table}")


@pytest.mark.parametrize(
    "address", ["postgresql://me:secret/shop", "host=a password='secret", "postgresql://me:secret@host:x/d"]
)
def test_a_password_in_an_address_that_cannot_be_read_is_not_told_again(address: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_store(f"pgvector:{address}")

    assert caught.value.code in ("E2004", "E2017")
    assert "secret" not in str(caught.value)
