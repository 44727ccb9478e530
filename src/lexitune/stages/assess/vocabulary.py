"""Niche vocabulary: which terms of the corpus general language does not know and the tokenizer breaks to pieces.

A word that stays whole has a vector of its own, learnt from the whole web; one in five pieces has to be made out from
fragments that other words share. That is what a tune on the field's own text can teach, and whether it is what costs
recall shows on the queries that hold such terms, beside those that do not.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["RARE", "SHATTERED", "Term", "Vocabulary", "survey"]

WORD = re.compile(r"[^\W_]*[^\W\d_][^\W_]*")  # letters and digits, a letter among them; tokenizers cut at the rest too
RARE = 3.0  # Zipf value: fewer uses than one in a million words
UNKNOWN = 1.0  # Zipf value that stands for a word which the list does not have
SHATTERED = 3  # pieces
LOST = 3  # extra pieces that stand for a word of which the tokenizer knows nothing at all
USUAL_WORDS = 20_000  # the most frequent of general language, by which a tokenizer's usual cut is told
SHOWN = 50

Cut = Callable[[Sequence[str]], list[tuple[str, ...]]]


@dataclass(frozen=True, slots=True)
class Term:
    """A shattered term of the field.

    Attributes:
        text: As it is most often written.
        pieces: What the tokenizer makes of it.
        docs: Passages that hold it; `queries` likewise.
        general: Its Zipf value in general language; None where the list does not have it.
        example: A query that holds it; empty where none does.
    """

    text: str
    pieces: tuple[str, ...]
    docs: int
    queries: int
    general: float | None
    example: str


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What the words of a corpus and of its queries are like.

    Attributes:
        pieces: The tokenizer's pieces for each word of the passages, on average; `general_pieces` for general language.
        rare: Share of the words in passages that general language uses less than once in a million.
        query_rare: Likewise in queries.
        query_unseen: Share of the words in queries that no passage holds.
        shattered: Number of distinct terms that are rare, and in three pieces or more or unknown to the tokenizer.
        terms: The worst of them, first those that waste most: passages x extra pieces x how much more frequent they
            are here than in general language, in powers of ten (Log Ratio: Hardie 2014).
        holding: Positions of the queries that hold a shattered term of the passages.
    """

    pieces: float
    general_pieces: float
    rare: float
    query_rare: float
    query_unseen: float
    shattered: int
    terms: tuple[Term, ...]
    holding: tuple[int, ...]


def survey(
    docs: Iterable[str], queries: Sequence[str], *, cut: Cut, general: Mapping[str, float], unknown: str | None = None
) -> Vocabulary:
    """Count words, and see what the tokenizer and general language make of them.

    Words are runs of letters and digits with a letter among them, compared in lower case. Languages that write no
    spaces cannot be surveyed so.

    Args:
        cut: Words to the tokenizer's pieces.
        general: Word to its Zipf value (`text/frequency.py`).
        unknown: The piece that stands for what the tokenizer does not know, if it has one.

    Example:
        >>> found = survey(["the zorvex valve"], ["what is a zorvex"], cut=lambda words: [tuple(w) for w in words],
        ...     general={"the": 7.7, "valve": 3.6, "what": 6.7, "is": 7.2, "a": 7.4})
        >>> [(term.text, len(term.pieces), term.docs, term.queries) for term in found.terms]
        [('zorvex', 6, 1, 1)]
    """
    in_docs, in_queries = _count(docs), _count(queries)
    spelling = in_docs.spelling()
    pieces = dict(zip(spelling, cut(list(spelling.values())), strict=True))
    total = sum(in_docs.uses.values())
    rare = {term for term in spelling if general.get(term, UNKNOWN) < RARE}
    extra = {term: LOST if unknown in found else len(found) - 1 for term, found in pieces.items()}
    shattered = {term for term in rare if extra[term] + 1 >= SHATTERED}

    def wasted(term: str) -> float:
        here = math.log10(in_docs.uses[term] / total) + 9
        foreign = max(0.0, here - general.get(term, UNKNOWN))
        return in_docs.texts[term] * extra[term] * foreign

    worst = sorted(shattered, key=lambda term: (-wasted(term), term))[:SHOWN]
    words = [_words(text) for text in queries]
    usual = sorted(general, key=lambda word: -general[word])[:USUAL_WORDS]
    return Vocabulary(
        pieces=_mean([len(pieces[term]) for term in spelling], [in_docs.uses[term] for term in spelling]),
        general_pieces=_mean([len(one) for one in cut(usual)], [10 ** general[word] for word in usual]),
        rare=_share(in_docs.uses, lambda term: term in rare),
        query_rare=_share(in_queries.uses, lambda term: general.get(term, UNKNOWN) < RARE),
        query_unseen=_share(in_queries.uses, lambda term: term not in spelling),
        shattered=len(shattered),
        terms=tuple(
            Term(
                spelling[term],
                pieces[term],
                in_docs.texts[term],
                in_queries.texts[term],
                general.get(term),
                next((text for text, held in zip(queries, words, strict=True) if term in held), ""),
            )
            for term in worst
        ),
        holding=tuple(number for number, held in enumerate(words) if not held.isdisjoint(shattered)),
    )


@dataclass(frozen=True, slots=True)
class _Counts:
    """By term, in lower case: `uses` in all, and `texts` that hold it; `spellings` as they are written."""

    spellings: Counter[str]
    uses: Counter[str]
    texts: Counter[str]

    def spelling(self) -> dict[str, str]:
        """Each term as it is most often written."""
        found: dict[str, str] = {}
        for word, _ in sorted(self.spellings.items(), key=lambda item: (-item[1], item[0])):
            found.setdefault(word.lower(), word)
        return found


def _count(texts: Iterable[str]) -> _Counts:
    spellings: Counter[str] = Counter()
    holders: Counter[str] = Counter()
    for text in texts:
        words = _written(text)
        spellings.update(words)
        holders.update({word.lower() for word in words})
    uses: Counter[str] = Counter()
    for word, count in spellings.items():
        uses[word.lower()] += count
    return _Counts(spellings, uses, holders)


def _written(text: str) -> list[str]:
    return WORD.findall(unicodedata.normalize("NFKC", text))


def _words(text: str) -> set[str]:
    return {word.lower() for word in _written(text)}


def _mean(values: Sequence[float], weights: Sequence[float]) -> float:
    return float(np.average(values, weights=weights)) if values else 0.0


def _share(uses: Mapping[str, int], counts: Callable[[str], bool]) -> float:
    total = sum(uses.values())
    return sum(count for term, count in uses.items() if counts(term)) / total if total else 0.0
