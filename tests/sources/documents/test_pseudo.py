"""Weak pairs: they ask for their passage, stand nowhere in it, and come out the same each time."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lexitune.sources.documents.passages import Passage
from lexitune.sources.documents.pseudo import Pseudo, make_pairs
from lexitune.sources.documents.telling import Telling
from lexitune.text.normalise import normalise

OIL = "Pour the oil slowly until the gauge shows green. Wipe the rim with a dry cloth. Close the lid and wait an hour."
LEAK = (
    "A leak shows as drops below the flange. Tighten the four bolts crosswise. Replace the gasket where drops remain."
)
SHIP = "Parcels leave the warehouse on weekdays. The courier needs a signature. Customs may hold parcels for some days."


def passage(family: str, start: int, text: str, *path: str) -> Passage:
    return Passage(family, start, start + len(text), text, path, path, "v")


PASSAGES = [
    passage("pump.md", 0, OIL, "Pump guide", "Filling in oil"),
    passage("pump.md", 500, LEAK, "Pump guide", "Leaks"),
    passage("ship.md", 0, SHIP, "Shipping abroad"),
]
ALL = ("title", "terms", "crop")


def copies(made: Pseudo) -> list[str]:
    texts = {doc.doc_id: normalise(doc.full_text) for doc in made.docs}
    asked = [(made.queries[one.query_id].text, one.doc_id) for one in made.judgements]
    return [text for text, doc_id in asked if normalise(text) in texts[doc_id]]


def test_a_heading_asks_for_its_section_and_is_masked_there() -> None:
    made = make_pairs(PASSAGES, kinds=["title"], most=9, seed=1)

    asked = {made.queries[one.query_id].text: one.doc_id for one in made.judgements}
    assert asked == {
        "Filling in oil": PASSAGES[0].doc_id,
        "Pump guide: Leaks": PASSAGES[1].doc_id,  # a word alone asks for too much
        "Shipping abroad": PASSAGES[2].doc_id,
    }
    assert [doc.title for doc in made.docs] == ["Pump guide", "Pump guide", ""]
    assert [doc.metadata["headings"] for doc in made.docs][2] == ["Shipping abroad"]
    assert all(doc.metadata["masked"] == ["title"] for doc in made.docs)
    assert {(one.source, one.weight, one.relevance) for one in made.judgements} == {("synthetic:title", 0.6, 1)}


def test_words_of_a_heading_are_cut_out_of_the_passage() -> None:
    text = "The oil change interval is a year. An oil  change interval of two is too long, says the maker of it."
    made = make_pairs([passage("a", 0, text, "Oil change interval")], kinds=["title"], most=9, seed=1)

    assert made.docs[0].text == "The is a year. An of two is too long, says the maker of it."
    assert copies(made) == []


def test_a_heading_above_other_sections_does_not_ask() -> None:
    rows = [passage("a", 0, OIL, "Pump guide"), passage("a", 500, LEAK, "Pump guide", "Drops below it")]

    made = make_pairs(rows, kinds=["title"], most=9, seed=1)

    assert [one.text for one in made.queries.values()] == ["Drops below it"]


def test_a_heading_of_two_documents_asks_with_the_one_above_it() -> None:
    rows = [passage(name, 0, text, name, "Before you start") for name, text in (("Pumps", OIL), ("Parcels", SHIP))]

    made = make_pairs(rows, kinds=["title"], most=9, seed=1)

    assert [one.text for one in made.queries.values()] == ["Pumps: Before you start", "Parcels: Before you start"]


def test_all_passages_of_a_section_are_masked_and_the_first_few_are_right() -> None:
    rows = [passage("a", 200 * n, f"{OIL} {n}", "Filling in oil") for n in range(7)]

    made = make_pairs(rows, kinds=["title"], most=9, seed=1)

    assert len(made.judgements) == 5
    assert [doc.title for doc in made.docs] == [""] * 7


def test_telling_words_are_frequent_here_and_rare_elsewhere() -> None:
    telling = Telling(["valves valves seal the pump", "the pump leaks oil", "the pump stops", "the pump of steel"])

    assert telling.words_of("valves valves seal the pump") == []  # two only
    assert telling.words_of("valves valves seal the pump gasket") == []
    assert Telling(["valves valves seal gasket pump", "pump", "pump"]).words_of("valves valves seal gasket pump")[
        :1
    ] == ["valves"]


def test_terms_ask_without_the_words_that_many_passages_share() -> None:
    rows = [passage(f"{n}", 0, f"machine {text}", "") for n, text in enumerate((OIL, LEAK, SHIP))]

    made = make_pairs(rows, kinds=["terms"], most=9, seed=1)

    assert len(made.queries) == 3
    assert all(len(one.text.split()) in (3, 4) and "machine" not in one.text for one in made.queries.values())
    assert {(one.source, one.weight) for one in made.judgements} == {("synthetic:terms", 0.3)}


def test_a_sentence_asks_for_the_rest_of_its_passage() -> None:
    made = make_pairs([PASSAGES[1]], kinds=["crop"], most=9, seed=1)

    sentence = next(iter(made.queries.values())).text
    assert sentence in LEAK
    assert sentence not in made.docs[0].text
    assert all(word in LEAK for word in made.docs[0].text.split())
    assert made.docs[0].metadata["masked"] == ["crop"]


def test_no_sentence_asks_that_another_passage_shows_as_well() -> None:
    rows = [passage("a", 0, OIL), passage("a", 10, LEAK)]  # they overlap: each place but the first ten is in both

    made = make_pairs(rows, kinds=["crop"], most=9, seed=1)

    assert made.judgements == []


@settings(deadline=None)
@given(st.lists(st.sampled_from([OIL, LEAK, SHIP, "oil oil oil. Filling in oil", "x"]), max_size=6), st.integers(0, 99))
def test_no_pair_stands_word_for_word_in_its_passage(texts: list[str], seed: int) -> None:
    heads = ["Filling in oil", "Leaks", "Tighten the four bolts"]
    rows = [passage(f"d{n % 2}", 900 * n, text, "Guide", heads[n % 3]) for n, text in enumerate(texts)]

    made = make_pairs(rows, kinds=ALL, most=2, seed=seed)

    assert copies(made) == []
    assert [doc.doc_id for doc in made.docs] == [one.doc_id for one in rows]
    assert all(doc.text.strip() for doc in made.docs)


def test_the_same_seed_gives_the_same_pairs_and_another_others() -> None:
    rows = [passage("a", 900 * n, f"{OIL} Number {n} of {LEAK}", "Guide", f"Part number {n}") for n in range(30)]

    first, again, other = (make_pairs(rows, kinds=ALL, most=3, seed=seed) for seed in (1, 1, 2))

    assert (first.queries, first.judgements, first.docs) == (again.queries, again.judgements, again.docs)
    assert first.queries != other.queries


@pytest.mark.parametrize("kind", ALL)
def test_a_document_gives_no_more_pairs_than_allowed(kind: str) -> None:
    words = ["amber", "birch", "cedar", "delta", "ember", "flint", "grove", "heath"]
    rows = [
        passage("a", 900 * n, f"{OIL} {word} {word[::-1]} {word[1:]}ox.", "Guide", f"About {word}")
        for n, word in enumerate(words)
    ]

    made = make_pairs(rows, kinds=[kind], most=2, seed=1)

    assert 0 < made.counts[kind] <= 2


def test_without_kinds_there_are_passages_and_no_pairs() -> None:
    made = make_pairs(PASSAGES, kinds=[], most=2, seed=1)

    assert (made.judgements, made.queries) == ([], {})
    assert [doc.text for doc in made.docs] == [OIL, LEAK, SHIP]
    assert [doc.title for doc in made.docs] == ["Pump guide > Filling in oil", "Pump guide > Leaks", "Shipping abroad"]
