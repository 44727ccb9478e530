"""A file to a document: each kind by the reader that knows it, what cannot be read with a reason in its place."""

from __future__ import annotations

import html
import io
import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

from lexitune.errors import LexituneError, UsageError
from lexitune.sources.documents.document import Document, Unreadable, plain, told_title
from lexitune.sources.documents.files import form_of
from lexitune.sources.documents.markdown import is_markdown, read_markdown
from lexitune.sources.documents.pdf import read_pdf

__all__ = ["read_document"]

CHARSET = re.compile(rb"""(?i)<meta[^>]{0,200}charset\s*=\s*['"]?([\w-]+)""")
CORE_TITLE = re.compile(r"(?s)<dc:title>(.*?)</dc:title>")
MOST_CORE = 1 << 16  # bytes of the part of a docx that bears its title
FIRST_LINE = 100  # characters: a longer line is no title


def read_document(path: Path, *, name: str, most_bytes: int) -> Document:
    """Read a file, whatever its name says it is.

    Args:
        name: What the document is called from now on.
        most_bytes: A larger file is not read, nor one that unpacks to more.

    Raises:
        Unreadable: Nothing can be got out of it; the reason is said.
        UsageError: The package that reads this kind is not installed.
    """
    try:
        form = form_of(path, most_bytes=most_bytes)
        found = READERS[form](path, name)
    except (LexituneError, Unreadable, MemoryError):
        raise
    except OSError as error:
        raise Unreadable(f"the system does not let it be read: {error.strerror or error}") from error
    except Exception as error:  # a damaged file fails in as many ways as its reader has lines
        reason = " ".join(str(error).split())[:120]
        raise Unreadable(f"damaged: {type(error).__name__}{f': {reason}' if reason else ''}") from error
    if not any(one.isalnum() for one in found.text):
        raise Unreadable("no text in it" if form != "pdf" else "a PDF without text, such as a scan")
    return found


def _read_text(path: Path, name: str) -> Document:
    text = plain(_decoded(path.read_bytes()))
    if is_markdown(text):
        title, body, headings = read_markdown(text)
        return Document(name, "md", title, body, headings)
    body = text.strip("\n")
    first, _, rest = body.partition("\n")
    # A short first line with a blank one below it and no full stop is what the author called the text.
    is_title = first.strip() and len(first) <= FIRST_LINE and first.rstrip()[-1] not in ".,;:" and rest[:1] == "\n"
    return Document(name, "txt", told_title(first) if is_title and rest.strip() else "", body)


def _read_html(path: Path, name: str) -> Document:
    found = path.read_bytes()
    charset = CHARSET.search(found[:4096])
    text = _decoded(found, charset=charset[1].decode("ascii", "replace") if charset else None)
    converters, info = _markitdown("html")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        done = converters.HtmlConverter().convert(
            io.BytesIO(text.encode()), info(mimetype="text/html", extension=".html", charset="utf-8")
        )
    title, body, headings = read_markdown(done.markdown, title=done.title)
    return Document(name, "html", title, body, headings)


def _read_docx(path: Path, name: str) -> Document:
    converters, info = _markitdown("docx")
    with path.open("rb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        done = converters.DocxConverter().convert(file, info(extension=".docx"))
    with zipfile.ZipFile(path) as packed:
        has_core = "docProps/core.xml" in packed.namelist()
        core = packed.open("docProps/core.xml").read(MOST_CORE).decode("utf-8", "replace") if has_core else ""
    named = CORE_TITLE.search(core)
    title, body, headings = read_markdown(done.markdown, title=html.unescape(named[1]) if named else done.title)
    return Document(name, "docx", title, body, headings)


def _decoded(found: bytes, *, charset: str | None = None) -> str:
    """The text of bytes in the encoding that they name, and in UTF-8 where they name none."""
    try:
        text = found.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        byte = f"byte 0x{found[error.start]:02x} at {error.start:,}"
        try:
            text = found.decode(charset or "ascii")
        except (LookupError, UnicodeDecodeError):
            raise Unreadable(f"not UTF-8 ({byte}), probably Windows-1252: save it as UTF-8") from error
    if "\0" in text:
        raise Unreadable("binary")
    return text


def _markitdown(kind: str) -> tuple[Any, Any]:
    try:
        from markitdown import StreamInfo, converters
    except ImportError as error:
        raise UsageError(
            "E2005", f"{kind} files are read by markitdown, which is not installed", fix="pip install 'lexitune[docs]'"
        ) from error
    return converters, StreamInfo


READERS = {"text": _read_text, "html": _read_html, "docx": _read_docx, "pdf": read_pdf}
