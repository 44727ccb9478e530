"""What an answer cites."""

from __future__ import annotations

import pytest
from tests.sources.traces.exports import DEED, LEASE, TORT

from lexitune.sources.traces.citations import find_citations
from lexitune.sources.traces.trace import Context

CONTEXTS = [
    Context("lease-7", LEASE, ("lease-7", "lease.pdf")),
    Context("deed-12", DEED, ("deed-12", "book.pdf")),
    Context("tort", TORT, ("tort", "book.pdf")),
]


@pytest.mark.parametrize(
    ("answer", "places", "numbers"),
    [
        ("Nothing is cited.", [], []),
        ("See [1] and [3].", [], [1, 3]),
        ("See [1, 3] and [2-3].", [], [1, 2, 3]),
        ("See 【2】 and [^1] and [doc 3] and [Source: 1].", [], [1, 2, 3]),
        ("See [lease-7].", [0], []),
        ("See [doc:LEASE-7; id: tort].", [0, 2], []),
        ("See [the lease](lease.pdf).", [0], []),
        ("As deed-12 says.", [1], []),
        ("As deed-123 or xdeed-12 say.", [], []),
        ("The law of tort says.", [], []),
        ("In [2024] and [sic] and [ ] and [x].", [], []),
        ("See [book.pdf].", [], []),
    ],
)
def test_numbers_and_names_are_found(answer: str, places: list[int], numbers: list[int]) -> None:
    found = find_citations(answer, CONTEXTS)

    assert (sorted(found.places), sorted(found.numbers)) == (places, numbers)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("See [book.pdf].", "a name of several passages"),
        ("See [doc:will-3].", "a name of no passage that was retrieved"),
    ],
)
def test_names_that_are_not_clear_are_counted(answer: str, reason: str) -> None:
    assert find_citations(answer, CONTEXTS).unclear == {reason: 1}


@pytest.mark.parametrize(
    ("answer", "places", "numbers", "unclear"),
    [("See [2].", [], [], 1), ("See [9].", [1], [], 0), ("See [1].", [], [1], 0), ("See [doc:2].", [0], [], 0)],
)
def test_a_number_that_may_be_an_id_or_a_place_is_taken_for_neither(
    answer: str, places: list[int], numbers: list[int], unclear: int
) -> None:
    found = find_citations(answer, [Context("2", "x", ("2",)), Context("9", "y", ("9",))])

    assert (sorted(found.places), sorted(found.numbers)) == (places, numbers)
    assert found.unclear.total() == unclear


# LEASE has 14 words: "rent is payable in advance on the first day of each quarter without any deduction".
@pytest.mark.parametrize(
    ("answer", "question", "places"),
    [
        ("It says: “RENT is payable in advance, on the first”.", "", [0]),
        ("It says: rent is payable in advance on the", "", []),
        ("Is rent is payable in advance on the first?", "Why rent is payable in advance on the first", []),
    ],
    ids=["eight words", "seven words", "the question's own words"],
)
def test_words_in_a_row_that_stand_in_one_passage_are_a_citation(answer: str, question: str, places: list[int]) -> None:
    assert sorted(find_citations(answer, CONTEXTS, question=question).places) == places


def test_words_that_stand_in_two_passages_are_none() -> None:
    both = [*CONTEXTS, Context("copy", f"Clause 4. {LEASE}")]

    assert find_citations(LEASE, both).places == frozenset()


def test_a_passage_that_was_retrieved_twice_is_one() -> None:
    found = find_citations(f"[lease-7] {LEASE}", [CONTEXTS[0], CONTEXTS[0]])

    assert (found.places, found.unclear.total()) == (frozenset({0}), 0)
