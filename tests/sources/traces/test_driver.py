"""Traces into a workspace, and out of it as a data set: from the command line, as a user does it."""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.heard import Heard
from tests.sources.traces.exports import DEED, LEASE, TORT, langfuse, langsmith, phoenix, write

from lexitune.cli.main import main
from lexitune.io.beir import write_docs
from lexitune.io.judgements import collections, read_collection
from lexitune.io.workspace import Workspace
from lexitune.sources.resolve import TRUST, kind_of
from lexitune.sources.traces.driver import collect_traces
from lexitune.types import Doc

Row = dict[str, Any]
PASSAGES = [("d1", LEASE), ("d2", DEED), ("d3", TORT)]
ASKED = [
    ("t1", "When is rent due?", PASSAGES, "On the first day [1].", 1.0, "ann"),
    ("t2", "when is rent due", PASSAGES, "On the first day [1].", None, "bob"),
    ("t3", "Who owes a duty of care?", PASSAGES, "Nobody knows.", 0.0, "ann"),
    ("t4", "What is a deed?", PASSAGES, "No idea.", None, ""),
]


def rows_of(make: Callable[..., Any], asked: Sequence[Any] = ASKED) -> list[Row]:
    made = [make(*one[:4], thumb=one[4], user=one[5]) for one in asked]
    return [row for one in made for row in (one if isinstance(one, list) else [one])]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "runs.jsonl", rows_of(langsmith))
    write_docs(tmp_path / "corpus.jsonl", [Doc(f"p{number}", text) for number, (_, text) in enumerate(PASSAGES, 1)])
    return tmp_path


def call(*args: str) -> Result:
    return CliRunner().invoke(main, ["collect", *args])


def written(folder: Path) -> str:
    """All that a collection wrote."""
    return "".join(path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*")) if path.is_file())


def test_traces_become_judgements_and_these_a_data_set(desk: Path) -> None:
    found = call("traces", "runs.jsonl", "--corpus", "corpus.jsonl")

    assert found.exit_code == 0, found.stderr
    assert found.stdout.splitlines()[0] == (
        "1 right passages for 1 questions, 2 passed over, 3 weakly wrong (retrieved for thumbs down)"
    )
    assert found.stderr.splitlines()[-1] == "next: lexitune collect resolve --corpus corpus.jsonl"
    workspace = Workspace(desk / "lexitune-work")
    assert [name for name, _ in collections(workspace)] == ["traces"]
    collected = read_collection(workspace, "traces")
    # Named by their texts in the corpus. One vote with thumbs up and one without: 1.5 / 3; passed over: 0.2 * 2 / 3.
    texts = {query.query_id: query.text for query in collected.queries.values()}
    assert {(texts[one.query_id], one.doc_id, one.relevance, one.weight) for one in collected.judgements} == {
        ("when is rent due", "p1", 1, 0.5),
        ("when is rent due", "p2", 0, 0.1333),
        ("when is rent due", "p3", 0, 0.1333),
        *(("Who owes a duty of care?", f"p{number}", 0, 0.05) for number in (1, 2, 3)),
    }
    assert {one.source for one in collected.judgements} == {"trace:traces"}
    assert call("resolve", "--corpus", "corpus.jsonl").exit_code == 0


def test_questions_that_nothing_is_said_of_are_kept_for_experts(desk: Path) -> None:
    heard = Heard()
    found = collect_traces(Workspace(desk / "work"), [desk / "runs.jsonl"], talk=heard)

    assert found is not None
    assert {query.text for query in found.queries.values()} >= {"What is a deed?"}
    assert "traces: 1 questions have no judgement: they are kept for experts to label" in heard.lines
    assert "traces: no judgement of 3 pairs: no citation and no thumbs in any answer to the question" in heard.lines
    assert "What is a deed?" in (desk / "work" / "collected" / "traces" / "queries.jsonl").read_text(encoding="utf-8")


def test_traces_with_neither_citations_nor_thumbs_give_questions_alone(desk: Path) -> None:
    path = write(desk / "bare.jsonl", rows_of(langsmith, [ASKED[3]]))

    found = call("traces", str(path), "--json")

    told = json.loads(found.stdout)
    assert (told["questions"], told["judgements"]) == (1, {})
    assert told["refused"] == {"no citation and no thumbs in any answer to the question": 3}


def test_the_same_files_are_not_read_twice(desk: Path) -> None:
    assert call("traces", "runs.jsonl").exit_code == 0

    again = call("traces", "runs.jsonl", "--json")

    assert json.loads(again.stdout) == {"collection": "traces", "fresh": False}
    assert json.loads(call("traces", "runs.jsonl", "--prior", "2", "--json").stdout)["fresh"] is True


def test_contexts_that_the_corpus_lacks_are_counted(desk: Path) -> None:
    write_docs(desk / "corpus.jsonl", [Doc("p2", DEED), Doc("p3", TORT)])

    told = json.loads(call("traces", "runs.jsonl", "--corpus", "corpus.jsonl", "--json").stdout)

    assert told["left_out"] == [{"what": "contexts", "reason": "not in the corpus", "count": 4}]


def test_passages_come_along_where_there_is_no_corpus(desk: Path) -> None:
    rows = rows_of(langfuse, [("t1", "When is rent due?", [("", LEASE), ("book", DEED), ("book", TORT)], "", None, "")])

    found = collect_traces(Workspace(desk / "work"), [write(desk / "a.jsonl", rows)])

    assert found is not None
    # Two chunks bear their book's id, so all three passages are named by their texts.
    assert sorted(doc.text for doc in found.docs) == sorted([LEASE, DEED, TORT])
    assert all(doc.doc_id.startswith("d-") for doc in found.docs)


@pytest.mark.parametrize("make", [langsmith, langfuse, phoenix])
def test_nothing_personal_is_written(desk: Path, make: Callable[..., Any]) -> None:
    secret = "sk-abcdefghijklmnopqrstuvwx1234567890"
    asked = [
        ("t1", "Lease of ann@firm.co.uk", PASSAGES, "Ask carol@firm.co.uk [1]", 1.0, "user-4711"),
        ("t2", f"Why does {secret} fail?", PASSAGES, "See [1]", 1.0, "user-4711"),
    ]
    broken = '{"id": "t9", "userId": "user-4711", "run_type"'
    path = write(desk / "a.jsonl", rows_of(make, asked))
    path.write_text(path.read_text(encoding="utf-8") + broken, encoding="utf-8")

    found = call("traces", str(path), "-C", "work", "--max-bad-share", "0.5")

    assert found.exit_code == 0, found.stderr
    everything = written(desk / "work") + found.stdout + found.stderr
    assert "Lease of [email address]" in everything
    assert [word for word in ("user-4711", secret, "firm.co.uk") if word in everything] == []
    assert "masked: email address in 1 questions" in found.stderr
    assert "left out: 1 traces: a key or password in the question" in found.stderr


def test_a_trace_is_trusted_less_than_a_click_and_more_than_a_made_up_question() -> None:
    assert kind_of("trace:traces") == "trace"
    assert list(TRUST) == ["expert", "click", "trace", "synthetic"]
    assert sorted(TRUST.values(), reverse=True) == list(TRUST.values())


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([langsmith, langfuse, phoenix]), st.randoms(use_true_random=False), st.integers(1, 3))
def test_the_order_of_records_and_files_changes_nothing(
    make: Callable[..., Any], chance: random.Random, files: int
) -> None:
    rows = rows_of(make)
    shuffled = list(rows)
    chance.shuffle(shuffled)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        plain = collect_traces(Workspace(folder / "one"), [write(folder / "a.jsonl", rows)])
        parts = [write(folder / f"b{number}.jsonl", shuffled[number::files]) for number in range(files)]
        mixed = collect_traces(Workspace(folder / "two"), [path for path in parts if path.stat().st_size])

    assert plain is not None
    assert mixed is not None
    assert list(plain.judgements) == list(mixed.judgements)
    assert list(plain.queries.items()) == list(mixed.queries.items())
    assert list(plain.docs) == list(mixed.docs)
    assert (plain.refused, plain.left_out, plain.heard) == (mixed.refused, mixed.left_out, mixed.heard)
