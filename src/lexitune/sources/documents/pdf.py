"""PDF files: the text of their pages, and headings by their table of contents."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lexitune.errors import UsageError
from lexitune.sources.documents.document import Document, Heading, Unreadable, plain, told_title
from lexitune.text.normalise import normalise

__all__ = ["read_pdf"]

MOST_CHARACTERS = 50_000_000  # a PDF of a few bytes can unpack to anything
MOST_ENTRIES = 10_000  # of a table of contents


def read_pdf(path: Path, name: str) -> Document:
    """The text of a PDF, page by page; a line that its table of contents names is a heading.

    Raises:
        Unreadable: It is encrypted, or holds more text than any document.
        UsageError: pypdf is not installed.
    """
    try:
        import pypdf
    except ImportError as error:
        raise UsageError(
            "E2005", "PDF files are read by pypdf, which is not installed", fix="pip install 'lexitune[docs]'"
        ) from error
    with path.open("rb") as file, _silent():
        reader = pypdf.PdfReader(file)
        # Some need no password to be read, only to be changed: their password is empty.
        if reader.is_encrypted and not reader.decrypt(""):
            raise Unreadable("encrypted: a password is needed")
        entries = _contents(reader)
        pages, headings, place, blank = list[str](), list[Heading](), 0, 0
        for number, page in enumerate(reader.pages):
            text = plain(page.extract_text()).strip("\n")
            blank += not text.strip()
            headings += _headings(text, entries.get(number, ()), place)
            pages.append(text)
            place += len(text) + 1
            if place > MOST_CHARACTERS:
                raise Unreadable(f"more than {MOST_CHARACTERS:,} characters of text")
        named = reader.metadata.title if reader.metadata else None
    return Document(name, "pdf", told_title(named, headings), "\n".join(pages), tuple(headings), blank)


def _headings(text: str, entries: list[tuple[int, str]] | tuple[()], place: int) -> Iterator[Heading]:
    """Lines of a page, which begins at `place`, that its entries of the table of contents name, from top to bottom."""
    start, waiting = place, list(entries)
    for line in text.split("\n") if waiting else ():
        said = normalise(line)
        # Entries often leave out the number that the page shows.
        level = next((level for level, title in waiting if said and said.endswith(normalise(title))), None)
        if level is not None and len(said) <= 2 * max(len(title) for _, title in waiting):
            yield Heading(level, " ".join(line.split()), start, start + len(line))
            waiting = [one for one in waiting if not said.endswith(normalise(one[1]))]
        start += len(line) + 1


def _contents(reader: Any) -> dict[int, list[tuple[int, str]]]:
    """Page -> level and title of each entry; empty where there is no table of contents, or a broken one."""
    found: dict[int, list[tuple[int, str]]] = defaultdict(list)
    waiting, met = [(1, one) for one in reversed(_outline(reader))], 0
    while waiting and met < MOST_ENTRIES:
        level, one = waiting.pop()
        met += 1
        if isinstance(one, list):  # what follows an entry as a list stands below it
            waiting += [(level + 1, below) for below in reversed(one)]
            continue
        try:
            page, title = reader.get_destination_page_number(one), plain(str(one.title))
        except Exception:  # an entry that points nowhere; the text is there all the same
            continue
        if page is not None and normalise(title):
            found[page].append((min(level, 6), title))
    return found


def _outline(reader: Any) -> list[Any]:
    try:
        return list(reader.outline)
    except Exception:  # a broken table of contents costs the headings, not the text
        return []


@contextmanager
def _silent() -> Iterator[None]:
    """pypdf tells of every blemish that it mends; what cannot be mended is an error anyway."""
    logger = logging.getLogger("pypdf")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
