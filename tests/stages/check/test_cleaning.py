"""A cleaned copy: copies merged, leaks dropped, all of it logged; what was there stays as it was."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.stages.check.making import clean_data, found

from lexitune.errors import UsageError
from lexitune.io.dataset import read_folder
from lexitune.io.quarantine import Quarantine
from lexitune.stages.check.cleaning import clean, write_clean
from lexitune.types import Doc, Query


def test_clean_data_stays_as_it_is() -> None:
    raw = clean_data()

    assert clean(raw) == (raw, [])


def test_copies_are_merged_with_their_judgements_and_leaks_dropped() -> None:
    raw = clean_data()
    docs = [*raw.docs, Doc("copy", raw.docs[3].text.upper())]
    queries = {
        **raw.queries,
        "twice": Query("twice", raw.queries["q04"].text),
        "leak": Query("leak", raw.queries["q19"].text),
    }
    train = {**raw.qrels["train"], "q03": {"copy": 2}, "twice": {"d05": 1}, "leak": {"d19": 1}, "none": {"d01": 0}}
    queries["none"] = Query("none", "is there no answer")

    made, log = clean(
        replace(
            raw,
            docs=docs,
            queries=queries,
            qrels={**raw.qrels, "train": train},
            weights={"q03": {"copy": 2.0}, "q00": {"d00": 0.5}},
        )
    )

    assert [doc.doc_id for doc in made.docs] == [doc.doc_id for doc in raw.docs]
    assert made.qrels["train"] == {**raw.qrels["train"], "q03": {"d03": 2}, "q04": {"d04": 1, "d05": 1}}
    assert made.qrels["test"] == raw.qrels["test"]
    assert made.weights == {"q00": {"d00": 0.5}}
    assert [(row["what"], row["id"]) for row in log] == [
        ("passage merged", "copy"),
        ("query merged", "twice"),
        ("query dropped", "leak"),
        ("query dropped", "none"),
    ]
    assert {one.mark for name, one in found(made).items() if name != "unjudged"} == {"ok"}


def test_the_copy_reads_back_and_the_log_lies_beside_it(tmp_path: Path) -> None:
    raw = clean_data()
    dirty = replace(raw, docs=[*raw.docs, Doc("copy", raw.docs[3].text)])
    quarantine = Quarantine()
    quarantine.reject(tmp_path / "corpus.jsonl", 7, "no JSON", "{")

    log = write_clean(tmp_path / "cleaned", *clean(dirty), quarantine)
    again = read_folder(tmp_path / "cleaned", Quarantine(max_share=0.0))

    assert (list(again.docs), again.queries, again.qrels) == (raw.docs, raw.queries, raw.qrels)
    rows = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    assert [row["what"] for row in rows] == ["passage merged", "line left out"]
    assert (rows[1]["line"], rows[1]["reason"]) == (7, "no JSON")


def test_a_folder_with_files_is_never_written_into(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")

    with pytest.raises(UsageError) as caught:
        write_clean(tmp_path, *clean(clean_data()), Quarantine())

    assert caught.value.code == "E2122"
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
