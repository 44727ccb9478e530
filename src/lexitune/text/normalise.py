"""One form for texts that a person would call equal: what splits and the leak audit compare."""

from __future__ import annotations

import unicodedata

__all__ = ["normalise"]

OUTER = ("P", "Z", "C")  # Unicode categories: punctuation, separators, control


def normalise(text: str) -> str:
    """NFKC, case folded, white space runs as one blank, outer punctuation gone.

    A text of nothing but punctuation keeps it: else all such texts would be equal.

    Example:
        >>> normalise("  What is\\nFORCE majeure?! ")
        'what is force majeure'
        >>> normalise("???")
        '???'
    """
    # Folding can undo the composed form ("ǰ"), so it is made again; then the function is its own fixed point.
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    plain = " ".join(folded.split())
    start, end = 0, len(plain)
    while start < end and unicodedata.category(plain[start])[0] in OUTER:
        start += 1
    while end > start and unicodedata.category(plain[end - 1])[0] in OUTER:
        end -= 1
    return plain[start:end] or plain
