"""A model whose query side alone was tuned: it serves through the stock index, and is never taken for another model."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.heard import Heard

from lexitune.errors import DataError, UsageError
from lexitune.io.staged import read_staged
from lexitune.io.vectors import open_vectors
from lexitune.io.workspace import Meta, Workspace, read_meta, write_meta
from lexitune.models.corpus import corpus_key, encode_corpus
from lexitune.models.embedder import Embedder
from lexitune.models.load import load
from lexitune.models.options import ModelOptions
from lexitune.pipeline.options import TuneOptions
from lexitune.pipeline.search import search_serving
from lexitune.pipeline.tune import tune
from lexitune.stages.assess.driver import run as assess
from lexitune.stages.evaluate.driver import run as evaluate
from lexitune.stages.evaluate.options import EvaluateOptions
from lexitune.stages.promote.driver import rollback
from lexitune.stages.promote.driver import run as promote
from lexitune.stages.promote.options import PromoteOptions
from lexitune.stages.promote.serving import read_serving
from lexitune.stages.reembed.driver import run as reembed
from lexitune.stages.train.driver import run as train
from lexitune.stages.train.options import TrainOptions
from lexitune.stages.train.training import train as train_data
from lexitune.types import Dataset

QUICK = EvaluateOptions(resamples=200, cosine_audit=False)
ANY = PromoteOptions(min_gain=-1.1)  # whatever is measured, it serves

Adapt = Callable[[str, int], Embedder]


@pytest.fixture
def model(tiny_model_folder: Path) -> ModelOptions:
    return ModelOptions(model=str(tiny_model_folder), precision="fp32", device="cpu")


@pytest.fixture
def stock(model: ModelOptions) -> Embedder:
    return load(options=model)


@pytest.fixture
def adapt(toy_workspace: Workspace, model: ModelOptions) -> Adapt:
    """Puts the stock model with a query map drawn by seed into the workspace, under the name given."""

    def make(model_id: str, seed: int) -> Embedder:
        made = load(options=model)
        noise = np.random.default_rng(seed).normal(0, 0.05, (32, 32))
        made.query_map = (np.eye(32) + noise).astype(np.float32)
        made.save(toy_workspace.models / model_id)
        write_meta(toy_workspace.models / model_id, Meta("train", {}, {}))
        return made

    return make


def test_nothing_is_encoded_and_that_is_said(
    toy_workspace: Workspace, toy_data: Dataset, stock: Embedder, model: ModelOptions, adapt: Adapt
) -> None:
    before = encode_corpus(stock, toy_data.docs, toy_workspace.vectors).folder
    written = {path: path.stat().st_mtime_ns for path in before.iterdir()}
    made, heard = adapt("a", 1), Heard()

    folder = reembed(toy_workspace, model=model, talk=heard)

    staged = read_staged(toy_workspace)
    assert folder == before
    assert {path: path.stat().st_mtime_ns for path in before.iterdir()} == written
    assert heard.lines == [f"reembed: nothing to encode, vectors/{before.name} holds these passages already"]
    assert staged is not None
    assert (staged.fingerprint, staged.doc_fingerprint) == (made.fingerprint, stock.fingerprint)
    assert open_vectors(folder).manifest["fingerprint"] == stock.fingerprint


def test_evaluation_promotion_search_and_rollback_go_through_the_stock_index(
    toy_workspace: Workspace, stock: Embedder, model: ModelOptions, adapt: Adapt
) -> None:
    made = adapt("a", 1)
    reembed(toy_workspace, model=model)

    found = evaluate(toy_workspace, model=model, options=QUICK)
    promote(toy_workspace, options=ANY)
    serving = read_serving(toy_workspace)
    tuned = search_serving(toy_workspace, "w8 w9", k=3)
    rollback(toy_workspace)
    before = search_serving(toy_workspace, "w8 w9", k=3)

    sides = found.sides
    assert sides["tuned"].vectors == sides["stock"].vectors == f"vectors/{corpus_key(stock)}"
    assert (sides["tuned"].fingerprint, sides["stock"].fingerprint) == (made.fingerprint, stock.fingerprint)
    assert found.systems["tuned"].fingerprints["model"] != found.systems["stock"].fingerprints["model"]
    assert serving is not None
    assert (serving.model, serving.fingerprint) == ("models/a", made.fingerprint)
    stored = open_vectors(toy_workspace.root / serving.vectors)
    row = stored.doc_ids.index(tuned[0].doc_id)
    best = stored.rows(np.array([row]))[0]
    assert tuned[0].score == pytest.approx(float(made.encode_queries(["w8 w9"])[0] @ best), abs=1e-6)
    assert [hit.score for hit in tuned] != [hit.score for hit in before]


def exchange(workspace: Workspace) -> None:
    """Another adapter of the same stock model takes the place of a, record and all."""
    shutil.rmtree(workspace.models / "a")
    (workspace.models / "b").rename(workspace.models / "a")


def test_another_adapter_under_the_staged_name_is_not_evaluated(
    toy_workspace: Workspace, model: ModelOptions, adapt: Adapt
) -> None:
    adapt("b", 2)
    adapt("a", 1)
    reembed(toy_workspace, model_id="a", model=model)
    exchange(toy_workspace)

    with pytest.raises(DataError) as refusal:
        evaluate(toy_workspace, model=model, options=QUICK)

    assert (refusal.value.code, refusal.value.fix) == ("E3304", "lexitune reembed")


def test_the_evaluation_of_one_adapter_does_not_promote_another(
    toy_workspace: Workspace, model: ModelOptions, adapt: Adapt
) -> None:
    adapt("b", 2)
    adapt("a", 1)
    reembed(toy_workspace, model_id="a", model=model)
    evaluate(toy_workspace, model=model, options=QUICK)
    exchange(toy_workspace)
    reembed(toy_workspace, model_id="a", model=model)

    with pytest.raises(DataError) as refusal:
        promote(toy_workspace, options=ANY)

    assert (refusal.value.code, refusal.value.fix) == ("E3304", "lexitune evaluate")


def test_another_adapter_does_not_answer_in_the_promoted_ones_place(
    toy_workspace: Workspace, model: ModelOptions, adapt: Adapt
) -> None:
    adapt("b", 2)
    adapt("a", 1)
    reembed(toy_workspace, model_id="a", model=model)
    evaluate(toy_workspace, model=model, options=QUICK)
    promote(toy_workspace, options=ANY)
    exchange(toy_workspace)

    with pytest.raises(DataError, match="is not the model that was promoted") as refusal:
        search_serving(toy_workspace, "w8 w9")

    assert refusal.value.code == "E3145"


def test_a_serving_line_without_a_fingerprint_is_searched_as_before(
    toy_workspace: Workspace, model: ModelOptions, adapt: Adapt
) -> None:
    adapt("a", 1)
    reembed(toy_workspace, model=model)
    evaluate(toy_workspace, model=model, options=QUICK)
    promote(toy_workspace, options=ANY)
    line = json.loads(toy_workspace.serving.read_text(encoding="utf-8"))
    del line["fingerprint"]
    toy_workspace.serving.write_text(json.dumps(line) + "\n", encoding="utf-8")

    assert search_serving(toy_workspace, "w8 w9", k=1)[0].rank == 1


def test_a_staged_record_of_an_older_form_is_written_anew(
    toy_workspace: Workspace, model: ModelOptions, adapt: Adapt
) -> None:
    adapt("a", 1)
    reembed(toy_workspace, model=model)
    path = toy_workspace.root / "staged.json"
    found = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({key: found[key] for key in found if key != "doc_fingerprint"}), encoding="utf-8")

    reembed(toy_workspace, model=model)

    assert json.loads(path.read_text(encoding="utf-8")) == found


ADAPTER = TrainOptions(recipe="adapter", batch_size=16, learning_rate=0.02)


def test_the_recipe_reuses_what_assess_encoded_and_its_model_walks_the_whole_way(
    toy_workspace: Workspace, stock: Embedder, model: ModelOptions
) -> None:
    heard = Heard()
    assess(toy_workspace, model=model)
    folder = train(toy_workspace, model=model, options=ADAPTER, talk=heard)
    reembed(toy_workspace, model=model, talk=heard)
    found = evaluate(toy_workspace, model=model, options=QUICK)
    promote(toy_workspace, options=ANY)
    hits = search_serving(toy_workspace, "w8 w9", k=3)

    tuned = load(str(folder), options=model)
    meta = read_meta(folder)
    assert meta is not None
    curve = meta.outputs["curve"]
    best = max(row["dev"] for row in curve if "dev" in row)
    assert meta.outputs["best_dev"] == best > curve[0]["dev"]
    assert (meta.outputs["recipe"], meta.outputs["dev_measure"], meta.outputs["dev_docs"]) == ("adapter", "R@10", 60)
    assert tuned.doc_fingerprint == stock.fingerprint != tuned.fingerprint
    reused = f"nothing to encode, vectors/{corpus_key(stock)} holds these passages already"
    assert [line for line in heard.lines if "nothing to encode" in line] == [f"train: {reused}", f"reembed: {reused}"]
    assert [path.name for path in toy_workspace.vectors.glob("*/manifest.json")] == ["manifest.json"]
    assert found.sides["tuned"].fingerprint == tuned.fingerprint
    assert len(hits) == 3


def test_an_adapter_serves_while_a_tuned_model_is_made_and_comes_back_by_a_rollback(
    toy_workspace: Workspace,
    stock: Embedder,
    model: ModelOptions,
    adapt: Adapt,
    good_model_folder: Path,
    add_challenger: Callable[[Workspace, str, Path], None],
) -> None:
    adapt("a", 1)
    reembed(toy_workspace, model_id="a", model=model)
    evaluate(toy_workspace, model=model, options=QUICK)
    promote(toy_workspace, options=ANY)
    first, answers = read_serving(toy_workspace), search_serving(toy_workspace, "w8 w9", k=3)

    add_challenger(toy_workspace, "good", good_model_folder)
    reembed(toy_workspace, model_id="good", model=model)
    meanwhile = read_serving(toy_workspace), search_serving(toy_workspace, "w8 w9", k=3)
    found = evaluate(toy_workspace, model=model, options=QUICK)
    promote(toy_workspace, options=ANY, force="a toy knows no general text")
    second = read_serving(toy_workspace)
    rollback(toy_workspace)

    assert first is not None
    assert second is not None
    assert (first.model, second.model) == ("models/a", "models/good")
    assert second.vectors != first.vectors == f"vectors/{corpus_key(stock)}"
    assert meanwhile == (first, answers)
    assert found.sides["stock"].fingerprint == stock.fingerprint  # not the adapter's, which serves
    assert search_serving(toy_workspace, "w8 w9", k=3) == answers


def test_a_finished_adapter_is_not_trained_twice(toy_workspace: Workspace, model: ModelOptions) -> None:
    heard = Heard()
    first = train(toy_workspace, model=model, options=ADAPTER)

    assert train(toy_workspace, model=model, options=ADAPTER, talk=heard) == first
    assert heard.lines[1:] == [f"train: skipped, {first.name} has the same data, model and options"]


def test_without_a_workspace_nothing_but_the_model_is_left(
    toy_data: Dataset, stock: Embedder, model: ModelOptions, tmp_path: Path
) -> None:
    before = stock.fingerprint

    out = train_data(toy_data, model=stock, out=tmp_path / "law", options=ADAPTER)

    assert [path.name for path in tmp_path.iterdir()] == ["law"]
    assert (stock.query_map, stock.fingerprint) == (None, before)
    assert load(str(out), options=model).query_map is not None


def test_where_no_map_beats_stock_the_model_is_the_stock_model(
    toy_data: Dataset, stock: Embedder, model: ModelOptions, tmp_path: Path
) -> None:
    # All dev queries are answered among the first ten already: there is nothing to gain.
    easy = replace(toy_data, docs=[doc for doc in toy_data.docs if doc.doc_id < "d09"])
    few = {
        split: {q: docs for q, docs in toy_data.qrels[split].items() if min(docs) < "d09"} for split in ("train", "dev")
    }
    heard = Heard()

    out = train_data(replace(easy, qrels=few), model=stock, out=tmp_path / "law", options=ADAPTER, talk=heard)

    assert load(str(out), options=model).fingerprint == stock.fingerprint
    assert heard.lines[-1] == "no checkpoint beat the stock model on dev (R@10 1.00): its weights are kept"


def test_a_model_with_an_adapter_is_no_place_to_train_from(
    toy_workspace: Workspace, toy_data: Dataset, model: ModelOptions, adapt: Adapt, tmp_path: Path
) -> None:
    made = adapt("a", 1)

    with pytest.raises(UsageError) as refusal:
        train_data(toy_data, model=made, out=tmp_path / "law")

    assert (refusal.value.code, refusal.value.fix) == ("E2127", f"train from its stock model: --model {model.model}")
    assert not (tmp_path / "law").exists()


def test_the_journey_with_the_recipe_adapter(toy_data: Dataset, model: ModelOptions, tmp_path: Path) -> None:
    options = (model, TuneOptions(anyway=True), ADAPTER, QUICK, PromoteOptions(min_gain=-1.1, min_queries=5))

    outcome = tune(toy_data, workspace=tmp_path / "work", options=options)

    assert outcome.gate is not None
    assert outcome.gate.answer == "PROMOTE"
    assert outcome.model is not None
    assert (outcome.model / "query_adapter.safetensors").is_file()
