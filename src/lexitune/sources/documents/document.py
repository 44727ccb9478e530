"""What reading a document gives: its text, its headings, and where they stand in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lexitune.text.normalise import normalise

__all__ = ["Document", "Heading", "Section", "Unreadable", "plain", "sections", "told_title"]

CUTTING = 2  # levels of headings that no passage crosses
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u2060\ufeff]")
ENDS = re.compile(r"\r\n?|[\u2028\u2029\x85\x0c]")
SURROGATE = re.compile(r"[\ud800-\udfff]")
NO_TITLE = re.compile(r"(?i)\s*(untitled.*|document\d*|microsoft \w+ - .*|.*\.(docx?|pdf|tex|html?|indd))?\s*")


class Unreadable(Exception):
    """A file that cannot be read; its text says why, in words for the user."""


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading; `start` and `end` bound its line in the document's text."""

    level: int
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Document:
    """A document's text.

    Attributes:
        path: Relative to the folder, as ids show it.
        form: "txt", "md", "html", "pdf" or "docx", told by its content.
        headings: In the order of the text.
        blank_pages: Pages of a PDF without any text, such as scans.
    """

    path: str
    form: str
    title: str
    text: str
    headings: tuple[Heading, ...] = ()
    blank_pages: int = 0


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of text below a heading of the first two levels, without that heading's own line."""

    start: int
    end: int
    path: tuple[str, ...]
    deeper: tuple[Heading, ...]

    def headings_at(self, place: int) -> list[str]:
        """The path, and the deeper headings that hold at a place of the text."""
        held: list[Heading] = []
        for one in self.deeper:
            if one.start <= place:
                held = [*(other for other in held if other.level < one.level), one]
        return [*self.path, *(one.text for one in held)]


def plain(text: str) -> str:
    """A text with LF alone as the end of a line and without characters that nobody sees; half a surrogate is U+FFFD."""
    return CONTROL.sub("", SURROGATE.sub("\ufffd", ENDS.sub("\n", text)))


def told_title(title: str | None, headings: Sequence[Heading] = ()) -> str:
    """The title as its file names it, unless a program made it up; else the only heading of the first level."""
    found = " ".join(plain(title or "").split())
    if not NO_TITLE.fullmatch(found):
        return found
    first = [one.text for one in headings if one.level == 1]
    return first[0] if len(first) == 1 else ""


def sections(document: Document) -> list[Section]:
    """The document in stretches between headings of the first two levels, in order; blank ones are left out."""
    cuts = [one for one in document.headings if one.level <= CUTTING]
    bounds: list[tuple[int, tuple[str, ...]]] = [(0, (document.title,) if document.title else ())]
    ends = [one.start for one in cuts] + [len(document.text)]
    held: list[Heading] = []
    for one in cuts:
        held = [*(other for other in held if other.level < one.level), one]
        bounds.append((one.end, _path(document.title, held)))
    found = []
    for (start, path), end in zip(bounds, ends, strict=True):
        if document.text[start:end].strip():
            deeper = tuple(one for one in document.headings if one.level > CUTTING and start <= one.start < end)
            found.append(Section(start, end, path, deeper))
    return found


def _path(title: str, held: Sequence[Heading]) -> tuple[str, ...]:
    names = [one.text for one in held]
    # The first heading often is the title again.
    if title and not (names and normalise(names[0]) == normalise(title)):
        names.insert(0, title)
    return tuple(name for name in names if name)
