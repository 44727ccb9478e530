"""Live indexes: somebody's table, read as it is."""

from collections.abc import Iterator
from itertools import count

import numpy as np
import psycopg
import pytest
from pgvector.psycopg import register_vector

from lexitune.errors import DataError, LexituneError, StageFailed, UsageError
from lexitune.stores import pgvector_table
from lexitune.stores.live import LiveIndex, open_live
from lexitune.stores.store import Matrix
from lexitune.types import Doc

NUMBERS = count()
VECTORS = np.random.default_rng(3).standard_normal((7, 8)).astype(np.float32)


@pytest.fixture
def db(postgres: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        register_vector(connection)
        yield connection


def table(db: psycopg.Connection, columns: str, *rows: tuple[object, ...]) -> str:
    name = f"live{next(NUMBERS)}"
    db.execute(f"CREATE TABLE {name} ({columns})")
    for row in rows:
        db.execute(f"INSERT INTO {name} VALUES ({', '.join(['%s'] * len(row))})", row)
    return name


def read(live: LiveIndex) -> tuple[list[Doc], Matrix]:
    batches = list(live.read())
    return [doc for docs, _ in batches for doc in docs], np.vstack([matrix for _, matrix in batches])


def test_a_table_as_langchain_makes_it(db: psycopg.Connection, postgres: str) -> None:
    name = table(
        db,
        "id varchar PRIMARY KEY, collection_id uuid, embedding vector, document varchar, cmetadata jsonb",
        ("a", None, VECTORS[0], "first", '{"tenant": "x"}'),
        ("b", None, VECTORS[1], "second", None),
    )

    docs, vectors = read(open_live(f"pgvector:{postgres},table={name}"))

    assert docs == [Doc("a", "first", metadata={"tenant": "x"}), Doc("b", "second")]
    assert np.array_equal(vectors, VECTORS[:2])


def test_whole_numbers_as_ids_half_floats_titles_and_rows_without_a_vector(
    db: psycopg.Connection, postgres: str
) -> None:
    name = table(
        db,
        "id bigint, title text, body text, v halfvec(8)",
        (7, "T", "text", VECTORS[0]),
        (8, None, "more", None),
        (9, None, "rest", VECTORS[2]),
    )
    live = open_live(f"pgvector:{postgres},table=public.{name}")

    docs, vectors = read(live)

    assert docs == [Doc("7", "text", "T"), Doc("9", "rest")]
    assert live.skipped == 1
    assert np.allclose(vectors, VECTORS[[0, 2]], atol=1e-2)


@pytest.mark.parametrize(
    ("columns", "spec", "code", "fix"),
    [
        ("id text, text text, a vector(8), b vector(8)", "", "E2012", "vector=COLUMN"),
        ("id text, a vector(8), words text", "", "E2012", "text=COLUMN"),
        ("number int, text text, a vector(8)", "", "E2012", "doc_id=COLUMN"),
        ("id text, text text, a vector(8)", ",text=texxt", "E2001", "text"),
    ],
)
def test_what_cannot_be_told_is_asked_for(
    columns: str, spec: str, code: str, fix: str, db: psycopg.Connection, postgres: str
) -> None:
    with pytest.raises(UsageError) as raised:
        list(open_live(f"pgvector:{postgres},table={table(db, columns)}{spec}").read())

    assert raised.value.code == code
    assert fix in raised.value.fix


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda db, name: db.execute(f"UPDATE {name} SET v = %s", (np.zeros(8),)), DataError),
        (lambda db, name: db.execute(f"INSERT INTO {name} VALUES ('b', 't', %s)", (np.ones(5),)), DataError),
        (lambda db, name: db.execute(f"DROP TABLE {name}"), DataError),
    ],
    ids=["zeros", "two widths", "gone"],
)
def test_what_no_search_could_use_is_refused(
    change: object, kind: type[LexituneError], db: psycopg.Connection, postgres: str
) -> None:
    name = table(db, "id text, text text, v vector", ("a", "t", VECTORS[0]))
    change(db, name)  # type: ignore[operator]

    with pytest.raises(kind):
        list(open_live(f"pgvector:{postgres},table={name}").read())


def test_two_widths_are_refused_in_whichever_batch_they_stand(
    db: psycopg.Connection, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pgvector_table, "BATCH", 1)
    name = table(db, "id text, text text, v vector", ("a", "t", VECTORS[0]), ("b", "t", VECTORS[1][:5]))

    with pytest.raises(DataError, match="several widths"):
        list(open_live(f"pgvector:{postgres},table={name}").read())


def test_json_that_is_no_object_is_kept_under_the_name_of_its_column(db: psycopg.Connection, postgres: str) -> None:
    rows = [(f"d{row}", "t", VECTORS[row], given) for row, given in enumerate(['["x", "y"]', "null", '{"a": 1}'])]

    docs, _ = read(
        open_live(f"pgvector:{postgres},table={table(db, 'id text, text text, v vector, tags jsonb', *rows)}")
    )

    assert [doc.metadata for doc in docs] == [{"tags": ["x", "y"]}, {}, {"a": 1}]


def test_a_table_that_is_not_there_has_no_state(postgres: str) -> None:
    with pytest.raises(DataError, match="there is no table 'nowhere'"):
        open_live(f"pgvector:{postgres},table=nowhere").state()


@pytest.mark.parametrize("as_view", [False, True])
def test_the_state_tells_any_change(as_view: bool, db: psycopg.Connection, postgres: str) -> None:
    name = table(db, "id text, text text, v vector", ("a", "t", VECTORS[0]), ("b", "t", VECTORS[1]))
    if as_view:
        db.execute(f"CREATE VIEW {name}_view AS SELECT * FROM {name}")
    live = open_live(f"pgvector:{postgres},table={name}{'_view' * as_view}")

    states = [live.state(), live.state()]
    for change in (f"UPDATE {name} SET text = 'u' WHERE id = 'a'", f"DELETE FROM {name} WHERE id = 'b'"):
        db.execute(change)
        states.append(live.state())

    assert states[0] == states[1]
    assert len(set(states)) == 3


def test_a_server_that_is_away() -> None:
    with pytest.raises(StageFailed) as raised:
        open_live("pgvector:postgresql:///x?host=/no/such/socket,table=t").state()

    assert raised.value.code == "E1302"
