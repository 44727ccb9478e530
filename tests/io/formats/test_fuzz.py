"""Formats under accident: whatever a file holds, it is read, set aside row by row, or refused in words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.mangled import fast, folder, lines, mangled, mangled_rows, noise

from lexitune.errors import LexituneError
from lexitune.io.formats.records import Choices, Labelled, Opinion
from lexitune.io.formats.registry import FORMATS, read_labels, tell_format
from lexitune.io.quarantine import Quarantine
from lexitune.types import Doc, Query

FILES = {
    "csv": "a.csv",
    "tsv": "a.tsv",
    "jsonl": "a.jsonl",
    "parquet": "a.parquet",
    "xlsx": "a.xlsx",
    "st": "a.jsonl",
    "flag": "a.jsonl",
    "automodel": "a.jsonl",
    "tevatron": "a.jsonl",
    "nemotron-sdg": "a.jsonl",
    "llamaindex": "a.json",
    "labelstudio": "a.json",
    "quepid": "a.csv",
}
FOLDERS = ("beir", "trec", "flag-eval", "nemotron", "hf")
# A passage may be known by its id alone.
BY_ID = ("csv", "tsv", "jsonl", "parquet", "xlsx", "quepid", "labelstudio", "tevatron")
GIVEN = Labelled(
    {f"q{n}": Query(f"q{n}", f"question {n}", {"prompt": "P: "}) for n in range(3)},
    {f"d{n}": Doc(f"d{n}", f'an "answer", {n};\ttwo') for n in range(4)},
    [Opinion(f"q{n}", f"d{n + wrong}", 1 - wrong, score=0.5) for n in range(3) for wrong in (0, 1)],
)
# As their tools write them: rows whose values are changed one by one.
ROWS: dict[str, list[dict[str, Any]]] = {
    "jsonl": [
        {"query": f"q {n}", "doc": f"d {n}", "relevance": n, "doc_id": f"d{n}", "rater": "Ann", "negative": "x"}
        for n in range(4)
    ],
    "st": [{"anchor": f"q {n}", "positive": ["a", "b"], "label": [1, 0]} for n in range(3)]
    + [{"anchor": f"p {n}", "positive": "a", "negative": "b", "label": [0.5, 0.1]} for n in range(3)],
    "flag": [
        {"query": f"q {n}", "pos": ["a"], "neg": ["b", "c"], "pos_scores": [0.9], "neg_scores": [1, 0.2], "type": "t"}
        for n in range(4)
    ],
    "automodel": [{"query": f"q {n}", "pos_doc": ["a"], "neg_doc": [{"text": "b"}, "c"]} for n in range(4)],
    "tevatron": [
        {
            "query_id": f"q{n}",
            "query": f"q {n}",
            "positive_passages": [{"docid": f"d{n}", "title": "T", "text": f"a {n}"}],
            "negative_passages": [{"docid": "e", "text": "b"}],
        }
        for n in range(3)
    ]
    + [{"query_id": 7, "query": "p", "positive_document_ids": ["d0"], "negative_document_ids": [8]}],
    # A question a record, as the test counts them.
    "nemotron-sdg": [
        {
            "file_name": [f"{n}.txt"],
            "chunks": [{"chunk_id": 1, "text": f"a {n}"}, {"chunk_id": 2, "text": "b", "doc_id": f"d{n}"}],
            "deduplicated_qa_pairs": [
                {"question": f"q {n}", "segment_ids": [1, 2], "hop_count": 2, "metadata": {"tenant": "t"}}
            ],
            "qa_evaluations": {"evaluations": [{"overall": {"score": 9}}]},
        }
        for n in range(4)
    ],
}
TASK = {
    "id": 1,
    "data": {"query": "x", "text": "a", "query_id": "q1", "doc_id": 7, "title": ""},
    "annotations": [
        {
            "result": [{"type": "choices", "value": {"choices": ["Relevant"]}}],
            "was_cancelled": False,
            "completed_by": {"id": 8, "email": "bob@example.org"},
            "created_at": "2026-01-02T03:04:05Z",
        }
    ],
}
LLAMAINDEX = {
    "queries": {"q": "x", "p": "y"},
    "corpus": {"d": "a", "e": "b"},
    "relevant_docs": {"q": ["d"], "p": ["e"]},
}


NEEDS = {"xlsx": "openpyxl", "hf": "datasets"}


def read(path: Path, name: str) -> tuple[Labelled | None, Quarantine]:
    """Both ways in: by the name of a format, and told by content. Nothing but our own errors comes out."""
    quarantine = Quarantine(max_share=1.0)
    with suppress(LexituneError):
        tell_format(path, Choices())
    try:
        found = read_labels(path, name, quarantine, choices=Choices())
    except LexituneError:
        return None, quarantine
    for one in found.opinions:
        assert one.query_id in found.queries
        assert name in BY_ID or one.doc_id in found.docs
    for file, seen in quarantine.seen.items():
        assert sum(row.file == file for row in quarantine.rows) <= seen
    return found, quarantine


def written(name: str, file: str = "a") -> dict[str, bytes]:
    """Path below a folder -> bytes, as the format's own writer leaves them."""
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    with folder() as home:
        FORMATS.get(name).write(home / file, GIVEN, split="train")
        return {str(path.relative_to(home)): path.read_bytes() for path in sorted(home.rglob("*")) if path.is_file()}


def lay(home: Path, files: Mapping[str, bytes]) -> None:
    for path, content in files.items():
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_bytes(content)


@pytest.mark.parametrize("name", list(FILES))
def test_a_mangled_file_is_read_set_aside_or_refused(name: str) -> None:
    whole = written(name, FILES[name])[FILES[name]]

    @settings(fast, max_examples=15 if name == "xlsx" else 50)
    @given(st.one_of(mangled(whole), noise))
    def check(data: bytes) -> None:
        with folder() as home:
            (home / FILES[name]).write_bytes(data)
            read(home / FILES[name], name)

    check()


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_with_a_mangled_file_is_read_set_aside_or_refused(name: str) -> None:
    files = written(name)

    @settings(fast, max_examples=40)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        spoilt = data.draw(st.sampled_from(sorted(files)))
        with folder() as home:
            lay(home, files | {spoilt: data.draw(mangled(files[spoilt]))})
            read(home / "a", name)

    check()


@pytest.mark.parametrize("name", list(ROWS))
def test_rows_of_any_json_are_used_or_set_aside_and_none_is_lost(name: str) -> None:
    @settings(fast, max_examples=80)
    @given(mangled_rows(ROWS[name]))
    def check(rows: list[Any]) -> None:
        with folder() as home:
            (home / "a.jsonl").write_bytes(lines(rows))
            found, quarantine = read(home / "a.jsonl", name)
        if found is None:
            return
        assert quarantine.seen[str(home / "a.jsonl")] == len(rows)
        judged = {found.queries[one.query_id].text for one in found.opinions}
        # Each row asks something of its own, so those that were not set aside are all there.
        asked = [row.get("query", row.get("anchor")) for row in rows if isinstance(row, dict)]
        used = len(rows) - quarantine.count
        assert used >= len(judged)
        if len({str(one) for one in asked}) == len(rows):
            assert used == len(judged)

    check()


@settings(fast, max_examples=80)
@given(mangled_rows([TASK, TASK | {"id": 2}]))
def test_tasks_of_any_json_are_used_counted_or_set_aside(tasks: list[Any]) -> None:
    with folder() as home:
        (home / "a.json").write_text(json.dumps(tasks, indent=1), encoding="utf-8")
        _, quarantine = read(home / "a.json", "labelstudio")
    assert quarantine.count <= len(tasks)


def test_a_saved_data_set_whose_records_hold_any_json_is_read_or_refused() -> None:
    files = written("hf")

    @settings(fast, max_examples=100)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        spoilt = data.draw(st.sampled_from([path for path in files if path.endswith(".json")]))
        (record,) = data.draw(mangled_rows([json.loads(files[spoilt])]))[:1]
        with folder() as home:
            lay(home, files | {spoilt: json.dumps(record).encode()})
            read(home / "a", "hf")

    check()


# Bytes that keep the file's length: arrow maps it as it lies, and checks neither texts nor where they begin.
def test_a_saved_data_set_with_a_byte_changed_is_read_or_refused() -> None:
    files = written("hf")
    (arrow,) = (path for path in files if path.endswith(".arrow"))
    whole = files[arrow]

    @settings(fast, max_examples=100)
    @given(st.one_of(st.just(whole.index(b"question 0")), st.integers(0, len(whole) - 1)), st.integers(0, 255))
    def check(place: int, byte: int) -> None:
        with folder() as home:
            lay(home, files | {arrow: whole[:place] + bytes([byte]) + whole[place + 1 :]})
            read(home / "a", "hf")

    check()


@settings(fast, max_examples=80)
@given(mangled_rows([LLAMAINDEX]))
def test_a_data_set_of_any_json_is_used_set_aside_or_refused(found: list[Any]) -> None:
    with folder() as home:
        (home / "a.json").write_text(json.dumps(found[0]), encoding="utf-8")
        read(home / "a.json", "llamaindex")


@settings(fast, max_examples=40)
@given(st.lists(st.tuples(st.text(max_size=6), st.text(max_size=6), st.text(max_size=3)), min_size=1, max_size=5))
def test_a_row_that_is_set_aside_changes_nothing(cells: list[tuple[str, str, str]]) -> None:
    """A line with a right and a wrong passage that breaks at its end leaves the opinions before it as they were."""
    good = {"query": "q", "pos": ["a"], "neg": ["b"]}
    bad = [{"query": "q", "pos": ["b", doc, other], "neg": [None, text]} for doc, other, text in cells]
    with folder() as home:
        (home / "a.jsonl").write_bytes(lines([good, *bad]))
        found, quarantine = read(home / "a.jsonl", "flag")
    assert found is not None
    assert [(found.docs[one.doc_id].text, one.relevance) for one in found.opinions] == [("a", 1), ("b", 0)]
    assert (quarantine.count, quarantine.notes) == (len(bad), [])
