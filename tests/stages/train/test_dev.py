"""Held-out recall: how much it may cost, what is in the pool, and what a collapsed model gets."""

from pathlib import Path

import pytest
import torch

from lexitune.errors import StageFailed
from lexitune.models.embedder import Embedder
from lexitune.models.load import load
from lexitune.models.options import ModelOptions
from lexitune.stages.train.dev import DevPlan, evaluation_steps, make_dev_set, plan_dev
from lexitune.stages.train.heldout import measure_held_out
from lexitune.types import Dataset, Doc, Query

EIGHT = DevPlan(queries=8, docs=20, evaluations=3)


@pytest.fixture
def tiny(tiny_folder: Path) -> Embedder:
    return load(str(tiny_folder), options=ModelOptions(precision="fp32", device="cpu"))


@pytest.mark.parametrize(
    ("case", "train_tokens", "expected"),
    [
        # A query and its answer are 200 tokens: 300 of them 60,000, with half as many docs again 90,000.
        ("the pool is bounded", 1e8, DevPlan(queries=300, docs=2000, evaluations=5)),
        # 30 % of 1.2 M is 360,000: 72,000 for five and 90,000 for four, which just fits; 30,000 are left: 166 docs.
        ("fewer evaluations before fewer queries", 1.2e6, DevPlan(queries=300, docs=466, evaluations=4)),
        # 60,000 in all, 20,000 for each of three: 100 queries with their answers, and the floor of the pool.
        ("then fewer queries", 2e5, DevPlan(queries=100, docs=200, evaluations=3)),
        ("but never fewer than 50", 1e3, DevPlan(queries=50, docs=200, evaluations=3)),
    ],
)
def test_evaluations_take_a_tenth_of_the_work(case: str, train_tokens: float, expected: DevPlan) -> None:
    plan = plan_dev(
        queries=400, answers=1, query_tokens=20, doc_tokens=180, train_tokens=train_tokens, most_queries=300
    )

    assert plan == expected


def test_stock_and_end_are_always_measured() -> None:
    assert sorted(evaluation_steps(1, 5)) == [0, 1]
    assert sorted(evaluation_steps(7, 3)) == [0, 4, 7]


def test_the_pool_holds_every_answer_and_no_doc_twice(tiny: Embedder, small_data: Dataset) -> None:
    dev = make_dev_set(small_data, model=tiny, plan=EIGHT, seed=1)

    assert {f"d{n}" for n in range(16, 24)} <= set(dev.doc_ids)
    assert len(set(dev.doc_ids)) == len(dev.doc_ids) == 20
    assert dev.query_ids == tuple(f"q{n}" for n in range(16, 24))


def test_recall_is_the_share_of_answers_found(tiny: Embedder) -> None:
    # Each query's text is its doc's, so it is found first; q1 has a second answer, which is in a pool of two as well.
    docs = [Doc("d1", "w1 w2 w3"), Doc("d2", "w9 w8"), *(Doc(f"x{n:02}", f"w{n} w{n + 7} w30") for n in range(10, 25))]
    queries = {"q1": Query("q1", "w1 w2 w3"), "q2": Query("q2", "w9 w8")}
    data = Dataset(docs, queries, {"dev": {"q1": {"d1": 1}, "q2": {"d2": 1}}})
    dev = make_dev_set(data, model=tiny, plan=DevPlan(2, 17, 3), seed=1)

    assert measure_held_out(tiny, dev, step=0).tolist() == [1.0, 1.0]


@pytest.mark.parametrize(("pool", "cutoff"), [(20, 10), (10, 5), (8, 4)])
def test_a_part_of_the_corpus_is_searched_to_the_same_part_of_its_first_ten(
    pool: int, cutoff: int, tiny: Embedder
) -> None:
    docs = [Doc(f"d{n:02}", f"w{n}") for n in range(20)]
    data = Dataset(docs, {"q": Query("q", "w1")}, {"dev": {"q": {"d01": 1}}})

    dev = make_dev_set(data, model=tiny, plan=DevPlan(1, pool, 3), seed=1)

    assert (len(dev.doc_ids), str(dev.measure)) == (pool, f"R@{cutoff}")


def test_a_collapsed_model_is_stopped(tiny: Embedder, small_data: Dataset) -> None:
    dev = make_dev_set(small_data, model=tiny, plan=EIGHT, seed=1)
    with torch.no_grad():
        for parameter in tiny.network.parameters():
            parameter.fill_(0.01)

    with pytest.raises(StageFailed) as caught:
        measure_held_out(tiny, dev, step=7)

    assert caught.value.code == "E1202"


def test_vectors_that_are_no_numbers_are_stopped(tiny: Embedder, small_data: Dataset) -> None:
    dev = make_dev_set(small_data, model=tiny, plan=EIGHT, seed=1)
    with torch.no_grad():
        for parameter in tiny.network.parameters():
            parameter.fill_(float("nan"))

    with pytest.raises(StageFailed) as caught:
        measure_held_out(tiny, dev, step=7)

    assert caught.value.code == "E1201"
    assert "step 7" in caught.value.problem
