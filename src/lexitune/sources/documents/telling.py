"""The words that tell a passage from the others: frequent in it, rare beside it."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable

from lexitune.text.terms import terms

__all__ = ["Telling"]

MOST, FEWEST = 4, 3  # words of a question
MOST_SHARE = 0.2  # of the passages: a word of more of them is a word of the field
WORD = re.compile(r"[^\W\d_][^\W_]*(?:[-'\u2019][^\W_]+)*")
SHORTEST = 3  # letters


class Telling:
    """How many of some passages each term stands in."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.count, self.within = 0, Counter[str]()
        for text in texts:
            self.count += 1
            self.within.update(set(terms(text)))

    def words_of(self, text: str) -> list[str]:
        """The most telling words of one of these passages, the best first; none where it has too few.

        In this order they hardly ever stand in the passage one after the other.
        """
        shown: dict[str, str] = {}
        often = Counter[str]()
        for word in WORD.findall(text):
            stems = terms(word)
            if len(word) >= SHORTEST and stems:
                often[stems[-1]] += 1
                shown.setdefault(stems[-1], word)
        most = max(2.0, MOST_SHARE * self.count)
        scores = {
            stem: (1 + math.log(count)) * math.log((1 + self.count) / self.within[stem])
            for stem, count in often.items()
            if 0 < self.within[stem] <= most
        }
        best = sorted(scores, key=lambda stem: (-scores[stem], stem))[:MOST]
        return [shown[stem] for stem in best] if len(best) >= FEWEST else []
