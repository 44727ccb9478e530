"""Niche vocabulary: invented jargon comes first, and shares are counted."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from lexitune.errors import UsageError
from lexitune.models.load import load
from lexitune.models.options import ModelOptions
from lexitune.stages.assess.vocabulary import SHOWN, survey
from lexitune.text.frequency import general_zipf

JARGON = ["zorvexil", "brunglewhack", "Quexatine", "flimbrostat"]
PROSE = "the patient was given a dose of water every morning and slept well after the treatment in a quiet room"
ENGLISH = PROSE.split()


def whole(words: Sequence[str]) -> list[tuple[str, ...]]:
    return [(word,) for word in words]


def letters(words: Sequence[str]) -> list[tuple[str, ...]]:
    return [tuple(word) for word in words]


def test_invented_jargon_ranks_first_and_alone() -> None:
    draw = random.Random(1)
    docs = []
    for number in range(40):
        words = draw.choices(ENGLISH, k=30)
        words[draw.randrange(30)] = JARGON[number % len(JARGON)]
        docs.append(" ".join(words))
    queries = ["how much Quexatine for a patient", "a quiet room"]
    model = load("minilm", options=ModelOptions(precision="fp32", device="cpu"))

    found = survey(docs, queries, cut=model.cut_words, general=general_zipf(), unknown="[UNK]")

    assert {term.text for term in found.terms} == set(JARGON)
    assert found.shattered == len(JARGON)
    first = next(term for term in found.terms if term.text == "Quexatine")
    assert (first.docs, first.queries, first.general, first.example) == (10, 1, None, queries[0])
    assert "".join(first.pieces).replace("##", "") == "quexatine"
    assert found.holding == (0,)
    assert found.pieces > found.general_pieces >= 1
    assert found.rare == pytest.approx(1 / 30)
    assert found.query_rare == pytest.approx(1 / 9)
    assert found.query_unseen == pytest.approx(3 / 9)  # how, much, for


def test_what_wastes_more_comes_first() -> None:
    docs = ["abcdef ghijkl mnopqr"] * 3 + ["ghijkl mnopqrstuvwx"] * 2

    found = survey(docs, [], cut=letters, general={"mnopqr": 2.9})

    # 5 passages; 3 of them; 2 with more pieces; 3 with a word that general language knows a little.
    assert [term.text for term in found.terms] == ["ghijkl", "mnopqrstuvwx", "abcdef", "mnopqr"]


@pytest.mark.parametrize(
    ("pieces", "unknown", "is_shattered"),
    [
        (("ab", "cd"), None, False),
        (("a", "b", "cd"), None, True),
        (("[UNK]",), "[UNK]", True),
        (("[UNK]",), None, False),
    ],
)
def test_a_term_is_shattered_from_three_pieces_on_or_where_it_is_lost(
    pieces: tuple[str, ...], unknown: str | None, is_shattered: bool
) -> None:
    found = survey(["abcd"], ["abcd"], cut=lambda words: [pieces for _ in words], general={}, unknown=unknown)

    assert (found.shattered, found.holding) == ((1, (0,)) if is_shattered else (0, ()))


def test_spellings_are_one_term_and_numbers_are_none() -> None:
    found = survey(["NaCl nacl NaCl 2024 1,000", "nAcL h2o"], [], cut=letters, general={})

    assert [(term.text, term.docs) for term in found.terms] == [("NaCl", 2), ("h2o", 1)]


def test_no_word_at_all_is_no_error() -> None:
    found = survey(["123", ""], [""], cut=whole, general={})

    assert (found.pieces, found.rare, found.query_rare, found.terms, found.holding) == (0.0, 0.0, 0.0, (), ())


def test_fifty_terms_are_kept_and_all_are_counted() -> None:
    docs = [" ".join("abcdefghijklmnopqrstuvwxyz"[n % 26] * (4 + n // 26) for n in range(80))]

    found = survey(docs, [], cut=letters, general={})

    assert (len(found.terms), found.shattered) == (SHOWN, 80)


def test_a_language_without_a_list_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        general_zipf("eng")

    assert caught.value.code == "E2128"
    assert "'en'" in caught.value.fix
