"""How often a word is used in general language: the frequencies that wordfreq has gathered (Speer 2022)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache

from lexitune.errors import UsageError
from lexitune.settings import did_you_mean

__all__ = ["general_zipf"]


@cache
def general_zipf(language: str = "en") -> Mapping[str, float]:
    """Lower-case word -> its Zipf value: the logarithm of its uses in a billion words (van Heuven et al. 2014).

    Args:
        language: A code that wordfreq has a list for, such as `en` or `de`.

    Raises:
        UsageError: No list for this language.

    Example:
        Seven is a word like "the", three one in a million; what is missing is rarer than 1.

        >>> general_zipf()["the"]
        7.73
        >>> "pembrolizumab" in general_zipf()
        False
    """
    import wordfreq

    known = wordfreq.available_languages("best")
    if language not in known:
        raise UsageError(
            "E2128", f"no word frequencies for the language '{language}'", fix=did_you_mean(language, known)
        )
    found = wordfreq.get_frequency_dict(language, wordlist="best")
    return {word: round(math.log10(frequency) + 9, 2) for word, frequency in found.items()}
