"""Collected judgements: what is written comes back, and what is no judgement is set aside."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lexitune.io.judgements import (
    Collection,
    collections,
    is_collected,
    read_collection,
    read_judgements,
    write_collection,
)
from lexitune.io.quarantine import Quarantine
from lexitune.io.workspace import Meta, Workspace
from lexitune.types import Doc, Judgement, Query

SLOW = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
IDS = st.text("abz09:/ é-", min_size=1, max_size=12).filter(lambda name: name == name.strip())
TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=30)
JUDGEMENTS = st.builds(
    Judgement,
    query_id=IDS,
    doc_id=IDS,
    relevance=st.none() | st.integers(0, 3),
    source=IDS,
    judge=TEXT,
    weight=st.floats(0, 10),
    count=st.integers(0, 10**9),
    at=TEXT,
    evidence=TEXT,
)


@given(st.lists(JUDGEMENTS, max_size=8))
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=40, deadline=None
)
def test_write_then_read_is_the_identity(tmp_path: Path, judgements: list[Judgement]) -> None:
    workspace = Workspace(tmp_path)
    queries = {one.query_id: Query(one.query_id, f"text of {one.query_id}") for one in judgements}
    written = Collection(judgements, queries, [Doc("d1", "a passage")])

    write_collection(workspace, "ann", written, Meta("collect ann", {"a": 1}, {"f": "h"}))
    found = read_collection(workspace, "ann")

    assert list(found.judgements) == judgements
    assert dict(found.queries) == queries
    assert list(found.docs) == [Doc("d1", "a passage")]
    assert is_collected(workspace, "ann", inputs={"f": "h"}, options={"a": 1})
    assert not is_collected(workspace, "ann", inputs={"f": "g"}, options={"a": 1})
    assert [name for name, _ in collections(workspace)] == ["ann"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"query_id": "q", "doc_id": "d", "source": "a"}, "no 'relevance'"),
        ({"query_id": "q", "doc_id": "d", "source": "a", "relevance": 1.5}, "'relevance' is 1.5"),
        ({"query_id": "q", "doc_id": "d", "source": "a", "relevance": True}, "'relevance' is True"),
        ({"query_id": "q", "doc_id": "d", "source": "a", "relevance": 1, "grade": 2}, "no judgement has 'grade'"),
        ({"query_id": "q", "doc_id": "d", "source": "a", "relevance": 1, "weight": "1"}, "'weight' is '1'"),
    ],
)
def test_what_is_no_judgement_is_set_aside_with_its_line(tmp_path: Path, row: dict[str, object], reason: str) -> None:
    path, quarantine = tmp_path / "j.jsonl", Quarantine(max_share=0.9)
    good = {"query_id": "q", "doc_id": "d", "source": "a", "relevance": None, "weight": 1}
    path.write_text(json.dumps(good) + "\n" + json.dumps(row) + "\n")

    assert read_judgements(path, quarantine) == [Judgement("q", "d", None, "a", weight=1)]
    assert [(one.line, one.reason) for one in quarantine.rows] == [(2, reason)]


def test_questions_that_wait_for_their_first_judgement_are_read(tmp_path: Path) -> None:
    workspace, queries = Workspace(tmp_path), {"q1": Query("q1", "force majeure")}

    write_collection(workspace, "traces", Collection([], queries), Meta("collect traces", {}, {}))

    assert dict(read_collection(workspace, "traces").queries) == queries
