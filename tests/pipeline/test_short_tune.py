"""The short tune: a real training on what fits into the minutes, measured on queries that it has not seen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.heard import Heard

from lexitune.io.hits import Hits
from lexitune.metrics.grades import count_pairs
from lexitune.models.embedder import Embedder, hash_weights
from lexitune.models.load import load
from lexitune.models.options import ModelOptions
from lexitune.pipeline import short_tune
from lexitune.pipeline.passing import Pace
from lexitune.pipeline.pylib import as_dataset_parts, documented_functions, library_folder
from lexitune.pipeline.short_tune import _draw_pairs, _fit, _pool, run_short_tune
from lexitune.stages.assess.ledger import Ledger, keep_ledger
from lexitune.stages.assess.options import AssessOptions
from lexitune.stages.train.options import TrainOptions
from lexitune.types import Dataset, Doc, Qrels, Silent

MODEL = ModelOptions(model="minilm", max_length=16, precision="fp32", device="cpu")
TRAIN, DEV = 120, 50


@pytest.fixture(scope="module")
def model() -> Embedder:
    return load(options=MODEL)


@pytest.fixture(scope="module")
def data() -> Dataset:
    """Functions of the standard library, each with its docstring's first sentence."""
    docs, queries, qrels = as_dataset_parts(documented_functions(library_folder())[:200])
    ids = sorted(qrels)[: TRAIN + DEV]
    splits = {"train": ids[:TRAIN], "dev": ids[TRAIN:]}
    return Dataset(docs, queries, {name: {key: qrels[key] for key in keys} for name, keys in splits.items()})


@pytest.fixture(scope="module")
def ledger(data: Dataset, model: Embedder) -> Ledger:
    qrels = {key: docs for split in data.qrels.values() for key, docs in split.items()}
    return keep_ledger(data, qrels, model=model, others={}, vectors=None, seed=1, talk=Silent())


def test_it_measures_a_real_tune_and_leaves_nothing_behind(
    data: Dataset, model: Embedder, ledger: Ledger, tmp_path: Path
) -> None:
    before, talk = hash_weights(model.model), Heard()

    found = run_short_tune(
        data,
        model,
        ledger,
        options=AssessOptions(pilot_minutes=5.0),
        loading=MODEL,
        root=tmp_path,
        talk=talk,
    )

    assert found is not None
    assert [line.partition(":")[0] for line in talk.lines] == ["assess"]  # nothing about weights that nobody keeps
    assert found.pairs == found.of == count_pairs(data.qrels["train"])
    assert (found.docs, found.corpus) == (len(data.docs), len(data.docs))
    assert (found.lift.n, found.hybrid_lift.n) == (DEV, DEV)
    assert -0.3 < found.lift.mean < 0.5
    assert found.lift.low < found.lift.high  # some query changed, so something was trained
    assert found.minutes > 0
    assert hash_weights(model.model) == before
    assert not list(tmp_path.iterdir())


def test_too_few_dev_queries_are_told_and_nothing_is_trained(
    data: Dataset, model: Embedder, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(short_tune, "passing_model", None)  # to call it would fail
    few = dict(sorted(data.qrels["dev"].items())[: DEV - 1])
    pairs, talk = count_pairs(data.qrels["train"]), Heard()

    found = run_short_tune(
        replace(data, qrels={**data.qrels, "dev": few}),
        model,
        ledger,
        options=AssessOptions(pilot_minutes=5.0),
        talk=talk,
    )

    assert found is None
    needed = "it takes 100 pairs and 50 dev queries that are measured"
    assert talk.lines == [f"assess: no short tune: {needed}, and there are {pairs} and {DEV - 1}"]


def test_minutes_that_suffice_for_nothing_are_told_and_nothing_is_trained(
    data: Dataset, model: Embedder, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(short_tune, "passing_model", None)
    talk = Heard()

    found = run_short_tune(data, model, ledger, options=AssessOptions(pilot_minutes=0.0001), talk=talk)

    assert found is None
    assert talk.lines == [
        "assess: no short tune: 0.0001 minutes are too few on this machine; give --pilot-minutes more"
    ]


class Steady(Pace):
    """A tenth of a second a pair, in one epoch."""

    def training(self, pairs: int) -> float:
        return pairs / 10


@pytest.mark.parametrize(
    ("minutes", "least", "most", "passages"),
    [(1.0, 324, 360, 150), (2.0, 648, 720, 300), (10.0, 1000, 1000, 1000), (0.1, 0, 99, 15)],
    ids=["36 s of training and 15 s of ranking", "twice as much", "everything fits", "too few"],
)
def test_what_fits_into_the_minutes_is_taken(
    model: Embedder, minutes: float, least: int, most: int, passages: int
) -> None:
    pace = Steady(model, TrainOptions(), doc=0.1, pair=0.0)

    pairs, ranked = _fit(pace, 1000, 1000, minutes=minutes)

    assert least <= pairs <= most
    assert ranked == passages


def test_pairs_are_drawn_by_query() -> None:
    train: Qrels = {f"q{n:03}": {f"d{n}": 1, f"e{n}": 1} for n in range(100)}

    some = _draw_pairs(train, 51, np.random.default_rng(1))

    assert count_pairs(some) == 52
    assert list(some) != sorted(some)
    assert all(some[query_id] == train[query_id] for query_id in some)


def test_what_matters_first_is_ranked() -> None:
    docs = [Doc(f"d{n}", "a text") for n in range(10)]
    stock = Hits.from_run({"q1": {"d9": 3.0, "d8": 2.0}, "q2": {"d7": 3.0, "d6": 2.0}})
    qrels: Qrels = {"q1": {"d0": 1, "d5": 0}, "q2": {"d1": 2}}

    def of(most: int) -> list[str]:
        data = Dataset(docs, {}, {})
        return [doc.doc_id for doc in _pool(data, stock, qrels, most=most, draw=np.random.default_rng(1))]

    assert of(2) == ["d0", "d1"]
    assert of(4) == ["d0", "d1", "d7", "d9"]
    assert of(6) == ["d0", "d1", "d6", "d7", "d8", "d9"]
    assert set(of(7)) > set(of(6))
    assert of(100) == [doc.doc_id for doc in docs]
