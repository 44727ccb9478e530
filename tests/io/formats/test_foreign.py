"""Files as their own tools write them: they are told for what they are, and read as meant."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lexitune.errors import DataError, UsageError
from lexitune.io.beir import made_id
from lexitune.io.formats.cells import write_parquet
from lexitune.io.formats.records import Choices, Labelled, Opinion
from lexitune.io.formats.registry import FORMATS, read_labels, tell_format
from lexitune.io.jsonl import write_jsonl
from lexitune.io.quarantine import Quarantine
from lexitune.types import Doc, Query


def read(path: Path, name: str = "", *, bad: float = 0.0, choices: Choices | None = None) -> Labelled:
    choices = choices or Choices()
    return read_labels(path, name or tell_format(path, choices), Quarantine(max_share=bad), choices=choices)


def refused(path: Path, name: str = "", *, choices: Choices | None = None) -> DataError:
    with pytest.raises(DataError) as caught:
        read(path, name, choices=choices)
    return caught.value


def triples(found: Labelled) -> list[tuple[str, str, int | None]]:
    return [
        (found.queries[one.query_id].text, found.docs[one.doc_id].full_text, one.relevance) for one in found.opinions
    ]


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


FLAG = {"query": "q", "pos": ["a"], "neg": ["b", "c"], "pos_scores": [0.9], "neg_scores": [1, 0.2], "prompt": "P: "}


def test_flagembedding_lines_keep_scores_and_prompt(tmp_path: Path) -> None:
    found = read(put(tmp_path / "a.jsonl", json.dumps(FLAG) + "\n"))

    assert triples(found) == [("q", "a", 1), ("q", "b", 0), ("q", "c", 0)]
    assert [one.score for one in found.opinions] == [0.9, 1.0, 0.2]
    assert [query.metadata for query in found.queries.values()] == [{"prompt": "P: "}]


def test_a_negative_that_is_also_right_is_taken_as_right_and_counted(tmp_path: Path) -> None:
    lines = [{"query": "q", "pos": ["a"], "neg": ["a", "b"]}, {"query": "q", "pos": ["b"], "neg": []}]
    path = put(tmp_path / "a.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    quarantine = Quarantine(max_share=0.0)

    found = read_labels(path, "flag", quarantine, choices=Choices())

    assert triples(found) == [("q", "a", 1), ("q", "b", 1)]
    assert quarantine.notes == ["2 passages stand among the right and the wrong ones of one query: taken as right"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("[1]", "not an object: [1]"),  # fault 8
        ('"x"', 'not an object: "x"'),  # fault 8
        ("null", "not an object: null"),  # fault 8
        ('{"query": "q", "pos": ["a"], "pos_scores": [NaN]}', "NaN is not JSON"),  # fault 8
        ('{"query": "q", "query": "r", "pos": ["a"]}', "the key 'query' stands twice"),  # fault 8
        ('{"query": "\\ud800", "pos": ["a"]}', "half of a surrogate pair: no character"),  # fault 9
        ('{"query": "q", "pos": []}', "no passage in 'pos'"),
        ('{"query": " ", "pos": ["a"]}', "the query is empty"),
        ('{"query": "q", "pos": ["a", null]}', "None is no text"),
        ('{"query": "q", "pos": ["a"], "pos_scores": [1, 2]}', "'pos_scores' is no list as long as 'pos'"),
        ('{"query": "q", "pos": ["a"], "pos_scores": ["high"]}', "the score 'high' is no number"),
    ],
)
def test_a_line_that_cannot_be_used_is_set_aside_with_its_reason(tmp_path: Path, line: str, reason: str) -> None:
    path = put(tmp_path / "a.jsonl", json.dumps(FLAG) + "\n" + line + "\n")
    quarantine = Quarantine(max_share=0.5)

    assert len(read_labels(path, "flag", quarantine, choices=Choices()).opinions) == 3
    assert [(row.line, row.reason) for row in quarantine.rows] == [(2, reason)]


def test_one_byte_that_is_no_text_costs_its_line_alone(tmp_path: Path) -> None:  # fault 3
    good = json.dumps(FLAG).encode() + b"\n"
    (tmp_path / "a.jsonl").write_bytes(good * 200 + b'{"query": "\xff", "pos": ["a"]}\n' + good)
    quarantine = Quarantine()

    assert len(read_labels(tmp_path / "a.jsonl", "flag", quarantine, choices=Choices()).opinions) == 3
    assert [row.line for row in quarantine.rows] == [201]


def test_a_file_that_a_killed_writer_left_is_told(tmp_path: Path) -> None:  # fault 5
    lines = put(tmp_path / "a.jsonl", (json.dumps(FLAG) + "\n") * 2 + '{"query": "q", "po')
    quarantine = Quarantine(max_share=0.5)
    read_labels(lines, "flag", quarantine, choices=Choices())
    whole = put(tmp_path / "a.json", '[\n {"id": 1, "data": {"query": "x"}, "annot')

    assert quarantine.rows[0].reason.startswith("truncated: broken JSON")
    assert refused(whole, "labelstudio").code == "E3008"


def test_a_list_in_place_of_lines_is_refused_with_the_fix(tmp_path: Path) -> None:  # fault 7
    error = refused(put(tmp_path / "a.json", json.dumps([FLAG])), "flag")

    assert (error.code, error.fix[:10]) == ("E3002", "jq -c '.[]")


def test_flagembedding_evaluation_sets_have_ids_of_their_own_names(tmp_path: Path) -> None:
    put(
        tmp_path / "e" / "corpus.jsonl", '{"id": 1, "title": "T", "text": "a"}\n{"id": "2", "title": "", "text": "b"}\n'
    )
    put(tmp_path / "e" / "test_queries.jsonl", '{"id": "q", "text": "x"}\n')
    put(tmp_path / "e" / "test_qrels.jsonl", '{"qid": "q", "docid": "1", "relevance": 1}\n')

    found = read(tmp_path / "e")

    assert found.docs == {"1": Doc("1", "a", "T"), "2": Doc("2", "b")}
    assert found.opinions == [Opinion("q", "1", 1)]
    assert refused(tmp_path / "e", choices=Choices(split="dev")).code == "E3028"


def test_beir_qrels_without_a_header_keep_their_first_line(tmp_path: Path) -> None:  # fault 14
    put(tmp_path / "b" / "corpus.jsonl", '{"_id": "d1", "text": "a"}\n{"_id": "d2", "text": "b"}\n')
    put(tmp_path / "b" / "queries.jsonl", '{"_id": "q", "text": "x"}\n')
    put(tmp_path / "b" / "qrels" / "train.tsv", "q\td1\t1\n")
    put(tmp_path / "b" / "qrels" / "test.tsv", "query-id\tcorpus-id\tscore\nq\td2\t2\n")

    assert read(tmp_path / "b").opinions == [Opinion("q", "d2", 2), Opinion("q", "d1", 1)]
    assert read(tmp_path / "b", choices=Choices(split="train")).opinions == [Opinion("q", "d1", 1)]


@pytest.mark.parametrize("name", ["beir", "mteb"])
def test_a_query_called_as_a_passage_gets_another_id_for_beirs_evaluator(tmp_path: Path, name: str) -> None:  # fault 16
    queries = {"1": Query("1", "x", {"at": "2026"}), "q-1": Query("q-1", "y"), "2": Query("2", "z")}
    docs = {"1": Doc("1", "a"), "q-q-1": Doc("q-q-1", "b")}
    opinions = [Opinion("1", "1", 1), Opinion("q-1", "1", 2), Opinion("2", "q-q-1", 1)]

    told = FORMATS.get(name).write(tmp_path / "b", Labelled(queries, docs, opinions), split="test")

    found = read(tmp_path / "b")
    assert found.docs == docs
    assert found.queries == {
        "q-q-q-1": Query("q-q-q-1", "x", {"at": "2026"}),
        "q-1": queries["q-1"],
        "2": queries["2"],
    }
    assert found.opinions == [Opinion("q-q-q-1", "1", 1), *opinions[1:]]
    assert told[0] == (
        "1 queries bear the id of a passage, which BEIR's evaluator would then drop: they are written under another, "
        "'1' as 'q-q-q-1'"
    )


def trec(folder: Path, qrels: str, *, corpus: bool = True) -> Path:
    put(folder / "queries.tsv", "q1\tfirst question\nq2\tsecond\n")
    if corpus:
        put(folder / "collection.tsv", "d1\tone\nd2\ttwo\n")
    return put(folder / "qrels.dev.txt", qrels)


def test_trec_qrels_take_their_texts_from_beside_them(tmp_path: Path) -> None:
    file = trec(tmp_path, "q1 0 d1 2\nq2 0 d2 -1\n")

    for path in (file, tmp_path):
        assert triples(read(path)) == [("first question", "one", 2), ("second", "two", 0)]


def test_trec_judgements_of_what_is_not_there_are_counted_and_many_refused(tmp_path: Path) -> None:  # fault 15
    file = trec(tmp_path, "q1 0 d1 1\nq9 0 d1 1\nq1 0 d9 1\n")
    quarantine = Quarantine(max_share=0.9)

    assert len(read_labels(file, "trec", quarantine, choices=Choices()).opinions) == 1
    assert quarantine.notes == [
        "1 judgements are of passages that collection.tsv lacks: left out",
        "1 judgements are of queries without a text: left out",
    ]
    assert refused(file).code == "E3004"


def test_trec_judgements_without_a_corpus_keep_the_ids_of_passages(tmp_path: Path) -> None:
    found = read(trec(tmp_path, "q1 0 d1 1\n", corpus=False))

    assert (dict(found.docs), found.opinions) == ({}, [Opinion("q1", "d1", 1)])


def test_ids_with_blanks_are_percent_encoded_in_qrels_and_told_and_still_join(tmp_path: Path) -> None:  # fault 17
    given = Labelled({"a b": Query("a b", "x")}, {"c d": Doc("c d", "a")}, [Opinion("a b", "c d", 1)])

    told = FORMATS.get("trec").write(tmp_path / "t", given, split="train")

    assert (tmp_path / "t" / "qrels.train.txt").read_text() == "a%20b 0 c%20d 1\n"
    assert told == ["2 ids hold white space, which the qrels have percent-encoded: 'a b' as a%20b"]
    assert read(tmp_path / "t").opinions == given.opinions


@pytest.mark.parametrize("name", ["beir", "trec", "flag-eval", "nemotron", "mteb", "hf", "labelstudio"])
def test_an_id_is_never_a_path(tmp_path: Path, name: str) -> None:  # fault 17
    given = Labelled({"../../q": Query("../../q", "x")}, {"/d": Doc("/d", "a")}, [Opinion("../../q", "/d", 1)])
    home = tmp_path / "home"
    home.mkdir()

    FORMATS.get(name).write(home / "out", given, split="train")

    assert [path.name for path in tmp_path.iterdir()] == ["home"]
    assert [path.name for path in home.iterdir()] == ["out"]


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        ([{"anchor": "q", "positive": "a", "negative_1": "b", "negative_2": ""}], [("q", "a", 1), ("q", "b", 0)]),
        ([{"question": "q", "answer": "a", "label": 0}], [("q", "a", 0)]),
        ([{"what": "q", "where": "a"}], [("q", "a", 1)]),
        ([{"anchor": "q", "positive": ["a", "b"], "label": [1, 0]}], [("q", "a", 1), ("q", "b", 0)]),
        ([{"anchor": "q", "positive": "a", "negative": "b", "scores": [0.5, 0.1]}], [("q", "a", 1), ("q", "b", 0)]),
    ],
    ids=["n-tuple", "labelled pair", "by order", "labelled list", "with scores"],
)
def test_rows_for_sentence_transformers_are_read_as_its_trainer_reads_them(
    tmp_path: Path, rows: list[dict[str, Any]], wanted: list[tuple[str, str, int]]
) -> None:
    write_parquet(tmp_path / "a.parquet", list(rows[0]), rows)
    write_jsonl(tmp_path / "a.jsonl", rows)

    assert triples(read(tmp_path / "a.parquet", "st")) == wanted
    assert triples(read(tmp_path / "a.jsonl", "st")) == wanted


def test_a_column_that_is_no_negative_is_ignored_and_named(tmp_path: Path) -> None:  # fault 43
    write_parquet(tmp_path / "a.parquet", ("anchor", "positive", "url"), [{"anchor": "q", "positive": "a", "url": "u"}])
    quarantine = Quarantine()

    assert triples(read_labels(tmp_path / "a.parquet", "st", quarantine, choices=Choices())) == [("q", "a", 1)]
    assert quarantine.notes == ["columns of a.parquet that are not used: url"]


@pytest.mark.parametrize("columns", [{}, {"relevance": "stars"}], ids=["by name", "by map"])
def test_a_grade_is_read_whatever_its_column_is_called(tmp_path: Path, columns: dict[str, str]) -> None:
    column = columns.get("relevance", "relevance")
    rows = [{"anchor": "q", "positive": text, column: grade} for text, grade in (("a", 0), ("b", 2))]
    write_parquet(tmp_path / "p" / "train.parquet", list(rows[0]), rows)

    assert triples(read(tmp_path / "p", "hf", choices=Choices(columns))) == [("q", "a", 0), ("q", "b", 2)]


def test_what_rows_of_texts_cannot_hold_or_lack_is_refused_by_name(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "a.jsonl", [{"anchor": "q", "positive": "a", "who": "Ann"}])

    homeless = refused(tmp_path / "a.jsonl", "st", choices=Choices({"rater": "who", "query_id": "anchor"}))
    missing = refused(tmp_path / "a.jsonl", "st", choices=Choices({"relevance": "stars"}))

    assert (homeless.code, missing.code) == ("E3007", "E3007")
    assert homeless.problem.endswith("which have no place for rater, query_id")
    assert missing.problem.endswith("has no column 'stars'")


def test_a_folder_of_parquet_files_is_read_by_its_split(tmp_path: Path) -> None:
    for name, text in (("train-00000-of-00002", "a"), ("train-00001-of-00002", "b"), ("test-00000-of-00001", "c")):
        row = {"anchor": "q", "positive": text}
        (tmp_path / "p" / "data").mkdir(parents=True, exist_ok=True)
        write_parquet(tmp_path / "p" / "data" / f"{name}.parquet", list(row), [row])

    assert triples(read(tmp_path / "p")) == [("q", "a", 1), ("q", "b", 1)]
    assert triples(read(tmp_path / "p", choices=Choices(split="test"))) == [("q", "c", 1)]
    assert refused(tmp_path / "p", choices=Choices(split="dev")).code == "E3028"


def test_a_bad_row_of_a_folder_of_parquet_files_is_one_of_all_its_rows(tmp_path: Path) -> None:
    for part, first in enumerate(("a", " ")):
        rows = [{"anchor": f"q {part} {n}", "positive": "a" if n else first} for n in range(100)]
        write_parquet(tmp_path / "p" / f"train-{part}.parquet", list(rows[0]), rows)
    quarantine = Quarantine()

    assert len(read_labels(tmp_path / "p", "hf", quarantine, choices=Choices()).opinions) == 199
    assert quarantine.summary() == ["1 of 200 lines of p left out; the first is line 1: the passage is empty"]


def test_a_data_set_of_the_hub_is_read_through_datasets(monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    asked: list[tuple[str, ...]] = []

    def load(*names: str) -> Any:
        asked.append(names)
        return datasets.DatasetDict({"train": datasets.Dataset.from_dict({"anchor": ["q"], "positive": ["a"]})})

    monkeypatch.setattr(datasets, "get_dataset_config_names", lambda name: ["default"])
    monkeypatch.setattr(datasets, "load_dataset", load)

    assert triples(read(Path("hf:owner/name"))) == [("q", "a", 1)]
    assert asked == [("owner/name",)]


def test_a_benchmark_of_the_hub_is_read_from_its_three_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    tables = {
        "corpus": {"_id": ["d1", "d2"], "title": ["T", ""], "text": ["a", "b"]},
        "queries": {"_id": ["q"], "text": ["x"]},
        "default": {"query-id": ["q"], "corpus-id": ["d1"], "score": [2]},
    }

    def load(name: str, config: str) -> Any:
        split = config if config in ("corpus", "queries") else "test"
        return datasets.DatasetDict({split: datasets.Dataset.from_dict(tables[config])})

    monkeypatch.setattr(datasets, "get_dataset_config_names", lambda name: [*tables])
    monkeypatch.setattr(datasets, "load_dataset", load)

    found = read(Path("hf:mteb/name"))

    assert (found.opinions, found.docs["d1"]) == ([Opinion("q", "d1", 2)], Doc("d1", "a", "T"))


def test_a_data_set_that_cannot_be_had_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")

    def load(name: str) -> Iterator[str]:
        raise ConnectionError("no network")

    monkeypatch.setattr(datasets, "get_dataset_config_names", load)

    error = refused(Path("hf:owner/name"))

    assert (error.code, "ConnectionError: no network" in error.problem) == ("E3027", True)


@pytest.mark.parametrize(
    "line",
    [
        {"query": "q", "pos_doc": "a", "neg_doc": ["b"]},
        {"question": "q", "pos_doc": ["a"], "neg_doc": "b"},
        {"query": "q", "pos_doc": {"text": "a"}, "neg_doc": [{"text": "b"}]},
    ],
)
def test_automodel_lines_in_all_their_forms(tmp_path: Path, line: dict[str, Any]) -> None:
    assert triples(read(put(tmp_path / "a.jsonl", json.dumps(line)))) == [("q", "a", 1), ("q", "b", 0)]


def nemotron(folder: Path, corpus: Any = None) -> Path:
    (folder / "corpus").mkdir(parents=True)
    rows = [{"id": "d_1", "text": "a"}, {"id": "d_2", "text": "b"}]
    write_parquet(folder / "corpus" / "train.parquet", ("id", "text"), rows)
    row = {
        "question_id": "q7",
        "question": "x",
        "corpus_id": "c",
        "pos_doc": [{"id": "d_1"}],
        "neg_doc": [{"id": "d_2", "score": -1}],
    }
    put(folder / "corpus" / "merlin_metadata.json", json.dumps({"class": "TextQADataset", "corpus_id": "c"}))
    return put(folder / "train.json", json.dumps({"corpus": corpus or {"path": "./corpus/"}, "data": [row]}))


@pytest.mark.parametrize("corpus", [{"path": "./corpus/"}, [{"path": "corpus"}], "corpus"])
def test_nemotron_sets_find_their_corpus_and_know_unmined_negatives(tmp_path: Path, corpus: Any) -> None:
    found = read(nemotron(tmp_path / "n", corpus))

    assert triples(found) == [("x", "a", 1), ("x", "b", 0)]
    assert found.opinions == [Opinion("q7", "d_1", 1), Opinion("q7", "d_2", 0)]
    assert triples(read(tmp_path / "n")) == triples(found)


def test_the_only_questions_of_a_nemotron_folder_are_read_whatever_their_split(tmp_path: Path) -> None:
    nemotron(tmp_path / "n").rename(tmp_path / "n" / "val.json")

    assert triples(read(tmp_path / "n")) == [("x", "a", 1), ("x", "b", 0)]
    assert refused(tmp_path / "n", choices=Choices(split="test")).fix == "--split val"


def test_a_corpus_outside_the_folder_is_not_read(tmp_path: Path) -> None:  # fault 24
    nemotron(tmp_path / "other")

    for number, named in enumerate(["../other/corpus", str(tmp_path / "other" / "corpus")]):
        assert refused(nemotron(tmp_path / f"n{number}", {"path": named})).code == "E3024"

    file = nemotron(tmp_path / "linked", {"path": "link"})
    (tmp_path / "linked" / "link").symlink_to(tmp_path / "other" / "corpus")
    assert refused(file).code == "E3024"


def test_llamaindex_sets_are_read(tmp_path: Path) -> None:
    whole = {"queries": {"q": "x"}, "corpus": {"d": "a", "e": "b"}, "relevant_docs": {"q": ["d"]}, "mode": "text"}
    for name, indent in (("a.json", 4), ("b.json", None)):
        found = read(put(tmp_path / name, json.dumps(whole, indent=indent)))
        assert (triples(found), list(found.docs)) == ([("x", "a", 1)], ["d", "e"])


def task(number: int, *annotations: dict[str, Any], **data: Any) -> dict[str, Any]:
    return {"id": number, "data": {"query": "x", "text": "a", **data}, "annotations": list(annotations)}


def annotation(answer: Any, by: Any, **more: Any) -> dict[str, Any]:
    kind = "rating" if isinstance(answer, int) else "choices"
    value = {"rating": answer} if isinstance(answer, int) else {"choices": [answer]}
    result = {"from_name": "relevance", "to_name": "text", "type": kind, "value": value}
    return {
        "result": [result],
        "was_cancelled": False,
        "completed_by": by,
        "created_at": "2026-01-02T03:04:05Z",
        **more,
    }


def test_label_studio_annotations_are_one_opinion_a_rater(tmp_path: Path) -> None:
    tasks = [
        task(1, annotation("Relevant", 7), annotation("Not relevant", {"id": 8, "email": "bob@example.org"})),
        task(2, annotation("Relevant", 9, was_cancelled=True), annotation(3, 7), text="b", doc_id=5),
        task(3, text="nobody looked at it"),
        task(4, annotation("cannot judge", 7), text="c"),
    ]
    quarantine = Quarantine(max_share=0.0)
    path = put(tmp_path / "a.json", json.dumps(tasks))

    found = read_labels(path, tell_format(path, Choices()), quarantine, choices=Choices())

    assert triples(found) == [("x", "a", 1), ("x", "a", 0), ("x", "b", 3), ("x", "c", None)]
    assert [one.rater for one in found.opinions] == ["7", "bob@example.org", "7", "7"]
    assert found.opinions[2].doc_id == "5"
    assert quarantine.notes == [
        "1 annotations were skipped by their rater: left out",
        "1 tasks have no annotation: nobody judged them",
    ]


def test_words_that_are_not_known_are_set_aside_until_they_are_given_a_grade(tmp_path: Path) -> None:
    path = put(
        tmp_path / "a.json", json.dumps([task(1, annotation("Partly", 7)), task(2, annotation("Yes", 7), text="b")])
    )
    quarantine = Quarantine(max_share=0.5)

    assert len(read_labels(path, "labelstudio", quarantine, choices=Choices()).opinions) == 1
    assert "'partly' is no number" in quarantine.rows[0].reason
    given = Choices(grades={"partly": 1, "yes": 3})
    assert [one.relevance for one in read(path, choices=given).opinions] == [1, 3]


def test_keys_of_a_label_studio_task_are_mapped(tmp_path: Path) -> None:
    given = {"id": 1, "data": {"frage": "x", "antwort": "a"}, "annotations": [annotation("yes", 1)]}
    choices = Choices({"query": "frage", "doc": "antwort"})

    assert triples(read(put(tmp_path / "a.json", json.dumps([given])), choices=choices)) == [("x", "a", 1)]


def test_a_case_of_quepid_has_queries_without_ratings_and_guarded_texts(tmp_path: Path) -> None:  # fault 23
    path = put(tmp_path / "a.csv", 'query,docid,rating\n" =star trek",1370,3.0\nunrated,,\nother,5,\n" -1",7,0\n')
    quarantine = Quarantine(max_share=0.0)

    found = read_labels(path, tell_format(path, Choices()), quarantine, choices=Choices())

    assert [query.text for query in found.queries.values()] == ["=star trek", "-1"]
    assert [(one.doc_id, one.relevance, one.rater) for one in found.opinions] == [("1370", 3, ""), ("7", 0, "")]
    assert quarantine.notes == ["1 queries have no rating: left out", "1 rows have a passage that nobody rated"]


def test_a_book_of_quepid_has_a_rater_in_each_column(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", "query,docid,Ann,Bob B.\nx,1,2.0,\nx,2,,1.5\ny,1,0,3\n")
    quarantine = Quarantine(max_share=0.5)

    found = read_labels(path, "quepid", quarantine, choices=Choices())

    assert [(one.rater, one.doc_id, one.relevance) for one in found.opinions] == [
        ("Ann", "1", 2),
        ("Ann", "1", 0),
        ("Bob B.", "1", 3),
    ]
    assert [row.line for row in quarantine.rows] == [3]  # fault 18


def test_raters_that_a_book_cannot_keep_apart_are_refused(tmp_path: Path) -> None:
    queries = {made_id("q", "x"): Query(made_id("q", "x"), "x")}
    opinions = [Opinion(made_id("q", "x"), "d", 1, rater) for rater in ("Ann", "ann")]

    with pytest.raises(DataError) as caught:
        FORMATS.get("quepid").write(tmp_path / "a.csv", Labelled(queries, {}, opinions), split="train")

    assert caught.value.code == "E3026"


def test_raters_who_disagree_have_no_place_in_a_format_of_one_answer(tmp_path: Path) -> None:
    opinions = [Opinion("q", "d", 1, "Ann"), Opinion("q", "d", 0, "Bob")]
    given = Labelled({"q": Query("q", "x")}, {"d": Doc("d", "a")}, opinions)

    with pytest.raises(DataError) as caught:
        FORMATS.get("beir").write(tmp_path / "a", given, split="train")

    assert caught.value.code == "E3026"


def test_a_passage_known_by_its_id_alone_has_no_place_among_texts(tmp_path: Path) -> None:
    given = Labelled({"q": Query("q", "x")}, {}, [Opinion("q", "d", 1)])

    for name in ("flag", "beir", "flag-eval", "nemotron", "llamaindex"):
        with pytest.raises(DataError) as caught:
            FORMATS.get(name).write(tmp_path / name, given, split="train")
        assert caught.value.code == "E3322"


def test_a_task_for_mteb_is_a_module_beside_a_beir_folder(tmp_path: Path) -> None:
    given = Labelled({"q": Query("q", "x")}, {"d": Doc("d", "a")}, [Opinion("q", "d", 1)])

    told = FORMATS.get("mteb").write(tmp_path / "my-law 2", given, split="dev")

    source = (tmp_path / "my-law 2" / "my_law_2_task.py").read_text()
    compile(source, "task", "exec")
    assert "class MyLaw2(" in source
    assert 'SPLIT = "dev"' in source
    assert "MyLaw2" in told[-1]
    assert tell_format(tmp_path / "my-law 2", Choices()) == "beir"
    assert refused(tmp_path / "my-law 2", "mteb").code == "E3023"


@pytest.mark.parametrize("text", ["a,b\n1,2\n", "just words\n", '{"a": 1}\n', '{"a": 1,\n"b": 2}', "[1, 2]\n", "[\n1]"])
def test_a_file_of_no_format_is_refused_with_those_that_are_known(tmp_path: Path, text: str) -> None:
    error = refused(put(tmp_path / "a.txt", text))

    assert error.code == "E3022"
    assert all(name in error.fix for name in FORMATS.names())


def test_columns_that_are_mapped_make_any_table_readable(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", "a,b\nx,y\n")

    assert triples(read(path, choices=Choices({"query": "a", "doc": "b"}))) == [("x", "y", 1)]


def test_a_format_that_nobody_knows_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read(put(tmp_path / "a.csv", "query,doc\n"), "labelstudo")

    assert caught.value.code == "E2003"
    assert "labelstudio" in caught.value.fix


def test_an_empty_file_is_refused_whatever_its_name(tmp_path: Path) -> None:  # fault 6
    for name in FORMATS.table:
        if name in ("mteb", "hf", "beir", "trec", "flag-eval", "nemotron"):
            continue
        if name == "xlsx":
            pytest.importorskip("openpyxl")
        assert refused(put(tmp_path / "a", ""), name).code in ("E3003", "E3002", "E3008"), name
