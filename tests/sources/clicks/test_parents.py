"""Clicks on a document, whose passages are what is searched."""

import pytest

from lexitune.sources.clicks.parents import names_of, place_in_passages
from lexitune.types import Doc, Judgement, Query

DOCS = [
    Doc("a1", "force majeure and frustration", metadata={"family": "a"}),
    Doc("a2", "notice of termination", metadata={"family": "a"}),
    Doc("a3", "notice of assignment", metadata={"family": "a"}),
    Doc("b1", "force majeure", metadata={"family": 7}),
    Doc("c", "lease"),
]
QUERIES = {"q1": Query("q1", "force majeure"), "q2": Query("q2", "notice"), "q3": Query("q3", "estoppel")}


def test_a_corpus_is_known_by_its_ids_and_its_families() -> None:
    assert names_of(DOCS) == ["a", "a1", "a2", "a3", "b1", "c"]


@pytest.mark.parametrize(
    ("case", "query_id", "doc_id", "placed"),
    [
        ("a passage stays what it is", "q1", "a2", [("a2", 0.8)]),
        ("only one passage fits", "q1", "a", [("a1", 0.8)]),
        ("two fit alike: the smaller id, at half the weight", "q2", "a", [("a2", 0.4)]),
        ("none shares a word", "q3", "a", []),
        ("what is no family is left to the next step", "q1", "gone", [("gone", 0.8)]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_which_passage_is_meant(case: str, query_id: str, doc_id: str, placed: list[tuple[str, float]]) -> None:
    given = Judgement(query_id, doc_id, 1, "click:a", weight=0.8, evidence="clicked")

    found, lost = place_in_passages([given], queries=QUERIES, docs=DOCS)

    assert [(one.doc_id, one.weight) for one in found] == placed
    assert lost == (not placed)
    assert all(one.evidence.startswith("clicked") for one in found)
