"""Deep checks: planted label errors are found, few right labels are suspected, long passages are told."""

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
from lexitune.stages.check.suspects import Suspect, find_long, find_suspects
from lexitune.types import Doc, Query, Silent

PLANTED = 30


def model(max_length: int | None = None) -> Embedder:
    return load("minilm", options=ModelOptions(precision="fp32", device="cpu", max_length=max_length))


def test_planted_label_errors_are_found_and_few_right_labels_suspected(
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

    suspected = {one.query_id for one in find_suspects(raw, model=model(), vectors=tmp_path / "vectors", talk=Silent())}

    assert len(suspected & wrong) >= 0.8 * PLANTED
    assert len(suspected - wrong) < 0.05 * (len(train) - PLANTED)


def test_passages_that_fill_the_models_length_are_told() -> None:
    raw = clean_data()
    long = Raw([*raw.docs, Doc("long", "word " * 100)], raw.queries, raw.qrels)

    told, fits = find_long(long, model=model(64)), find_long(raw, model=model(64))

    assert (told.mark, told.count, told.examples) == ("look", 1, ("long",))
    assert told.said == "1 of 25 passages fill the model's 64 tokens and lose what follows"
    assert fits.mark == "ok"


def test_queries_with_a_filter_are_left_out(tmp_path: Path) -> None:
    # Twenty passages answer better than the one that is judged right; of two that a filter leaves it is the first.
    docs = [Doc(f"a{n:02}", "how to sort a list of numbers", metadata={"tenant": "a"}) for n in range(20)]
    docs += [Doc("b0", "sorting", metadata={"tenant": "b"}), Doc("b1", "reading a file", metadata={"tenant": "b"})]
    queries = {
        "filtered": Query("filtered", "how to sort a list of numbers", {"filter": {"tenant": "b"}}),
        "free": Query("free", "how to sort a list of numbers"),
    }
    raw = Raw(docs, queries, {"train": {name: {"b0": 1} for name in queries}})

    found = find_suspects(raw, model=model(), vectors=tmp_path, talk=Silent())

    assert found == [Suspect("train", "free", "b0")]
