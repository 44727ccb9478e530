"""Cutting: passages are slices of the text, no longer than asked, and together hold all of it."""

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lexitune.errors import UsageError
from lexitune.models.tokenizer import TextTokens, load_tokens
from lexitune.sources.documents.chunking import cut
from lexitune.sources.documents.document import Document
from lexitune.sources.documents.markdown import read_markdown
from lexitune.sources.documents.passages import passages_of

ALPHABET = "ab \n.!?,\u00e9\u4e2d\U0001f600\u0301-\t"


def words(text: str) -> list[tuple[int, int]]:
    return [found.span() for found in re.finditer(r"\S+", text)]


@pytest.fixture(scope="module")
def minilm() -> TextTokens:
    return load_tokens("minilm")


def check(text: str, found: list[tuple[int, int]], spans: list[tuple[int, int]], chunk: int, overlap: int) -> None:
    shown = set()
    for start, end in found:
        assert text[start:end] == text[start:end].strip() != ""
        assert sum(start <= a < end for a, _ in spans) <= chunk
        shown |= set(range(start, end))
    assert {place for place, one in enumerate(text) if not one.isspace()} <= shown
    for (_, before), (start, end) in pairwise(found):
        assert end > before
        assert sum(start <= a < before for a, _ in spans) <= overlap


@settings(deadline=None)
@given(st.text(alphabet=ALPHABET, max_size=400), st.integers(4, 30), st.integers(0, 2))
def test_passages_are_slices_within_their_size_that_hold_the_whole_text(text: str, chunk: int, overlap: int) -> None:
    found = cut(text, 0, len(text), spans=words, chunk_tokens=chunk, overlap_tokens=overlap)

    check(text, found, words(text), chunk, overlap)


@settings(deadline=None, max_examples=50)
@given(st.text(alphabet=ALPHABET + "xyzABC01", max_size=600))
def test_a_real_tokenizer_cuts_slices_too(minilm: TextTokens, text: str) -> None:
    found = cut(text, 0, len(text), spans=minilm.spans, chunk_tokens=16, overlap_tokens=4)

    spans = minilm.spans(text)
    for start, end in found:
        assert text[start:end] == text[start:end].strip() != ""
        assert sum(start <= a < end for a, _ in spans) <= 16 or len({a for a, _ in spans if start <= a < end}) == 1


def test_a_cut_goes_between_sentences_and_the_overlap_begins_with_one() -> None:
    text = "One two three four. Five six seven. Eight nine ten. Eleven twelve thirteen fourteen."

    found = cut(text, 0, len(text), spans=words, chunk_tokens=10, overlap_tokens=3)

    assert [text[a:b] for a, b in found] == [
        "One two three four. Five six seven.",
        "Five six seven. Eight nine ten. Eleven twelve thirteen fourteen.",
    ]


def test_a_word_longer_than_a_passage_is_cut_by_tokens(minilm: TextTokens) -> None:
    text = "\u4e2d" * 100

    found = cut(text, 0, 100, spans=minilm.spans, chunk_tokens=20, overlap_tokens=0)

    assert found == [(start, start + 20) for start in range(0, 100, 20)]


def test_only_the_stretch_that_is_asked_for_is_cut() -> None:
    text = "before  the stretch  after"

    assert cut(text, 6, 20, spans=words, chunk_tokens=10, overlap_tokens=0) == [(8, 19)]


def test_an_overlap_of_more_than_half_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        cut("x", 0, 1, spans=words, chunk_tokens=20, overlap_tokens=11)

    assert caught.value.code == "E2002"


def test_no_passage_crosses_a_heading_of_the_first_two_levels(minilm: TextTokens) -> None:
    source = "# Guide\n\nintro\n\n## A\n\n" + "aa bb. " * 60 + "\n\n### deep\n\ncc\n\n## B\n\ndd"
    title, text, headings = read_markdown(source)
    document = Document("g.md", "md", title, text, headings)

    found = list(passages_of(document, spans=minilm.spans, chunk_tokens=40, overlap_tokens=10))

    assert [one.path for one in found] == [("Guide",), *[("Guide", "A")] * (len(found) - 2), ("Guide", "B")]
    assert len(found) > 4
    assert all(text[one.start : one.end] == one.text for one in found)
    assert found[-2].text.endswith("cc")
    assert found[0].doc_id == "g.md#7-12"
    assert found[0].doc().title == "Guide"
    assert found[-1].doc().metadata["headings"] == ["Guide", "B"]
