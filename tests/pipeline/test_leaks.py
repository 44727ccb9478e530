"""Leaks at the import: repaired on the side of train and dev, else the run stops, unless they are accepted."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lexitune.errors import DataError
from lexitune.io.beir import write_docs, write_qrels, write_queries
from lexitune.io.options import DataOptions
from lexitune.io.workspace import Workspace
from lexitune.pipeline.data import import_data, open_data, read
from lexitune.types import Dataset, Doc, Query, SealedQrels

COPIED = {n: f"the whole of passage {n} is asked for" for n in range(80, 100)}


def given(
    *,
    queries: Mapping[int, str] | None = None,
    docs: Mapping[int, str] | None = None,
    families: Mapping[int, str] | None = None,
) -> Dataset:
    """100 queries qN, each with its doc dN: 70 train, 10 dev (from q70), 20 test (from q80)."""
    qrels = {f"q{n}": {f"d{n}": 1} for n in range(100)}
    train, dev, test = (
        {query_id: qrels[query_id] for query_id in list(qrels)[start:stop]}
        for start, stop in ((0, 70), (70, 80), (80, 100))
    )
    return Dataset(
        [
            Doc(f"d{n}", (docs or {}).get(n, f"doc {n}"), metadata={"family": (families or {}).get(n, "")})
            for n in range(100)
        ],
        {f"q{n}": Query(f"q{n}", (queries or {}).get(n, f"query {n}")) for n in range(100)},
        {"train": train, "dev": dev},
        SealedQrels(None, len(test), test),
    )


def folder(root: Path, data: Dataset) -> Path:
    """The data as a BEIR folder."""
    assert data.test is not None
    write_docs(root / "corpus.jsonl", data.docs)
    write_queries(root / "queries.jsonl", data.queries.values())
    for name, split in {**data.qrels, "test": data.test.judgements or {}}.items():
        write_qrels(root / "qrels" / f"{name}.tsv", split)
    return root


def sizes(data: Dataset) -> tuple[int, int, int]:
    return len(data.qrels["train"]), len(data.qrels["dev"]), data.test.query_count if data.test else 0


def listed(workspace: Workspace) -> list[dict[str, Any]]:
    return [json.loads(line) for line in workspace.leaks.read_text().splitlines()]


def test_a_leak_is_repaired_on_the_side_of_train_and_dev_and_told(tmp_path: Path) -> None:  # fault 35
    # q0 (train) and q70 (dev) ask what q80 (test) asks; q1 (train) asks what q71 (dev) asks; q2 nearly asks q81's.
    texts = {0: "Query 80?", 70: "query  80", 1: "QUERY 71", 2: "abcdefghijklm", 81: "abcdefghijklmn"}
    workspace = Workspace(tmp_path / "w")

    data = import_data(workspace, given(queries=texts))

    assert sizes(data) == (67, 9, 20)
    assert {"q0", "q1", "q2"}.isdisjoint(data.qrels["train"])
    assert data.notes[-1] == (
        "4 train or dev queries equal a test or dev query, or nearly: dropped (q70 ~ q80, q0 ~ q80, q2 ~ q81, ...); "
        "the test set is as it was"
    )
    assert [
        (row["other_id"], row["query_id"], row["split"], row["kind"], row["dropped"]) for row in listed(workspace)
    ] == [
        ("q70", "q80", "dev", "equal", True),
        ("q0", "q80", "train", "equal", True),
        ("q2", "q81", "train", "near", True),
        ("q1", "q71", "train", "equal", True),
    ]
    near = listed(workspace)[2]
    assert (near["query"], near["other"], near["similarity"]) == ("abcdefghijklmn", "abcdefghijklm", 0.9)


def test_without_a_leak_there_is_no_list(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "w")

    assert sizes(import_data(workspace, given())) == (70, 10, 20)
    assert not workspace.leaks.exists()


def test_leaks_that_cannot_be_repaired_stop_the_run_with_the_pairs_named(tmp_path: Path) -> None:
    workspace, data = Workspace(tmp_path / "w"), given(queries=COPIED, docs=COPIED)

    with pytest.raises(DataError) as importing:
        import_data(workspace, data)
    with pytest.raises(DataError) as reading:
        read(folder(tmp_path / "d", data))

    said = "20 of 20 test queries stand word for word in their own passage: q80 ~ d80, q81 ~ d81, q82 ~ d82, ..."
    assert importing.value.code == reading.value.code == "E3103"
    assert said in importing.value.problem
    assert said in reading.value.problem
    assert str(workspace.leaks) in importing.value.problem
    assert importing.value.fix.endswith("lexitune tune DATA --allow-leaks")
    assert not workspace.dataset.exists()
    assert [(row["query_id"], row["other_id"], row["dropped"]) for row in listed(workspace)] == [
        (f"q{n}", f"d{n}", False) for n in range(80, 100)
    ]


def test_a_run_that_leaks_stopped_can_be_started_again_on_clean_data(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "w")
    with pytest.raises(DataError):
        import_data(workspace, given(queries=COPIED, docs=COPIED))

    import_data(workspace, given())

    assert sizes(open_data(workspace)) == (70, 10, 20)
    assert not workspace.leaks.exists()


def test_one_copied_query_in_twenty_is_told_and_borne(tmp_path: Path) -> None:
    one, two = {80: COPIED[80]}, {80: COPIED[80], 81: COPIED[81]}

    data = import_data(Workspace(tmp_path / "one"), given(queries=one, docs=one))
    with pytest.raises(DataError):
        import_data(Workspace(tmp_path / "two"), given(queries=two, docs=two))

    assert data.notes[-1] == "1 of 20 test queries stand word for word in their own passage: q80 ~ d80"


def test_leaks_that_are_allowed_stay_and_are_told(tmp_path: Path) -> None:
    texts = {0: "Query 80?", **{n: COPIED[n] for n in range(90, 100)}}
    workspace = Workspace(tmp_path / "w")

    data = import_data(workspace, given(queries=texts, docs=COPIED), options=DataOptions(allow_leaks=True))

    assert sizes(data) == (70, 10, 20)
    assert data.notes[-2] == "1 of 20 test queries ask what a train query asks: q80 ~ q0"
    assert data.notes[-1].startswith("10 of 20 test queries stand word for word in their own passage: q90 ~ d90")
    assert [row["dropped"] for row in listed(workspace)] == [False] * 11


def test_one_family_on_two_sides_stops_the_run(tmp_path: Path) -> None:  # fault 36
    data = given(families={0: "f", 80: "f", 71: "g", 81: "g", 1: "h", 2: "h"})

    with pytest.raises(DataError) as caught:
        import_data(Workspace(tmp_path / "w"), data)

    assert caught.value.code == "E3103"
    assert "2 of 20 test queries are of a family that a train or dev query is of: q80 ~ q0, q81 ~ q71" in (
        caught.value.problem
    )


def test_where_queries_bear_times_the_newest_are_the_test_set_and_it_is_told(tmp_path: Path) -> None:
    data = given()
    assert data.test is not None
    queries = {f"q{n}": Query(f"q{n}", f"query {n}", {"at": f"{2000 + n}-01-01"} if n else {}) for n in range(100)}
    one_set = {**data.qrels["train"], **data.qrels["dev"], **(data.test.judgements or {})}

    split = import_data(Workspace(tmp_path / "w"), Dataset(data.docs, queries, {"train": one_set}))

    assert set(split.qrels["dev"]) == {f"q{n}" for n in range(70, 80)}
    assert set(split.qrels["train"]) == {f"q{n}" for n in range(70)}
    assert (
        "were split by group and time (grouped, the newest are held out; 1 of 100 queries bear no time and count as "
        "oldest) into 70 train, 10 dev, 20 test"
    ) in split.notes[-1]
