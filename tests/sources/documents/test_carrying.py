"""Carrying judgements over: to the passage that shows most of the place, weaker by what it lacks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexitune.sources.documents.carrying import Place, rechunk
from lexitune.types import Judgement


def place(start: int, end: int, family: str = "a", version: str = "v") -> Place:
    return Place(f"{family}#{start}-{end}", family, version, start, end)


def judged(doc_id: str, weight: float = 1.0, evidence: str = "") -> Judgement:
    return Judgement("q", doc_id, 2, "ann", weight=weight, evidence=evidence)


def test_a_judgement_goes_to_the_passage_that_shows_most_of_its_place() -> None:
    found = rechunk(
        [judged("a#100-200", 0.5, "clicked")],
        old=[place(100, 200)],
        new=[place(0, 140), place(130, 210), place(200, 300)],
    )

    assert found.carried == [
        Judgement("q", "a#130-210", 2, "ann", weight=0.35, evidence="clicked; carried over from a#100-200, 70% of it")
    ]
    assert found.gone == []


def test_of_equal_parts_the_first_passage_is_taken() -> None:
    found = rechunk([judged("a#0-100")], old=[place(0, 100)], new=[place(50, 100), place(0, 50)])

    assert [(one.doc_id, one.weight) for one in found.carried] == [("a#0-50", 0.5)]


@pytest.mark.parametrize(
    "new",
    [
        [],
        [place(100, 200)],
        [place(0, 100, family="b")],
        [place(0, 99, version="later")],
    ],
    ids=["no passage", "another place", "another document", "another text"],
)
def test_a_judgement_whose_place_is_gone_is_told(new: list[Place]) -> None:
    found = rechunk([judged("a#0-100")], old=[place(0, 100)], new=new)

    assert (found.carried, found.gone) == ([], [judged("a#0-100")])


def test_what_is_still_there_or_was_never_ours_stays_as_it_is() -> None:
    rows = [judged("a#0-100"), judged("elsewhere")]

    assert rechunk(rows, old=[place(0, 100)], new=[place(0, 100)]).carried == rows


cuts = st.lists(st.integers(1, 300), min_size=1, max_size=12, unique=True).map(sorted)


@given(cuts, cuts)
def test_each_judgement_is_carried_once_or_told_and_never_gains(old_cuts: list[int], new_cuts: list[int]) -> None:
    old, new = ([place(a, b) for a, b in zip([0, *one], one, strict=False)] for one in (old_cuts, new_cuts))
    rows = [judged(one.doc_id) for one in old]

    found = rechunk(rows, old=old, new=new)

    assert len(found.carried) + len(found.gone) == len(rows)
    assert all(0 < one.weight <= 1 for one in found.carried)
    assert {one.doc_id for one in found.carried} <= {one.doc_id for one in new}
    if old_cuts[-1] <= new_cuts[-1]:
        assert found.gone == []
