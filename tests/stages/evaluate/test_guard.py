"""The guard's figures: on what is measured, with which vectors, and when nothing is."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.heard import Heard

from lexitune.errors import DataError
from lexitune.io.beir import write_docs, write_qrels, write_queries
from lexitune.models.embedder import Embedder
from lexitune.models.load import load
from lexitune.models.options import ModelOptions
from lexitune.models.tokens import TokenIds
from lexitune.stages.evaluate.guard import GENERAL, OWN, measure_guard, read_guard
from lexitune.stages.evaluate.options import EvaluateOptions
from lexitune.types import Dataset

FP32 = ModelOptions(precision="fp32", device="cpu")
QUICK = EvaluateOptions(resamples=200)


@pytest.fixture
def own_folder(toy_data: Dataset, tmp_path: Path) -> Path:
    """The toy corpus with its train queries, as a folder of the user's."""
    folder = tmp_path / "own"
    ids = toy_data.qrels["train"].keys()
    write_docs(folder / "corpus.jsonl", toy_data.docs)
    write_queries(folder / "queries.jsonl", [toy_data.queries[query_id] for query_id in ids])
    write_qrels(folder / "qrels" / "test.tsv", toy_data.qrels["train"])
    return folder


@pytest.fixture
def good(good_model_folder: Path) -> Embedder:
    return load(str(good_model_folder), options=FP32)


@pytest.fixture
def poor(tiny_model_folder: Path) -> Embedder:
    return load(str(tiny_model_folder), options=FP32)


def test_general_text_is_measured_always_and_a_folder_of_ones_own_beside_it(own_folder: Path) -> None:
    assert [text.name for text in read_guard(None)] == [GENERAL]
    assert [(text.name, len(text.qrels)) for text in read_guard(str(own_folder))] == [(GENERAL, 427), (OWN, 60)]


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError) as raised:
        read_guard(str(tmp_path / "nowhere"))

    assert raised.value.code == "E3001"


def test_a_text_has_another_fingerprint_with_other_words_or_judgements() -> None:
    (text,) = read_guard(None)
    some = next(iter(text.qrels))

    others = [replace(text, docs=text.docs[1:]), replace(text, qrels={**text.qrels, some: {text.docs[-1].doc_id: 1}})]

    assert len({text.fingerprint, *(other.fingerprint for other in others)}) == 3
    assert text.fingerprint == read_guard(None)[0].fingerprint


def test_a_loss_is_measured_by_ndcg_query_by_query(
    own_folder: Path, good: Embedder, poor: Embedder, tmp_path: Path
) -> None:
    texts = read_guard(str(own_folder))[1:]

    found = measure_guard(texts, stock=good, tuned=poor, vectors=tmp_path, options=QUICK, talk=Heard())

    delta = found[OWN].delta("nDCG@10")
    assert delta.n == 60
    assert delta.high < -0.1
    assert delta.mean == pytest.approx(float(found[OWN].per_query["nDCG@10"].mean()))


def test_what_stock_cannot_read_guards_nothing_and_that_is_said(
    own_folder: Path, good: Embedder, tmp_path: Path
) -> None:
    # The toy models know no English word.
    heard = Heard()

    texts = read_guard(str(own_folder))
    found = measure_guard(texts, stock=good, tuned=good, vectors=tmp_path, options=QUICK, talk=heard)

    assert list(found) == [OWN]
    assert heard.lines == ["the stock model does not tell general text apart, so nothing guards it: see --guard-folder"]


def test_passages_are_encoded_once_for_each_model(
    own_folder: Path, good: Embedder, poor: Embedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = read_guard(str(own_folder))[1:]
    first = measure_guard(texts, stock=poor, tuned=good, vectors=tmp_path, options=QUICK, talk=Heard())
    monkeypatch.setattr(Embedder, "encode_tokens", only_queries(Embedder.encode_tokens, most=60))

    again = measure_guard(texts, stock=poor, tuned=good, vectors=tmp_path, options=QUICK, talk=Heard())

    assert again[OWN].to_json() == first[OWN].to_json()
    assert len(list(tmp_path.glob("guard/own-text/*/manifest.json"))) == 2


def only_queries(encode: Callable[..., Any], *, most: int) -> Callable[..., Any]:
    """`encode_tokens` that may be called for the queries of either model, and for nothing more."""
    calls = []

    def counted(self: Embedder, tokens: TokenIds, **named: Any) -> Any:
        calls.append(len(tokens))
        assert len(calls) <= 2
        assert len(tokens) <= most
        return encode(self, tokens, **named)

    return counted


def test_a_query_map_is_applied_to_queries(own_folder: Path, good: Embedder, poor: Embedder, tmp_path: Path) -> None:
    # The map turns every query round: what was nearest is farthest.
    (text,) = read_guard(str(own_folder))[1:]
    adapted = load(good.spec.source, options=FP32)
    adapted.query_map = -np.eye(32, dtype=np.float32)

    found = measure_guard([text], stock=good, tuned=adapted, vectors=tmp_path, options=QUICK, talk=Heard())

    assert found[OWN].delta("nDCG@10").mean < -0.5
    assert len(list(tmp_path.glob("guard/own-text/*/manifest.json"))) == 1
