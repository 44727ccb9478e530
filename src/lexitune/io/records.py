"""JSON records however a program exported them: one a line, in an array, or one after the other; plain or gz."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from lexitune.errors import DataError
from lexitune.io.jsonl import LINE_LIMIT, STRICT, UNDECODED, first_line, open_text, read_jsonl
from lexitune.io.quarantine import NOT_UTF8, Quarantine

__all__ = ["read_records"]

BLOCK = 1 << 20  # characters read at once
GAP = re.compile(r"[\s,]*")
LAX = json.JSONDecoder()  # finds the end of a record that is JSON to Python and not to the standard


def read_records(path: Path, quarantine: Quarantine) -> Iterator[tuple[int, dict[str, Any]]]:
    """The line that each record begins in, and the record. A record that cannot be used is set aside.

    No more than one record, of 64 Mi characters at most, is in memory at a time.

    Raises:
        DataError: No such file, a file of another kind, or a document that breaks off or is one huge record.
    """
    if _is_lines(path):
        yield from read_jsonl(path, quarantine)
        return
    with open_text(path) as file:
        yield from _values(path, file, quarantine)


def _is_lines(path: Path) -> bool:
    """Whether lines are records: the first one is whole, or broken and followed by another that begins as one."""
    with open_text(path) as file:
        first = first_line(file)
        if not first.startswith("{"):
            return not first.startswith("[")
        try:
            json.loads(first)
        except (ValueError, RecursionError):
            return first_line(file).startswith("{")
        return True


def _values(path: Path, file: IO[str], quarantine: Quarantine) -> Iterator[tuple[int, dict[str, Any]]]:
    """Records of an array, or of objects that may go over several lines."""
    text, place, line, is_array, is_open = "", 0, 1, False, False
    while True:
        gap = GAP.match(text, place)
        assert gap is not None
        line, place = line + text.count("\n", place, gap.end()), gap.end()
        if place == len(text):
            text, place = file.read(BLOCK), 0
            if text:
                continue
            if is_open:
                raise _broken(path, line, "it ends within its list")
            return
        if text[place] == "[" and not is_array:
            is_array = is_open = True
            place += 1
            continue
        if text[place] == "]" and is_open:
            is_open = False
            place += 1
            continue
        try:
            value, end = STRICT.raw_decode(text, place)
            reason = _unfit(value, text, place, end)
        except (ValueError, RecursionError) as error:
            value, end, reason = None, _end(text, place), str(error) or "nested too deeply"
        if end == 0:  # the record may go on beyond what was read
            more = file.read(max(BLOCK, len(text) - place)) if len(text) - place < LINE_LIMIT else ""
            if not more:
                raise _broken(path, line, reason)
            text, place = text[place:] + more, 0
            continue
        quarantine.seen[str(path)] += 1
        if reason:
            quarantine.reject(path, line, reason, text[place : min(end, place + 500)])
        else:
            yield line, value
        line, place = line + text.count("\n", place, end), end


def _end(text: str, place: int) -> int:
    """Where the record ends that the standard forbids; 0 where it is no JSON, or not all of it is here."""
    try:
        return LAX.raw_decode(text, place)[1]
    except (ValueError, RecursionError):
        return 0


def _unfit(value: Any, text: str, place: int, end: int) -> str:
    """Why a value is no record; "" where it is one."""
    if not isinstance(value, dict):
        return f"not an object: {text[place : min(end, place + 40)]}"
    if bad := UNDECODED.search(text, place, end):
        return f"{NOT_UTF8}: byte 0x{ord(bad.group()) - 0xDC00:02x}"
    if text.find("\\ud", place, end) >= 0 or text.find("\\uD", place, end) >= 0:
        try:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError:
            return "half of a surrogate pair: no character"
    return ""


def _broken(path: Path, line: int, reason: str) -> DataError:
    return DataError(
        "E3008",
        f"{path} is JSON cut short or broken in the record of line {line}: {reason}",
        fix="export it again, one record a line where the program offers that",
        at=f"{path}:{line}",
    )
