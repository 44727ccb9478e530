"""Training rows and benchmarks as their own tools leave them on a disk: Nemotron's questions, Tevatron, MTEB."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lexitune.errors import DataError
from lexitune.io.formats.cells import write_parquet
from lexitune.io.formats.records import Choices, Labelled, Opinion
from lexitune.io.formats.registry import FORMATS, read_labels, tell_format
from lexitune.io.jsonl import read_jsonl, write_jsonl
from lexitune.io.quarantine import Quarantine
from lexitune.types import Doc, Query


def read(path: Path, name: str, *, split: str = "", notes: list[str] | None = None) -> Labelled:
    quarantine, choices = Quarantine(max_share=0.0), Choices(split=split)
    assert tell_format(path, choices) == name
    found = read_labels(path, name, quarantine, choices=choices)
    assert quarantine.notes == (notes or [])
    return found


def triples(found: Labelled) -> list[tuple[str, str, int | None]]:
    return [
        (found.queries[one.query_id].text, found.docs[one.doc_id].full_text, one.relevance) for one in found.opinions
    ]


def record(*pairs: tuple[str, list[int], float], **more: Any) -> dict[str, Any]:
    """What sdg writes of a document with the chunks "one" and "two"."""
    return {
        "file_name": ["law/a.txt"],
        "chunks": [{"chunk_id": 1, "text": "one", "word_count": 1}, {"chunk_id": 2, "text": "two", "word_count": 1}],
        "deduplicated_qa_pairs": [
            {"question": text, "answer": "so", "segment_ids": ids, "query_type": "multi_hop", "hop_count": len(ids)}
            for text, ids, _ in pairs
        ],
        "qa_evaluations": {"evaluations": [{"overall": {"score": score}} for _, _, score in pairs]},
        **more,
    }


PAIRS = [("why?", [1, 2], 9.0), ("what?", [2], 7.0)]


@pytest.mark.parametrize("file", ["a.jsonl", "a.json", "one.json", "a.parquet", "generated.json", "generated.parquet"])
def test_synthetic_questions_are_read_whatever_holds_them(tmp_path: Path, file: str) -> None:
    path, rows = tmp_path / file, [record(*PAIRS)]
    if path.suffix == ".parquet":
        write_parquet(path, list(rows[0]), rows)
    elif path.suffix == ".jsonl":
        write_jsonl(path, rows)
    else:
        path.write_text(json.dumps(rows[0] if file == "one.json" else rows, indent=2))

    found = read(tmp_path if file.startswith("generated") else path, "nemotron-sdg")

    assert triples(found) == [("why?", "one", 1), ("why?", "two", 1), ("what?", "two", 1)]
    assert [doc.metadata for doc in found.docs.values()] == [{"family": "law/a.txt"}] * 2
    assert next(iter(found.queries.values())).metadata == {"query_type": "multi_hop", "hop_count": 2}


@pytest.mark.parametrize(
    ("pairs", "more", "note"),
    [
        ([("bad?", [1], 6.9)], {}, "1 questions have a score below 7: left out"),
        ([("bad?", [3], 9.0)], {}, "1 questions name a chunk that is not there, or none: left out"),
        ([("bad?", [], 9.0)], {}, "1 questions name a chunk that is not there, or none: left out"),
        (
            [("bad?", [1], 9.0)],
            {"qa_evaluations": None},
            "1 records have not as many scores as questions: their questions are left out",
        ),
        ([("bad?", [1], 9.0)], {"qa_evaluations": {"evaluations": [None]}}, "1 questions have no score: left out"),
    ],
    ids=["a low score", "no such chunk", "no chunk", "no scores", "no score"],
)
def test_questions_that_nvidia_drops_are_left_out_and_counted(
    tmp_path: Path, pairs: list[tuple[str, list[int], float]], more: dict[str, Any], note: str
) -> None:
    write_jsonl(tmp_path / "a.jsonl", [record(*PAIRS), record(*pairs, **more)])

    found = read(tmp_path / "a.jsonl", "nemotron-sdg", notes=[note])

    assert [query.text for query in found.queries.values()] == ["why?", "what?"]


def scored(score: object) -> dict[str, Any]:
    return {"qa_evaluations": {"evaluations": [{"overall": {"score": score}}]}}


def asked(**facts: Any) -> dict[str, Any]:
    return {"deduplicated_qa_pairs": [{"question": "bad?", "segment_ids": [1], **facts}]}


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"deduplicated_qa_pairs": ["x"]}, "'x' is no question"),
        ({"deduplicated_qa_pairs": 3}, "'deduplicated_qa_pairs' is no list"),
        (asked(segment_ids=3), "'segment_ids' is no list"),
        (asked(metadata=3), "metadata '3' is no object"),
        ({"qa_evaluations": {"evaluations": 3}}, "'evaluations' is no list"),
        ({"qa_evaluations": [1]}, "qa_evaluations '[1]' is no object"),
        ({"qa_evaluations": {"evaluations": [9.0]}}, "evaluation '9.0' is no object"),
        ({"qa_evaluations": {"evaluations": [{"overall": 9.0}]}}, "overall '9.0' is no object"),
        (scored("9"), "the score '9' is no number"),
        (scored(10**400), f"the score '{str(10**400)[:40]}' is no number"),
    ],
)
def test_a_record_of_another_shape_is_set_aside_alone(tmp_path: Path, more: dict[str, Any], reason: str) -> None:
    write_jsonl(tmp_path / "a.jsonl", [record(*PAIRS), record(("bad?", [1], 9.0)) | more])
    quarantine = Quarantine(max_share=0.5)

    found = read_labels(tmp_path / "a.jsonl", "nemotron-sdg", quarantine, choices=Choices())

    assert [(row.line, row.reason) for row in quarantine.rows] == [(2, reason)]
    assert [query.text for query in found.queries.values()] == ["why?", "what?"]


def test_chunks_of_a_bundle_are_one_family(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "a.jsonl", [record(*PAIRS, file_name=["b.txt", "a.txt"])])

    found = read(tmp_path / "a.jsonl", "nemotron-sdg")

    assert {doc.metadata["family"] for doc in found.docs.values()} == {"a.txt + b.txt"}


def test_a_folder_of_two_kinds_is_refused(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "generated.jsonl", [record(*PAIRS)])
    (tmp_path / "generated.parquet").touch()

    with pytest.raises(DataError) as caught:
        read(tmp_path, "nemotron-sdg")

    assert caught.value.code == "E3002"


@pytest.mark.parametrize(
    "rows",
    [[{"_id": "g1", "text": "made up"}], [record(*PAIRS)], []],
    ids=["queries", "questions that sdg made of its corpus", "nothing"],
)
def test_a_beir_folder_with_a_file_called_generated_stays_one(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    given = Labelled({"q": Query("q", "x")}, {"d": Doc("d", "a")}, [Opinion("q", "d", 1)])
    FORMATS.get("beir").write(tmp_path / "b", given, split="train")
    write_jsonl(tmp_path / "b" / "generated_queries.jsonl", rows)
    write_parquet(tmp_path / "b" / "examples.parquet", ("query_id",), [{"query_id": "q"}])  # as a workspace has one

    assert triples(read(tmp_path / "b", "beir")) == [("x", "a", 1)]


def test_a_split_called_generated_is_a_split(tmp_path: Path) -> None:
    write_parquet(tmp_path / "generated.parquet", ("anchor", "positive"), [{"anchor": "x", "positive": "a"}])

    assert triples(read(tmp_path, "hf")) == [("x", "a", 1)]


def test_a_saved_split_called_generated_is_a_split(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    made = datasets.DatasetDict({"generated": datasets.Dataset.from_dict({"anchor": ["x"], "positive": ["a"]})})
    made.save_to_disk(str(tmp_path / "s"))

    assert triples(read(tmp_path / "s", "hf")) == [("x", "a", 1)]


def test_documents_that_a_question_spans_are_written_as_one_record(tmp_path: Path) -> None:
    docs = {"d1": Doc("d1", "a", "", {"family": "f"}), "d2": Doc("d2", "b"), "d3": Doc("d3", "c", "", {"family": "f"})}
    docs["d/4"] = Doc("d/4", "d")
    queries = {"q1": Query("q1", "x", {"query_type": "structural", "tenant": "t"}), "q2": Query("q2", "y")}
    given = Labelled(queries, docs, [Opinion("q1", "d2", 1), Opinion("q1", "d3", 1), Opinion("q2", "d/4", 1)])

    told = FORMATS.get("nemotron-sdg").write(tmp_path / "a.jsonl", given, split="train")

    rows = [row for _, row in read_jsonl(tmp_path / "a.jsonl", Quarantine())]
    assert [(row["file_name"], [one["text"] for one in row["chunks"]]) for row in rows] == [
        (["d2", "f"], ["a", "b", "c"]),
        (["d%2F4"], ["d"]),
    ]
    assert [pair["segment_ids"] for row in rows for pair in row["deduplicated_qa_pairs"]] == [[2, 3], [1]]
    assert told == []
    found = read(tmp_path / "a.jsonl", "nemotron-sdg")
    assert (dict(found.docs), dict(found.queries), found.opinions) == (docs, queries, given.opinions)


def test_tevatron_takes_ids_with_a_corpus_or_passages_in_the_line(tmp_path: Path) -> None:
    write_jsonl(
        tmp_path / "corpus.jsonl",
        [{"docid": "1", "text": "a", "image": None}, {"docid": "2", "document_text": "b"}, {"docid": "3", "text": "c"}],
    )
    ids = {"query_id": "q", "query_text": "x", "positive_document_ids": ["1"], "negative_document_ids": ["2"]}
    write_jsonl(tmp_path / "ids.jsonl", [ids])
    passages = {"positive_passages": [{"docid": "1", "title": "T", "text": "a"}], "negative_passages": []}
    write_jsonl(tmp_path / "lines.jsonl", [{"query_id": "q", "query": "x", **passages}])

    found, inline = read(tmp_path / "ids.jsonl", "tevatron"), read(tmp_path / "lines.jsonl", "tevatron")

    assert triples(found) == [("x", "a", 1), ("x", "b", 0)]
    assert list(found.docs) == ["1", "2", "3"]
    assert (inline.docs, inline.opinions) == ({"1": Doc("1", "a", "T")}, [Opinion("q", "1", 1)])


def test_ids_of_tevatron_without_a_corpus_stay_ids(tmp_path: Path) -> None:
    row = {"query_id": 7, "query_text": "x", "positive_document_ids": [1], "negative_document_ids": None}
    write_jsonl(tmp_path / "ids.jsonl", [row])

    found = read(tmp_path / "ids.jsonl", "tevatron")

    assert (dict(found.docs), found.opinions) == ({}, [Opinion("7", "1", 1)])


@pytest.mark.parametrize("title", ["", "T"])
def test_tevatron_gets_titles_of_all_passages_or_of_none(tmp_path: Path, title: str) -> None:
    docs = {"d1": Doc("d1", "a", title), "d2": Doc("d2", "b")}
    given = Labelled({"q": Query("q", "x")}, docs, [Opinion("q", "d1", 1), Opinion("q", "d2", 0)])

    FORMATS.get("tevatron").write(tmp_path / "a.jsonl", given, split="train")

    (row,) = [row for _, row in read_jsonl(tmp_path / "a.jsonl", Quarantine())]
    assert [sorted(one) for side in ("positive", "negative") for one in row[f"{side}_passages"]] == [
        ["docid", "text", "title"] if title else ["docid", "text"]
    ] * 2


def test_a_query_without_a_negative_is_told_when_written_for_tevatron(tmp_path: Path) -> None:
    given = Labelled({"q": Query("q", "x")}, {"d": Doc("d", "a")}, [Opinion("q", "d", 1)])

    told = FORMATS.get("tevatron").write(tmp_path / "a.jsonl", given, split="train")

    assert told == ["1 queries have no negative: Tevatron stops at them unless train_group_size is 1"]


def repository(home: Path, judged: str = "qrels", *, splits: tuple[str, ...] = ("test",)) -> Path:
    """A benchmark as it is fetched from the Hub; each split has a query and a judgement of its own."""
    (home / "corpus").mkdir(parents=True)
    (home / "queries").mkdir()
    (home / judged).mkdir()
    rows = [{"id": "d1", "title": "T", "text": "a"}, {"id": "d2", "title": "", "text": "b"}]
    write_parquet(home / "corpus" / "corpus-00000-of-00001.parquet", ("id", "title", "text"), rows)
    for split in splits:
        file = f"{split}-00000-of-00001.parquet"
        write_parquet(home / "queries" / file, ("id", "text"), [{"id": f"q-{split}", "text": split}])
        row = {"query-id": f"q-{split}", "corpus-id": "d1", "score": 2}
        write_parquet(home / judged / file, list(row), [row])
    return home


@pytest.mark.parametrize("judged", ["qrels", "data", "default"])
def test_a_benchmark_that_was_fetched_is_read_from_its_three_folders(tmp_path: Path, judged: str) -> None:
    found = read(repository(tmp_path / "r", judged), "hf")

    assert (found.opinions, found.docs["d1"]) == ([Opinion("q-test", "d1", 2)], Doc("d1", "a", "T"))
    assert list(found.docs) == ["d1", "d2"]


def test_a_benchmark_of_several_splits_takes_the_queries_of_the_one_that_is_named(tmp_path: Path) -> None:
    home = repository(tmp_path / "r", splits=("dev", "test"))

    assert triples(read(home, "hf", split="dev")) == [("dev", "T a", 2)]
    with pytest.raises(DataError) as caught:
        read(home, "hf")
    assert caught.value.code == "E3028"


def test_a_benchmark_without_judgements_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read(repository(tmp_path / "r", "top_ranked"), "hf")

    assert caught.value.code == "E3001"
