"""Search logs into a workspace, and out of it as a data set: from the command line, as a user does it."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.sources.clicks.logs import Row, click, search, write

from lexitune.cli.main import main
from lexitune.io.beir import read_qrels, write_docs
from lexitune.io.judgements import Collection, collections, read_collection, write_collection
from lexitune.io.quarantine import Quarantine
from lexitune.io.weights import read_weights
from lexitune.io.workspace import Meta, Workspace
from lexitune.pipeline.data import read
from lexitune.types import Doc, Judgement, Query

TEXTS = ["force majeure", "lease", "indemnity", "estoppel"]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a log of 400 searches, in which the third passage of each text is the right one, and a corpus."""
    monkeypatch.chdir(tmp_path)
    chance = random.Random(0)
    searches, events = list[Row](), list[Row]()
    for number in range(400):
        text = number % len(TEXTS)
        shown = [f"d{text}{place}" for place in range(5)]
        if chance.random() < 0.3:
            chance.shuffle(shown)
        searches.append(search(f"s{number}", TEXTS[text], shown=shown, minutes=number))
        for rank, doc in enumerate(shown, start=1):
            if chance.random() < (0.8 if doc.endswith("2") else 0.15) / rank**0.5:
                events.append(click(f"s{number}", doc, place=rank, minutes=number + 1))
    write(tmp_path / "queries.ndjson", searches)
    write(tmp_path / "events.ndjson", events)
    write_docs(
        tmp_path / "corpus.jsonl",
        [Doc(f"d{text}{place}", f"passage {text} {place}") for text in range(4) for place in range(5)],
    )
    return tmp_path


def call(*args: str) -> Result:
    return CliRunner().invoke(main, ["collect", *args])


def test_a_log_becomes_judgements_and_these_a_data_set(desk: Path) -> None:
    logs = call("logs", "queries.ndjson", "events.ndjson", "--corpus", "corpus.jsonl")

    assert logs.exit_code == 0, logs.stderr
    assert logs.stdout.splitlines()[0].startswith("4 right passages for 4 queries, ")
    assert logs.stderr.splitlines()[-1] == "next: lexitune collect resolve --corpus corpus.jsonl"
    workspace = Workspace(desk / "lexitune-work")
    assert [name for name, _ in collections(workspace)] == ["clicks"]
    collected = read_collection(workspace, "clicks")
    assert {one.doc_id for one in collected.judgements if one.relevance} == {"d02", "d12", "d22", "d32"}
    assert {query.text for query in collected.queries.values()} == set(TEXTS)
    assert not list(workspace.collected.glob(".lexitune-tmp-*"))

    built = call("resolve", "--corpus", "corpus.jsonl")

    assert built.exit_code == 0, built.stderr
    folder = workspace.collected / "data"
    qrels = read_qrels(folder / "qrels" / "all.tsv", Quarantine())
    assert {doc for grades in qrels.values() for doc, grade in grades.items() if grade} == {"d02", "d12", "d22", "d32"}
    weights = read_weights(folder / "qrels" / "train.weights.tsv")
    assert {query_id: set(docs) for query_id, docs in weights.items()} == {q: set(docs) for q, docs in qrels.items()}
    assert "a gain on test shares their bias" in " ".join(built.stderr.split())
    assert built.stderr.splitlines()[-1] == "next: lexitune tune lexitune-work/collected/data"


def test_the_same_log_again_is_not_read_again(desk: Path) -> None:
    assert call("logs", "queries.ndjson", "events.ndjson").exit_code == 0
    again = call("logs", "queries.ndjson", "events.ndjson", "--json")

    assert json.loads(again.stdout) == {"collection": "clicks", "fresh": False}
    assert "collected before" in again.stderr


def test_as_json_everything_that_was_left_out_is_told(desk: Path) -> None:
    found = json.loads(call("logs", "queries.ndjson", "events.ndjson", "--json", "--skip-queries", "lease").stdout)

    assert found["rows"]["queries.ndjson"] == 400
    assert found["searches"] == 300
    assert {row["reason"]: row["count"] for row in found["left_out"]}[
        "a health check, or another query of --skip-queries"
    ] == 100


def test_another_log_stands_beside_the_first(desk: Path) -> None:
    for name in ("clicks", "shop-2026"):
        assert call("logs", "queries.ndjson", "events.ndjson", "--name", name).exit_code == 0

    assert [name for name, _ in collections(Workspace(desk / "lexitune-work"))] == ["clicks", "shop-2026"]


@pytest.mark.parametrize("name", ["data", "all", "../up", "A b"])
def test_a_name_that_can_be_none_is_refused(desk: Path, name: str) -> None:
    result = call("logs", "queries.ndjson", "events.ndjson", "--name", name)

    assert result.exit_code == 3
    assert "error[E3016]" in result.stderr


def test_nothing_collected_says_what_to_type(desk: Path) -> None:
    result = call("resolve")

    assert result.exit_code == 3
    assert "collect logs queries.ndjson events.ndjson" in result.stderr


def test_a_corpus_of_other_ids_is_refused(desk: Path) -> None:
    call("logs", "queries.ndjson", "events.ndjson")
    write_docs(desk / "other.jsonl", [Doc("x", "a passage of something else")])

    result = call("resolve", "--corpus", "other.jsonl")

    assert result.exit_code == 3
    assert "error[E3322]" in result.stderr


def test_experts_alone_are_held_out_where_they_are_enough(desk: Path) -> None:
    call("logs", "queries.ndjson", "events.ndjson", "--corpus", "corpus.jsonl")
    workspace = Workspace(desk / "lexitune-work")
    queries = {f"e{n}": Query(f"e{n}", f"expert question {n} about {n * n}") for n in range(60)}
    judged = [Judgement(query_id, f"d{n % 4}{n % 5}", 1, "ann") for n, query_id in enumerate(queries)]
    write_collection(workspace, "ann", Collection(judged, queries), Meta("collect ann", {}, {}))

    result = call("resolve", "--corpus", "corpus.jsonl", "--json")

    splits = json.loads(result.stdout)["splits"]
    assert sum(splits.values()) == 64
    folder = workspace.collected / "data" / "qrels"
    for name in ("dev", "test"):
        assert all(query_id.startswith("e") for query_id in read_qrels(folder / f"{name}.tsv", Quarantine()))
    assert sum(query_id.startswith("q-") for query_id in read_qrels(folder / "train.tsv", Quarantine())) == 4


def test_clicks_within_a_family_that_experts_are_tested_on_are_left_out(desk: Path) -> None:
    docs = [Doc(f"d{n}", f"passage {n} of {n * n}", metadata={"family": f"f{n // 2}"}) for n in range(120)]
    workspace = Workspace(desk / "lexitune-work")
    for name, source, first in (("ann", "ann", 0), ("shop", "click:shop", 1)):
        queries = {f"{name}{n}": Query(f"{name}{n}", f"{name} asks {n} and {n * n}") for n in range(first, 120, 2)}
        judged = [Judgement(query_id, f"d{query_id[len(name) :]}", 1, source) for query_id in queries]
        write_collection(workspace, name, Collection(judged, queries, docs), Meta(f"collect {name}", {}, {}))

    result = call("resolve", "--json")

    qrels = workspace.collected / "data" / "qrels"
    held_out = {
        f"f{int(key[3:]) // 2}" for name in ("dev", "test") for key in read_qrels(qrels / f"{name}.tsv", Quarantine())
    }
    clicked = {
        f"f{int(key[4:]) // 2}" for key in read_qrels(qrels / "train.tsv", Quarantine()) if key.startswith("shop")
    }
    assert len(held_out) + len(clicked) == 60
    assert not held_out & clicked
    assert f"{len(held_out)} queries are of families that held-out ones are of" in result.stderr
    assert read(workspace.collected / "data").test is not None  # nothing leaks
