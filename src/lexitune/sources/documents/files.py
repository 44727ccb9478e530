"""The files of a folder: which are looked at, and what each is, told by its content and not by its name."""

from __future__ import annotations

import os
import re
import unicodedata
import zipfile
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

from lexitune.errors import DataError
from lexitune.sources.documents.document import Unreadable

__all__ = ["Aside", "find_files", "form_of", "name_of"]

PEEKED = 1 << 13  # bytes
UNFIT = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff%#]")  # what an id may not hold, and our own two signs
OTHERS = (
    (b"\x1f\x8b", "packed with gz: unpack it first"),
    (b"\x28\xb5\x2f\xfd", "packed with zstd: unpack it first"),
    (b"BZh", "packed with bzip2: unpack it first"),
    (b"\xfd7zXZ", "packed with xz: unpack it first"),
    (b"\xd0\xcf\x11\xe0", "an old Office file, or one with a password: save it as docx without one"),
    (b"\xff\xfe", "UTF-16: save it as UTF-8"),
    (b"\xfe\xff", "UTF-16: save it as UTF-8"),
    (b"{\\rtf", "RTF: save it as docx"),
)
HTML = re.compile(rb"(?is)\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*<(!doctype\s+html|html|head|body)\b")
Aside = tuple[str, str]
"""Path of a file or folder that was set aside, and why."""


def find_files(
    folder: Path, *, skip: Sequence[str] = (), avoid: Path | None = None, aside: list[Aside]
) -> Iterator[tuple[str, Path]]:
    """Name and path of each file below a folder, in an order of their own; hidden ones are passed over.

    A link is never followed: outside the folder it would read what nobody meant to give, inside it would read twice.

    Args:
        skip: Patterns of names that are passed over.
        avoid: A folder that is passed over: our own may lie among the documents.
        aside: Hears of links, of folders that may not be listed, and of names that differ in nothing but the form of
            their letters.

    Raises:
        DataError: There is no such folder.
    """
    if not folder.is_dir():
        what = "a file; a folder is needed" if folder.is_file() else "no folder"
        raise DataError("E3001", f"{folder} is {what}", fix="name the folder that holds the documents")
    root, own, met = folder.resolve(), avoid.resolve() if avoid else None, set[str]()

    def is_skipped(short: str) -> bool:
        return any(fnmatch(short, pattern) for pattern in skip)

    def set_aside(error: OSError) -> None:
        short = name_of(Path(error.filename or root).relative_to(root))
        if not is_skipped(short):
            aside.append((short, f"the system does not let the folder be listed: {error.strerror or error}"))

    for place, below, names in os.walk(root, onerror=set_aside):
        below[:] = sorted(name for name in below if not name.startswith(".") and Path(place) / name != own)
        for name in [*below, *sorted(names)]:
            path = Path(place) / name
            short = name_of(path.relative_to(root))
            if name.startswith(".") or is_skipped(short):
                continue
            if path.is_symlink():
                inside = path.resolve().is_relative_to(root)
                aside.append((short, "a link into the folder" if inside else "a link that leads out of the folder"))
            elif name in names and short in met:
                aside.append((short, "two files have this name but for the form of its letters"))
            elif name in names:
                met.add(short)
                yield short, path


def name_of(path: Path) -> str:
    """A path as ids show it: in Unicode's composed form; blanks, control characters, % and # as %20 and so on.

    Example:
        >>> name_of(Path("my notes/50% done#1.md"))
        'my%20notes/50%25%20done%231.md'
    """
    # A name that is no UTF-8 comes with lone surrogates, which no file can hold: its bytes are shown as \\xff.
    text = path.as_posix().encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    quoted = UNFIT.sub(lambda one: "".join(f"%{byte:02X}" for byte in one[0].encode()), text)
    return unicodedata.normalize("NFC", quoted)


def form_of(path: Path, *, most_bytes: int) -> str:
    """What a file is: "pdf", "docx", "html" or "text".

    Raises:
        Unreadable: Empty, too large, binary, packed, or of a kind that is not read.
        OSError: The system does not let us read it.
    """
    size = path.stat().st_size
    if not size:
        raise Unreadable("empty")
    if size > most_bytes:
        raise Unreadable(f"larger than {most_bytes / 1e6:,.0f} MB")
    with path.open("rb") as file:
        start = file.read(PEEKED)
    if b"%PDF-" in start[:1024]:
        return "pdf"
    if start.startswith(b"PK\x03\x04"):
        return _packed(path, most_bytes)
    for magic, reason in OTHERS:
        if start.startswith(magic):
            raise Unreadable(reason)
    if b"\0" in start:
        raise Unreadable("binary")
    return "html" if HTML.match(start.removeprefix(b"\xef\xbb\xbf")) else "text"


def _packed(path: Path, most_bytes: int) -> str:
    try:
        with zipfile.ZipFile(path) as packed:
            parts = packed.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise Unreadable(f"a damaged zip archive: {error}") from error
    if not any(part.filename == "word/document.xml" for part in parts):
        raise Unreadable("a zip archive or an office file other than docx")
    # The sizes are those that the archive states; zipfile reads no more of a part than it states.
    if sum(part.file_size for part in parts) > most_bytes:
        raise Unreadable(f"unpacks to more than {most_bytes / 1e6:,.0f} MB")
    return "docx"
