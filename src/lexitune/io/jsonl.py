"""Lines and JSON lines: what is text is read, what is not is refused by name, one broken line is set aside."""

from __future__ import annotations

import difflib
import gzip
import io
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from lexitune.errors import DataError
from lexitune.io.atomic import replacing
from lexitune.io.quarantine import NOT_UTF8, Quarantine

__all__ = [
    "LINE_LIMIT",
    "ONE_DOCUMENT",
    "STRICT",
    "UNDECODED",
    "bounded",
    "check_exists",
    "check_kind",
    "first_line",
    "is_parquet",
    "open_lines",
    "open_text",
    "read_json",
    "read_jsonl",
    "write_jsonl",
]

UNDECODED = re.compile(r"[\udc80-\udcff]")
"""What a byte that is no UTF-8 looks like in the text that `open_text` gives."""

ONE_DOCUMENT = re.compile(r"\s*(\[\s*$|\[\s*\{|\{\s*$)")
"""What the first line of a JSON document looks like, where one object a line would be expected."""

LINE_LIMIT = 1 << 26
"""Characters: a longer line is set aside unread, so memory stays bounded."""

DOCUMENT_LIMIT = 1 << 30  # characters: a gz file of a few MB can unpack to more than any memory

PARQUET = b"PAR1"

# What a file begins with, what it then is, and what to do about it.
KINDS = (
    (b"PK\x03\x04", "an Excel workbook or zip archive", "save it as CSV UTF-8, or unzip it"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", "save it as CSV UTF-8"),
    (b"%PDF", "a PDF", 'extract its passages as JSON lines: one {"text": ...} each'),
    (PARQUET, "a Parquet file", "export it as JSON lines"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", "unzstd it"),
    (b"BZh", "compressed with bzip2", "bunzip2 it"),
    (b"\xfd7zXZ", "compressed with xz", "unxz it"),
    (b"\xff\xfe", "UTF-16", "save it as UTF-8"),
    (b"\xfe\xff", "UTF-16", "save it as UTF-8"),
)


@contextmanager
def open_text(path: Path, *, newline: str | None = None) -> Iterator[IO[str]]:
    """Open UTF-8 text, plain or gz (told by its first bytes, not its name); a BOM is dropped.

    Bytes that are no UTF-8 come as lone surrogates (see `UNDECODED`), for the reader to set the line aside.

    Args:
        path: The file.
        newline: As in `open`: None makes CRLF and CR into LF, "" leaves them.

    Raises:
        DataError: No such file, a file of another kind or encoding, or a gz file cut short.
    """
    check_exists(path)
    try:
        with path.open("rb") as plain:
            packed = plain.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else path.open("rb") as file:
            check_kind(path, file.read(8))
            file.seek(0)
            text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline=newline)
            yield text
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError("E3008", f"{path} is a gz file cut short or damaged: {error}", fix="fetch it again") from error
    except PermissionError as error:
        raise DataError("E3001", f"{path} may not be read", fix=f"chmod u+r {path}") from error


def check_exists(path: Path) -> None:
    """Refuse a path that is no file, and name one beside it that may be meant.

    Raises:
        DataError: It is a folder, or there is nothing.
    """
    if path.is_file():
        return
    if path.is_dir():
        raise DataError("E3001", f"{path} is a folder; a file is needed", fix="name a file in it")
    beside = sorted(found.name for found in path.parent.iterdir()) if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, beside, n=1)
    fix = f"did you mean '{path.parent / near[0]}'?" if near else f"check the path; it is looked up from {Path.cwd()}"
    raise DataError("E3001", f"no such file: {path}", fix=fix)


def is_parquet(path: Path) -> bool:
    """Whether a file begins as Parquet does."""
    with path.open("rb") as file:
        return file.read(len(PARQUET)) == PARQUET


def check_kind(path: Path, start: bytes) -> None:
    for magic, kind, fix in KINDS:
        if start.startswith(magic):
            raise DataError("E3002", f"{path} is {kind}; plain UTF-8 text is needed", fix=fix)
    if b"\0" in start:
        kind = "UTF-16" if start[:2].count(0) == 1 else "binary"
        raise DataError("E3002", f"{path} is {kind}; plain UTF-8 text is needed", fix="save it as UTF-8")


def bounded(file: IO[str]) -> Iterator[str]:
    """Lines; one that is longer than 64 Mi characters comes in pieces, for a gz file may unpack to one of 100 GB."""
    while line := file.readline(LINE_LIMIT):
        yield line


def first_line(file: IO[str]) -> str:
    """The first line that is not blank, without what is blank before it; "" where there is none."""
    return next((line.lstrip() for line in bounded(file) if line.strip()), "")


def open_lines(path: Path, quarantine: Quarantine) -> Iterator[tuple[int, str]]:
    """Number and text of each line that is not blank, without its end.

    Only LF, CRLF and CR end a line: U+2028 inside a text does not. A line with a byte that is no
    UTF-8, or longer than 64 Mi characters, is set aside.

    Raises:
        DataError: No such file, or a file of another kind.
    """
    for number, line in _whole_lines(path, quarantine):
        yield number, line.rstrip("\n")


def _whole_lines(path: Path, quarantine: Quarantine) -> Iterator[tuple[int, str]]:
    with open_text(path) as file:
        number = 0
        while line := file.readline(LINE_LIMIT):
            number += 1
            if not line.strip():
                continue
            quarantine.seen[str(path)] += 1
            if len(line) == LINE_LIMIT and not line.endswith("\n"):
                quarantine.reject(path, number, f"longer than {LINE_LIMIT:,} characters", line)
                while (rest := file.readline(LINE_LIMIT)) and not rest.endswith("\n"):
                    pass
            elif bad := UNDECODED.search(line):
                byte = ord(bad.group()) - 0xDC00
                quarantine.reject(path, number, f"{NOT_UTF8}: byte 0x{byte:02x} at column {bad.start() + 1}", line)
            else:
                yield number, line


def read_jsonl(path: Path, quarantine: Quarantine) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number and object of each line. NaN, a key given twice, and anything but an object are set aside.

    Raises:
        DataError: No such file, a file of another kind, or one JSON document in place of lines.
    """
    first = True
    for number, line in _whole_lines(path, quarantine):
        if first and ONE_DOCUMENT.match(line):
            taken = ".[]" if line.lstrip().startswith("[") else "."
            raise DataError(
                "E3002",
                f"{path} is one JSON document; one object a line is needed",
                fix=f"jq -c '{taken}' {path} > {path.stem}-lines.jsonl, and read that",
            )
        first = False
        try:
            yield number, _parse(line.rstrip("\n"))
        except (ValueError, RecursionError) as error:
            cut = "" if line.endswith("\n") or not isinstance(error, json.JSONDecodeError) else "truncated: "
            quarantine.reject(path, number, cut + _reason(error), line.rstrip("\n"))


def read_json(path: Path) -> Any:
    """A file that is one JSON document, as strict as lines are: no NaN, no key twice, no half of a surrogate pair.

    Raises:
        DataError: No such file, a file of another kind, or no JSON; a file cut short is told apart.
    """
    with open_text(path) as file:
        text = file.read(DOCUMENT_LIMIT + 1)
    if len(text) > DOCUMENT_LIMIT:
        fix = "split it into smaller files"
        raise DataError("E3002", f"{path} holds more than {DOCUMENT_LIMIT:,} characters", fix=fix)
    if bad := UNDECODED.search(text):
        line = text.count("\n", 0, bad.start()) + 1
        raise DataError("E3002", f"{path} is {NOT_UTF8}", fix="save it as UTF-8", at=f"{path}:{line}")
    try:
        return _strict(text)
    except json.JSONDecodeError as error:
        if error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string"):
            problem = f"{path} is cut short: {_reason(error)}"
            raise DataError("E3008", problem, fix="export or fetch it again", at=f"{path}:{error.lineno}") from error
        problem = f"{path} is no JSON: {_reason(error)}"
        raise DataError("E3002", problem, fix="export it again", at=f"{path}:{error.lineno}") from error
    except (ValueError, RecursionError) as error:
        raise DataError("E3002", f"{path} cannot be used: {_reason(error)}", fix="export it again") from error


def _parse(line: str) -> dict[str, Any]:
    found = _strict(line)
    if not isinstance(found, dict):
        raise ValueError(f"not an object: {line.strip()[:40]}")
    return found


def _strict(text: str) -> Any:
    found = STRICT.decode(text)
    if "\\ud" in text or "\\uD" in text:  # only an escape can bring a lone surrogate this far
        try:
            json.dumps(found, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError as error:
            raise ValueError("half of a surrogate pair: no character") from error
    return found


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key '{twice}' stands twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"{text} is too large for a number")
    return value


STRICT = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_no_constant, parse_float=_finite)
"""Reads JSON as the standard has it: no NaN, no number beyond a float, no key twice."""


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"broken JSON: {error.msg.lower().removesuffix(' at')} at column {error.colno}"
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)


def write_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write one object a line, UTF-8 without BOM, the whole file at once.

    U+2028, U+2029 and U+0085 are escaped, since some readers take them for line ends.

    Raises:
        DataError: A text that is no Unicode (half of a surrogate pair).
        StageFailed: The disk is full, or the place cannot be written to.
    """
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            text = json.dumps(row, ensure_ascii=False, allow_nan=False)
            for character in "\u2028\u2029\x85":
                text = text.replace(character, f"\\u{ord(character):04x}")
            try:
                file.write(text + "\n")
            except UnicodeEncodeError as error:
                raise DataError(
                    "E3006",
                    f"{str(row.get('_id', ''))!r} holds half of a surrogate pair: no character",
                    fix="clean the text with text.encode('utf-8', 'replace').decode()",
                ) from error
