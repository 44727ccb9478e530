"""Terms: the words by which BM25 finds a text, one tokeniser for prose and for code."""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache

import Stemmer

__all__ = ["terms"]

# Lucene's English stop words, the list behind most published BM25 figures.
LUCENE = """
a an and are as at be but by for if in into is it no not of on or such that the their then there these they this to
was will with
"""
STOP_WORDS = frozenset(LUCENE.split())
# A name as it is written: shortest_path, in-place, os.path. A dot joins letters only, so 2.5 stays two numbers:
# kept whole, numbers of tables cost recall (0.679 instead of 0.695 R@10 on tatqa).
NAME = re.compile(r"[^\W_]+(?:(?:[_-]+|(?<=[^\W\d_])\.(?=[^\W\d_]))[^\W_]+)*")
# The words of a name: HTTPServer2 -> HTTP Server 2. Letters outside ASCII have no camelCase worth the guess.
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
WORD_BEYOND_ASCII = re.compile(r"[^\W\d_]+|\d+")


def terms(text: str) -> list[str]:
    """Cut a text into stemmed, lower-case terms, in order and with repeats.

    Identifiers are split at `_`, `-`, `.` and camelCase, and kept whole as well: the words of
    `shortest_path` meet a question in prose, the whole name meets a question that names it.
    English stop words and single characters are left out; words are stemmed by Snowball's English stemmer.

    Example:
        >>> terms("The parsers of JSON")
        ['parser', 'json']
        >>> terms("getHTTPResponse in os.path")
        ['get', 'http', 'respons', 'gethttpresponse', 'os', 'path', 'os.path']
    """
    found: list[str] = []
    for name in NAME.findall(unicodedata.normalize("NFKC", text)):
        found += _terms_of(name)
    return found


@cache
def _stemmer() -> Stemmer.Stemmer:
    return Stemmer.Stemmer("english")


# A corpus repeats its names: looking one up is far cheaper than cutting and stemming it again.
@lru_cache(maxsize=1 << 20)
def _terms_of(name: str) -> tuple[str, ...]:
    words = (WORD if name.isascii() else WORD_BEYOND_ASCII).findall(name)
    stems = _stemmer().stemWords([word for word in map(str.lower, words) if word not in STOP_WORDS and len(word) > 1])
    return (*stems, name.lower()) if len(words) > 1 else tuple(stems)
