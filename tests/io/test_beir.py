"""BEIR files: what other loaders lose or trip over is read, and what we write they read."""

import gzip
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lexitune.errors import DataError
from lexitune.io.beir import (
    made_id,
    read_docs,
    read_grade,
    read_qrels,
    read_queries,
    write_docs,
    write_qrels,
    write_queries,
)
from lexitune.io.ids import read_id
from lexitune.io.quarantine import Quarantine
from lexitune.types import Doc, Query


def reasons(quarantine: Quarantine) -> list[tuple[int, str]]:
    return [(row.line, row.reason) for row in quarantine.rows]


def test_docs_are_read_in_file_order_with_title_and_metadata(tmp_path: Path) -> None:
    (tmp_path / "corpus.jsonl.gz").write_bytes(
        gzip.compress(
            b'{"_id": "d2", "title": "T", "text": "two", "metadata": {"family": "f"}, "url": "ignored"}\n'
            b'{"_id": 1, "text": "one", "title": null, "metadata": null}\n'
            b'{"id": "d3", "text": "", "title": "only a title"}\n'
        )
    )

    assert read_docs(tmp_path / "corpus.jsonl.gz", Quarantine()) == [
        Doc("d2", "two", "T", {"family": "f"}),
        Doc("1", "one"),
        Doc("d3", "", "only a title"),
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"text": "x"}, "no '_id'"),
        ({"_id": "", "text": "x"}, "the id is empty"),
        ({"_id": 1.5, "text": "x"}, "the id 1.5 is neither text nor a whole number"),
        ({"_id": "d", "title": "x"}, "no 'text'"),
        ({"_id": "d", "text": None}, "'text' and 'title' must be texts"),
        ({"_id": "d", "text": "x", "title": 3}, "'text' and 'title' must be texts"),
        ({"_id": "d", "text": " \n"}, "the text is empty"),
        ({"_id": "d", "text": "x", "metadata": "m"}, "'metadata' is no object"),
    ],
)
def test_a_row_that_is_no_doc_is_set_aside(tmp_path: Path, row: object, reason: str) -> None:
    (tmp_path / "c.jsonl").write_text(f'{{"_id": "ok", "text": "ok"}}\n{json.dumps(row)}\n')
    quarantine = Quarantine(max_share=0.5)

    assert read_docs(tmp_path / "c.jsonl", quarantine) == [Doc("ok", "ok")]
    assert reasons(quarantine) == [(2, reason)]


def test_one_id_with_the_same_text_counts_once_and_is_told(tmp_path: Path) -> None:  # fault 13
    (tmp_path / "c.jsonl").write_text(
        '{"_id": "d1", "text": "x"}\n{"_id": "d1", "text": "x"}\n{"_id": 1, "text": "y"}\n'
    )
    quarantine = Quarantine()

    assert read_docs(tmp_path / "c.jsonl", quarantine) == [Doc("d1", "x"), Doc("1", "y")]
    assert quarantine.notes == ["1 lines of c.jsonl repeat an id with the same text: merged"]


@pytest.mark.parametrize("second", ["d1", " d1"], ids=["equal", "blank before"])
def test_one_id_with_two_texts_is_refused_with_both_lines(tmp_path: Path, second: str) -> None:  # fault 13
    rows = [{"_id": "d1", "text": "x"}, {"_id": second, "text": "y"}]
    (tmp_path / "c.jsonl").write_text("\n".join(json.dumps(row) for row in rows))

    with pytest.raises(DataError) as caught:
        read_docs(tmp_path / "c.jsonl", Quarantine())

    assert caught.value.code == "E3005"
    assert caught.value.at == f"{tmp_path / 'c.jsonl'}:2"
    assert caught.value.problem == "doc 'd1' has another text in line 1"


def test_ids_in_two_unicode_forms_are_one_id(tmp_path: Path) -> None:  # fault 10
    (tmp_path / "c.jsonl").write_text('{"_id": "e\\u0301", "text": "x"}\n{"_id": "\\u00e9", "text": "y"}\n')

    with pytest.raises(DataError):
        read_docs(tmp_path / "c.jsonl", Quarantine())


def test_rows_without_ids_can_have_ids_made_of_their_texts(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_text('{"text": "a b"}\n{"text": "a  b"}\n{"_id": "own", "text": "c"}\n')

    docs = read_docs(tmp_path / "c.jsonl", Quarantine(), make_ids=True)

    assert docs == [Doc(made_id("d", "a b"), "a b"), Doc("own", "c")]
    assert made_id("d", " a\nb ") == made_id("d", "a b") != made_id("d", "ab")


@pytest.mark.parametrize("text", ["", "\n\n", '{"_id": "d1"}\n'])
def test_a_corpus_without_docs_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "c.jsonl").write_text(text)

    with pytest.raises(DataError) as caught:
        read_docs(tmp_path / "c.jsonl", Quarantine(max_share=1.0))

    assert caught.value.code == "E3003"


def test_queries_keep_their_metadata(tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_text('{"_id": 1, "text": "who?", "metadata": {"filter": {"matter": 3}}}\n')

    assert read_queries(tmp_path / "q.jsonl", Quarantine()) == {"1": Query("1", "who?", {"filter": {"matter": 3}})}


@pytest.mark.parametrize(
    ("case", "text"),
    [
        ("with the header", "query-id\tcorpus-id\tscore\nq1\td1\t1\nq1\td2\t0\n"),
        ("with another header", "qid\tdocid\trelevance\nq1\td1\t1\nq1\td2\t0\n"),
        ("without a header: the first row is a judgement", "q1\td1\t1\nq1\td2\t0\n"),
        ("a grade as a float", "q1\td1\t1.0\nq1\td2\t0\n"),
        ("Windows line ends and a byte order mark", "\ufeffquery-id\tcorpus-id\tscore\r\nq1\td1\t1\r\nq1\td2\t0\r\n"),
        ("blanks about the cells", " q1 \td1\t 1\nq1\td2 \t0"),
        ("a judgement twice", "q1\td1\t1\nq1\td1\t1\nq1\td2\t0\n"),
    ],
)
def test_judgements_are_read_whole(tmp_path: Path, case: str, text: str) -> None:
    (tmp_path / "test.tsv").write_bytes(text.encode())

    assert read_qrels(tmp_path / "test.tsv", Quarantine()) == {"q1": {"d1": 1, "d2": 0}}, case


def test_a_query_called_query_in_the_first_row_is_no_header(tmp_path: Path) -> None:
    (tmp_path / "test.tsv").write_text("query\td1\t1\n")

    assert read_qrels(tmp_path / "test.tsv", Quarantine()) == {"query": {"d1": 1}}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("q1 d1 1", "1 columns; query-id, corpus-id and score, separated by tabs, are needed"),
        ("q1\t0\td1\t1", "4 columns; query-id, corpus-id and score, separated by tabs, are needed"),
        ("q1\td1\t", "the score '' is no number"),
        ("q1\td1\tyes", "the score 'yes' is no number"),
        ("q1\td1\t0.5", "the score '0.5' is no whole number from 0 to 1000"),
        ("q1\td1\t-1", "the score '-1' is no whole number from 0 to 1000"),
        ("q1\td1\t1e9", "the score '1e9' is no whole number from 0 to 1000"),
        ("q1\td1\tnan", "the score 'nan' is no whole number from 0 to 1000"),
        ("\td1\t1", "the id is empty"),
        ("q9\td1\t1", "no query 'q9'"),
        ("q1\td9\t1", "no doc 'd9' in the corpus"),
        ("q1\td2\t2", "'q1', 'd2' was judged 1 before, 2 here"),
    ],
)
def test_a_line_that_is_no_judgement_is_set_aside(tmp_path: Path, line: str, reason: str) -> None:
    (tmp_path / "q.tsv").write_text(f"q1\td2\t1\n{line}\n")
    quarantine = Quarantine(max_share=0.5)

    found = read_qrels(tmp_path / "q.tsv", quarantine, queries={"q1"}, docs={"d1", "d2"})

    assert found == {"q1": {"d2": 1}}
    assert reasons(quarantine) == [(2, reason)]


@pytest.mark.parametrize("text", ["", "query-id\tcorpus-id\tscore\n"])
def test_judgements_without_a_row_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "q.tsv").write_text(text)

    with pytest.raises(DataError) as caught:
        read_qrels(tmp_path / "q.tsv", Quarantine())

    assert caught.value.code == "E3003"


@pytest.mark.parametrize(("cell", "grade"), [("0", 0), ("1", 1), (" 3 ", 3), ("2.0", 2), ("1000", 1000)])
def test_grades(cell: str, grade: int) -> None:
    assert read_grade(cell) == grade


def test_the_header_is_always_written_since_other_loaders_drop_the_first_line(tmp_path: Path) -> None:
    write_qrels(tmp_path / "qrels" / "test.tsv", {"q1": {"d1": 1}})

    assert (tmp_path / "qrels" / "test.tsv").read_bytes() == b"query-id\tcorpus-id\tscore\nq1\td1\t1\n"


def test_docs_are_written_without_byte_order_mark_and_with_a_title(tmp_path: Path) -> None:
    write_docs(tmp_path / "c.jsonl", [Doc("d1", "naïve")])

    assert (tmp_path / "c.jsonl").read_bytes() == '{"_id": "d1", "title": "", "text": "naïve"}\n'.encode()


def is_id(text: str) -> bool:
    try:
        return read_id(text) == text
    except ValueError:
        return False


# Control characters, blanks and combining marks are tested by name; drawn here, nearly all ids would be filtered out.
IDS = st.text(st.characters(exclude_categories=["C", "Z", "M"]), min_size=1, max_size=8).filter(is_id)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)
METADATA = st.dictionaries(TEXTS, TEXTS | st.integers() | st.lists(TEXTS, max_size=2), max_size=2)
DOCS = st.lists(st.builds(Doc, IDS, TEXTS, TEXTS | st.just(""), METADATA), min_size=1, unique_by=lambda doc: doc.doc_id)
QUERIES = st.lists(st.builds(Query, IDS, TEXTS, METADATA), min_size=1, unique_by=lambda query: query.query_id)
QRELS = st.dictionaries(IDS, st.dictionaries(IDS, st.integers(0, 1000), min_size=1, max_size=4), min_size=1, max_size=4)


@settings(max_examples=25, deadline=None)
@given(docs=DOCS, queries=QUERIES, qrels=QRELS)
def test_write_then_read_is_the_identity(
    docs: list[Doc], queries: list[Query], qrels: dict[str, dict[str, int]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_docs(root / "c.jsonl", docs)
        write_queries(root / "q.jsonl", queries)
        write_qrels(root / "q.tsv", qrels)
        quarantine = Quarantine()

        assert read_docs(root / "c.jsonl", quarantine) == docs
        assert list(read_queries(root / "q.jsonl", quarantine).values()) == queries
        assert read_qrels(root / "q.tsv", quarantine) == qrels
        assert (quarantine.rows, quarantine.notes) == ([], [])
