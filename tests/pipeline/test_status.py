"""Status: at each station of the journey, what is there and what to type next."""

import json
from pathlib import Path
from typing import Any

import pytest

from lexitune.fingerprint import hash_file
from lexitune.io.atomic import replace_text
from lexitune.io.staged import Staged, write_staged
from lexitune.io.workspace import Meta, Workspace, write_meta
from lexitune.pipeline.data import import_data
from lexitune.pipeline.status import status
from lexitune.stages.promote.serving import Serving
from lexitune.stages.promote.switch import switch
from lexitune.stores.store import Stamp, opened
from lexitune.types import Dataset, Doc, Query, SealedQrels

SEARCH = 'lexitune search "your query"'
ELSEWHERE = "lexitune -C NEW_FOLDER tune MORE_DATA"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Three docs; one query each for train, dev and test."""
    names = ("train", "dev", "test")
    docs = [Doc(f"d-{name}", f"passage of {name}") for name in names]
    queries = {f"q-{name}": Query(f"q-{name}", f"query of {name}") for name in names}
    qrels = {name: {f"q-{name}": {f"d-{name}": 1}} for name in names}
    test = SealedQrels(None, 1, qrels.pop("test"))
    made = Workspace(tmp_path / "work")
    import_data(made, Dataset(docs, queries, qrels, test))
    return made


def advise(workspace: Workspace, answer: str, next_command: str = "lexitune train", *, data: str = "") -> None:
    path = workspace.reports / "assess.json"
    replace_text(path, json.dumps({"answer": answer, "reasons": [], "evidence": {}, "next_command": next_command}))
    write_meta(path, Meta("assess", {}, {"data": data or hash_file(workspace.dataset)}))


def train(workspace: Workspace, model_id: str = "m1") -> None:
    folder = workspace.models / model_id
    folder.mkdir(parents=True)
    write_meta(folder, Meta("train", {}, {}, outputs={"best_dev": 0.625}))


def stage(workspace: Workspace, model_id: str = "m1", *, corpus: str = "") -> None:
    replace_text(workspace.vectors / "v1" / "manifest.json", "{}")
    write_staged(workspace, Staged(model_id, "vectors/v1", "f1", corpus or hash_file(workspace.corpus), "f1"))


def evaluate(workspace: Workspace, model_id: str = "m1") -> None:
    def system(mean: float) -> dict[str, Any]:
        return {"summary": {"R@10": {"mean": mean, "low": mean - 0.1, "high": mean + 0.1, "n": 200}}}

    path = workspace.reports / f"{model_id}.json"
    replace_text(path, json.dumps({"primary": "R@10", "systems": {"stock": system(0.5), "tuned": system(0.6)}}))
    write_meta(path, Meta("evaluate", {}, {"data": hash_file(workspace.dataset), "vectors": "vectors/v1"}))


def judge(workspace: Workspace, answer: str, model_id: str = "m1") -> None:
    path = workspace.verdicts / f"{model_id}.json"
    replace_text(path, json.dumps({"answer": answer}))
    write_meta(path, Meta("promote", {}, {"evaluation": hash_file(workspace.reports / f"{model_id}.json")}))


def serve(workspace: Workspace) -> None:
    replace_text(workspace.serving, Serving("models/m1", "vectors/v1", {}).to_line())


def walk(workspace: Workspace, answer: str) -> None:
    """The whole journey, as files."""
    advise(workspace, "TUNE")
    train(workspace)
    stage(workspace)
    evaluate(workspace)
    judge(workspace, answer)


def test_an_empty_folder_needs_data(tmp_path: Path) -> None:
    found = status(Workspace(tmp_path))

    assert found.data is None
    assert found.next_command == "lexitune tune DATA"


def test_every_station_names_the_next(workspace: Workspace) -> None:
    stations = [status(workspace).next_command]
    advise(workspace, "TUNE")
    for step in (train, stage, evaluate):
        stations.append(status(workspace).next_command)
        step(workspace)
    stations.append(status(workspace).next_command)
    judge(workspace, "PROMOTE")
    stations.append(status(workspace).next_command)  # it was cut off before it switched
    serve(workspace)
    stations.append(status(workspace).next_command)

    assert stations == [
        "lexitune assess",
        "lexitune train",
        "lexitune reembed",
        "lexitune evaluate",
        "lexitune promote",
        "lexitune promote",
        SEARCH,
    ]


def test_everything_is_shown(workspace: Workspace) -> None:
    walk(workspace, "PROMOTE")
    serve(workspace)
    entry = {
        "action": "promote",
        "serving": {"model": "models/m1", "vectors": "vectors/v1", "thresholds": {}},
        "before": {"model": "minilm", "vectors": "vectors/v0", "thresholds": {}},
    }
    replace_text(workspace.root / "serving-log.jsonl", json.dumps(entry) + "\n")

    assert status(workspace).lines() == [
        f"workspace   {workspace.root}",
        "data        3 docs; queries: 1 train, 1 dev, 1 test",
        "advice      TUNE",
        "model       m1: dev recall 0.62, staged, gate: PROMOTE",
        "            test R@10 0.60 [0.50, 0.70], stock 0.50 [0.40, 0.60], n=200",
        "serving     models/m1 (before it: minilm)",
    ]


def test_who_overruled_the_gate_is_shown_and_what_serves_by_force_can_be_searched(workspace: Workspace) -> None:
    walk(workspace, "REFUSE")
    verdict = {"answer": "REFUSE", "evidence": {"forced": {"who": "anna", "why": "a test"}}}
    replace_text(workspace.verdicts / "m1.json", json.dumps(verdict))
    serve(workspace)

    found = status(workspace)

    assert found.models[0].verdict == "REFUSE, forced by anna"
    assert found.next_command == SEARCH


def test_the_report_is_named_where_there_is_one(workspace: Workspace) -> None:
    assert status(workspace).report == ""

    replace_text(workspace.root / "report.html", "<!doctype html>")

    assert "report      report.html" in status(workspace).lines()


def test_it_can_be_written_as_json(workspace: Workspace) -> None:
    walk(workspace, "PROMOTE")

    found = json.loads(json.dumps(status(workspace).to_json()))

    assert found["models"][0]["model_id"] == "m1"
    assert found["vectors"] == ["vectors/v1"]


@pytest.mark.parametrize("answer", ["REFUSE", "CANNOT DECIDE"])
def test_a_challenger_that_did_not_pass_needs_more_data(workspace: Workspace, answer: str) -> None:
    walk(workspace, answer)

    assert status(workspace).next_command == ELSEWHERE


@pytest.mark.parametrize(
    ("answer", "advised", "next_command"),
    [
        ("NO", "lexitune status", "lexitune tune --anyway"),
        ("CANNOT TELL", "lexitune tune --anyway", "lexitune tune --anyway"),
    ],
)
def test_advice_against_tuning_can_be_overruled(
    workspace: Workspace, answer: str, advised: str, next_command: str
) -> None:
    advise(workspace, answer, advised)

    assert status(workspace).next_command == next_command


def test_a_newer_challenger_is_the_one_to_go_on_with(workspace: Workspace) -> None:
    walk(workspace, "PROMOTE")
    train(workspace, "m2")

    found = status(workspace)

    assert [(model.model_id, model.staged) for model in found.models] == [("m1", True), ("m2", False)]
    assert found.next_command == "lexitune reembed"


def test_work_that_was_cut_off_is_told(workspace: Workspace) -> None:
    advise(workspace, "TUNE")
    (workspace.models / ".building-m1").mkdir(parents=True)
    (workspace.vectors / "v1").mkdir(parents=True)
    (workspace.vectors / ".next-v2").mkdir(parents=True)
    (workspace.root / "switch-intent.json").write_text("{}")

    found = status(workspace)

    assert [line.partition(":")[0] for line in found.unfinished] == [
        "a switch was cut off",
        "training of m1 was cut off",
        "vectors/v1 is incomplete",
        "vectors/v2 is being made anew, and serves as it was",
    ]
    assert found.next_command == "lexitune train"


def test_a_half_written_model_is_no_model(workspace: Workspace) -> None:
    (workspace.models / "m1").mkdir(parents=True)

    assert status(workspace).models == []


@pytest.mark.parametrize("name", ["corpus.jsonl", "qrels/test.tsv"])
def test_a_file_changed_since_the_import_is_told(workspace: Workspace, name: str) -> None:
    with (workspace.root / name).open("a") as file:
        file.write("\n")

    found = status(workspace)

    assert f"{name} was changed since it was imported" in found.stale
    assert found.next_command == ELSEWHERE


def test_what_was_made_of_something_else_is_stale_and_made_again_in_order(workspace: Workspace) -> None:
    walk(workspace, "PROMOTE")
    advise(workspace, "TUNE", data="other")
    stage(workspace, corpus="other")

    found = status(workspace)

    assert found.stale == [
        "the advice was given on other data",
        "the staged index of m1 was made of another corpus",
    ]
    assert found.next_command == "lexitune assess"


def test_an_evaluation_through_another_index_and_a_verdict_on_an_older_one_are_stale(workspace: Workspace) -> None:
    walk(workspace, "PROMOTE")
    write_staged(workspace, Staged("m1", "vectors/v2", "f1", hash_file(workspace.corpus), "f1"))
    report = workspace.reports / "m1.json"
    replace_text(report, report.read_text() + "\n")

    found = status(workspace)

    assert found.stale == [
        "m1 was evaluated on other data or through another index",
        "the verdict on m1 is older than its evaluation",
    ]
    assert found.next_command == "lexitune evaluate"


def test_looking_changes_nothing_and_opens_no_test_judgements(workspace: Workspace) -> None:
    walk(workspace, "PROMOTE")
    before = sorted((path, path.stat().st_mtime_ns) for path in workspace.root.rglob("*"))

    status(workspace)

    assert sorted((path, path.stat().st_mtime_ns) for path in workspace.root.rglob("*")) == before
    assert not workspace.openings.exists()


@pytest.mark.parametrize(
    ("until", "line"),
    [
        ("2999-01-02T03:04:05+00:00", "before      models/m1 kept until 2999-01-02 03:04 UTC"),
        ("2020-01-02T03:04:05+00:00", "can go      lexitune models rm m1"),
    ],
)
def test_what_served_before_is_kept_and_then_can_go(until: str, line: str, workspace: Workspace) -> None:
    train(workspace, "m1")
    old, new = (Serving(f"models/{name}", f"vectors/{name}", {}) for name in ("m1", "m2"))
    replace_text(workspace.vectors / "m2" / "manifest.json", "{}")
    switch(workspace, action="promote", to=new, before=old, kept_until=until)

    told = [one for one in status(workspace).lines() if one.startswith(("before", "can go"))]

    assert told == [line]


def test_an_index_that_was_kept_is_named_until_it_is_dropped(workspace: Workspace) -> None:
    spec = f"lancedb:{workspace.root / 'index'}"
    with opened(spec) as store:
        for name in ("docs_a", "docs_b"):
            store.create(name, stamp=Stamp("f", 2))
        old, new = (Serving("m", "vectors/v", {}, store=store.spec, index=name) for name in ("docs_a", "docs_b"))
    replace_text(workspace.vectors / "v" / "manifest.json", "{}")
    switch(workspace, action="promote", to=new, before=old, kept_until="2020-01-02T03:04:05+00:00")

    before = status(workspace).can_go
    with opened(spec) as store:
        store.drop("docs_a")

    assert (before, status(workspace).can_go) == (["lexitune indexes --drop docs_a"], [])
