"""Deep checks: planted wrong labels are found among real ones, few right ones are doubted, long passages are told."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from benchmarks.harness import real_set
from benchmarks.sample import cut
from tests.stages.check.making import clean_data

from lexitune.io.dataset import Raw
from lexitune.models.embedder import Embedder
from lexitune.models.load import load
from lexitune.models.options import ModelOptions
from lexitune.stages.check.believed import find_doubts, find_long
from lexitune.types import Doc, Silent

PLANTED = 30


def model(max_length: int | None = None) -> Embedder:
    return load("minilm", options=ModelOptions(precision="fp32", device="cpu", max_length=max_length))


def test_planted_wrong_labels_are_found_and_few_right_ones_doubted(
    tmp_path: Path, shared_data: Callable[[str], Path]
) -> None:
    shared_data("nl2bash")
    small = cut(real_set("nl2bash"), tmp_path / "cut", pairs=200, docs=600, queries=20)
    draw, train = random.Random(4), {query: dict(grades) for query, grades in small.qrels["train"].items()}
    doc_ids = [doc.doc_id for doc in small.docs]
    wrong = set(draw.sample(sorted(train), PLANTED))
    for query in wrong:
        train[query] = {draw.choice([one for one in doc_ids if one not in train[query]]): 1}
    raw = Raw(small.docs, small.queries, {"train": train})

    doubted = {one.query_id for one in find_doubts(raw, model=model(), vectors=tmp_path / "vectors", talk=Silent())}

    assert len(doubted & wrong) >= 0.8 * PLANTED
    assert len(doubted - wrong) < 0.05 * (len(train) - PLANTED)


def test_passages_that_fill_the_models_length_are_told() -> None:
    raw = clean_data()
    long = Raw([*raw.docs, Doc("long", "word " * 100)], raw.queries, raw.qrels)

    told, fits = find_long(long, model=model(64)), find_long(raw, model=model(64))

    assert (told.mark, told.count, told.examples) == ("look", 1, ("long",))
    assert told.said == "1 of 25 passages fill the model's 64 tokens and lose what follows"
    assert fits.mark == "ok"
