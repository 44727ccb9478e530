"""What test queries share with training: questions by text and by meaning, and passages."""

from pathlib import Path

import pytest

from lexitune.models.embedder import Embedder
from lexitune.models.load import load
from lexitune.models.options import ModelOptions
from lexitune.stages.evaluate.seen import cells, seen_documents, seen_queries
from lexitune.types import Dataset, Query, Silent

# The model of these tests knows its words and hardly minds their order.
TEXTS = {
    "a": "w1 w2 w3 w4 w5 w6 w7 w8",
    "b": "w101 w102 w103",
    "d": "w201 w202 w203",
    "equal": "W101 w102  w103",
    "turned": "w8 w7 w6 w5 w4 w3 w2 w1",
    "new": "w50 w60 w70",
}
QUERIES = {query_id: Query(query_id, text) for query_id, text in TEXTS.items()}
DATA = Dataset([], QUERIES, {"train": {"a": {"x": 1}, "b": {"x": 1}}, "dev": {"d": {"x": 1}}})
TEST = {"equal": {"x": 1}, "turned": {"x": 1}, "new": {"x": 1}}


@pytest.fixture(scope="module")
def stock(good_model_folder: Path) -> Embedder:
    return load(str(good_model_folder), options=ModelOptions(precision="fp32", device="cpu"))


def test_a_question_is_seen_by_its_text_or_by_its_meaning(stock: Embedder) -> None:  # fault 37
    found = seen_queries(DATA, TEST, stock=stock, talk=Silent())

    assert {query_id: (leak.other_id, leak.split, leak.kind) for query_id, leak in found.items()} == {
        "equal": ("b", "train", "equal"),
        "turned": ("a", "train", "cosine"),
    }


def test_without_a_model_only_texts_count() -> None:
    assert seen_queries(DATA, TEST, stock=None, talk=Silent()).keys() == {"equal"}


def test_data_without_training_has_nothing_seen(stock: Embedder) -> None:
    data = Dataset([], QUERIES, {"train": {}, "dev": {}})

    assert seen_queries(data, TEST, stock=stock, talk=Silent()) == {}


def test_a_judged_but_irrelevant_doc_in_training_does_not_count_as_seen() -> None:
    assert seen_documents({"q1": {"d1": 0}}, {"t1": {"d1": 1}}) == frozenset()


def test_empty_cells_are_left_out() -> None:
    assert cells({"t"}, queries=set(), documents=set()) == {"unseen query, unseen document": {"t"}}
    assert cells({"t"}, queries={"t"}, documents=set()) == {"seen query, unseen document": {"t"}}
