"""Data sets as they come: what is dropped, merged, added or refused, and that it is told."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lexitune.errors import DataError
from lexitune.io.beir import made_id
from lexitune.io.dataset import read_folder, read_pairs_data, read_record
from lexitune.io.quarantine import Quarantine
from lexitune.io.workspace import Workspace
from lexitune.types import Doc


def folder(root: Path, qrels: dict[str, str], *, docs: int = 3, queries: int = 3) -> Path:
    """A BEIR folder of docs d1.. and queries q1..; qrels by split, one "q1 d1 1" a line."""
    (root / "qrels").mkdir(parents=True)
    (root / "corpus.jsonl").write_text(
        "".join(json.dumps({"_id": f"d{n}", "text": f"doc {n}"}) + "\n" for n in range(1, docs + 1))
    )
    (root / "queries.jsonl").write_text(
        "".join(json.dumps({"_id": f"q{n}", "text": f"query {n}"}) + "\n" for n in range(1, queries + 1))
    )
    for split, lines in qrels.items():
        (root / "qrels" / f"{split}.tsv").write_text(lines.replace(" ", "\t"))
    return root


def test_given_splits_are_kept(tmp_path: Path) -> None:
    raw = read_folder(folder(tmp_path / "d", {"train": "q1 d1 1\n", "test": "q2 d2 1\nq3 d3 2"}), Quarantine())

    assert raw.qrels == {"train": {"q1": {"d1": 1}}, "test": {"q2": {"d2": 1}, "q3": {"d3": 2}}}
    assert raw.notes == []


@pytest.mark.parametrize("name", ["test", "train", "all", "validation"])
def test_one_file_of_judgements_is_no_split(tmp_path: Path, name: str) -> None:
    raw = read_folder(folder(tmp_path / "d", {name: "q1 d1 1\n"}), Quarantine())

    assert raw.qrels == {"all": {"q1": {"d1": 1}}}


def test_packed_files_are_found_by_the_names_that_beir_gives_them(tmp_path: Path) -> None:
    root = folder(tmp_path / "d", {"train": "q1 d1 1\n"})
    for name in ("corpus.jsonl", "queries.jsonl", "qrels/train.tsv"):
        (root / f"{name}.gz").write_bytes(gzip.compress((root / name).read_bytes()))
        (root / name).unlink()

    raw = read_folder(root, Quarantine())

    assert (len(raw.docs), len(raw.queries), raw.qrels) == (3, 3, {"all": {"q1": {"d1": 1}}})


def test_judgements_of_unknown_ids_are_listed_dropped_and_counted(tmp_path: Path) -> None:  # fault 15
    lines = "".join(f"q{n} d{n} 1\n" for n in range(1, 101))
    quarantine = Quarantine(max_share=0.05)

    raw = read_folder(
        folder(tmp_path / "d", {"train": lines + "q1 d999 1\nq999 d1 1\n"}, docs=100, queries=100), quarantine
    )

    assert raw.qrels["all"].keys() == {f"q{n}" for n in range(1, 101)}
    assert [(row.line, row.reason) for row in quarantine.rows] == [
        (101, "no doc 'd999' in the corpus"),
        (102, "no query 'q999'"),
    ]
    assert raw.notes == ["2 of 102 lines of train.tsv left out; the first is line 101: no doc 'd999' in the corpus"]


def test_too_many_judgements_of_unknown_ids_are_refused(tmp_path: Path) -> None:  # fault 15
    with pytest.raises(DataError) as caught:
        read_folder(folder(tmp_path / "d", {"train": "q1 d1 1\nq2 d9 1\n"}), Quarantine())

    assert caught.value.code == "E3004"
    assert "no doc 'd9' in the corpus" in caught.value.problem


def test_queries_without_judgements_or_without_a_relevant_doc_are_told(tmp_path: Path) -> None:  # fault 19
    raw = read_folder(folder(tmp_path / "d", {"train": "q1 d1 1\n", "dev": "q2 d1 0\n"}), Quarantine())

    assert raw.qrels["dev"] == {"q2": {"d1": 0}}
    assert raw.notes == [
        "1 of 3 queries have no judgement: they are not used",
        "1 judged queries have no relevant doc: no measure counts them",
    ]


def test_a_query_and_a_doc_may_have_one_id_and_it_is_told(tmp_path: Path) -> None:  # fault 16
    root = folder(tmp_path / "d", {"train": "q1 q1 1\n"})
    (root / "corpus.jsonl").write_text('{"_id": "q1", "text": "a doc"}\n')

    raw = read_folder(root, Quarantine())

    assert raw.qrels == {"all": {"q1": {"q1": 1}}}
    assert raw.notes[-1].startswith("1 ids name a query and a passage ('q1'): nothing is mixed up here")


def test_a_split_of_another_name_beside_the_known_ones_is_told(tmp_path: Path) -> None:
    lines = {"train": "q1 d1 1\n", "test": "q2 d1 1\n", "hard": "q3 d1 1\n"}

    raw = read_folder(folder(tmp_path / "d", lines), Quarantine())

    assert raw.qrels.keys() == {"train", "test"}
    assert raw.notes[0] == "qrels/hard.tsv is not used: splits are called train, dev and test"


def without(name: str) -> Callable[[Path], None]:
    return lambda root: (root / name).unlink()


@pytest.mark.parametrize(
    ("case", "spoil", "code"),
    [
        ("no corpus", without("corpus.jsonl"), "E3001"),
        ("no queries", without("queries.jsonl"), "E3001"),
        ("no judgements", without("qrels/train.tsv"), "E3001"),
        ("an empty corpus", lambda root: (root / "corpus.jsonl").write_text(""), "E3003"),
        ("no queries in the file", lambda root: (root / "queries.jsonl").write_text("\n"), "E3003"),
        ("only a header", lambda root: (root / "qrels/train.tsv").write_text("query-id\tcorpus-id\tscore\n"), "E3003"),
        ("no folder", lambda root: root.rename(root.with_name("moved")), "E3001"),
    ],
)
def test_what_is_missing_is_refused(tmp_path: Path, case: str, spoil: Callable[[Path], None], code: str) -> None:
    root = folder(tmp_path / "d", {"train": "q1 d1 1\n"})
    spoil(root)

    with pytest.raises(DataError) as caught:
        read_folder(root, Quarantine())

    assert caught.value.code == code, case
    assert caught.value.fix


def pairs_file(root: Path, *pairs: tuple[str, str]) -> Path:
    path = root / "pairs.tsv"
    path.write_text("query\tpassage\n" + "".join(f"{query}\t{doc}\n" for query, doc in pairs))
    return path


def test_pairs_without_a_corpus_are_their_own_corpus_and_the_flattery_is_told(tmp_path: Path) -> None:
    raw = read_pairs_data(pairs_file(tmp_path, ("who?", "he"), ("when?", "now")), None, Quarantine())

    who, he = made_id("q", "who?"), made_id("d", "he")
    assert [doc.text for doc in raw.docs] == ["he", "now"]
    assert raw.qrels["all"][who] == {he: 1}
    assert "recall looks better" in raw.notes[0]


def test_equal_texts_are_one_query_or_doc_white_space_aside(tmp_path: Path) -> None:
    path = pairs_file(tmp_path, ("who is it?", "he"), ("who  is it?", "she"), ("who?", " he"), ("who is it?", "he"))

    raw = read_pairs_data(path, None, Quarantine())

    assert [query.text for query in raw.queries.values()] == ["who is it?", "who?"]
    assert [doc.text for doc in raw.docs] == ["he", "she"]
    assert len(raw.qrels["all"][made_id("q", "who is it?")]) == 2
    assert raw.notes[-1] == "1 pairs of pairs.tsv repeat another: merged"


def test_passages_are_found_in_the_corpus_and_what_is_missing_is_added_with_a_note(tmp_path: Path) -> None:
    corpus = tmp_path / "docs.jsonl"
    rows = [
        {"_id": "a", "text": "the  answer"},
        {"_id": "b", "title": "The", "text": "title"},
        {"text": "no id"},
        {"_id": "c", "text": "the answer"},
    ]
    corpus.write_text("\n".join(json.dumps(row) for row in rows))
    path = pairs_file(tmp_path, ("q1", "the answer"), ("q2", "The title"), ("q3", "no id"), ("q4", "elsewhere"))

    raw = read_pairs_data(path, corpus, Quarantine())

    by_text = {raw.queries[query_id].text: set(grades) for query_id, grades in raw.qrels["all"].items()}
    # "the answer" stands in the corpus twice: both are right.
    assert by_text == {"q1": {"a", "c"}, "q2": {"b"}, "q3": {made_id("d", "no id")}, "q4": {made_id("d", "elsewhere")}}
    assert raw.docs[-1] == Doc(made_id("d", "elsewhere"), "elsewhere")
    assert len(raw.docs) == 5
    assert raw.notes == ["1 passages of pairs.tsv are not in docs.jsonl: they were added to the corpus"]


def test_ids_made_of_texts_are_the_same_on_every_machine() -> None:
    # printf 'who?' | b2sum -l 128, its first 24 digits
    assert made_id("q", "who?") == "q-7c677c49cc1383828aededb8"


def test_weights_of_training_pairs_are_no_split(tmp_path: Path) -> None:
    qrels = {"train": "q1 d1 1\nq2 d2 1\n", "train.weights": "query-id corpus-id weight\nq1 d1 0.5\n"}

    raw = read_folder(folder(tmp_path / "d", qrels, docs=2, queries=2), Quarantine())

    assert raw.qrels == {"all": {"q1": {"d1": 1}, "q2": {"d2": 1}}}
    assert raw.weights == {"q1": {"d1": 0.5}}
    assert raw.notes == []


def test_weights_alone_are_no_judgements(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read_folder(folder(tmp_path / "d", {"train.weights": "q1 d1 0.5\n"}), Quarantine())

    assert caught.value.code == "E3001"


def test_a_record_that_cannot_be_read_is_no_reason_to_import_over_the_data(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.dataset.write_text("{")

    with pytest.raises(DataError) as caught:
        read_record(workspace)

    assert caught.value.code == "E3011"
    assert caught.value.fix.endswith("into another folder: lexitune tune DATA -C DIR")
