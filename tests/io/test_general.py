"""General text: what is shipped holds together, and a user's own folder is read the same way or refused."""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from lexitune.errors import DataError
from lexitune.io.beir import write_docs, write_qrels, write_queries
from lexitune.io.general import FEWEST_QUERIES, read_general
from lexitune.types import Doc, Query


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def runs_of_four(text: str) -> set[tuple[str, ...]]:
    found = words(text)
    return {tuple(found[start : start + 4]) for start in range(len(found) - 3)}


def folder(root: Path, *, queries: int, splits: tuple[str, ...] = ("test",), grade: int = 1) -> Path:
    """A BEIR folder in which query qN is answered by doc dN; its judgements are dealt to the splits in turn."""
    numbers = range(queries)
    write_docs(root / "corpus.jsonl", [Doc(f"d{n}", f"doc {n}") for n in numbers])
    write_queries(root / "queries.jsonl", [Query(f"q{n}", f"query {n}") for n in numbers])
    for turn, split in enumerate(splits):
        write_qrels(root / "qrels" / f"{split}.tsv", {f"q{n}": {f"d{n}": grade} for n in numbers[turn :: len(splits)]})
    return root


def test_the_shipped_set_is_whole() -> None:
    docs, queries, qrels = read_general()

    assert (len(docs), len(queries)) == (440, 427)
    assert queries.keys() == qrels.keys()
    assert Counter(len(grades) for grades in qrels.values()) == {1: 395, 2: 32}
    assert {grade for grades in qrels.values() for grade in grades.values()} == {1}
    # The rest answer nothing: they stand beside the right ones.
    assert len({doc_id for grades in qrels.values() for doc_id in grades}) == 440 - 61


def test_shipped_passages_and_queries_have_the_length_of_real_ones() -> None:
    docs, queries, _ = read_general()

    assert [doc.doc_id for doc in docs if not (doc.title and 40 <= len(doc.text.split()) <= 90)] == []
    assert [query.text for query in queries.values() if not 3 <= len(query.text.split()) <= 14] == []


def test_no_two_shipped_texts_are_equal() -> None:
    docs, queries, _ = read_general()
    texts = [doc.text for doc in docs] + [doc.title for doc in docs] + [query.text for query in queries.values()]

    assert [text for text, count in Counter(" ".join(words(text)) for text in texts).items() if count > 1] == []


def test_no_shipped_query_copies_four_words_in_a_row_from_its_passage() -> None:
    docs, queries, qrels = read_general()
    runs = {doc.doc_id: runs_of_four(doc.full_text) for doc in docs}

    copied = [
        queries[query_id].text
        for query_id, grades in qrels.items()
        for doc_id in grades
        if runs_of_four(queries[query_id].text) & runs[doc_id]
    ]
    assert copied == []


def test_shipped_text_is_plain_ascii() -> None:
    docs, queries, _ = read_general()

    assert all(doc.full_text.isascii() for doc in docs)
    assert all(query.text.isascii() for query in queries.values())


@pytest.mark.parametrize("splits", [("test",), ("train", "dev", "test")])
def test_a_folder_of_ones_own_is_read_with_its_splits_taken_together(tmp_path: Path, splits: tuple[str, ...]) -> None:
    docs, queries, qrels = read_general(folder(tmp_path, queries=60, splits=splits))

    assert [doc.doc_id for doc in docs] == [f"d{n}" for n in range(60)]
    assert queries.keys() == qrels.keys()
    assert qrels == {f"q{n}": {f"d{n}": 1} for n in range(60)}


def test_judgements_of_one_query_in_two_splits_are_joined(tmp_path: Path) -> None:
    root = folder(tmp_path, queries=60, splits=("train",))
    write_qrels(root / "qrels" / "dev.tsv", {"q0": {"d1": 1}})

    assert read_general(root)[2]["q0"] == {"d0": 1, "d1": 1}


def test_queries_without_a_relevant_passage_are_left_out(tmp_path: Path) -> None:
    root = folder(tmp_path, queries=60)
    write_qrels(root / "qrels" / "test.tsv", {f"q{n}": {f"d{n}": int(n > 0)} for n in range(59)})

    _, queries, qrels = read_general(root)

    # q0 was judged 0 and q59 was not judged.
    assert queries.keys() == qrels.keys() == {f"q{n}" for n in range(1, 59)}


def test_fifty_judged_queries_are_enough(tmp_path: Path) -> None:
    assert len(read_general(folder(tmp_path, queries=FEWEST_QUERIES))[1]) == 50


def add(root: Path, name: str, line: str) -> Path:
    with (root / name).open("a") as file:
        file.write(line)
    return root


@pytest.mark.parametrize(
    ("case", "make", "code", "told"),
    [
        ("no folder", lambda root: root / "nowhere", "E3001", "no such file or folder"),
        ("49 queries", lambda root: folder(root, queries=49), "E3104", "49 queries"),
        ("none is relevant", lambda root: folder(root, queries=60, grade=0), "E3104", "0 queries"),
        ("no judgements", lambda root: folder(root, queries=60, splits=()), "E3001", "no judgements"),
        ("a broken line", lambda root: add(folder(root, queries=60), "queries.jsonl", "{\n"), "E3004", "1 of 61 lines"),
        (
            "a judgement of a passage that is not there",
            lambda root: add(folder(root, queries=60), "qrels/test.tsv", "q0\td99\t1\n"),
            "E3004",
            "no doc 'd99' in the corpus",
        ),
    ],
)
def test_a_folder_that_is_no_guard_is_refused(
    tmp_path: Path, case: str, make: Callable[[Path], Path], code: str, told: str
) -> None:
    with pytest.raises(DataError) as caught:
        read_general(make(tmp_path))

    assert caught.value.code == code, case
    assert told in caught.value.problem
    assert caught.value.fix
