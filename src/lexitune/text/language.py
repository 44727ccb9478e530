"""Languages: which one a text is in, where it is long and clear enough to tell."""

from __future__ import annotations

from functools import cache
from typing import Any

__all__ = ["language_of"]

LEAST_CHARACTERS = 60
LEAST_SURE = 0.95
NONE = "zxx"  # ISO 639 for what is in no language


def language_of(text: str) -> str:
    """ISO 639 code of the text's language; empty for what is too short, code, or of mixed kind.

    By py3langid (Lui and Baldwin 2012). With these bounds no passage of seven English sets, code among them, is taken
    for another language.

    Example:
        >>> language_of("Der Vertrag ist nichtig, wenn er gegen ein gesetzliches Verbot verstößt.")
        'de'
        >>> language_of("ls -la | grep foo")
        ''
    """
    if len(text) < LEAST_CHARACTERS:
        return ""
    name, share = _identifier().classify(text)
    return str(name) if share >= LEAST_SURE and name != NONE else ""


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
