"""Normalising: what a person would call one text is one text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexitune.text.normalise import normalise


@pytest.mark.parametrize(
    ("case", "text", "form"),
    [
        ("case", "What Is TORT", "what is tort"),
        ("sharp s folds", "Straße", "strasse"),
        ("white space runs", " what\t is\n\ntort ", "what is tort"),
        ("no-break and ideographic blanks", "what\u00a0is\u3000tort", "what is tort"),
        ("full-width letters and ligatures", "\uff37hat \ufb01le", "what file"),
        ("composed and decomposed", "cafe\u0301", "caf\u00e9"),
        ("outer punctuation", "«what is tort?!»", "what is tort"),
        ("inner punctuation stays", "what's a co-op", "what's a co-op"),
        ("symbols stay: c++ is not c", "C++", "c++"),
        ("only punctuation is kept: not all such texts are equal", "?!", "?!"),
        ("nothing", " \n", ""),
    ],
)
def test_the_normal_form(case: str, text: str, form: str) -> None:
    assert normalise(text) == form, case


@given(st.text())
def test_a_normal_form_is_its_own(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


@given(st.text("abcé ?.\n"))
def test_case_and_outer_white_space_never_matter(text: str) -> None:
    assert normalise(f"\t{text.upper()} ") == normalise(text)
