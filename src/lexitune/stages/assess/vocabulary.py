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
from dataclasses import asdict, dataclass

import numpy as np
import regex

from lexitune.text.frequency import GeneralLanguage

__all__ = ["LOST", "RARE", "SHATTERED", "Term", "Vocabulary", "survey"]

# Letters, marks and digits, a letter among them: tokenizers cut at everything else too.
WORD = regex.compile(r"[\p{L}\p{M}\p{N}]*\p{L}[\p{L}\p{M}\p{N}]*")
ASCII_WORD = re.compile(r"[0-9]*[A-Za-z][0-9A-Za-z]*")  # the same where there is nothing else, in half the time
RARE = 3.0  # Zipf value: fewer uses than one in a million words
SHATTERED = 3  # pieces
LOST = 3  # extra pieces that stand for a word of which the tokenizer knows nothing at all
USUAL_WORDS = 20_000  # the most used of general language, by which a tokenizer's usual fertility is told
LEAST_KNOWN = 0.5  # share of word uses that are in the language's list; below, it is another language
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
        fertility: The tokenizer's pieces for each word of the passages, on average; `general_fertility` for the most
            used words of general language.
        rare: Share of the words in passages that general language uses less than once in a million, or that its list,
            which ends there for some languages, does not have.
        query_rare: Likewise in queries.
        query_unseen: Share of the words in queries that no passage holds.
        shattered: Number of distinct terms that are rare, and in three pieces or more or unknown to the tokenizer.
        terms: The worst of them, first those that waste most: passages x extra pieces x how much more frequent they
            are here than in general language, in powers of ten (Log Ratio: Hardie 2014). What stands in one passage
            alone comes after them: a hash or a serial number has many pieces, and is no word of the field.
        holding: Positions of the queries that hold a shattered term of the passages.
    """

    fertility: float
    general_fertility: float
    rare: float
    query_rare: float
    query_unseen: float
    shattered: int
    terms: tuple[Term, ...]
    holding: tuple[int, ...]

    def to_json(self) -> dict[str, object]:
        """A plain dict; of the queries that hold a term only their number."""
        terms = [{**asdict(term), "pieces": list(term.pieces)} for term in self.terms]
        return {**asdict(self), "terms": terms, "holding": len(self.holding)}


def survey(
    docs: Iterable[str], queries: Sequence[str], *, cut: Cut, general: GeneralLanguage, unknown: str | None = None
) -> Vocabulary | None:
    """Count words, and see what the tokenizer and general language make of them.

    Words are runs of letters and digits with a letter among them, in any case.

    Args:
        cut: Words to the tokenizer's pieces.
        unknown: The piece that stands for what the tokenizer does not know, if it has one.

    Returns:
        None where fewer than half of the passages' word uses are in the language's list: they are in another language,
        or in one that writes no spaces between words.

    Example:
        >>> english = GeneralLanguage("en", {"the": 5e-2, "valve": 4e-6, "what": 5e-3, "is": 1e-2, "a": 2e-2})
        >>> found = survey(["the zorvex valve"], ["what is a zorvex"], cut=lambda words: list(map(tuple, words)),
        ...     general=english)
        >>> [(term.text, len(term.pieces), term.docs, term.queries) for term in found.terms]
        [('zorvex', 6, 1, 1)]
    """
    in_docs, in_queries = _count(docs), _count(queries)
    spelling = in_docs.spelling()
    zipf = {term: general.zipf(term) for term in {*spelling, *in_queries.uses}}
    if _share(in_docs.uses, lambda term: zipf[term] is not None) < LEAST_KNOWN:
        return None
    level = {term: general.least if value is None else value for term, value in zipf.items()}
    rare = {term for term, value in zipf.items() if value is None or value < RARE}
    pieces = dict(zip(spelling, cut(list(spelling.values())), strict=True))
    extra = {term: LOST if unknown in found else len(found) - 1 for term, found in pieces.items()}
    shattered = {term for term in spelling if term in rare and extra[term] + 1 >= SHATTERED}
    total = in_docs.uses.total()

    def wasted(term: str) -> float:
        here = math.log10(in_docs.uses[term] / total) + 9
        return in_docs.texts[term] * extra[term] * max(0.0, here - level[term])

    words = [{word.lower() for word in _written(text)} for text in queries]
    usual = [word for word in general.most_used(USUAL_WORDS) if WORD.fullmatch(word)]
    return Vocabulary(
        fertility=_mean([len(found) for found in pieces.values()], [in_docs.uses[term] for term in pieces]),
        general_fertility=_mean([len(found) for found in cut(usual)], [general.uses[word] for word in usual]),
        rare=_share(in_docs.uses, lambda term: term in rare),
        query_rare=_share(in_queries.uses, lambda term: term in rare),
        query_unseen=_share(in_queries.uses, lambda term: term not in spelling),
        shattered=len(shattered),
        terms=tuple(
            Term(
                spelling[term],
                pieces[term],
                in_docs.texts[term],
                in_queries.texts[term],
                zipf[term],
                next((text for text, held in zip(queries, words, strict=True) if term in held), ""),
            )
            for term in sorted(shattered, key=lambda term: (in_docs.texts[term] < 2, -wasted(term), term))[:SHOWN]
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
        holders.update({word.lower() for word in set(words)})
    uses: Counter[str] = Counter()
    for word, count in spellings.items():
        uses[word.lower()] += count
    return _Counts(spellings, uses, holders)


def _written(text: str) -> list[str]:
    plain = unicodedata.normalize("NFKC", text)
    found: list[str] = (ASCII_WORD if plain.isascii() else WORD).findall(plain)
    return found


def _mean(values: Sequence[float], weights: Sequence[float]) -> float:
    return float(np.average(values, weights=weights)) if values else 0.0


def _share(uses: Mapping[str, int], counts: Callable[[str], bool]) -> float:
    total = sum(uses.values())
    return sum(count for term, count in uses.items() if counts(term)) / total if total else 0.0
