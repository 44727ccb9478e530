"""Lineage: whose texts reach the weights, under which ids, and what a model brings from the one before it."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.stages.train.watching import QUICK

from lexitune.io.learnt import LEARNT, Learnt, read_learnt
from lexitune.models.embedder import Embedder
from lexitune.models.load import load
from lexitune.stages.train.examples import gather_examples
from lexitune.stages.train.lineage import inherited, trace
from lexitune.stages.train.options import TrainOptions
from lexitune.stages.train.recipe import settle
from lexitune.stages.train.training import train
from lexitune.types import Dataset, Doc, Example, Query

# d4 is a copy of d1. q3 asks what q1 asks. q9 is a dev query, and d9 its answer.
DOCS = [Doc("d1", "alpha"), Doc("d2", "beta"), Doc("d3", "gamma"), Doc("d4", "alpha"), Doc("d9", "delta")]
QUERIES = {name: Query(name, text) for name, text in {"q1": "a?", "q2": "b?", "q3": "a?", "q9": "d?"}.items()}
QRELS = {"train": {"q1": {"d1": 1}, "q2": {"d2": 1}}, "dev": {"q9": {"d9": 1}}}
PAIRS = [("query", "q1", "pair"), ("query", "q2", "pair"), ("query", "q3", "pair")]


@pytest.mark.parametrize(
    ("case", "options", "docs"),
    [
        ("pairs and their copies", TrainOptions(negatives=0), {"d1": "pair", "d2": "pair", "d4": "pair"}),
        (
            "mined negatives, where any is drawn",
            TrainOptions(negatives=2),
            {"d1": "pair", "d2": "pair", "d3": "negative", "d4": "pair"},
        ),
        (
            "the whole corpus, where wrong passages come from all of it",
            TrainOptions(recipe="adapter"),
            {"d1": "pair", "d2": "pair", "d3": "drawn", "d4": "pair", "d9": "drawn"},
        ),
    ],
)
def test_whose_texts_reach_the_weights(case: str, options: TrainOptions, docs: dict[str, str]) -> None:
    data = Dataset(DOCS, QUERIES, QRELS)
    examples = gather_examples(data, QRELS["train"], mined=[Example("q1", ["d1"], ["d3"])])

    rows = list(trace(data, examples, recipe=settle(options, token_budget=1)))

    assert [row[:3] for row in rows if row.kind == "query"] == PAIRS
    assert {row.id: row.role for row in rows if row.kind == "doc"} == docs


def test_a_trained_model_lists_what_it_learnt_from_and_hands_it_on(
    tiny: Embedder, small_data: Dataset, tmp_path: Path
) -> None:
    first = train(small_data, model=tiny, out=tmp_path / "first", options=replace(QUICK, blend=1.0))
    own = read_learnt(first)
    assert own is not None
    judged = small_data.qrels["train"]
    assert {row.id for row in own if row.kind == "query"} == set(judged)
    assert {row.id for row in own if row.kind == "doc"} == {doc_id for docs in judged.values() for doc_id in docs}

    handed = inherited(str(first))

    assert handed == [row._replace(through="first") for row in own]


def test_what_a_model_of_an_older_lexitune_learnt_from_is_unknown_and_that_is_said(
    tiny: Embedder, small_data: Dataset, tmp_path: Path
) -> None:
    first = train(small_data, model=tiny, out=tmp_path / "first", options=QUICK)
    (first / LEARNT).unlink()

    second = train(small_data, model=load(str(first)), out=tmp_path / "second", options=replace(QUICK, seed=7))

    assert Learnt("model", "first", "unknown", "first") in (read_learnt(second) or [])


def test_a_stock_model_hands_nothing_on(tiny_folder: Path) -> None:
    assert inherited(str(tiny_folder)) == inherited("BAAI/bge-small-en-v1.5") == inherited("") == []


def test_with_stock_weights_alone_it_learnt_nothing(tiny: Embedder, small_data: Dataset, tmp_path: Path) -> None:
    assert read_learnt(train(small_data, model=tiny, out=tmp_path / "kept", options=replace(QUICK, blend=0.0))) == []
