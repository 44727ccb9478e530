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
    docs = [*raw.docs, Doc("copy", f" {raw.docs[3].text}")]
    queries = {
        **raw.queries,
        "twice": Query("twice", raw.queries["q04"].text),
        "leak": Query("leak", raw.queries["q19"].text),
        "none": Query("none", "is there no answer"),
    }
    train = {**raw.qrels["train"], "q03": {"copy": 2}, "twice": {"d05": 1}, "leak": {"d19": 1}, "none": {"d01": 0}}
    weights = {"q03": {"copy": 2.0}, "q00": {"d00": 0.5}, "twice": {"d05": 3.0}, "leak": {"d19": 4.0}}

    made, log = clean(replace(raw, docs=docs, queries=queries, qrels={**raw.qrels, "train": train}, weights=weights))

    assert (made.docs, made.queries) == (raw.docs, raw.queries)
    assert made.qrels["train"] == {**raw.qrels["train"], "q03": {"d03": 2}, "q04": {"d04": 1, "d05": 1}}
    assert made.qrels["test"] == raw.qrels["test"]
    assert made.weights == {"q03": {"d03": 2.0}, "q00": {"d00": 0.5}, "q04": {"d05": 3.0}}
    assert [(row["what"], row["id"], row["why"]) for row in log] == [
        ("passage merged", "copy", "it is d03 once more"),
        ("train query merged", "twice", "it asks what q04 asks"),
        ("train query dropped", "leak", "it asks what q19 asks, or nearly"),
        ("train query dropped", "none", "it has no right passage"),
    ]
    assert {one.mark for one in found(made).values()} == {"ok"}


def test_a_split_of_which_nothing_is_left_is_dropped(tmp_path: Path) -> None:
    raw = clean_data()
    queries = {**raw.queries, **{f"q{n}": Query(f"q{n}", raw.queries[f"q{n + 6}"].text) for n in range(12, 18)}}

    made, log = clean(replace(raw, queries=queries))
    write_clean(tmp_path / "cleaned", made, log, Quarantine())

    assert log[-1] == {"what": "split dropped", "id": "dev", "why": "nothing is left of it"}
    assert read_folder(tmp_path / "cleaned", Quarantine()).qrels.keys() == {"train", "test"}


def test_test_queries_stay_as_they_are() -> None:
    raw = clean_data()
    queries = {**raw.queries, "q19": Query("q19", raw.queries["q18"].text)}
    qrels = {**raw.qrels, "test": {**raw.qrels["test"], "q20": {"d20": 0}}}

    made, log = clean(replace(raw, queries=queries, qrels=qrels))

    assert (made.qrels["test"], log) == (qrels["test"], [])


def test_weights_of_data_without_splits_are_kept() -> None:
    raw = replace(clean_data(), qrels={"all": clean_data().qrels["train"]}, weights={"q00": {"d00": 0.5}})

    assert clean(raw)[0].weights == {"q00": {"d00": 0.5}}


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
