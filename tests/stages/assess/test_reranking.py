"""Reranking: what is put in order, on which queries it is measured, and what is said before and after."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lexitune.errors import DataError
from lexitune.io.hits import Hits
from lexitune.io.workspace import Workspace
from lexitune.models import reranker
from lexitune.models.load import load
from lexitune.models.options import ModelOptions
from lexitune.stages.assess import reranking
from lexitune.stages.assess.assessment import assess
from lexitune.stages.assess.driver import run
from lexitune.stages.assess.ledger import keep_ledger
from lexitune.stages.assess.options import AssessOptions
from lexitune.stages.assess.reranking import measure_reranked, rerank
from lexitune.types import Dataset, Doc, Query, Silent

FP32 = ModelOptions(precision="fp32", device="cpu")


class Heard(Silent):
    """Keeps what was said, and how far it was."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.steps: list[tuple[float, float, str]] = []

    def say(self, line: str) -> None:
        self.lines.append(line)

    def progress(self, stage: str, done: float, total: float, note: str = "") -> None:
        self.steps.append((done, total, note))


def shared_words(queries: Sequence[str], passages: Sequence[str]) -> NDArray[np.float32]:
    """A judge that anybody can check."""
    pairs = zip(queries, passages, strict=True)
    return np.array([len({*query.split()} & {*text.split()}) for query, text in pairs], dtype=np.float32)


def small() -> tuple[Hits, Dataset]:
    texts = {"d1": "a", "d2": "a b", "d3": "c", "d4": "a b c"}
    data = Dataset([Doc(doc_id, text) for doc_id, text in texts.items()], {"q": Query("q", "a b c")}, {})
    return Hits.from_run({"q": {"d1": 0.9, "d2": 0.8, "d3": 0.7, "d4": 0.6}}), data


@pytest.mark.parametrize(
    ("depth", "order"),
    [(2, ["d2", "d1", "d3", "d4"]), (3, ["d2", "d1", "d3", "d4"]), (4, ["d4", "d2", "d1", "d3"]), (9, ["d4"])],
    ids=["what lies deeper stays below", "a tie goes to the lower id", "all of them", "deeper than the ranking"],
)
def test_the_first_passages_are_put_in_order(depth: int, order: list[str]) -> None:
    hits, data = small()

    found, _ = rerank(hits, data, judge=shared_words, depth=depth, talk=Silent())

    assert [doc_id for doc_id, _ in found.run("q")][: len(order)] == order
    assert len(found.run("q")) == 4


def test_a_query_without_hits_stays_one() -> None:
    _, data = small()
    hits = Hits.from_run({"q": {}})

    found, _ = rerank(hits, data, judge=shared_words, depth=10, talk=Silent())

    assert found.run("q") == []


def test_a_sample_is_measured_beside_stock_and_hybrid_on_its_own_queries(
    toy_data: Dataset, tiny_model_folder: Path
) -> None:
    train, model = toy_data.qrels["train"], load(str(tiny_model_folder), options=FP32)
    ledger = keep_ledger(toy_data, train, model=model, others={}, vectors=None, seed=1, talk=Silent())
    options, seen, heard = AssessOptions(rerank_queries=50, rerank_depth=20), set[str](), Heard()

    def judge(queries: Sequence[str], passages: Sequence[str]) -> NDArray[np.float32]:
        seen.update(queries)
        return shared_words(queries, passages)

    found = measure_reranked(toy_data, ledger, judge=judge, options=options, talk=heard)

    assert {name: systems["R@10"].n for name, systems in found.systems.items()} == {
        "stock": 50,
        "hybrid": 50,
        "reranked": 50,
    }
    assert len(seen) == 50
    # A query is two words of its passage, and of no other.
    assert found.systems["reranked"]["nDCG@10"].mean == found.systems["reranked"]["R@10"].mean
    reached = {name: systems["R@10"].mean for name, systems in found.systems.items()}
    assert found.lift.mean == pytest.approx(reached["reranked"] - reached["stock"])
    assert found.over_hybrid.mean == pytest.approx(reached["reranked"] - reached["hybrid"])
    assert found.query_ms is not None
    assert found.query_ms is not None
    assert found.query_ms > ledger.query_ms["hybrid"]
    assert heard.lines[0].startswith("assess: the reranker reads 1,000 pairs of 50 queries: about ")
    assert heard.steps[-1] == (50, 50, "reranking")


def test_without_the_hybrids_milliseconds_there_are_none(toy_data: Dataset, tiny_model_folder: Path) -> None:
    train, model = toy_data.qrels["train"], load(str(tiny_model_folder), options=FP32)
    ledger = keep_ledger(toy_data, train, model=model, others={}, vectors=None, seed=1, talk=Silent())
    elsewhere, options = replace(ledger, query_ms={}), AssessOptions(rerank_depth=20)

    found = measure_reranked(toy_data, elsewhere, judge=shared_words, options=options, talk=Silent())

    assert found.query_ms is None


def test_few_pairs_need_no_prediction() -> None:
    hits, data = small()
    heard = Heard()

    rerank(hits, data, judge=shared_words, depth=10, talk=heard)

    assert heard.lines == []


def test_blocks_of_queries_change_nothing(
    toy_data: Dataset, tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, model = toy_data.qrels["train"], load(str(tiny_model_folder), options=FP32)
    hybrid = keep_ledger(toy_data, train, model=model, others={}, vectors=None, seed=1, talk=Silent()).hits["hybrid"]
    whole, _ = rerank(hybrid, toy_data, judge=shared_words, depth=20, talk=Silent())
    monkeypatch.setattr(reranking, "AT_ONCE", 7)

    assert rerank(hybrid, toy_data, judge=shared_words, depth=20, talk=Silent())[0].as_run() == whole.as_run()


def test_a_reranker_that_gains_is_advised_and_told(toy_data: Dataset, tiny_model_folder: Path) -> None:
    # Passages are in a writing that neither the stock model nor BM25 reads, and the judge does.
    model, digits = load(str(tiny_model_folder), options=FP32), str.maketrans("w0123456789", "vabcdefghij")
    read = {number: letter for letter, number in digits.items()}
    hidden = replace(toy_data, docs=[replace(doc, text=doc.text.translate(digits)) for doc in toy_data.docs])

    def judge(queries: Sequence[str], passages: Sequence[str]) -> NDArray[np.float32]:
        return shared_words(queries, [text.translate(read) for text in passages])

    advice = assess(hidden, model=model, reranker=judge, options=AssessOptions(min_pairs=50, rerank_depth=60))

    assert advice.also[0] == "RERANK"
    assert "TRY A RERANKER" not in advice.also
    assert advice.evidence["reranked"]["systems"]["reranked"]["R@10"]["mean"] == 1.0
    told = next(reason for reason in advice.reasons if reason.startswith("the reranker, given the hybrid's first 60"))
    assert "reaches R@10 1.00 [" in told
    assert "on the same 90 queries; a query takes " in told


def test_a_workspace_remembers_the_reranker_by_its_weights(
    toy_workspace: Workspace, tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Judge:
        fingerprint = "first"

        def __call__(self, queries: Sequence[str], passages: Sequence[str]) -> NDArray[np.float32]:
            return shared_words(queries, passages)

    monkeypatch.setattr(reranker, "load_reranker", lambda name, device: Judge())
    model = ModelOptions(model=str(tiny_model_folder), precision="fp32", device="cpu")
    options, skipped = AssessOptions(min_pairs=50, reranker="models/judge"), []

    for fingerprint in ("first", "first", "second"):
        Judge.fingerprint, heard = fingerprint, Heard()
        advice = run(toy_workspace, model=model, options=options, talk=heard)
        skipped.append(any("skipped" in line for line in heard.lines))

    assert skipped == [False, True, False]
    written = json.loads((toy_workspace.reports / "assess.json").read_text(encoding="utf-8"))
    assert written["evidence"]["reranked"]["depth"] == 50
    assert advice.evidence["options"]["reranker"] == "models/judge"


def test_a_reranker_that_is_not_there_stops_before_anything_is_encoded(
    toy_data: Dataset, tiny_model_folder: Path, tmp_path: Path
) -> None:
    model, options = load(str(tiny_model_folder), options=FP32), AssessOptions(reranker="models/none")

    with pytest.raises(DataError) as caught:
        assess(toy_data, model=model, vectors=tmp_path / "vectors", options=options)

    assert caught.value.code == "E3001"
    assert not (tmp_path / "vectors").exists()
