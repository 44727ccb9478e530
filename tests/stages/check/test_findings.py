"""Check: each planted fault is found and named, and clean data has none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.stages.check.making import clean_data, found

from lexitune.io.dataset import read_folder
from lexitune.io.quarantine import Quarantine
from lexitune.stages.check.findings import equal_groups
from lexitune.types import Doc, Query


def test_clean_data_has_no_fault() -> None:
    findings = found(clean_data())

    assert {one.mark for one in findings.values()} == {"ok"}
    assert findings["data"].said == (
        "24 passages; 12 train queries with 12 pairs, 6 dev queries with 6 pairs, 6 test queries with 6 pairs"
    )
    assert findings["leaks"].said == "no test query is given away by a train or dev query"


def test_a_question_of_two_splits_is_a_fault() -> None:
    raw = clean_data()
    leaking = {**raw.queries, "q00": Query("q00", raw.queries["q20"].text.upper() + "?")}

    finding = found(replace(raw, queries=leaking))["leak: equal"]

    assert (finding.mark, finding.count, finding.examples) == ("fault", 1, ("q20 ~ q00",))
    assert finding.said == "1 of 6 test queries ask what a train query asks"


def test_copies_and_near_copies_of_passages_are_told_apart() -> None:
    raw = clean_data()
    docs = [*raw.docs, Doc("copy", raw.docs[3].text.upper()), Doc("near", raw.docs[5].text + " x")]

    findings = found(replace(raw, docs=docs))

    assert (findings["copies"].count, findings["copies"].examples) == (1, ("d03 ~ copy",))
    assert (findings["near copies"].count, findings["near copies"].examples) == (1, ("d05 ~ near",))


def test_a_query_asked_twice_in_a_split_is_told() -> None:
    raw = clean_data()
    queries = {**raw.queries, "q01": Query("q01", raw.queries["q00"].text)}

    finding = found(replace(raw, queries=queries))["asked twice"]

    assert (finding.mark, finding.count, finding.examples) == ("look", 1, ("q00 ~ q01",))


def test_answers_that_are_none_or_too_many_and_queries_that_nobody_judged() -> None:
    raw = clean_data()
    train = {**raw.qrels["train"], "q00": {"d00": 0}, "q01": {f"d{n:02}": 1 for n in range(11)}}
    queries = {**raw.queries, "free": Query("free", "nobody judged me")}

    findings = found(replace(raw, queries=queries, qrels={**raw.qrels, "train": train}))

    assert findings["unanswered"].examples == ("q00",)
    assert findings["many answers"].examples == ("q01",)
    assert findings["unjudged"].examples == ("free",)


def test_pairs_that_crowd_on_few_passages_are_told() -> None:
    raw = clean_data()
    train = {f"q{n:02}": {"d00": 1} for n in range(12)}
    spread = found(replace(raw, qrels={**raw.qrels, "train": train}))["spread"]
    crowded = found(replace(raw, qrels={"all": {**train, **{f"q{n:02}": {"d01": 1} for n in range(12, 16)}}}))["spread"]

    assert spread.mark == "ok"  # 12 of 24
    assert (crowded.mark, crowded.examples) == ("look", ("d00 (12)",))


def test_short_passages_are_told() -> None:
    raw = clean_data()

    finding = found(replace(raw, docs=[*raw.docs, Doc("s", "see above")]))["short"]

    assert (finding.mark, finding.examples) == ("look", ("s",))


def test_lines_that_are_bad_and_judgements_of_nothing_are_told_by_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "qrels").mkdir()
    (tmp_path / "corpus.jsonl").write_text('{"_id": "d", "text": "a passage of words"}\n{broken\n')
    (tmp_path / "queries.jsonl").write_text('{"_id": "q", "text": "a question"}\n')
    (tmp_path / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\nq\td\t1\nq\tlost\t1\n")
    quarantine = Quarantine(max_share=1.0)

    findings = found(read_folder(tmp_path, quarantine), quarantine)

    assert (findings["lines"].mark, findings["missing"].mark) == ("fault", "fault")
    assert findings["lines"].examples[0].startswith("corpus.jsonl:2: ")
    assert findings["missing"].examples[0].startswith("train.tsv:3: no doc 'lost'")


def test_data_without_a_test_split_has_no_leak_to_look_for() -> None:
    raw = clean_data()

    assert found(replace(raw, qrels={"all": raw.qrels["train"]}))["leaks"].said.startswith("no test split here")


@pytest.mark.parametrize(
    ("texts", "groups"),
    [({}, []), ({"a": "x", "b": "y"}, []), ({"a": "X!", "b": "y", "c": "x", "d": " x "}, [["a", "c", "d"]])],
)
def test_equal_groups(texts: dict[str, str], groups: list[list[str]]) -> None:
    assert equal_groups(texts) == groups
