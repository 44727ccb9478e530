"""What each collection earns: real tunes on a right source, a wrong one and both, and what is kept of them."""

from __future__ import annotations

from pathlib import Path
from shutil import rmtree
from typing import Any

import numpy as np
import pytest
from tests.heard import Heard

from lexitune.errors import DataError
from lexitune.fingerprint import hash_file
from lexitune.io.judgements import Collection, read_collection, write_collection
from lexitune.io.options import DataOptions
from lexitune.io.workspace import Meta, Workspace
from lexitune.models.options import ModelOptions
from lexitune.pipeline import ablation
from lexitune.pipeline.ablation import ablate, make_trials, measured_on
from lexitune.pipeline.passing import passing_model
from lexitune.pipeline.pylib import as_dataset_parts, documented_functions, library_folder
from lexitune.sources.dataset import Gathered, build_data
from lexitune.stages.train.options import TrainOptions
from lexitune.types import Dataset, Doc, Judgement, Query

SPLIT = DataOptions(dev_share=0.4, test_share=0.1)
SECTIONS = {
    "data": SPLIT,
    "model": ModelOptions(model="minilm", max_length=16, precision="fp32", device="cpu"),
    "train": TrainOptions(epochs=1),
}


@pytest.fixture
def collected(tmp_path: Path) -> Workspace:
    """Experts who are right, and a shop whose visitors click anything."""
    found, queries, qrels = as_dataset_parts(documented_functions(library_folder())[:320])
    docs = [Doc(doc.doc_id, doc.text) for doc in found]  # no families: the sources are to share what they are of
    queries = {key: Query(key, query.text) for key, query in queries.items()}
    ids, workspace = sorted(qrels), Workspace(tmp_path / "work")
    right = [Judgement(key, doc, 1, "ann") for key in ids[:200] for doc in qrels[key]]
    wrong = np.random.default_rng(1).permutation(len(docs))
    clicks = [Judgement(key, docs[wrong[row]].doc_id, 1, "click:shop") for row, key in enumerate(ids[200:])]
    for name, judged in (("human", right), ("shop", clicks)):
        asked = {one.query_id: queries[one.query_id] for one in judged}
        write_collection(workspace, name, Collection(judged, asked, docs), Meta(f"collect {name}", {}, {}))
    build_data(workspace, options=SPLIT)
    return workspace


def test_each_source_is_tuned_on_alone_and_with_the_others(
    collected: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk = Heard()

    found = ablate(collected, pairs=60, sections=SECTIONS, talk=talk)

    assert [(one.name, one.pairs) for one in found.trained] == [("human", 60), ("shop", 60), ("all", 120)]
    assert (found.held_out, found.stock.n) == ("experts", found.trained[0].gain.n)
    alone = {one.name: one.recall.mean for one in found.trained}
    assert alone["human"] > alone["shop"]
    assert found.earned["human"].mean == pytest.approx(alone["all"] - alone["shop"])
    assert found.earned["shop"].mean == pytest.approx(alone["all"] - alone["human"])
    assert any(line.startswith("ablate: 3 tunes, each ranking") for line in talk.lines)
    assert not list(collected.reports.glob("ablation/.lexitune*"))  # no model is left behind

    monkeypatch.setattr(ablation, "passing_model", None)  # to call it would fail
    assert ablate(collected, pairs=60, sections=SECTIONS, talk=Heard()) == found


def test_what_was_measured_before_a_kill_is_not_measured_again(
    collected: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, begun = passing_model, list[str]()

    def second_is_killed(*given: Any, **named: Any) -> Any:
        begun.append("tune")
        if len(begun) == 2:
            raise KeyboardInterrupt
        return real(*given, **named)

    monkeypatch.setattr(ablation, "passing_model", second_is_killed)
    with pytest.raises(KeyboardInterrupt):
        ablate(collected, pairs=20, sections=SECTIONS, talk=Heard())

    ablate(collected, pairs=20, sections=SECTIONS, talk=Heard())

    assert len(begun) == 2 + 2  # one was done, one was cut off: two are left


def collect(workspace: Workspace, name: str, judged: list[Judgement]) -> None:
    queries = {one.query_id: Query(one.query_id, f"{name} asks about {one.query_id}") for one in judged}
    write_collection(workspace, name, Collection(judged, queries), Meta(f"collect {name}", {}, {}))


def test_one_source_has_nothing_to_be_compared_with(collected: Workspace) -> None:
    (collected.collected / "shop" / "meta.json").unlink()
    build_data(collected, options=SPLIT)

    with pytest.raises(DataError, match="nothing to compare: 1 collections"):
        ablate(collected, pairs=None, sections=SECTIONS, talk=Heard())


def test_a_source_that_nothing_can_be_trained_on_is_left_out_before_anything_is_trained(
    collected: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    (collected.collected / "shop" / "meta.json").unlink()
    doc_id = read_collection(collected, "human").judgements[0].doc_id
    collect(collected, "tiny", [Judgement("t1", doc_id, 1, "click:tiny")])
    build_data(collected, options=SPLIT)
    monkeypatch.setattr(ablation, "passing_model", None)  # to call it would fail
    talk = Heard()

    with pytest.raises(DataError, match="nothing to compare: 1 collections"):
        ablate(collected, pairs=None, sections=SECTIONS, talk=talk)

    assert any(line.startswith("ablate: tiny is left out: all 1 training pairs") for line in talk.lines)


def test_what_was_collected_since_is_resolved_first(collected: Workspace) -> None:
    collect(collected, "late", [Judgement("l1", "d1", 1, "click:late")])

    with pytest.raises(DataError) as caught:
        ablate(collected, pairs=None, sections=SECTIONS, talk=Heard())

    assert caught.value.code == "E3018"
    rmtree(collected.collected / "data")
    with pytest.raises(DataError) as caught:
        ablate(collected, pairs=None, sections=SECTIONS, talk=Heard())
    assert caught.value.code == "E3009"


def test_the_data_set_stays_as_it_was_resolved(collected: Workspace) -> None:
    before = hash_file(collected.collected / "data" / "corpus.jsonl")
    (collected.collected / "human" / "corpus.jsonl").unlink()  # as if the passages had come by --corpus
    (collected.collected / "shop" / "corpus.jsonl").unlink()

    found = ablate(collected, pairs=20, sections=SECTIONS, talk=Heard())

    assert [one.pairs for one in found.trained] == [20, 20, 40]
    assert hash_file(collected.collected / "data" / "corpus.jsonl") == before


def test_too_few_dev_queries_name_the_share_that_suffices(collected: Workspace) -> None:
    build_data(collected, options=DataOptions())

    with pytest.raises(DataError) as caught:
        ablate(collected, pairs=None, sections=SECTIONS, talk=Heard())

    assert caught.value.code == "E3017"
    assert caught.value.fix == "lexitune collect resolve --dev-share 0.28"


def test_other_permissions_are_measured_anew() -> None:
    def on(tenant: str, /, **wanted: str) -> str:
        docs = [Doc("d1", "text", metadata={"tenant": tenant})]
        data = Dataset(docs, {"q1": Query("q1", "?", metadata={"filter": wanted})}, {"dev": {"q1": {"d1": 1}}})
        return measured_on(data)

    assert on("a", tenant="a") != on("b", tenant="a") != on("b", tenant="b")
    assert on("a") == on("b")  # without a filter nobody looks at them


def gathered(**judgements: list[Judgement]) -> Gathered:
    queries = {f"q{number}": Query(f"q{number}", f"what is {number}") for number in range(6)}
    return Gathered(judgements, queries, [Doc(f"d{number}", f"it is {number}") for number in range(6)], 0)


def said(source: str, *pairs: tuple[int, int], relevance: int = 1) -> list[Judgement]:
    return [Judgement(f"q{query}", f"d{doc}", relevance, source) for query, doc in pairs]


def test_with_three_sources_each_is_left_out_once() -> None:
    found = gathered(a=said("ann", (0, 0)), b=said("click:b", (1, 1)), c=said("synthetic:c", (2, 2)))

    trials = make_trials(found, {"q0": {}, "q1": {}, "q2": {}}, pairs=None, seed=1)

    assert [one.name for one in trials] == ["a", "b", "c", "all", "all but a", "all but b", "all but c"]
    assert {one.name: sorted(one.train) for one in trials}["all but b"] == ["q0", "q2"]
    assert trials[3].weights == {"q0": {"d0": 1.0}, "q1": {"d1": 0.5}, "q2": {"d2": 0.3}}


def test_held_out_queries_teach_nothing_whoever_judged_them() -> None:
    found = gathered(a=said("ann", (0, 0), (1, 1)), b=said("click:b", (0, 2), (3, 3)))

    trials = make_trials(found, {"q1": {}, "q3": {}}, pairs=None, seed=1)

    assert [dict(one.train) for one in trials] == [
        {"q1": {"d1": 1}},
        {"q3": {"d3": 1}},
        {"q1": {"d1": 1}, "q3": {"d3": 1}},
    ]


def test_where_an_expert_says_no_a_click_teaches_nothing_in_all() -> None:
    experts = said("ann", (0, 0)) + said("ann", (1, 1), relevance=0)
    found = gathered(a=experts, b=said("click:b", (1, 1), (1, 2)))

    trials = {one.name: one.train for one in make_trials(found, {"q0": {}, "q1": {}}, pairs=None, seed=1)}

    assert trials["b"] == {"q1": {"d1": 1, "d2": 1}}
    assert trials["all"] == {"q0": {"d0": 1}, "q1": {"d1": 0, "d2": 1}}


def test_of_each_source_as_many_pairs_are_drawn() -> None:
    many = said("ann", *((number, number) for number in range(6)))
    found = gathered(a=many, b=said("click:b", (1, 1), (2, 3)))

    trials = make_trials(found, {f"q{number}": {} for number in range(6)}, pairs=2, seed=1)

    assert [sum(map(len, one.train.values())) for one in trials[:2]] == [2, 2]
