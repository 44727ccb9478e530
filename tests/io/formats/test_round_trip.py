"""Every format: what is written comes back the same, whatever the texts hold, and is told for what it is."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lexitune.io.beir import made_id
from lexitune.io.formats.records import Choices, Labelled, Opinion, tidy
from lexitune.io.formats.registry import FORMATS, read_labels, tell_format
from lexitune.io.ids import read_id
from lexitune.io.quarantine import Quarantine
from lexitune.types import Doc, Query

AWKWARD = [
    "=cmd()|' /C calc'!A0",
    "-1 + 2",
    "@name",
    "+44 20",
    'say "x", he said',
    "a;b|c\td",
    "two\nlines\n\nthree",
    "separator\u2028inside\u2029",
    "e\u0301 is not é",
    "\u202eright to left\u202c",
    "zero\u200bwidth\u200d",
    "日本語",
    "_x000D_ and _x005F_x0041_",
    "{",
    "[1",
    "null",
    "1e5",
    "0",
    "nan",
    "\ufffe\uffff",
    "#",
    "'",
    "\\u0041\\",
    "0,1",
    "query",
    "anchor,positive",
]
# Surrogates are no characters; everything else may stand in a text.
texts = (
    st.one_of(st.sampled_from(AWKWARD), st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
    .map(tidy)
    .filter(bool)
)


def is_id(text: str) -> bool:
    try:
        return read_id(text) == text
    except ValueError:
        return False


ids = st.one_of(
    st.sampled_from(["../../etc", "a b", "=1", "7", "a/b", "%20", "é", "-", "0", "q,d"]), st.text(max_size=8)
).filter(is_id)


@dataclass(frozen=True)
class Case:
    """A format, the name of the file, and what it can hold."""

    name: str
    file: str
    own_ids: bool = True
    apart: bool = False  # no query bears the id of a passage
    titles: bool = False
    docs: bool = True
    grades: int = 1
    wrong: bool = True
    undecided: bool = False
    raters: bool = False
    scores: bool = False
    times: bool = False
    unjudged: bool = False
    even: bool = False  # every query with a right passage, and with equally many wrong ones or none
    told: str = ""
    examples: int = 50


CASES = [
    Case("csv", "a.csv", titles=True, grades=1000, undecided=True, raters=True),
    Case("tsv", "a.tsv", titles=True, grades=1000, undecided=True, raters=True, told="csv"),
    Case("jsonl", "a.jsonl", titles=True, grades=1000, undecided=True, raters=True),
    Case("parquet", "a.parquet", titles=True, grades=1000, undecided=True, raters=True),
    Case("xlsx", "a.xlsx", titles=True, grades=1000, undecided=True, raters=True, examples=25),
    Case("beir", "a", apart=True, titles=True, grades=1000, unjudged=True),
    Case("trec", "a", titles=True, grades=1000, unjudged=True),
    Case("st", "a.jsonl", own_ids=False, even=True),
    Case("st", "a.csv", own_ids=False, even=True),
    Case("st", "a.parquet", own_ids=False, even=True),
    Case("hf", "a", own_ids=False, even=True, examples=15),
    Case("flag", "a.jsonl", own_ids=False, scores=True, even=True),
    Case("flag-eval", "a", titles=True, grades=1000, unjudged=True),
    Case("tevatron", "a.jsonl", titles=True, even=True),
    Case("automodel", "a.jsonl", own_ids=False, even=True),
    Case("nemotron", "a", scores=True, even=True),
    Case("nemotron-sdg", "a.jsonl", wrong=False, even=True),
    Case("llamaindex", "a.json", wrong=False, even=True),
    Case("labelstudio", "a.json", titles=True, grades=3, undecided=True, raters=True, times=True),
    Case("quepid", "a.csv", docs=False, grades=1000),
    Case("quepid", "book.csv", docs=False, grades=1000, raters=True),
]


def key(text: str) -> str:
    return " ".join(text.split())


@st.composite
def labelled(draw: Callable[[Any], Any], case: Case) -> Labelled:
    """Labels that the format has room for."""
    asked = draw(st.lists(texts, min_size=1, max_size=3, unique_by=key))
    passages = draw(st.lists(texts, min_size=1, max_size=4, unique_by=key))
    query_ids = [made_id("q", text) for text in asked]
    doc_ids = [made_id("d", text) for text in passages]
    if case.own_ids:
        doc_ids = draw(st.lists(ids, min_size=len(passages), max_size=len(passages), unique=True))
        if case.docs:  # Quepid knows queries by their text
            names = ids.filter(lambda one: not case.apart or one not in doc_ids)
            query_ids = draw(st.lists(names, min_size=len(asked), max_size=len(asked), unique=True))
    titles = [draw(st.one_of(st.just(""), texts)) if case.titles else "" for _ in passages]
    docs = [Doc(doc_id, text, title) for doc_id, text, title in zip(doc_ids, passages, titles, strict=True)]
    queries = [Query(query_id, text) for query_id, text in zip(query_ids, asked, strict=True)]
    opinions = draw((_even if case.even else _any)(case, query_ids, doc_ids))
    judged = {one.doc_id for one in opinions}, {one.query_id for one in opinions}
    return Labelled(
        {one.query_id: one for one in queries if case.unjudged or one.query_id in judged[1]},
        {one.doc_id: one for one in docs if case.docs and (case.unjudged or one.doc_id in judged[0])},
        opinions,
    )


@st.composite
def _even(draw: Callable[[Any], Any], case: Case, query_ids: list[str], doc_ids: list[str]) -> list[Opinion]:
    width = draw(st.integers(0, len(doc_ids) - 1)) if case.wrong else 0
    found = []
    for query_id in query_ids:
        order = draw(st.permutations(doc_ids))
        right = draw(st.integers(1, len(order) - width))
        has_scores = case.scores and draw(st.booleans())
        for place, doc_id in enumerate([*order[:width], *order[width : width + right]]):
            score = draw(st.floats(0, 1)) if has_scores else None
            found.append(Opinion(query_id, doc_id, int(place >= width), score=score))
    return found


@st.composite
def _any(draw: Callable[[Any], Any], case: Case, query_ids: list[str], doc_ids: list[str]) -> list[Opinion]:
    grades = st.integers(0, case.grades)
    raters = draw(st.lists(texts.map(key), min_size=1, max_size=2, unique_by=str.casefold)) if case.raters else [""]
    raters = [rater for rater in raters if rater.casefold() not in ("query", "docid", "rating")] or ["Ann"]
    raters = raters if case.raters else [""]
    found = list[Opinion]()
    for query_id in query_ids:
        for doc_id in draw(st.lists(st.sampled_from(doc_ids), min_size=1, unique=True)):
            for rater in draw(st.lists(st.sampled_from(raters), min_size=1, unique=True)):
                grade = draw(st.one_of(st.none(), grades) if case.undecided and found else grades)
                at = draw(st.sampled_from(["", "2026-01-02T03:04:05Z"])) if case.times else ""
                found.append(Opinion(query_id, doc_id, grade, rater, at=at))
    return found


def plain(found: Labelled) -> tuple[Any, ...]:
    return dict(found.queries), dict(found.docs), sorted(found.opinions, key=repr)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.name} {case.file}")
def test_what_is_written_comes_back(case: Case) -> None:
    if case.name == "xlsx":
        pytest.importorskip("openpyxl")

    @settings(max_examples=case.examples, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(labelled(case))
    def same(given_labels: Labelled) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path, quarantine = Path(folder) / case.file, Quarantine(max_share=0.0)

            FORMATS.get(case.name).write(path, given_labels, split="train")

            assert tell_format(path, Choices()) == (case.told or case.name)
            assert plain(read_labels(path, case.name, quarantine, choices=Choices())) == plain(given_labels)
            assert quarantine.rows == []

    same()


def test_every_format_that_is_read_is_here() -> None:
    read = {name for name in FORMATS.table if FORMATS.get(name).read is not None}

    assert read == {case.name for case in CASES}


def test_every_format_has_a_line_in_the_documents() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "formats.md").read_text(encoding="utf-8")

    assert [name for name in FORMATS.table if f"| `{name}` |" not in page] == []


@pytest.mark.parametrize("case", [case for case in CASES if case.even], ids=lambda case: f"{case.name} {case.file}")
def test_what_a_format_has_no_room_for_is_told(case: Case, tmp_path: Path) -> None:
    docs = {"d1": Doc("d1", "right", "Title", {"family": "f"}), "d2": Doc("d2", "wrong"), "d3": Doc("d3", "nobody's")}
    queries = {"q1": Query("q1", "what?"), "q2": Query("q2", "only wrong?")}
    opinions = [Opinion("q1", "d1", 3, "Ann"), Opinion("q1", "d2", None, "Ann"), Opinion("q2", "d2", 0, "Ann")]

    told = FORMATS.get(case.name).write(tmp_path / case.file, Labelled(queries, docs, opinions), split="train")

    assert "1 grades above 1 are written as right" in told
    assert '1 opinions are "cannot judge": left out' in told
    assert "3 opinions lose their rater's name" in told
    assert "1 queries have no right passage: left out" in told
    assert any(said.startswith("1 titles stand before their texts") for said in told) is not case.titles


@pytest.mark.parametrize("file", ["a.jsonl", "a.csv", "a.parquet"])
def test_queries_without_a_negative_stand_in_a_file_of_their_own(file: str, tmp_path: Path) -> None:
    docs = {one.doc_id: one for one in (Doc(made_id("d", text), text) for text in ("a", "b", "c", "d"))}
    a, b, c, d = docs
    queries = {one.query_id: one for one in (Query(made_id("q", text), text) for text in ("x", "y", "z"))}
    x, y, z = queries
    opinions = [Opinion(x, a, 1), Opinion(x, b, 0), Opinion(y, a, 1), Opinion(y, c, 0), Opinion(y, d, 0)]
    bare = [Opinion(z, c, 1)]

    told = FORMATS.get("st").write(tmp_path / file, Labelled(queries, docs, opinions + bare), split="train")

    beside = tmp_path / f"a-pairs{Path(file).suffix}"
    read = [read_labels(path, "st", Quarantine(), choices=Choices()) for path in (tmp_path / file, beside)]
    assert [sorted(one.opinions, key=repr) for one in read] == [sorted(opinions, key=repr), bare]
    assert f"1 pairs of queries without a negative stand in {beside.name}: rows are even" in told


def test_facts_of_a_query_that_flagembedding_carries_come_back(tmp_path: Path) -> None:
    query = Query(made_id("q", "x"), "x", {"prompt": "Find: ", "type": "symmetric_class"})
    doc = Doc(made_id("d", "a"), "a")
    opinion = Opinion(query.query_id, doc.doc_id, 1)
    given_labels = Labelled({query.query_id: query}, {doc.doc_id: doc}, [opinion])

    told = FORMATS.get("flag").write(tmp_path / "a.jsonl", given_labels, split="train")

    assert plain(read_labels(tmp_path / "a.jsonl", "flag", Quarantine(), choices=Choices())) == plain(given_labels)
    assert [said for said in told if "metadata" in said] == []


def test_metadata_of_a_beir_folder_come_back(tmp_path: Path) -> None:
    docs = {"d": Doc("d", "a", "t", {"family": "f"})}
    given_labels = Labelled({"q": Query("q", "x", {"at": "2026"})}, docs, [Opinion("q", "d", 2)])

    told = FORMATS.get("beir").write(tmp_path / "a", given_labels, split="dev")

    assert plain(read_labels(tmp_path / "a", "beir", Quarantine(), choices=Choices())) == plain(given_labels)
    assert told == []
