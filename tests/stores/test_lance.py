"""LanceDB: what other processes see, what a kill leaves, and what many small writes leave on the disk."""

import subprocess
import sys
from pathlib import Path

import lancedb
import numpy as np
import pyarrow as pa
import pytest

from lexitune.errors import DataError, StageFailed, UsageError
from lexitune.search.exact import exact_search
from lexitune.stores.lance import LanceStore
from lexitune.stores.store import Matrix, Stamp, is_whole, open_store
from lexitune.types import Doc

DIM, BATCH = 16, 20
STAMP = Stamp("a" * 64, DIM)

# What an application does, with nothing of ours: a line in is a query, a line out is the index that answered it.
READER = """
import sys, lancedb
db = lancedb.connect(sys.argv[1])
for _ in sys.stdin:
    index = db.open_table("lexitune_aliases").search().where("alias = 'docs'").to_list()[0]["index"]
    found = db.open_table(index).search([1.0] * 16).distance_type("dot").limit(1).to_list()
    print(index, found[0]["text"], flush=True)
"""

WRITER = """
import sys
import numpy as np
from lexitune.stores.store import open_store
from lexitune.types import Doc
store = open_store("lancedb:" + sys.argv[1])
for batch in range(10_000):
    docs = [Doc(f"d{20 * batch + row}", "text") for row in range(20)]
    store.upsert("docs_1", docs, np.ones((20, 16), dtype=np.float32), row_hashes=["hash"] * 20)
    print(batch, flush=True)
"""


def passages(count: int, *, first: int = 0) -> tuple[list[Doc], Matrix]:
    """Passages d<first>, d<first + 1>, ... of a tenant each out of three, with vectors that depend on nothing else."""
    vectors = np.random.default_rng(3).standard_normal((first + count, DIM)).astype(np.float32)[first:]
    docs = [Doc(f"d{row}", f"text {row}", metadata={"tenant": f"t{row % 3}"}) for row in range(first, first + count)]
    return docs, vectors


def fill(store: LanceStore, index: str, count: int, *, first: int = 0) -> None:
    docs, vectors = passages(count, first=first)
    store.create(index, stamp=STAMP)
    store.upsert(index, docs, vectors, row_hashes=["hash"] * count)


def files(store: LanceStore, index: str) -> int:
    """One for each fragment."""
    return len(list((store.folder / f"{index}.lance" / "data").iterdir()))


def rows(store: LanceStore, index: str) -> int:
    """A passage that lies there twice counts twice."""
    return lancedb.connect(store.folder).open_table(index).count_rows()


@pytest.fixture
def store(tmp_path: Path) -> LanceStore:
    return LanceStore(str(tmp_path / "index"))


@pytest.mark.parametrize(
    ("index", "fingerprint", "count", "whole"),
    [
        ("docs_1", STAMP.fingerprint, 3, True),
        ("docs_1", "b" * 64, 3, False),
        ("docs_1", STAMP.fingerprint, 4, False),
        ("docs_2", STAMP.fingerprint, 0, False),
    ],
    ids=["whole", "another model", "a passage is lost", "no such index"],
)
def test_an_index_is_whole_with_its_model_and_all_its_passages(
    index: str, fingerprint: str, count: int, whole: bool, store: LanceStore
) -> None:
    fill(store, "docs_1", 3)

    assert is_whole(store.spec, index, fingerprint=fingerprint, rows=count) == whole


def test_an_application_in_another_process_meets_a_switch_with_its_next_query(store: LanceStore) -> None:
    for index in ("docs_1", "docs_2"):
        store.create(index, stamp=STAMP)
        store.upsert(index, [Doc("d", f"of {index}")], np.ones((1, DIM), dtype=np.float32), row_hashes=["hash"])
    store.switch("docs_1")

    with subprocess.Popen(
        [sys.executable, "-c", READER, store.folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as reader:
        assert reader.stdin is not None
        assert reader.stdout is not None
        answers = []
        for index in ("docs_1", "docs_2", "docs_1"):
            store.switch(index)
            reader.stdin.write("a query\n")
            answers.append(reader.stdout.readline().strip())
        reader.stdin.close()

    assert answers == ["docs_1 of docs_1", "docs_2 of docs_2", "docs_1 of docs_1"]


def test_a_kill_leaves_whole_batches_and_the_next_run_completes_them(store: LanceStore) -> None:
    store.create("docs_1", stamp=STAMP)
    with subprocess.Popen([sys.executable, "-c", WRITER, store.folder], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        while writer.stdout.readline().strip() != "5":
            assert writer.poll() is None
        writer.kill()
    left = len(store.row_hashes("docs_1"))

    assert left >= 6 * BATCH
    assert left % BATCH == 0
    assert rows(store, "docs_1") == left

    # The first of these are there already, the others are not.
    for first in range(0, left + 3 * BATCH, BATCH):
        fill(store, "docs_1", BATCH, first=first)
    assert rows(store, "docs_1") == len(store.row_hashes("docs_1")) == left + 3 * BATCH


def test_many_small_writes_leave_one_fragment(store: LanceStore) -> None:
    docs, vectors = passages(111)
    store.create("docs_1", stamp=STAMP)
    for row in range(110):  # each replaces the second passage of the one before
        store.upsert("docs_1", docs[row : row + 2], vectors[row : row + 2], row_hashes=["hash"] * 2)
    before = files(store, "docs_1")
    assert not store.build("docs_1")

    assert before > 100
    assert files(store, "docs_1") == 1
    assert rows(store, "docs_1") == 111
    assert np.array_equal(store.vectors("docs_1", ["d110", "d7"]), vectors[[110, 7]])


def test_what_serves_keeps_the_version_that_an_application_has_open(store: LanceStore) -> None:
    fill(store, "docs_1", 20)
    store.switch("docs_1")
    held = lancedb.connect(store.folder).open_table("docs_1")
    fill(store, "docs_1", 20, first=10)
    store.build("docs_1")

    assert held.search().to_arrow().num_rows == 20


def test_an_approximate_index_finds_what_was_written_after_it_was_built(store: LanceStore) -> None:
    store.ann_from = 300
    fill(store, "docs_1", 400)
    assert store.build("docs_1")
    store.set_effort("docs_1", store.efforts[-1])
    fill(store, "docs_1", 30, first=390)  # ten replaced, twenty new
    store.delete("docs_1", ["d5"])

    docs, vectors = passages(420)
    asked = [0, 5, 42, 389, 390, 395, 399, 400, 410, 419]  # gone, kept, replaced, new
    ids = [docs[row].doc_id for row in asked]
    for build in (False, True):
        if build:
            assert store.build("docs_1")
        for filters, seen in ((None, range(420)), ([{"tenant": ["t2"]}] * len(asked), range(2, 420, 3))):
            kept = [row for row in seen if row != 5]
            held = (vectors[kept], [docs[row].doc_id for row in kept])
            truth = exact_search(vectors[asked], held, 10, query_ids=ids)
            found = store.search(
                "docs_1", vectors[asked], query_ids=ids, k=10, fingerprint=STAMP.fingerprint, filters=filters
            )
            for query_id in ids:
                mine, best = found.run(query_id), truth.run(query_id)
                assert [doc_id for doc_id, _ in mine] == [doc_id for doc_id, _ in best]
                assert [score for _, score in mine] == pytest.approx([score for _, score in best], abs=1e-5)


def test_a_filter_and_a_deep_search_give_all_there_is_however_few_partitions_are_looked_into(store: LanceStore) -> None:
    store.ann_from = 300
    docs, vectors = passages(2000)
    store.create("docs_1", stamp=STAMP)
    rare = [
        Doc(doc.doc_id, doc.text, metadata={"year": "2024" if row < 30 else "2023"}) for row, doc in enumerate(docs)
    ]
    store.upsert("docs_1", rare, vectors, row_hashes=["hash"] * 2000)
    store.build("docs_1")
    store.set_effort("docs_1", store.efforts[0])
    found = store.search(
        "docs_1",
        vectors[:50],
        query_ids=[f"q{row}" for row in range(50)],
        k=20,
        fingerprint=STAMP.fingerprint,
        filters=[{"year": ["2024"]}] * 50,
    )

    deep = store.search("docs_1", vectors[:1], query_ids=["q"], k=2500, fingerprint=STAMP.fingerprint)

    assert [len(found.run(f"q{row}")) for row in range(50)] == [20] * 50
    assert len(deep.run("q")) == 2000


def test_an_empty_filter_of_values_lets_nothing_through(store: LanceStore) -> None:
    fill(store, "docs_1", 20)
    _, vectors = passages(1)
    found = store.search(
        "docs_1", vectors, query_ids=["q"], k=5, fingerprint=STAMP.fingerprint, filters=[{"tenant": []}]
    )

    assert found.run("q") == []


def test_an_index_without_passages_can_be_built_and_searched(store: LanceStore) -> None:
    store.create("docs_1", stamp=STAMP)
    _, vectors = passages(1)

    assert not store.build("docs_1")
    assert store.search("docs_1", vectors, query_ids=["q"], k=5, fingerprint=STAMP.fingerprint).run("q") == []


@pytest.mark.parametrize("name", ["docs_1", "docs"])
def test_somebody_elses_table_is_refused_and_kept(store: LanceStore, name: str) -> None:
    lancedb.connect(store.folder).create_table(name, pa.table({"theirs": [1, 2, 3]}))

    with pytest.raises(UsageError, match=f"'{name}' is there already") as refused:
        store.create("docs_1", stamp=STAMP)

    assert refused.value.code == "E2018"
    assert rows(store, name) == 3
    assert store.indexes() == []


def test_two_aliases_of_one_folder_do_not_meet(store: LanceStore) -> None:
    other = LanceStore(str(store.folder), table="faq")
    fill(store, "docs_1", 20)
    fill(other, "faq_1", 20)
    store.switch("docs_1")

    assert (store.indexes(), other.indexes(), other.serving()) == (["docs_1"], ["faq_1"], None)
    with pytest.raises(UsageError, match="'docs_1' is there already"):
        other.create("docs_1", stamp=STAMP)
    other.drop("docs_1")
    assert store.indexes() == ["docs_1"]


def test_what_a_kill_left_of_a_creation_is_cleared_away(store: LanceStore, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(store, "docs_1", 20)
    with monkeypatch.context() as killed:
        killed.setattr(LanceStore, "_remove", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            store.drop("docs_1")
    assert (store.indexes(), store.stamp("docs_1")) == ([], None)

    store.create("docs_1", stamp=STAMP)
    assert (store.indexes(), rows(store, "docs_1")) == (["docs_1"], 0)


def test_reading_makes_no_folder(store: LanceStore) -> None:
    assert (store.indexes(), store.serving(), store.stamp("docs_1")) == ([], None, None)
    with pytest.raises(DataError, match="no index 'docs_1'"):
        store.row_hashes("docs_1")

    assert not store.folder.exists()


def test_what_lancedb_says_comes_with_advice(store: LanceStore, tmp_path: Path) -> None:
    with pytest.raises(StageFailed) as refused:
        store.create("a name/with what is not allowed", stamp=STAMP)
    assert refused.value.code == "E1303"

    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StageFailed) as barred:
        open_store(f"lancedb:{tmp_path / 'file'}").create("docs_1", stamp=STAMP)
    assert barred.value.code == "E1303"

    fill(store, "docs_1", 20)
    next((store.folder / "docs_1.lance" / "data").iterdir()).unlink()
    with pytest.raises(StageFailed) as broken:
        store.row_hashes("docs_1")
    assert broken.value.code == "E1302"
    assert ".rs:" not in str(broken.value)


def test_an_address_of_a_server_is_refused() -> None:
    with pytest.raises(UsageError, match="is no folder"):
        open_store("lancedb:s3://bucket/index")


def test_a_password_in_an_address_that_is_no_folder_is_not_told_again() -> None:
    with pytest.raises(UsageError) as caught:
        open_store("lancedb:s3://me:secret@bucket/index")

    assert "secret" not in str(caught.value)


def test_a_folder_with_a_comma_in_its_path_is_found_again_by_its_spec(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a,b=c").mkdir()
    monkeypatch.chdir(tmp_path / "a,b=c")
    made = open_store("lancedb:index,table=items")
    made.create("items_1", stamp=STAMP)

    monkeypatch.chdir(tmp_path)
    again = open_store(made.spec)

    assert (again.place, again.indexes()) == (made.place, ["items_1"])
    assert (tmp_path / "a,b=c" / "index" / "items_1.lance").is_dir()
