"""Passages as a page shows them: the beginning open, the rest folded, code with its lines."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass

__all__ = ["Passage", "clip"]

LINES = 10  # of code shown at once
LETTERS = 480  # of prose shown at once, and of one line of code
MOST = 6_000  # letters kept at all: a report with ten books in it is no report

INDENTED = re.compile(r"^(?: {2,}|\t)\s*\S", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Passage:
    """`head` is open, `rest` folded under the words `more`; `code` keeps its lines and stands in monospace."""

    head: str
    rest: str = ""
    more: str = ""
    code: bool = False


def clip(text: str) -> Passage:
    """Cut a passage into what is shown and what is folded.

    A text with an indented line after the first is taken for code: prose has paragraphs, not indents.

    Example:
        >>> clip("def f():\\n    return 1").code
        True
    """
    whole = textwrap.dedent(text.replace("\r\n", "\n")).strip("\n").rstrip()
    code = bool(INDENTED.search(whole.partition("\n")[2]))
    kept = whole[:MOST]
    cut = _code_cut(kept) if code else _prose_cut(kept)
    head, rest = kept[:cut].rstrip(), kept[cut:].lstrip("\n") if code else kept[cut:].lstrip()
    if not rest and len(whole) == len(kept):
        return Passage(head, code=code)
    count, unit = (rest.count("\n") + 1, "line") if code else (len(rest), "letter")
    more = f"{count:,} more {unit}" + ("s" if count > 1 else "")
    if len(whole) > len(kept):
        rest += "\u2026"
        more += f" ({len(whole) - len(kept):,} letters are left out)"
    return Passage(head, rest, more, code)


def _code_cut(text: str) -> int:
    # Two lines more than the limit are shown: folding them would cost as much room as it saves.
    lines = text.splitlines(keepends=True)
    shown = lines if len(lines) <= LINES + 2 else lines[:LINES]
    return min(sum(map(len, shown)), LETTERS * 3)


def _prose_cut(text: str) -> int:
    if len(text) <= LETTERS * 1.25:
        return len(text)
    blank = text.rfind(" ", 0, LETTERS)
    return blank if blank > LETTERS // 2 else LETTERS
