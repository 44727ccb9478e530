"""Which passage a context is."""

from __future__ import annotations

import pytest

from lexitune.io.beir import made_id
from lexitune.sources.traces.passages import Passages, doc_id_of, known_passages, text_key
from lexitune.sources.traces.trace import Context
from lexitune.types import Doc

CORPUS = known_passages([Doc("d1", "Rent is due."), Doc("d2", "Sign the deed.", "Deeds"), Doc("d0", "Rent  is due.")])


@pytest.mark.parametrize(
    ("doc_id", "text", "found", "reason"),
    [
        ("d1", "Rent is  due.", "d1", ""),
        ("x", "Rent is due.", "d0", ""),
        ("", "Sign the deed.", "d2", ""),
        ("", "Deeds Sign the deed.", "d2", ""),
        ("d1", "Sign the deed.", "d2", ""),
        ("d1", "Rent was due.", "d1", "with another text than the corpus has under its id"),
        ("d1", "", "d1", ""),
        ("x", "Another.", "", "not in the corpus"),
        ("", " ", "", "without an id and a text"),
        ("a\tb", "", "", "without an id and a text"),
    ],
)
def test_the_text_tells_before_the_id_where_there_is_a_corpus(doc_id: str, text: str, found: str, reason: str) -> None:
    assert doc_id_of(Context(doc_id, text), CORPUS) == (found, reason)


@pytest.mark.parametrize(
    ("doc_id", "text", "found", "reason"),
    [
        ("d1", "Rent is due.", "d0", ""),
        ("d5", "Another.", "d5", ""),
        ("", "Another.", made_id("d", "Another."), ""),
        ("d5", "", "d5", ""),
        ("book", "Chapter 1.", made_id("d", "Chapter 1."), ""),
        ("book", "", "", "with an id that several texts bear, and no text"),
    ],
)
def test_without_a_corpus_the_id_tells_unless_it_is_a_whole_documents(
    doc_id: str, text: str, found: str, reason: str
) -> None:
    seen = Passages(None, {text_key("Rent is due."): "d0"}, {"book"})

    assert doc_id_of(Context(doc_id, text), seen) == (found, reason)
