"""Niche vocabulary: invented jargon comes first, and shares are counted."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexitune.errors import UsageError
from lexitune.models.load import load
from lexitune.models.options import ModelOptions
from lexitune.stages.assess.vocabulary import ASCII_WORD, SHOWN, WORD, Vocabulary, survey
from lexitune.text.frequency import GeneralLanguage, general_language

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

    found = survey(docs, queries, cut=model.cut_words, general=general_language(), unknown="[UNK]")

    assert found is not None

    assert {term.text for term in found.terms} == set(JARGON)
    assert found.shattered == len(JARGON)
    first = next(term for term in found.terms if term.text == "Quexatine")
    assert (first.docs, first.queries, first.general, first.example) == (10, 1, None, queries[0])
    assert "".join(first.pieces).replace("##", "") == "quexatine"
    assert found.holding == (0,)
    assert found.fertility > found.general_fertility >= 1
    assert found.rare == pytest.approx(1 / 30)
    assert found.query_rare == pytest.approx(1 / 9)
    assert found.query_unseen == pytest.approx(3 / 9)  # how, much, for


def looked_at(
    docs: list[str], queries: list[str] | None = None, *, known: dict[str, float] | None = None, **more: Any
) -> Vocabulary:
    """A survey by letters, in a language that has one word, "and", beside the known ones; docs are half of it."""
    general = GeneralLanguage("en", {"and": 0.1, "wxyz": 2e-9, **(known or {})})
    words = sum(len(doc.split()) for doc in docs)
    found = survey([*docs, "and " * words], queries or [], cut=more.pop("cut", letters), general=general, **more)
    assert found is not None
    return found


def test_what_wastes_more_comes_first() -> None:
    docs = ["abcdef ghijkl mnopqr"] * 3 + ["ghijkl mnopqrstuvwx"] * 2

    found = looked_at(docs, known={"mnopqr": 8e-7})

    # 5 passages; 3 of them; 2 with more pieces; 3 with a word that general language knows a little.
    assert [term.text for term in found.terms] == ["ghijkl", "mnopqrstuvwx", "abcdef", "mnopqr"]


def test_what_one_passage_alone_holds_comes_after_what_several_share() -> None:
    found = looked_at(["commit d7e91db2aadc4dc4f00", "zorv", "zorv"])

    assert [term.text for term in found.terms] == ["zorv", "d7e91db2aadc4dc4f00", "commit"]


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
    found = looked_at(["abcd"], ["abcd"], cut=lambda words: [pieces for _ in words], unknown=unknown)

    assert (found.shattered, found.holding) == ((1, (0,)) if is_shattered else (0, ()))


def test_spellings_are_one_term_and_numbers_are_none() -> None:
    found = looked_at(["NaCl nacl NaCl 2024 1,000", "nAcL h2o"])

    assert [(term.text, term.docs) for term in found.terms] == [("NaCl", 2), ("h2o", 1)]


def test_what_a_list_that_ends_early_does_not_have_is_rare() -> None:
    general = GeneralLanguage("hi", {"and": 0.1, "last": 1.02e-6})  # Zipf 3.01 is its rarest

    found = survey(["zorvexil and and"], ["zorvexil"], cut=letters, general=general)

    assert found is not None
    assert found.rare == pytest.approx(1 / 3)
    assert (found.query_rare, found.shattered) == (1.0, 1)


def test_a_number_of_any_length_is_no_word_of_the_list() -> None:
    assert general_language("en").zipf("x" + "1" * 400) is None


def test_marks_belong_to_their_letters() -> None:
    assert [term.text for term in looked_at(["किताब"]).terms] == ["किताब"]


@given(st.text(alphabet=st.characters(max_codepoint=127), max_size=60))
def test_ascii_has_the_same_words_by_the_short_way(text: str) -> None:
    assert ASCII_WORD.findall(text) == WORD.findall(text)


def test_fifty_terms_are_kept_and_all_are_counted() -> None:
    docs = [" ".join("abcdefghijklmnopqrstuvwxyz"[n % 26] * (4 + n // 26) for n in range(80))]

    found = looked_at(docs)

    assert (len(found.terms), found.shattered) == (SHOWN, 80)


@pytest.mark.parametrize("docs", [["123", ""], ["我喜欢读书因为书很有趣"], ["Der Vertrag bedarf der Schriftform"], []])
def test_texts_in_another_language_are_not_surveyed(docs: list[str]) -> None:
    assert survey(docs, ["was"], cut=whole, general=GeneralLanguage("en", {"the": 0.1, "and": 0.1})) is None


@pytest.mark.parametrize(
    ("code", "word", "zipf"),
    [
        ("en", "The", 7.73),
        ("en", "zorvexil", None),
        ("de", "Straße", 5.1),
        ("el", "τους", 7.0),
        ("en", "x86", 1.4),
    ],
)
def test_a_word_is_looked_up_in_the_form_of_its_language(code: str, word: str, zipf: float | None) -> None:
    assert general_language(code).zipf(word) == (None if zipf is None else pytest.approx(zipf, abs=0.3))


def test_what_a_short_list_lacks_is_rarer_than_its_rarest_word() -> None:
    assert general_language("hi").least > 2.5 > general_language("en").least


def test_a_language_without_a_list_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        general_language("eng")

    assert caught.value.code == "E2128"
    assert "'en'" in caught.value.fix
