"""Labels of others into a workspace: opinions under their rater's name, passages under the corpus's ids."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.heard import Heard

from lexitune.errors import DataError, UsageError
from lexitune.io.formats.cells import write_parquet
from lexitune.io.jsonl import write_jsonl
from lexitune.io.judgements import read_collection
from lexitune.io.workspace import Workspace
from lexitune.sources.dataset import build_data
from lexitune.sources.options import PairsOptions
from lexitune.sources.pairs import collect_pairs, read_choices
from lexitune.sources.resolve import kind_of


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "work")


def put(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_an_opinion_bears_its_rater_or_the_collection_and_both_are_experts(
    tmp_path: Path, workspace: Workspace
) -> None:
    file = put(tmp_path / "a.csv", "query,doc,relevance,rater\nx,a,2,Ann\nx,b,0,click\nx,c,1,\n")

    found = collect_pairs(workspace, [file], name="law")

    assert found is not None
    judged = read_collection(workspace, "law").judgements
    assert [(one.source, one.judge, one.relevance) for one in judged] == [
        ("Ann", "Ann", 2),
        ("expert:click", "click", 0),
        ("law", "", 1),
    ]
    assert {kind_of(one.source) for one in judged} == {"expert"}
    assert (found.queries, found.docs, found.right, found.unanswered) == (1, 3, 2, 0)


def test_what_is_personal_in_experts_labels_stays(tmp_path: Path, workspace: Workspace) -> None:
    file = put(tmp_path / "a.csv", "query,doc\nmail ann@example.org,a\n")

    collect_pairs(workspace, [file])

    assert [one.text for one in read_collection(workspace, "pairs").queries.values()] == ["mail ann@example.org"]


def test_passages_take_the_ids_of_the_corpus_and_equal_texts_all_of_them(tmp_path: Path, workspace: Workspace) -> None:
    file = put(tmp_path / "a.csv", "query,doc\nx,one  text\nx,T two\nx,new\n")
    corpus = tmp_path / "c.jsonl"
    rows = [("1", "one text", ""), ("2", "one text", ""), ("3", "two", "T"), ("4", "other", "")]
    write_jsonl(corpus, ({"_id": name, "text": text, "title": title} for name, text, title in rows))

    found = collect_pairs(workspace, [file], corpus=corpus)

    assert found is not None
    collected = read_collection(workspace, "pairs")
    assert [one.doc_id for one in collected.judgements][:3] == ["1", "2", "3"]
    assert [doc.text for doc in collected.docs] == ["one text", "one text", "two", "new"]


def test_judgements_of_passages_that_the_corpus_lacks_are_counted_and_too_many_refused(
    tmp_path: Path, workspace: Workspace
) -> None:  # fault 15
    write_jsonl(tmp_path / "c.jsonl", [{"_id": "1", "text": "one"}, {"_id": "2", "text": "two"}])
    few = put(tmp_path / "few.csv", "query,docid,rating\nx,1,1\nx,2,0\nx,9,1\n")
    heard = Heard()

    with pytest.raises(DataError) as caught:
        collect_pairs(workspace, [few], corpus=tmp_path / "c.jsonl")
    found = collect_pairs(
        workspace, [few], corpus=tmp_path / "c.jsonl", options=PairsOptions(max_bad_share=0.34), talk=heard
    )

    assert caught.value.code == "E3322"
    assert caught.value.problem == "1 of 3 judgements are of passages that the corpus lacks: '9'"
    assert caught.value.fix.endswith("or leave these out with --max-bad-share 0.34")
    assert found is not None
    assert (found.missing, sum(found.judgements.values())) == (["9"], 2)
    assert [doc.doc_id for doc in read_collection(workspace, "pairs").docs] == []  # never an empty passage
    assert "pairs: 1 judgements are of passages that the corpus lacks, left out: '9'" in heard.lines


def test_an_id_of_the_corpus_with_another_text_is_refused(tmp_path: Path, workspace: Workspace) -> None:  # fault 13
    write_jsonl(tmp_path / "c.jsonl", [{"_id": "1", "text": "one"}])
    file = put(tmp_path / "a.csv", "query,doc,doc_id\nx,two,1\n")

    with pytest.raises(DataError) as caught:
        collect_pairs(workspace, [file], corpus=tmp_path / "c.jsonl")

    assert caught.value.code == "E3005"


def test_what_was_read_and_left_out_is_told_by_reason(tmp_path: Path, workspace: Workspace) -> None:
    lines = ["x,a,1", "y,a,0", *(f"z,d{number},{number}.5" for number in range(3))]  # fault 18
    file = put(tmp_path / "a.csv", "query,doc,relevance\n" + "\n".join(lines))
    heard = Heard()

    found = collect_pairs(workspace, [file], options=PairsOptions(max_bad_share=0.6), talk=heard)

    assert found is not None
    assert found.left_out == [("a.csv", "the score '...' is no whole number from 0 to 1000", 3)]
    assert found.unanswered == 1  # fault 19
    assert "pairs: a.csv read as csv" in heard.lines
    assert "pairs: 3 left out of a.csv: the score '...' is no whole number from 0 to 1000" in heard.lines
    assert "pairs: 1 judged queries have no right passage: no measure counts them" in heard.lines
    assert "pairs: 2 judgements from pairs" in heard.lines
    rejected = [
        json.loads(line) for line in (workspace.collected / "pairs" / "quarantine.jsonl").read_text().splitlines()
    ]
    assert [row["line"] for row in rejected] == [4, 5, 6]


def test_rows_that_are_set_aside_are_written_down_also_where_they_are_too_many(
    tmp_path: Path, workspace: Workspace
) -> None:
    file = put(tmp_path / "a.csv", "query,doc,relevance\nx,a,1\nx,b,good\n")

    with pytest.raises(DataError) as caught:
        collect_pairs(workspace, [file])

    assert caught.value.code == "E3004"
    assert (workspace.collected / "pairs" / "quarantine.jsonl").exists()


def test_the_same_files_are_read_once(tmp_path: Path, workspace: Workspace) -> None:
    file = put(tmp_path / "a.csv", "query,doc\nx,a\n")

    assert collect_pairs(workspace, [file]) is not None
    assert collect_pairs(workspace, [file]) is None
    assert collect_pairs(workspace, [file], options=PairsOptions(format="csv")) is not None
    put(file, "query,doc\nx,b\n")
    assert collect_pairs(workspace, [file]) is not None


def write_corpus(path: Path, text: str) -> None:
    """One passage, d1, as the ending of the path has it."""
    path.parent.mkdir(exist_ok=True)
    if path.suffix == ".parquet":
        write_parquet(path, ("id", "text"), [{"id": "d1", "text": text}])
    else:
        put(path, f"d1\t{text}\n" if path.suffix == ".tsv" else json.dumps({"docid": "d1", "text": text}) + "\n")


@pytest.mark.parametrize(
    ("form", "text", "corpus"),
    [
        ("trec", "q1 0 d1 1\n", "collection.tsv"),
        ("tevatron", '{"query_id": "q1", "query": "x", "positive_document_ids": ["d1"]}\n', "corpus.jsonl"),
        (
            "nemotron",
            '{"corpus": {"path": "./corpus/"}, "data": [{"question_id": "q1", "question": "x", "pos_doc": ["d1"]}]}',
            "corpus/train.parquet",
        ),
    ],
)
def test_what_a_format_reads_beside_its_file_is_read_anew_when_it_changes(
    tmp_path: Path, workspace: Workspace, form: str, text: str, corpus: str
) -> None:
    file, options = put(tmp_path / "named", text), PairsOptions(format=form)
    put(tmp_path / "queries.tsv", "q1\tx\n")
    write_corpus(tmp_path / corpus, "pour it slowly")

    assert collect_pairs(workspace, [file], options=options) is not None
    assert collect_pairs(workspace, [file], options=options) is None
    write_corpus(tmp_path / corpus, "pour it at once")
    assert collect_pairs(workspace, [file], options=options) is not None
    assert [doc.text for doc in read_collection(workspace, "pairs").docs] == ["pour it at once"]


def test_what_lies_beside_a_file_that_reads_nothing_else_is_nothing_to_it(tmp_path: Path, workspace: Workspace) -> None:
    file = put(tmp_path / "a.csv", "query,doc\nx,a\n")

    assert collect_pairs(workspace, [file]) is not None
    put(tmp_path / "corpus.jsonl", '{"_id": "1", "text": "a"}\n')
    assert collect_pairs(workspace, [file]) is None


def test_several_files_of_several_formats_become_one_data_set(tmp_path: Path, workspace: Workspace) -> None:
    table = put(tmp_path / "a.csv", "query,doc,relevance\nx,a,1\nx,b,0\n")
    lines = put(tmp_path / "b.jsonl", '{"query": "y", "pos": ["b"], "neg": ["c"]}\n')

    found = collect_pairs(workspace, [table, lines])
    built = build_data(workspace)

    assert found is not None
    assert list(found.formats.values()) == ["csv", "flag"]
    assert (len(built.gathered.docs), len(built.resolved.qrels)) == (3, 2)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (PairsOptions(map="query"), "E2012"),
        (PairsOptions(map="query=a,query=b"), "E2012"),
        (PairsOptions(map="quary=a"), "E2001"),
        (PairsOptions(grades="good=many"), "E2002"),
        (PairsOptions(grades="good=-1"), "E2002"),
    ],
)
def test_options_that_cannot_be_read_are_refused(options: PairsOptions, code: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_choices(options)

    assert caught.value.code == code


def test_words_are_given_grades_or_none() -> None:
    assert read_choices(PairsOptions(grades="Perfect=3, off topic=0,unsure=none")).grades == {
        "perfect": 3,
        "off topic": 0,
        "unsure": None,
    }


def test_a_file_that_is_not_there_is_refused_before_anything_is_written(tmp_path: Path, workspace: Workspace) -> None:
    with pytest.raises(DataError) as caught:
        collect_pairs(workspace, [tmp_path / "a.csv"])

    assert caught.value.code == "E3001"
    assert not workspace.collected.exists()
