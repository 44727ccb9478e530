"""From judgements and mined negatives to numbers: what is a pair, what counts how much, what is wrong."""

import numpy as np
import pytest

from lexitune.errors import DataError
from lexitune.stages.train.examples import gather_examples
from lexitune.types import Dataset, Doc, Example, Qrels, Query

DOCS = [Doc("d1", "alpha"), Doc("d2", "beta"), Doc("d3", "gamma"), Doc("d4", "alpha"), Doc("d5", "beta", title="on")]
QUERIES = {name: Query(name, text) for name, text in {"q1": "a?", "q2": "b?", "q3": "a?"}.items()}


def data_of(qrels: Qrels) -> Dataset:
    return Dataset(DOCS, QUERIES, {"train": qrels})


@pytest.mark.parametrize(
    ("case", "qrels", "pairs"),
    [
        ("one pair for each positive", {"q1": {"d1": 1, "d2": 2}}, [("a?", "alpha"), ("a?", "beta")]),
        ("judged 0 is no pair", {"q1": {"d1": 1, "d2": 0}, "q2": {"d3": 1}}, [("a?", "alpha"), ("b?", "gamma")]),
        ("equal texts are one", {"q1": {"d1": 1, "d2": 1}, "q3": {"d4": 1}}, [("a?", "alpha"), ("a?", "beta")]),
        ("the title belongs to the text", {"q1": {"d1": 1}, "q2": {"d5": 1}}, [("a?", "alpha"), ("b?", "on beta")]),
    ],
)
def test_which_pairs_there_are(case: str, qrels: Qrels, pairs: list[tuple[str, str]]) -> None:
    examples = gather_examples(data_of(qrels), qrels)

    assert [(examples.queries[q], examples.docs[d]) for q, d in examples.pairs] == pairs


@pytest.mark.parametrize(
    ("case", "qrels", "code"),
    [
        ("no judgements", {}, "E3321"),
        ("judged 0 only", {"q1": {"d1": 0}}, "E3321"),
        ("a doc without a text", {"q1": {"d1": 1, "d9": 1}}, "E3322"),
        ("a query without a text", {"q9": {"d1": 1}}, "E3322"),
        ("two ids, one passage", {"q1": {"d1": 1}, "q2": {"d4": 1}}, "E3323"),
    ],
)
def test_what_cannot_be_trained_on(case: str, qrels: Qrels, code: str) -> None:
    with pytest.raises(DataError) as caught:
        gather_examples(data_of(qrels), qrels)

    assert caught.value.code == code


def test_mined_negatives_are_numbers_by_query_the_hardest_first() -> None:
    qrels = {"q1": {"d1": 1}, "q2": {"d2": 1}}
    mined = [Example("q1", ["d1"], ["d3", "d2"]), Example("q2", ["d2"], ["d3"]), Example("q9", ["d1"], ["d2"])]

    examples = gather_examples(data_of(qrels), qrels, mined=mined)

    assert examples.docs == ("alpha", "beta", "gamma")
    assert (examples.negatives.tolist(), examples.ends.tolist()) == ([2, 1, 2], [0, 2, 3])


@pytest.mark.parametrize(
    ("case", "negatives", "kept"),
    [
        ("a known answer of the query", ["d1", "d3"], ["gamma"]),
        ("another id with a known answer's text", ["d4", "d3"], ["gamma"]),
        ("the same text twice", ["d2", "d3", "d2"], ["beta", "gamma"]),
    ],
)
def test_which_mined_docs_are_no_negatives(case: str, negatives: list[str], kept: list[str]) -> None:
    qrels = {"q1": {"d1": 1}}

    examples = gather_examples(data_of(qrels), qrels, mined=[Example("q1", ["d1"], negatives)])

    assert [examples.docs[row] for row in examples.negatives] == kept


def test_one_passage_is_enough_where_negatives_were_mined() -> None:
    qrels = {"q1": {"d1": 1}}

    assert len(gather_examples(data_of(qrels), qrels, mined=[Example("q1", ["d1"], ["d2"])]).docs) == 2


def test_a_teachers_scores_belong_to_positives_then_negatives() -> None:
    qrels = {"q1": {"d1": 1}, "q2": {"d2": 1}}
    mined = [Example("q1", ["d1"], ["d3"], teacher_scores=[9.0, 2.0])]

    examples = gather_examples(data_of(qrels), qrels, mined=mined)

    asked = examples.numbers(np.array([0, 0, 1]), np.array([0, 2, 2]))  # (a, alpha), (a, gamma), (b, gamma)
    assert np.array_equal(examples.scores_of(asked), np.array([9.0, 2.0, np.nan], np.float32), equal_nan=True)


def test_scores_that_do_not_fit_the_passages_are_refused() -> None:
    with pytest.raises(DataError) as caught:
        gather_examples(data_of({}), {"q1": {"d1": 1}}, mined=[Example("q1", ["d1"], ["d3"], teacher_scores=[9.0])])

    assert caught.value.code == "E3325"


def test_pairs_weigh_what_is_said_and_otherwise_one() -> None:
    qrels = {"q1": {"d1": 1, "d2": 1}, "q3": {"d4": 1}}  # d4 is alpha too, and q3 is q1's text: the greater weight

    examples = gather_examples(data_of(qrels), qrels, weights={"q1": {"d1": 0.25}, "q3": {"d4": 0.5}})

    assert examples.weights.tolist() == [0.5, 1.0]


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_a_weight_that_is_none_is_named_also_where_others_are_good(weight: float) -> None:
    with pytest.raises(DataError) as caught:
        gather_examples(data_of({}), {"q1": {"d1": 1}, "q2": {"d2": 1}}, weights={"q1": {"d1": weight}})

    assert caught.value.code == "E3324"
    assert caught.value.problem == f"query 'q1', doc 'd1': the weight {weight:g} is no number of 0 or more"


def test_weights_that_are_all_0_are_refused() -> None:
    with pytest.raises(DataError) as caught:
        gather_examples(data_of({}), {"q1": {"d1": 1}, "q2": {}}, weights={"q1": {"d1": 0.0}})

    assert (caught.value.code, caught.value.problem) == ("E3324", "the weights of the training pairs are all 0")
