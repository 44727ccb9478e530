"""Refreshing the report: a finished challenger's where its evaluation still holds, else the advice's."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from lexitune.fingerprint import hash_file
from lexitune.io.atomic import replace_text
from lexitune.io.hits import Hits
from lexitune.io.staged import Staged, write_staged
from lexitune.io.trec import write_run
from lexitune.io.workspace import Meta, Workspace, write_meta
from lexitune.metrics.comparison import compare, compare_slices
from lexitune.metrics.report import Report
from lexitune.metrics.score_map import RankedScores, learn_score_map
from lexitune.pipeline.data import import_data
from lexitune.pipeline.refresh import refresh_report
from lexitune.stages.evaluate.evaluation import Change, Evaluation, Side
from lexitune.types import Advice, Dataset, Doc, GateResult, Query, SealedQrels

TESTS = [f"q{number:03}" for number in range(100)]


def system(name: str, hits: int) -> Report:
    values = np.array([1.0] * hits + [0.0] * (len(TESTS) - hits))
    return Report(name, "test", TESTS, {"R@10": values, "nDCG@10": values / 2}, fingerprints={"qrels": "q"})


def evaluation() -> Evaluation:
    """Of a hundred queries stock answers 40, tuned 60, BM25 30; with BM25 stock answers 45 and tuned 55."""
    found = {
        name: system(name, hits)
        for name, hits in [("stock", 40), ("bm25", 30), ("hybrid_stock", 45), ("tuned", 60), ("hybrid_tuned", 55)]
    }
    gained = compare(found["stock"], found["tuned"], resamples=100)
    gained = replace(gained, slices=compare_slices(gained, {"seen query": {"q050"}}, resamples=100))
    side = Side("m", "vectors/v1", "f1", {})
    return Evaluation(
        model_id="m1",
        primary="R@10",
        systems=found,
        comparison=gained,
        hybrid=compare(found["hybrid_stock"], found["hybrid_tuned"], resamples=100),
        against_bm25={name: compare(found["bm25"], found[name], resamples=100) for name in ("tuned", "hybrid_tuned")},
        won=[Change("q050", 1.0, "d1", None, 1, "d2", "d1")],
        lost=[],
        sides={"stock": side, "tuned": side},
    )


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """One in which m1 was evaluated, and nothing was assessed or judged."""
    docs = [Doc("d1", "the right passage"), Doc("d2", "another passage")]
    queries = {name: Query(name, f"question {name}") for name in [*TESTS, "t", "v"]}
    test = SealedQrels(None, len(TESTS), {name: {"d1": 1} for name in TESTS})
    made = Workspace(tmp_path / "work")
    import_data(made, Dataset(docs, queries, {"train": {"t": {"d1": 1}}, "dev": {"v": {"d2": 1}}}, test))
    write_staged(made, Staged("m1", "vectors/v1", "f1", hash_file(made.corpus), "f1"))
    path = made.reports / "m1.json"
    replace_text(path, json.dumps(evaluation().to_json()))
    write_meta(path, Meta("evaluate", {}, {"data": hash_file(made.dataset), "vectors": "vectors/v1"}))
    for suffix in ("", "-stock"):
        write_run(made.runs / f"m1{suffix}.trec", Hits.from_run({"q050": {"d1": 0.5, "d2": 0.25}}), "m1")
    return made


def told(workspace: Workspace, words: Sequence[str]) -> list[bool]:
    assert refresh_report(workspace) == workspace.root / "report.html"
    page = (workspace.root / "report.html").read_text(encoding="utf-8")
    return [one in page for one in words]


def advise(workspace: Workspace) -> None:
    advice = Advice("NO", ("it is good",), {"systems": {}}, "lexitune status")
    replace_text(workspace.reports / "assess.json", json.dumps(asdict(advice)))


def test_an_evaluated_challenger_has_its_report_with_the_advice_in_it(workspace: Workspace) -> None:
    advise(workspace)

    assert told(workspace, ["Did the tune help?", "Was it worth trying?", "It is good.", "question q050"]) == [True] * 4


def test_nothing_assessed_leaves_that_chapter_out(workspace: Workspace) -> None:
    assert told(workspace, ["Did the tune help?", "Was it worth trying?"]) == [True, False]


def test_the_verdict_names_what_needs_no_training(workspace: Workspace) -> None:
    # 60 of a hundred beside 45: 15 points, sd of the differences 0.359, t of 99 degrees 1.984.
    words = "Beside stock + BM25, which needs no training, tuned gains +15.0 [+7.9, +22.1] points."

    assert told(workspace, [words, "The gate says PROMOTE."]) == [True, True]


def test_the_verdict_hears_other_seeds_as_promote_does(workspace: Workspace) -> None:
    found = evaluation()
    loses = replace(found, comparison=compare(found.systems["tuned"], found.systems["stock"], resamples=100))
    replace_text(workspace.reports / "m2.json", json.dumps(loses.to_json()))
    before = told(workspace, ["The gate says PROMOTE."])
    for seed, name in enumerate(["m1", "m2"]):
        write_meta(workspace.models / name, Meta("train", {"seed": seed}, {}))

    assert (before, told(workspace, ["The gate says CANNOT DECIDE."])) == ([True], [True])


def test_one_query_of_a_slice_has_no_interval(workspace: Workspace) -> None:
    assert told(workspace, ["+100.0", "[+100.0, +100.0]</span>"]) == [True, False]


def test_what_the_gate_said_stands_until_the_evaluation_changes(workspace: Workspace) -> None:
    path = workspace.verdicts / "m1.json"
    replace_text(path, json.dumps(asdict(GateResult("REFUSE", ("no",), {}, "lexitune status"))))
    write_meta(path, Meta("promote", {}, {"evaluation": hash_file(workspace.reports / "m1.json")}))
    assert told(workspace, ["The gate says REFUSE."]) == [True]

    write_meta(path, Meta("promote", {}, {"evaluation": "another"}))
    assert told(workspace, ["The gate says PROMOTE."]) == [True]


@pytest.mark.parametrize("gone", ["staged.json", "reports/m1.json.meta.json", "runs/m1.trec", "vectors", "store"])
def test_an_evaluation_that_no_longer_holds_leaves_the_advice(gone: str, workspace: Workspace) -> None:
    if gone == "vectors":
        write_staged(workspace, Staged("m1", "vectors/v2", "f1", hash_file(workspace.corpus), "f1"))
    elif gone == "store":
        write_staged(workspace, Staged("m1", "vectors/v1", "f1", hash_file(workspace.corpus), "f1", "lance:x", "i1"))
    else:
        (workspace.root / gone).unlink()
    assert refresh_report(workspace) is None

    advise(workspace)
    assert told(workspace, ["Is a tune worth it here?", "NOT WORTH IT"]) == [True, True]


def test_where_scores_were_mapped_the_page_has_thresholds_and_a_slice_says_when_it_is_not_judged(
    workspace: Workspace,
) -> None:
    words = ["A threshold in your code lies elsewhere now", "too few to be judged"]
    before = told(workspace, words)
    old = np.tile(np.arange(10) / 10, (40, 1))
    scores = RankedScores(old, np.zeros(old.shape, dtype=bool))
    found = evaluation()
    part = compare_slices(found.comparison, {"language=de": set(TESTS[:40])}, resamples=100)
    path = workspace.reports / "m1.json"
    mapped = replace(
        found,
        score_map=learn_score_map(scores, scores, held_out=np.arange(40) < 20),
        comparison=replace(found.comparison, slices=part),
    )
    replace_text(path, json.dumps(mapped.to_json()))

    assert (before, told(workspace, words)) == ([False, False], [True, True])
