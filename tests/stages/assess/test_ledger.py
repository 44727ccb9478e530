"""The ledger: what known queries answer, whose answers they may not give, and other stock models."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lexitune.errors import UsageError
from lexitune.io.workspace import Workspace
from lexitune.models.load import load
from lexitune.models.options import ModelOptions
from lexitune.search.filters import Allowed
from lexitune.stages.assess.driver import run
from lexitune.stages.assess.ledger import Ledger, Stock, keep_ledger, nearest_answers
from lexitune.stages.assess.options import AssessOptions
from lexitune.types import Dataset, Silent

FP32 = ModelOptions(precision="fp32", device="cpu")


def stock(groups: list[int], allowed: Allowed | None = None) -> Stock:
    """Four queries in a plane: a and b nearly alike, c at right angles to a, d between."""
    angles = np.deg2rad([0.0, 5.0, 90.0, 40.0])
    queries = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    qrels = {"a": {"d1": 1}, "b": {"d2": 1, "bad": 0}, "c": {"d3": 1}, "d": {"d1": 2, "d4": 1}}
    corpus = (np.eye(4, 2, dtype=np.float32), ["d1", "d2", "d3", "d4"])
    own = np.array(groups)
    return Stock(qrels, ("a", "b", "c", "d"), queries, corpus, own, own, allowed, normalise=True)


def test_a_query_gets_the_answers_of_the_queries_that_are_most_like_it() -> None:
    found = nearest_answers(stock([0, 1, 2, 3]))

    # d1 and d4 by d at 40 degrees, d3 by c at 90: an answer that is judged wrong is none.
    assert [doc_id for doc_id, _ in found.run("a")] == ["d2", "d1", "d4", "d3"]
    assert [score for _, score in found.run("a")] == pytest.approx(np.cos(np.deg2rad([5, 40, 40, 90])), abs=1e-6)


def test_a_doc_stands_by_its_nearest_query() -> None:
    assert dict(nearest_answers(stock([0, 1, 2, 3])).run("b"))["d1"] == pytest.approx(np.cos(np.deg2rad(5)))


def test_a_query_of_the_same_group_gives_no_answers() -> None:
    found = nearest_answers(stock([0, 0, 2, 3]))

    assert [doc_id for doc_id, _ in found.run("a")] == ["d1", "d4", "d3"]


def test_what_a_query_may_not_see_is_no_answer() -> None:
    doc_ids = ["d1", "d2", "d3", "d4"]
    allowed = Allowed(("a", "b", "c", "d"), doc_ids, np.array([[False, True, False, True]]), np.array([0, -1, -1, -1]))

    found = nearest_answers(stock([0, 1, 2, 3], allowed))

    assert [doc_id for doc_id, _ in found.run("a")] == ["d2", "d4"]
    assert len(found.run("b")) == 4 - 1  # its own answer, d2, is known by itself alone


def test_a_passage_that_is_not_in_the_corpus_is_no_answer() -> None:
    given = stock([0, 1, 2, 3])
    corpus = (np.eye(3, 2, dtype=np.float32), ["d1", "d3", "d4"])

    assert "d2" not in dict(nearest_answers(replace(given, corpus=corpus)).run("a"))


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = nearest_answers(stock([0, 0, 2, 0])).as_run()
    monkeypatch.setattr("lexitune.stages.assess.ledger.BLOCK", 3)

    assert nearest_answers(stock([0, 0, 2, 0])).as_run() == whole


def test_other_models_may_not_have_the_name_of_a_system(toy_data: Dataset, tiny_model_folder: Path) -> None:
    model = load(str(tiny_model_folder), options=FP32)

    with pytest.raises(ValueError, match="stock"):
        keep_ledger(toy_data, {}, model=model, others={"stock": model}, vectors=None, seed=1, talk=Silent())


def test_one_group_of_all_has_no_answers() -> None:
    found = nearest_answers(stock([0, 0, 0, 0]))

    assert all(not found.run(query_id) for query_id in "abcd")


def test_repeated_questions_are_found_by_those_that_are_known(toy_data: Dataset, tiny_model_folder: Path) -> None:
    # Each question is asked twice, its words in another order, so that the two are no near copies of each other.
    queries, train = dict(toy_data.queries), dict(toy_data.qrels["train"])
    for name in list(train):
        words = toy_data.queries[name].text.split()
        queries[f"again-{name}"] = type(queries[name])(f"again-{name}", " ".join(words[::-1]))
        train[f"again-{name}"] = train[name]
    data = Dataset(toy_data.docs, queries, {"train": train, "dev": {}}, toy_data.test)

    ledger = keep_ledger(
        data, train, model=load(str(tiny_model_folder), options=FP32), others={}, vectors=None, seed=1, talk=Silent()
    )

    assert set(ledger.hits) == set(ledger.query_ms) == {"stock", "bm25", "hybrid", "known"}
    known = nearest_answers(ledger.stock)
    right = [max(train[query_id]) in dict(known.run(query_id)) for query_id in train]
    assert np.mean(right) > 0.5


def test_a_prompt_is_measured_by_leaving_it_out(toy_data: Dataset, tiny_model_folder: Path) -> None:
    def ledger(prompt: str) -> Ledger:
        model = load(str(tiny_model_folder), options=FP32)
        model.spec = replace(model.spec, query_prompt=prompt)
        train = toy_data.qrels["train"]
        return keep_ledger(toy_data, train, model=model, others={}, vectors=None, seed=1, talk=Silent())

    plain, prompted = ledger(""), ledger("w000 w001 w002 ")

    assert plain.bare is None
    assert prompted.bare is not None
    assert prompted.bare.as_run() == plain.hits["stock"].as_run()
    assert prompted.bare.as_run() != prompted.hits["stock"].as_run()


def test_other_stock_models_stand_beside_it(toy_workspace: Workspace, tiny_model_folder: Path) -> None:
    options = AssessOptions(min_pairs=50, also=f" {tiny_model_folder},")

    advice = run(toy_workspace, model=ModelOptions(model=str(tiny_model_folder), precision="fp32"), options=options)

    systems = advice.evidence["systems"]
    assert systems[str(tiny_model_folder)] == systems["stock"]
    assert f"USE {tiny_model_folder}" not in advice.also  # it is the same model


def test_a_model_with_the_name_of_a_system_is_refused(toy_workspace: Workspace, tiny_model_folder: Path) -> None:
    with pytest.raises(UsageError, match="bm25"):
        run(toy_workspace, model=ModelOptions(model=str(tiny_model_folder)), options=AssessOptions(also="bm25"))
