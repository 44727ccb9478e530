"""A stretch of text to passages of so many tokens: cut where a reader would pause, each a slice of the text.

chonkie says where to cut (paragraphs, then sentences, lines, commas). What holds a passage to its size and its
place is the tokenizer's own account of where each token stands: decoding tokens would give another text.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

from lexitune.errors import UsageError

__all__ = ["Spans", "cut"]

Spans = Callable[[str], Sequence[tuple[int, int]]]
"""Where each token of a text begins and ends, special tokens left out."""

# Sentences come before lines, for a PDF breaks its lines anywhere.
PAUSES = (["\n\n"], [". ", "! ", "? ", ".\n", "!\n", "?\n"], ["\n"], [", ", "; ", ": "])
SENTENCE = re.compile(r"(?<=[.!?])\s+|\n[ \t]*\n\s*")
WORD = re.compile(r"\s+")


def cut(
    text: str, start: int, end: int, *, spans: Spans, chunk_tokens: int, overlap_tokens: int
) -> list[tuple[int, int]]:
    """Where the passages of `text[start:end]` begin and end, in order, outer blanks left out.

    Nothing but blanks is in no passage. A passage has at most `chunk_tokens` tokens; it begins with the last whole
    sentences of the one before it, or else words, that have at most `overlap_tokens`.

    Raises:
        UsageError: The stretch has to be cut and chonkie is not installed, or the overlap leaves too little.
    """
    if overlap_tokens * 2 > chunk_tokens:
        raise UsageError(
            "E2002",
            f"overlap_tokens {overlap_tokens} is more than half of chunk_tokens {chunk_tokens}",
            fix=f"--overlap-tokens {chunk_tokens // 5}",
        )
    part = text[start:end]
    begins = [token[0] for token in spans(part)]
    if len(begins) <= chunk_tokens:
        found = [(0, len(part))]
    else:
        core = chunk_tokens - overlap_tokens
        tiles = [0, *_sized(part, _pauses(part, spans, core), begins, core), len(part)]
        found = list(_overlapping(part, tiles, begins, overlap_tokens))
    return [(start + a, start + b) for a, b in (_stripped(part, *one) for one in found) if a < b]


def _pauses(part: str, spans: Spans, core: int) -> list[int]:
    """Where to cut, in order, as chonkie says; its texts are looked up, for its own offsets may count bytes."""
    try:
        from chonkie import RecursiveChunker, RecursiveLevel, RecursiveRules
    except ImportError as error:
        raise UsageError(
            "E2005", "passages are cut by chonkie, which is not installed", fix="pip install 'lexitune[docs]'"
        ) from error
    # It takes a function of the text for a tokenizer too, whatever its annotation says.
    count: Any = partial(_count, spans)
    rules = RecursiveRules(levels=[RecursiveLevel(delimiters=list(one), include_delim="prev") for one in PAUSES])
    chunker = RecursiveChunker(count, chunk_size=core, rules=rules, min_characters_per_chunk=1)
    cuts, place = list[int](), 0
    for one in chunker.chunk(part):
        found = part.find(one.text, place) if one.text else -1
        if found < 0:
            continue  # the tile before grows, and is cut by its tokens
        if found > 0:
            cuts.append(found)
        place = found + len(one.text)
    return cuts


def _count(spans: Spans, text: str) -> int:
    return len(spans(text))


def _sized(part: str, cuts: Sequence[int], begins: Sequence[int], core: int) -> Iterator[int]:
    """The cuts, and more of them, before a word where there is one, while more than `core` tokens are between two."""
    last = 0
    for place in [*cuts, None]:
        stop = len(begins) if place is None else bisect_left(begins, place)
        first = bisect_left(begins, last)
        while stop - first > core:
            target = begins[first + core]
            if target <= last:  # more tokens than fit begin with one character: it is the least there is
                following = bisect_right(begins, last)
                if following >= stop:
                    break
                target = begins[following]
            last = _word(part, last, target)
            yield last
            first = bisect_left(begins, last)
        if place is not None and place > last:
            last = place
            yield last


def _word(part: str, low: int, high: int) -> int:
    """The last place above `low` and up to `high` that follows a blank; `high` where none does."""
    return next((place for place in range(high, low, -1) if part[place - 1].isspace()), high)


def _overlapping(part: str, tiles: Sequence[int], begins: Sequence[int], overlap: int) -> Iterator[tuple[int, int]]:
    before = 0
    for start, end in pairwise(tiles):
        earliest = begins[max(0, bisect_left(begins, start) - overlap)] if overlap else start
        yield _start(part, max(earliest, before + 1), start) if start else 0, end
        before = start


def _start(part: str, earliest: int, start: int) -> int:
    """The first sentence that begins from `earliest` on and before `start`, or the first word; else `start`."""
    for pause in (SENTENCE, WORD):
        # From one character further left, for the sentence may begin at `earliest` itself.
        for found in pause.finditer(part, max(0, earliest - 1), start):
            if earliest <= found.end() < start:
                return found.end()
    return start


def _stripped(part: str, start: int, end: int) -> tuple[int, int]:
    while start < end and part[start].isspace():
        start += 1
    while end > start and part[end - 1].isspace():
        end -= 1
    return start, end
