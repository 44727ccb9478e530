"""What is found in the texts: languages, and personal data without its values."""

from __future__ import annotations

from dataclasses import replace

from tests.stages.check.making import clean_data

from lexitune.io.dataset import Raw
from lexitune.stages.check.contents import find_contents
from lexitune.types import LOOK, OK, Doc, Query

ENGLISH = "The tenant shall return the deposit number {} within thirty days after the lease has ended."
GERMAN = "Der Mieter gibt die Wohnung Nummer {} nach dem Ende des Mietverhältnisses sauber zurück."


def in_languages(english: int, german: int) -> Raw:
    texts = [ENGLISH.format(n) for n in range(english)] + [GERMAN.format(n) for n in range(german)]
    return replace(clean_data(), docs=[Doc(f"d{n:02}", text) for n, text in enumerate(texts)])


def test_texts_too_short_to_tell_are_not_guessed() -> None:
    languages, personal = find_contents(clean_data())

    assert (languages.mark, languages.count) == (OK, 0)
    assert (personal.mark, personal.count) == (OK, 0)


def test_one_language_is_told_with_its_share() -> None:
    languages = find_contents(in_languages(30, 1))[0]

    assert (languages.mark, languages.said) == (OK, "en 97 %, de 3 % of 31 passages whose language can be told")


def test_a_mix_of_languages_shows_a_passage_of_each_further_one() -> None:
    languages = find_contents(in_languages(20, 10))[0]

    assert (languages.mark, languages.count, languages.examples) == (LOOK, 2, ("de: d20",))


def test_a_few_passages_that_can_be_told_among_many_that_cannot_are_no_mix() -> None:
    mixed = in_languages(2, 1)
    short = [Doc(f"s{number:02}", "ls -la") for number in range(60)]

    languages = find_contents(replace(mixed, docs=[*mixed.docs, *short]))[0]

    assert (languages.mark, languages.count) == (OK, 2)


def test_personal_data_is_placed_and_never_shown() -> None:
    raw = clean_data()
    docs = [
        Doc("d00", "write to ann@firm.uk or bob@firm.uk"),
        Doc("d01", "ann@firm.uk, +44 20 7946 0958"),
        *raw.docs[2:],
    ]
    queries = {**raw.queries, "q03": Query("q03", "who is ann@firm.uk")}

    found = {one.name: one for one in find_contents(replace(raw, docs=docs, queries=queries))[1:]}

    assert found["email address"].examples == ("passage d00", "passage d01", "query q03")
    assert found["email address"].said == "3 texts hold what looks like an email address"
    assert found["phone number"].count == 1
    assert not any("ann" in str(one) or "7946" in str(one) for one in found.values())
