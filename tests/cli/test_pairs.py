"""`lexitune collect pairs` and `lexitune export pairs`: labels come in from others, and go out to them."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from lexitune.cli.main import main
from lexitune.fingerprint import hash_file
from lexitune.io.dataset import open_data
from lexitune.io.formats.records import Choices
from lexitune.io.formats.registry import read_labels
from lexitune.io.jsonl import read_jsonl
from lexitune.io.quarantine import Quarantine
from lexitune.io.workspace import Meta, Workspace, write_meta

pytestmark = pytest.mark.usefixtures("empty")

ASKED = ("why do cats sleep so long", "where does the river end", "who wrote the first letter")


def call(*args: str) -> Result:
    return CliRunner().invoke(main, list(args))


@pytest.fixture
def labels() -> str:
    rows = "".join(f"question {n},answer {n},2\nquestion {n},answer {(n + 1) % 40},0\n" for n in range(40))
    Path("labels.csv").write_text("frage,antwort,note\n" + rows, encoding="utf-8")
    return "labels.csv"


@pytest.fixture
def workspace() -> Workspace:
    """A workspace whose data were imported, with all three splits."""
    folder = Path("data")
    (folder / "qrels").mkdir(parents=True)
    rows = [f'{{"_id": "d{n}", "text": "passage {n}"}}\n' for n in range(6)]
    (folder / "corpus.jsonl").write_text("".join(rows))
    asked = [f'{{"_id": "q{n}", "text": "{text}"}}\n' for n, text in enumerate(ASKED)]
    (folder / "queries.jsonl").write_text("".join(asked))
    for number, split in enumerate(("train", "dev", "test")):
        (folder / "qrels" / f"{split}.tsv").write_text(
            f"query-id\tcorpus-id\tscore\nq{number}\td{number}\t1\nq{number}\td5\t0\n"
        )
    from lexitune.pipeline.data import import_data

    found = Workspace(Path("work"))
    import_data(found, folder)
    found.config.touch()
    return found


def test_labels_are_collected_and_the_next_command_is_told(labels: str) -> None:
    result = call("collect", "pairs", labels, "--map", "query=frage,doc=antwort,relevance=note", "--json")

    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert (found["queries"], found["docs"], found["right"], found["judgements"]) == (40, 40, 40, {"pairs": 80})
    assert found["formats"] == {labels: "csv"}
    assert result.stderr.splitlines()[-1] == "next: lexitune collect resolve"
    resolved = call("collect", "resolve")
    assert resolved.exit_code == 0, resolved.stderr


def test_the_next_command_names_the_workspaces_own_corpus_where_that_was_taken(workspace: Workspace) -> None:
    Path("few.csv").write_text("query,doc\nx,passage 3\n", encoding="utf-8")

    for _ in ("collected", "collected before"):
        result = call("-C", "work", "collect", "pairs", "few.csv")
        assert result.exit_code == 0, result.stderr
        assert result.stderr.splitlines()[-1] == "next: lexitune -C work collect resolve --corpus work/corpus.jsonl"
    resolved = call("-C", "work", "collect", "resolve", "--corpus", "work/corpus.jsonl", "--json")

    assert json.loads(resolved.stdout)["docs"] == 6


def test_a_file_of_no_known_format_lists_those_that_are(empty: Path) -> None:
    Path("a.txt").write_text("only words\n")

    result = call("collect", "pairs", "a.txt")

    assert result.exit_code == 3
    assert "error[E3022]" in result.stderr
    assert "labelstudio" in result.stderr


@pytest.mark.parametrize("split", ["train", "dev"])
def test_a_split_is_written_for_another_tool(workspace: Workspace, split: str) -> None:
    result = call("-C", "work", "export", "pairs", "out.jsonl", "--format", "flag", "--split", split, "--json")

    assert result.exit_code == 0, result.stderr
    number = {"train": 0, "dev": 1}[split]
    lines = [row for _, row in read_jsonl(Path("out.jsonl"), Quarantine())]
    assert lines == [
        {"query": ASKED[number], "pos": [f"passage {number}"], "neg": ["passage 5"]},
    ]
    assert json.loads(result.stdout)["judgements"] == 2


@pytest.mark.parametrize("name", ["beir", "trec", "flag-eval", "nemotron", "llamaindex"])
def test_a_format_with_a_corpus_gets_all_of_it(workspace: Workspace, name: str) -> None:
    result = call("-C", "work", "export", "pairs", "out", "--format", name)

    assert result.exit_code == 0, result.stderr
    found = read_labels(Path("out"), name, Quarantine(), choices=Choices())
    assert found.docs.keys() == {doc.doc_id for doc in open_data(workspace).docs}
    assert {one.query_id for one in found.opinions} == {"q0"}


def mined(workspace: Workspace, *, data: str = "", **more: object) -> None:
    """What mining leaves: d0 is right, d5 was judged wrong, d3 is a negative that nobody judged."""
    row = {"query_id": "q0", "positives": ["d0"], "negatives": ["d5", "d3"], **more}
    path, report = workspace.root / "examples.parquet", workspace.reports / "mine.json"
    pq.write_table(pa.table({name: [value] for name, value in row.items()}), path)
    report.parent.mkdir(exist_ok=True)
    report.write_text("{}")
    inputs, outputs = {"data": data or hash_file(workspace.dataset)}, {path.name: hash_file(path)}
    write_meta(report, Meta("mine", {}, inputs, outputs=outputs))


# Of each training format: what stands in its rows for a right passage and two wrong ones.
ROWS = {
    "flag": {"query": ASKED[0], "pos": ["passage 0"], "neg": ["passage 5", "passage 3"]},
    "automodel": {"query": ASKED[0], "pos_doc": ["passage 0"], "neg_doc": ["passage 5", "passage 3"]},
    "st": {"anchor": ASKED[0], "positive": "passage 0", "negative_1": "passage 5", "negative_2": "passage 3"},
    "tevatron": {
        "query_id": "q0",
        "query": ASKED[0],
        "positive_passages": [{"docid": "d0", "text": "passage 0"}],
        "negative_passages": [{"docid": "d5", "text": "passage 5"}, {"docid": "d3", "text": "passage 3"}],
    },
}


@pytest.mark.parametrize("name", ROWS)
def test_mined_negatives_are_written_as_rows_for_training(workspace: Workspace, name: str) -> None:
    mined(workspace)

    result = call("-C", "work", "export", "pairs", "out.jsonl", "--format", name, "--mined")

    assert result.exit_code == 0, result.stderr
    assert [row for _, row in read_jsonl(Path("out.jsonl"), Quarantine())] == [ROWS[name]]
    assert "export: 1 wrong passages were mined, nobody judged them" in result.stderr


def own(workspace: Workspace, *query_ids: str) -> None:
    """Examples that a user wrote: of each query d0 is right and d3 wrong."""
    rows = [{"query_id": name, "positives": ["d0"], "negatives": ["d3"]} for name in query_ids]
    pq.write_table(pa.Table.from_pylist(rows), workspace.root / "examples.parquet")


def test_examples_that_training_passes_over_are_not_exported(workspace: Workspace) -> None:
    own(workspace, "nobody", "q0", "q1")  # q1 is asked in dev

    result = call("-C", "work", "export", "pairs", "out.jsonl", "--format", "flag", "--mined")

    assert result.exit_code == 0, result.stderr
    rows = [row for _, row in read_jsonl(Path("out.jsonl"), Quarantine())]
    assert rows == [{"query": ASKED[0], "pos": ["passage 0"], "neg": ["passage 3"]}]
    assert "export: 2 examples are of no train query with a right passage: left out" in result.stderr


@pytest.mark.parametrize("name", ["flag", "hf", "nemotron"])
def test_mined_negatives_come_back_with_the_scores_of_a_teacher(workspace: Workspace, name: str) -> None:
    mined(workspace, teacher_scores=[4.0, 0.5, -1.5])

    result = call("-C", "work", "export", "pairs", "out.jsonl", "--format", name, "--mined")

    assert result.exit_code == 0, result.stderr
    found = read_labels(Path("out.jsonl"), name, Quarantine(), choices=Choices())
    said = [(found.docs[one.doc_id].text, one.relevance, one.score) for one in found.opinions]
    scores = [None] * 3 if name == "hf" else [4.0, 0.5, -1.5]
    assert said == [("passage 0", 1, scores[0]), ("passage 5", 0, scores[1]), ("passage 3", 0, scores[2])]


@pytest.mark.parametrize(
    ("args", "code", "told"),
    [
        (["--format", "beir"], "E3026", "'beir' holds judgements, and mined negatives are none"),
        (["--format", "flag", "--split", "dev"], "E3028", "negatives are mined for train, not for dev"),
        (["--format", "flag"], "E3325", "was mined from other data"),
    ],
)
def test_mined_negatives_that_have_no_place_are_refused(
    workspace: Workspace, args: list[str], code: str, told: str
) -> None:
    mined(workspace, data="other")

    result = call("-C", "work", "export", "pairs", "out", *args, "--mined")

    assert f"error[{code}]" in result.stderr
    assert told in result.stderr
    assert not Path("out").exists()


def test_without_a_mining_there_is_nothing_to_export(workspace: Workspace) -> None:
    result = call("-C", "work", "export", "pairs", "out", "--format", "flag", "--mined")

    assert "error[E3325]" in result.stderr
    assert "fix: lexitune -C work mine" in result.stderr


def test_the_test_judgements_stay_sealed(workspace: Workspace) -> None:
    result = call("-C", "work", "export", "pairs", "out", "--format", "beir", "--split", "test")

    assert result.exit_code == 3
    assert "error[E3025]" in result.stderr
    assert not Path("out").exists()
    assert not workspace.openings.exists()


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["out", "--format", "flagg"], "E2003"),
        (["out", "--format", "flag", "--split", "all"], "E3028"),
        (["taken", "--format", "flag"], "E2122"),
        (["out"], "E2012"),
    ],
)
def test_an_export_that_cannot_be_made_says_why(workspace: Workspace, args: list[str], code: str) -> None:
    Path("taken").touch()

    result = call("-C", "work", "export", "pairs", *args)

    assert f"error[{code}]" in result.stderr


def test_what_the_format_has_no_room_for_is_told(workspace: Workspace) -> None:
    result = call("-C", "work", "export", "pairs", "out.json", "--format", "llamaindex")

    assert "export: 1 wrong passages are left out" in result.stderr
