"""How often a word is used in general language: the frequencies that wordfreq has gathered (Speer 2022)."""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING

from lexitune.errors import UsageError
from lexitune.settings import did_you_mean

if TYPE_CHECKING:
    from langcodes import Language

__all__ = ["GeneralLanguage", "general_language"]


@dataclass(frozen=True)
class GeneralLanguage:
    """The words of a language by how often they are used.

    Attributes:
        code: Such as `en`.
        uses: Word, in wordfreq's form of it, to its share of all words used.
    """

    code: str
    uses: Mapping[str, float]

    @cached_property
    def least(self) -> float:
        """Zipf value of the rarest word: what is missing is rarer. Short lists end early."""
        return _zipf(min(self.uses.values(), default=1e-9))

    def zipf(self, word: str) -> float | None:
        """The logarithm of a word's uses in a billion (van Heuven et al. 2014); None where it is not in the list.

        Seven is a word like "the", three one in a million.
        """
        from wordfreq.numbers import digit_freq, smash_numbers
        from wordfreq.preprocess import preprocess_text

        form = preprocess_text(word, self._language)
        smashed = smash_numbers(form)
        uses = self.uses.get(smashed, 0.0)
        if uses and smashed != form:  # numbers stand in the list as 00, and have frequencies of their own
            uses *= digit_freq(form)
        return _zipf(uses) if uses else None

    def most_used(self, count: int) -> list[str]:
        """The words used most, first the most frequent."""
        return heapq.nlargest(count, self.uses, key=self.uses.__getitem__)

    @cached_property
    def _language(self) -> Language:
        from langcodes import Language

        return Language.get(self.code)


@cache
def general_language(code: str = "en") -> GeneralLanguage:
    """What wordfreq knows of a language.

    Raises:
        UsageError: It has no list of it.

    Example:
        >>> english = general_language()
        >>> english.zipf("The"), english.zipf("zorvexil")
        (7.73, None)
    """
    import wordfreq

    known = wordfreq.available_languages("best")
    if code not in known:
        raise UsageError("E2128", f"no word frequencies for the language '{code}'", fix=did_you_mean(code, known))
    return GeneralLanguage(code, wordfreq.get_frequency_dict(code, wordlist="best"))


def _zipf(uses: float) -> float:
    return round(math.log10(uses) + 9, 2)
