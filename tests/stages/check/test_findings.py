"""Check: each planted fault is found and named, and clean data has none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.stages.check.making import clean_data, found

from lexitune.io.dataset import read_folder
from lexitune.io.quarantine import Quarantine
from lexitune.stages.check import findings as checks
from lexitune.stages.check.findings import equal_docs, equal_queries
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
    docs = [
        *raw.docs,
        Doc("copy", f" {raw.docs[3].text} "),
        Doc("loud", raw.docs[7].text.upper()),
        Doc("near", raw.docs[5].text + " x"),
    ]

    findings = found(replace(raw, docs=docs))

    assert (findings["copies"].count, findings["copies"].examples) == (1, ("d03 ~ copy",))
    near = findings["near copies"]
    assert (near.count, near.examples) == (2, ("d05 ~ near", "d07 ~ loud"))


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
    crowded = found(replace(raw, qrels={"all": {**train, **{f"q{n:02}": {f"d{n:02}": 1} for n in range(12, 16)}}}))[
        "spread"
    ]

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


def test_a_line_without_an_id_is_a_bad_line_and_not_a_judgement_of_nothing() -> None:
    quarantine = Quarantine()
    quarantine.reject(Path("corpus.jsonl"), 2, "no '_id'", "{}")

    findings = found(clean_data(), quarantine)

    assert (findings["lines"].count, findings["missing"].count) == (1, 0)


def test_what_the_reader_has_to_say_is_told() -> None:
    quarantine = Quarantine()
    quarantine.note("the corpus is the pairs' own 4 passages")
    quarantine.note("3 of 9 queries have no judgement: they are not used")  # a finding of its own

    assert found(clean_data(), quarantine)["note"].said == "the corpus is the pairs' own 4 passages"
    assert [one.said for one in checks.find_faults(clean_data(), quarantine)].count("3 of 9 queries have no") == 0


def test_train_queries_that_a_dev_query_asks_are_told() -> None:
    raw = clean_data()
    queries = {**raw.queries, "q01": Query("q01", raw.queries["q13"].text)}

    finding = found(replace(raw, queries=queries))["leak: dev"]

    assert (finding.mark, finding.examples) == ("look", ("q01 ~ q13",))


def test_where_test_is_sealed_its_queries_are_not_called_unjudged_and_nothing_is_to_be_fixed_there() -> None:
    raw = clean_data()
    open_splits = {name: split for name, split in raw.qrels.items() if name != "test"}
    raw = replace(raw, qrels=open_splits, docs=[*raw.docs, Doc("copy", raw.docs[0].text)])

    findings = {one.name: one for one in checks.find_faults(raw, Quarantine(), sealed=6)}

    assert "unjudged" not in findings
    assert findings["leaks"].said.startswith("6 test queries are sealed")
    assert findings["copies"].fix.startswith("lexitune check DATA --fix OUT")


def test_a_query_judged_in_two_splits_counts_in_each() -> None:
    raw = clean_data()
    qrels = {**raw.qrels, "train": {**raw.qrels["train"], "q12": {"d00": 0}}}  # q12 is a dev query with an answer

    assert found(replace(raw, qrels=qrels))["unanswered"].examples == ("q12",)


def test_few_pairs_on_a_large_corpus_are_not_called_crowded() -> None:
    docs = [Doc(f"d{n}", f"a passage of some words number {n}") for n in range(1000)]
    queries = {f"q{n}": Query(f"q{n}", f"what is number {n}") for n in range(15)}
    raw = clean_data()

    even = replace(raw, docs=docs, queries=queries, qrels={"all": {f"q{n}": {f"d{n}": 1} for n in range(15)}})

    assert found(even)["spread"].mark == "ok"


def test_near_copies_are_not_looked_for_in_too_many_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "MOST_CHARACTERS", 100)

    assert found(clean_data())["near copies"].said.startswith("near copies are not looked for in ")


def test_case_and_metadata_part_passages_and_a_filter_parts_queries() -> None:
    docs = [Doc("a", "ls -l"), Doc("b", "ls -L"), Doc("c", "ls -l", metadata={"tenant": "x"}), Doc("d", "ls  -l")]
    queries = {
        "p": Query("p", "Sort?"),
        "q": Query("q", "sort", {"filter": {"tenant": "x"}}),
        "r": Query("r", " Sort?", {"at": "2024-01-01"}),
        "s": Query("s", "sort?"),
    }

    assert equal_docs(docs) == [["a", "d"]]
    assert equal_queries({name: {} for name in queries}, queries) == [["p", "r"]]
