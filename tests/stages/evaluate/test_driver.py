"""Evaluate in a workspace: what must be staged, what is written, and when the test judgements are opened."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.heard import Heard

from lexitune.errors import DataError
from lexitune.io.quarantine import Quarantine
from lexitune.io.staged import read_staged, write_staged
from lexitune.io.trec import read_run
from lexitune.io.workspace import Workspace, meta_path
from lexitune.models.options import ModelOptions
from lexitune.pipeline.status import status
from lexitune.stages.evaluate import driver as evaluating
from lexitune.stages.evaluate.driver import read_evaluation, report_path, run
from lexitune.stages.evaluate.options import EvaluateOptions
from lexitune.stages.reembed.driver import run as reembed

QUICK = EvaluateOptions(resamples=200)


@pytest.fixture
def model(tiny_model_folder: Path) -> ModelOptions:
    return ModelOptions(model=str(tiny_model_folder), precision="fp32", device="cpu")


@pytest.fixture
def staged(
    toy_workspace: Workspace,
    add_challenger: Callable[[Workspace, str, Path], None],
    good_model_folder: Path,
    model: ModelOptions,
) -> Workspace:
    add_challenger(toy_workspace, "m1", good_model_folder)
    reembed(toy_workspace, model_id="m1", model=model)
    return toy_workspace


def openings(workspace: Workspace) -> list[str]:
    return [json.loads(line)["purpose"] for line in workspace.openings.read_text(encoding="utf-8").splitlines()]


def test_everything_is_written_and_equal_inputs_are_read_back(staged: Workspace, model: ModelOptions) -> None:
    found = run(staged, model=model, options=QUICK)
    again = run(staged, model=model, options=QUICK)

    assert sorted(path.name for path in staged.runs.iterdir()) == [
        "m1-bm25.trec",
        "m1-hybrid-stock.trec",
        "m1-hybrid-tuned.trec",
        "m1-stock.trec",
        "m1.per-query.csv",
        "m1.trec",
        "m1.unjudged.csv",
    ]
    assert again.to_json() == json.loads(report_path(staged, "m1").read_text(encoding="utf-8"))
    assert again.to_json() == found.to_json()
    assert found.sides["tuned"].model == "models/m1"
    assert found.sides["stock"].model == str(Path(model.model).resolve())


def test_all_of_it_is_one_step_of_the_journey(staged: Workspace, model: ModelOptions) -> None:
    """Progress under another name would end the step's line, and what comes after would tell of a second end."""
    heard = Heard()

    run(staged, model=model, options=replace(QUICK, cosine_audit=True), talk=heard)

    assert heard.stages == {"evaluate"}


def test_test_is_recorded_each_time_it_is_opened_and_only_then(staged: Workspace, model: ModelOptions) -> None:
    run(staged, model=model, options=QUICK)
    run(staged, model=model, options=QUICK)  # skipped: nobody looks
    meta_path(report_path(staged, "m1")).unlink()  # as after a kill before the record was written
    run(staged, model=model, options=QUICK)

    assert openings(staged) == ["evaluate m1", "evaluate m1"]


def test_an_evaluation_that_was_cut_off_is_not_taken_for_the_one_before_it(
    staged: Workspace, model: ModelOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    table = staged.runs / "m1.per-query.csv"
    run(staged, model=model, options=QUICK)
    written = table.read_bytes()
    with monkeypatch.context() as killed:
        killed.setattr(evaluating, "replace_text", die)
        with pytest.raises(KeyboardInterrupt):
            run(staged, model=model, options=replace(QUICK, measures="R@10,nDCG@10"))
    cut_off = table.read_bytes()

    run(staged, model=model, options=QUICK)

    assert cut_off != written
    assert table.read_bytes() == written


def test_a_run_written_is_the_ranking_measured(staged: Workspace, model: ModelOptions) -> None:
    found = run(staged, model=model, options=QUICK)

    again = read_run(staged.runs / "m1.trec", Quarantine())
    assert [doc for doc, _ in again.run("test-07")] == [doc for doc, _ in found.hits["tuned"].run("test-07")]


def test_the_table_has_a_row_for_each_test_query(staged: Workspace, model: ModelOptions) -> None:
    run(staged, model=model, options=replace(QUICK, cosine_audit=False))

    lines = (staged.runs / "m1.per-query.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 61
    assert lines[0].startswith("query_id,seen_query,seen_document,stock R@10,stock nDCG@10")
    assert lines[1].startswith("test-00,,1,")


def test_what_to_label_is_what_the_challenger_alone_brings_up(staged: Workspace, model: ModelOptions) -> None:
    found = run(staged, model=model, options=QUICK)

    lines = (staged.runs / "m1.unjudged.csv").read_text(encoding="utf-8").splitlines()
    rows = [line.split(",") for line in lines[1:]]
    assert lines[0] == "query_id,doc_id,rank"
    assert found.to_label == len(rows) > 0
    assert [int(rank) for *_, rank in rows] == sorted(int(rank) for *_, rank in rows)
    for query_id, doc_id, rank in rows:
        assert found.hits["tuned"].run(query_id)[int(rank) - 1][0] == doc_id
        assert doc_id not in {doc for doc, _ in found.hits["stock"].run(query_id)[:10]}
        assert doc_id != f"d{query_id.removeprefix('test-')}"  # the one that was judged


def test_another_folder_to_guard_measures_anew_and_a_broken_one_stops_before_test_is_opened(
    staged: Workspace, model: ModelOptions, tmp_path: Path
) -> None:
    with pytest.raises(DataError) as raised:
        run(staged, model=model, options=replace(QUICK, guard_folder=str(tmp_path / "nowhere")))
    opened = staged.openings.exists()
    run(staged, model=model, options=QUICK)
    run(staged, model=model, options=replace(QUICK, guard_folder=str(guard_folder(staged, tmp_path))))

    assert (raised.value.code, opened) == ("E3001", False)
    assert openings(staged) == ["evaluate m1", "evaluate m1"]
    found = read_evaluation(report_path(staged, "m1"))
    assert found.guard["own text"].delta("nDCG@10").n == 60


def test_the_guards_vectors_are_no_unfinished_work(staged: Workspace, model: ModelOptions) -> None:
    run(staged, model=model, options=QUICK)

    assert (staged.vectors / "guard").is_dir()
    assert status(staged).unfinished == []


def guard_folder(workspace: Workspace, folder: Path) -> Path:
    """The workspace's own corpus with its train judgements, as somebody's folder."""
    own = folder / "own"
    (own / "qrels").mkdir(parents=True)
    for name in ("corpus.jsonl", "queries.jsonl"):
        shutil.copy(workspace.root / name, own / name)
    shutil.copy(workspace.qrels("train"), own / "qrels" / "test.tsv")
    return own


def test_the_map_of_scores_is_a_table_too(staged: Workspace, model: ModelOptions) -> None:
    found = run(staged, model=model, options=QUICK)

    header, *rows = (staged.reports / "m1.scores.tsv").read_text(encoding="utf-8").splitlines()
    old, new = zip(*((float(cell) for cell in row.split("\t")[:2]) for row in rows), strict=True)
    assert header.startswith("old\tnew\tpasses\t")
    assert found.score_map is not None
    middle = (old[0] + old[-1]) / 2
    assert np.interp(middle, old, new) == pytest.approx(found.score_map.image(middle), abs=1e-5)


def test_a_challenger_trained_from_another_model_is_noted(staged: Workspace, model: ModelOptions) -> None:
    found = run(staged, model=model, options=QUICK)

    assert found.notes[0].startswith("the challenger was trained from model; the stock model measured here is model")


def test_nothing_staged_is_said_with_the_command(toy_workspace: Workspace, model: ModelOptions) -> None:
    with pytest.raises(DataError) as raised:
        run(toy_workspace, model=model, options=QUICK)

    assert (raised.value.code, raised.value.fix) == ("E3302", "lexitune reembed")


def test_another_challenger_than_the_staged_one_is_refused(staged: Workspace, model: ModelOptions) -> None:
    with pytest.raises(DataError) as raised:
        run(staged, model_id="m2", model=model, options=QUICK)

    assert (raised.value.code, raised.value.fix) == ("E3302", "lexitune reembed m2")


def test_an_incomplete_index_is_refused_before_test_is_opened(staged: Workspace, model: ModelOptions) -> None:
    found = read_staged(staged)
    assert found is not None
    (staged.root / found.vectors / "manifest.json").unlink()

    with pytest.raises(DataError) as raised:
        run(staged, model=model, options=QUICK)

    assert (raised.value.code, raised.value.fix) == ("E3012", "lexitune reembed")
    assert not staged.openings.exists()


def test_an_index_of_other_weights_is_refused(staged: Workspace, model: ModelOptions) -> None:
    found = read_staged(staged)
    assert found is not None
    write_staged(staged, replace(found, fingerprint="f" * 32))

    with pytest.raises(DataError) as raised:
        run(staged, model=model, options=QUICK)

    assert (raised.value.code, raised.value.fix) == ("E3304", "lexitune reembed")


def test_test_judgements_edited_after_sealing_are_refused(staged: Workspace, model: ModelOptions) -> None:
    path = staged.qrels("test")
    path.write_text(path.read_text(encoding="utf-8").replace("d00", "d01"), encoding="utf-8")

    with pytest.raises(DataError) as raised:
        run(staged, model=model, options=QUICK)

    assert raised.value.code == "E3102"
    assert not report_path(staged, "m1").exists()
