"""Evaluate: five systems on the same queries, clusters, slices, changes, and what is refused."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lexitune.errors import DataError, StageFailed
from lexitune.io.vectors import Vectors
from lexitune.models.corpus import encode_corpus
from lexitune.models.embedder import Embedder
from lexitune.models.load import load
from lexitune.models.options import ModelOptions
from lexitune.stages.evaluate.driver import read_evaluation
from lexitune.stages.evaluate.evaluation import SYSTEMS, Evaluation
from lexitune.stages.evaluate.measuring import clusters_of, evaluate
from lexitune.stages.evaluate.options import EvaluateOptions
from lexitune.types import Dataset, Doc, Qrels, Query

FP32 = ModelOptions(precision="fp32", device="cpu")
QUICK = EvaluateOptions(resamples=200)
Side = tuple[Embedder, Vectors]


@pytest.fixture(scope="module")
def sides(
    toy_data: Dataset, tiny_model_folder: Path, good_model_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, Side]:
    """Stock and tuned, each with its vectors of the toy corpus."""
    root = tmp_path_factory.mktemp("vectors")
    models = {
        name: load(str(folder), options=FP32)
        for name, folder in (("stock", tiny_model_folder), ("tuned", good_model_folder))
    }
    return {name: (model, encode_corpus(model, toy_data.docs, root)) for name, model in models.items()}


@pytest.fixture(scope="module")
def test_qrels(toy_data: Dataset) -> Qrels:
    assert toy_data.test is not None
    assert toy_data.test.judgements is not None
    return toy_data.test.judgements


def measure(data: Dataset, test: Qrels, stock: Side, tuned: Side, *, cosine: bool = True) -> Evaluation:
    return evaluate(
        data,
        test,
        stock=stock[0],
        tuned=tuned[0],
        stock_vectors=stock[1],
        tuned_vectors=tuned[1],
        options=replace(QUICK, cosine_audit=cosine),
    )


def fill(model: Embedder, weight: str, value: float) -> None:
    """Set every number of the weight whose name ends so."""
    (name,) = (name for name in model.model.state_dict() if name.endswith(weight))
    model.model.state_dict()[name].fill_(value)


@pytest.fixture(scope="module")
def found(toy_data: Dataset, test_qrels: Qrels, sides: Mapping[str, Side]) -> Evaluation:
    return measure(toy_data, test_qrels, sides["stock"], sides["tuned"])


def test_all_systems_are_measured_on_the_same_queries(found: Evaluation, test_qrels: Qrels) -> None:
    assert tuple(found.systems) == SYSTEMS
    assert {report.query_ids for report in found.systems.values()} == {tuple(sorted(test_qrels))}


def test_the_model_that_knows_its_words_wins(found: Evaluation) -> None:
    delta = found.comparison.delta("R@10")

    assert found.systems["bm25"].mean("R@10") == 1.0  # a query's words are all in its doc
    assert delta.low > 0.1
    assert delta.n == 60


def test_the_gain_is_the_difference_of_the_means(found: Evaluation) -> None:
    gain = found.systems["tuned"].mean("R@10") - found.systems["stock"].mean("R@10")

    assert found.comparison.delta("R@10").mean == pytest.approx(gain, abs=1e-12)


def test_a_model_against_itself_changes_nothing(
    toy_data: Dataset, test_qrels: Qrels, sides: Mapping[str, Side]
) -> None:
    same = measure(toy_data, test_qrels, sides["stock"], sides["stock"])

    delta = same.comparison.delta("R@10")
    assert (delta.mean, delta.won, delta.lost) == (0.0, 0, 0)
    assert (same.won, same.lost) == ((), ())


def test_changes_name_ranks_before_and_after(found: Evaluation, test_qrels: Qrels) -> None:
    best = found.won[0]

    assert best.delta == 1.0
    assert test_qrels[best.query_id] == {best.relevant: 1}
    assert best.rank_before is None or best.rank_before > 10
    assert best.rank_after is not None
    assert best.rank_after <= 10
    assert best.top_after == found.hits["tuned"].run(best.query_id)[0][0]


def test_seen_and_unseen_are_slices(toy_data: Dataset, test_qrels: Qrels, sides: Mapping[str, Side]) -> None:
    # Every toy doc is a positive in training. Of 60 test queries one asks what a train query asks, and one of dev.
    same = {"test-00": toy_data.queries["train-09"].text, "test-01": toy_data.queries["dev-02"].text.upper()}
    queries = {**toy_data.queries, **{query_id: Query(query_id, text) for query_id, text in same.items()}}

    found = measure(replace(toy_data, queries=queries), test_qrels, sides["stock"], sides["tuned"], cosine=False)

    assert {name: part.n for name, part in found.comparison.slices.items()} == {
        "seen query, seen document": 2,
        "unseen query, seen document": 58,
    }
    # All unseen queries are in one slice here, so what is measured without the seen ones is that slice.
    assert found.unseen == found.comparison.slices["unseen query, seen document"].deltas["R@10"]
    assert Evaluation.from_json(json.loads(json.dumps(found.to_json()))).unseen == found.unseen
    assert {query_id: leak.other_id for query_id, leak in found.seen.items()} == {
        "test-00": "train-09",
        "test-01": "dev-02",
    }
    assert found.notes[-1] == (
        "2 of 60 test queries ask what a train or dev query asks: test-00 ~ train-09, test-01 ~ dev-02"
    )


def test_thresholds_come_from_the_dev_positives_of_each_model(found: Evaluation) -> None:
    thresholds = {name: side.thresholds["relevant_p05"] for name, side in found.sides.items()}

    assert set(thresholds) == {"stock", "tuned"}
    assert all(0.0 < value < 1.0 for value in thresholds.values())
    assert thresholds["stock"] != thresholds["tuned"]


def test_a_score_of_stock_has_its_place_under_tuned(found: Evaluation) -> None:
    assert found.score_map is not None
    assert (found.score_map.k, found.score_map.queries, found.score_map.held_out) == (10, 30, 15)
    assert any(note.startswith("a threshold of ") for note in found.notes)


def test_a_model_against_itself_keeps_every_threshold(
    toy_data: Dataset, test_qrels: Qrels, sides: Mapping[str, Side]
) -> None:
    same = measure(toy_data, test_qrels, sides["stock"], sides["stock"])

    assert same.score_map is not None
    assert same.score_map.image(0.62) == pytest.approx(0.62)
    assert [note for note in same.notes if "threshold" in note] == []


def test_without_dev_queries_there_is_no_map(toy_data: Dataset, test_qrels: Qrels, sides: Mapping[str, Side]) -> None:
    without = measure(replace(toy_data, qrels={"train": {}}), test_qrels, sides["stock"], sides["tuned"])

    assert without.score_map is None
    assert Evaluation.from_json(without.to_json()).score_map is None


def test_json_brings_everything_back_but_the_rankings(found: Evaluation) -> None:
    again = Evaluation.from_json(found.to_json())

    assert again.to_json() == found.to_json()
    assert again.hits == {}


def test_an_evaluation_from_before_the_guard_is_read(found: Evaluation) -> None:
    older = found.to_json()
    del older["guard"], older["to_label"]
    for side in older["sides"].values():
        del side["size"], side["query_ms"]

    again = Evaluation.from_json(older)

    assert (again.guard, again.to_label, again.sides["tuned"].size) == ({}, 0, 0)


def test_what_either_side_takes_to_serve_is_kept(found: Evaluation) -> None:
    # 60 passages of 32 numbers of 4 bytes.
    assert {name: side.size for name, side in found.sides.items()} == {"stock": 7680, "tuned": 7680}
    assert all(side.query_ms > 0 for side in found.sides.values())


@pytest.mark.parametrize("change", [{"won": [{}]}, {"comparison": {}}, {"systems": {"stock": {}}}])
def test_what_is_broken_goes_first_for_evaluate_would_read_it_back(
    change: dict[str, Any], found: Evaluation, tmp_path: Path
) -> None:
    path = tmp_path / "m1.json"
    path.write_text(json.dumps(found.to_json() | change), encoding="utf-8")

    with pytest.raises(DataError) as raised:
        read_evaluation(path)

    assert (raised.value.code, raised.value.fix) == ("E3303", f"rm {path} && lexitune evaluate")


def test_a_filter_hides_candidates_from_every_system(
    toy_data: Dataset, test_qrels: Qrels, sides: Mapping[str, Side]
) -> None:
    # d00 belongs to tenant a; asked for tenant b, no system may return it, nor any other doc of tenant a.
    query = replace(toy_data.queries["test-00"], metadata={"filter": {"tenant": "b"}})
    data = replace(toy_data, queries={**toy_data.queries, "test-00": query})

    filtered = measure(data, test_qrels, sides["stock"], sides["tuned"])

    for name in SYSTEMS:
        assert {int(doc_id[1:]) % 2 for doc_id, _ in filtered.hits[name].run("test-00")} <= {1}
        assert filtered.systems[name].values("R@10")[0] == 0.0
    assert len(filtered.hits["tuned"].run("test-00")) == 30


def test_vectors_of_another_model_are_refused(toy_data: Dataset, test_qrels: Qrels, sides: Mapping[str, Side]) -> None:
    mixed = (sides["tuned"][0], sides["stock"][1])

    with pytest.raises(DataError) as raised:
        measure(toy_data, test_qrels, sides["stock"], mixed)

    assert (raised.value.code, raised.value.fix) == ("E3304", "lexitune reembed")


def test_vectors_of_another_corpus_are_refused(toy_data: Dataset, test_qrels: Qrels, sides: Mapping[str, Side]) -> None:
    with pytest.raises(DataError, match="made of another corpus"):
        measure(replace(toy_data, docs=toy_data.docs[:-1]), test_qrels, sides["stock"], sides["tuned"])


def test_test_queries_without_a_relevant_passage_are_no_evidence(toy_data: Dataset, sides: Mapping[str, Side]) -> None:
    with pytest.raises(DataError) as raised:
        measure(toy_data, {"test-00": {"d00": 0}}, sides["stock"], sides["tuned"])

    assert raised.value.code == "E3301"


def test_a_collapsed_model_is_refused(
    toy_data: Dataset, test_qrels: Qrels, sides: Mapping[str, Side], tiny_model_folder: Path, tmp_path: Path
) -> None:
    collapsed = load(str(tiny_model_folder), options=FP32)
    fill(collapsed, "word_embeddings.weight", 1.0)
    fill(collapsed, "position_embeddings.weight", 0.0)
    vectors = encode_corpus(collapsed, toy_data.docs, tmp_path)

    with pytest.raises(DataError) as raised:
        measure(toy_data, test_qrels, sides["stock"], (collapsed, vectors))

    assert raised.value.code == "E3125"


def test_a_model_of_nan_is_refused(
    toy_data: Dataset, test_qrels: Qrels, sides: Mapping[str, Side], good_model_folder: Path, tmp_path: Path
) -> None:
    broken = load(str(good_model_folder), options=FP32)
    vectors = encode_corpus(broken, toy_data.docs, tmp_path)
    fill(broken, "embeddings.LayerNorm.bias", float("nan"))
    named = replace(vectors, manifest={**vectors.manifest, "fingerprint": broken.fingerprint})

    with pytest.raises(StageFailed, match="not numbers"):
        measure(toy_data, test_qrels, sides["stock"], (broken, named))


@pytest.mark.parametrize(
    ("case", "test", "groups"),
    [
        ("strangers", {"q1": {"d1": 1}, "q2": {"d3": 1}}, 2),
        ("two docs of one family", {"q1": {"d1": 1}, "q2": {"d2": 1}}, 1),
        ("one doc", {"q1": {"d3": 1}, "q2": {"d3": 1}}, 1),
        ("equal texts, other docs", {"q1": {"d1": 1}, "q1b": {"d3": 1}}, 1),
        ("a chain: equal texts, then one family", {"q1": {"d3": 1}, "q1b": {"d1": 1}, "q2": {"d2": 1}}, 1),
        ("the best doc counts, not the lesser", {"q1": {"d1": 1, "d3": 2}, "q2": {"d2": 1}}, 2),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_one_cluster(case: str, test: Qrels, groups: int) -> None:
    docs = [Doc("d1", "", metadata={"family": "f"}), Doc("d2", "", metadata={"family": "f"}), Doc("d3", "")]
    texts = {"q1": "Force majeure?", "q1b": " force MAJEURE", "q2": "notice"}
    data = Dataset(docs, {name: Query(name, text) for name, text in texts.items()}, {})

    labels = clusters_of(data, test)

    assert len(set(labels.values())) == groups
    assert set(labels) == set(test)
