"""What an answer cites: numbers and names in brackets, ids in its text, and words that stand in one passage only."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from lexitune.sources.traces.trace import Context

__all__ = ["Citations", "find_citations"]

BRACKETS = re.compile(r"[\[【]([^\[\]【】\n]{1,300})[\]】](?:\((?P<link>[^()\s]{1,500})\))?")
PREFIX = re.compile(r"\^|(?:documents?|docs?|sources?|refs?|ids?|passages?|contexts?|chunks?)(?:\s*[:#]\s*|\s+)", re.I)
RANGE = re.compile(r"(\d{1,3})\s*[-\u2013]\s*(\d{1,3})")
WORD = re.compile(r"\w+")
LEAST_ID = 6  # characters of an id that counts without brackets; it also needs a digit, else it is a word like others
MOST_NUMBER = 1000  # a year in brackets is no citation


@dataclass(frozen=True, slots=True)
class Citations:
    """What an answer cites.

    Attributes:
        places: Of the passages that it names or quotes, from 0 on.
        numbers: That stand in brackets, as written: what they mean depends on where the program starts to count.
        unclear: Names that fit several passages or none, by the reason.
    """

    places: frozenset[int]
    numbers: frozenset[int]
    unclear: Counter[str]


def find_citations(
    answer: str, contexts: Sequence[Context], *, question: str = "", least_quoted_words: int = 8
) -> Citations:
    """The passages that an answer names, quotes, or cites by number.

    Args:
        contexts: What the model was shown; passages without a name can be quoted only.
        question: What it was asked: words that it says itself are no quotation.
        least_quoted_words: So many words in a row that stand in one passage only are a quotation.

    Example:
        >>> lease = Context("lease-7", "Rent is due in advance.", ("lease-7",))
        >>> found = find_citations("In advance [doc:lease-7], see [2].", [lease])
        >>> sorted(found.places), sorted(found.numbers)
        ([0], [2])
    """
    named = _names(contexts)
    places, numbers, unclear = set[int](), set[int](), Counter[str]()
    for text, is_name in _cited(answer):
        fitting = named.get(text.casefold(), set())
        if text.isdecimal() and not fitting:
            numbers |= {int(text)} if int(text) < MOST_NUMBER else set()
        elif text.isdecimal() and not is_name and int(text) <= len(contexts):
            unclear["a number that is a place and an id"] += 1
        elif len(fitting) == 1:
            places |= fitting
        elif fitting:
            unclear["a name of several passages"] += 1
        elif is_name:
            unclear["a name of no passage that was retrieved"] += 1
    places |= _bare(answer, named)
    places |= _quoted(answer, contexts, question, least_quoted_words)
    return Citations(frozenset(places), frozenset(numbers), unclear)


def _names(contexts: Sequence[Context]) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    first: dict[tuple[str, str], int] = {}
    for place, context in enumerate(contexts):
        # A passage that was retrieved twice is one.
        place = first.setdefault((context.doc_id, context.text), place)
        for name in context.names:
            found.setdefault(name.casefold(), set()).add(place)
    return found


def _cited(answer: str) -> Iterator[tuple[str, bool]]:
    """What stands in brackets, piece by piece, and whether it says itself that it is a name."""
    for match in BRACKETS.finditer(answer):
        for piece in re.split(r"[,;]|\band\b", match[1]):
            text = piece.strip().strip("\"'`").strip()
            prefix = PREFIX.match(text)
            rest = text[prefix.end() :].strip() if prefix else text
            if bounds := RANGE.fullmatch(rest):
                low, high = int(bounds[1]), int(bounds[2])
                yield from ((str(number), False) for number in range(low, min(high, low + 50) + 1))
            elif prefix and (not rest.isdecimal() or ":" in prefix[0]):
                yield rest, bool(rest)
            elif rest:
                yield rest, False
        if link := match["link"]:
            yield link, False


def _bare(answer: str, named: dict[str, set[int]]) -> set[int]:
    """Passages whose id stands in the text itself."""
    plain, found = answer.casefold(), set[int]()
    for name, places in named.items():
        if len(places) != 1 or len(name) < LEAST_ID or not any(one.isdigit() for one in name) or name not in plain:
            continue
        if re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", plain):
            found |= places
    return found


def _quoted(answer: str, contexts: Sequence[Context], question: str, least: int) -> set[int]:
    """Passages in which, and in which alone, so many words of the answer stand in a row."""
    said = _runs(_words(answer), least) - _runs(_words(question), least)
    if not said:
        return set()
    vocabulary = {word for run in said for word in run}
    places: dict[tuple[str, ...], set[int]] = {}
    first: dict[str, int] = {}
    for place, context in enumerate(contexts):
        if first.setdefault(context.text, place) != place:
            continue
        for run in _common(_words(context.text), vocabulary, least):
            if run in said:
                places.setdefault(run, set()).add(place)
    return {next(iter(found)) for found in places.values() if len(found) == 1}


def _common(words: Sequence[str], vocabulary: set[str], least: int) -> Iterator[tuple[str, ...]]:
    """Runs of words that are all in the vocabulary: most of a passage is passed over at a glance."""
    length = 0
    for end, word in enumerate(words, 1):
        length = length + 1 if word in vocabulary else 0
        if length >= least:
            yield tuple(words[end - least : end])


def _runs(words: Sequence[str], least: int) -> set[tuple[str, ...]]:
    return {tuple(words[start : start + least]) for start in range(len(words) - least + 1)}


@lru_cache(maxsize=1024)
def _words(text: str) -> tuple[str, ...]:
    return tuple(WORD.findall(text.casefold()))
