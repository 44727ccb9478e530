"""Quarantine: lines that cannot be used are set aside with file, line and reason; too many stop the run."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from lexitune.errors import DataError
from lexitune.io.atomic import replace_text

__all__ = ["NOT_UTF8", "Quarantine", "Rejected"]

NOT_UTF8 = "not UTF-8"
SHOWN = 3
RAW_LIMIT = 500  # characters of the line that are kept


@dataclass(frozen=True, slots=True)
class Rejected:
    """A line that cannot be used. `raw` is its beginning as it stood in the file."""

    file: str
    line: int
    reason: str
    raw: str


class Quarantine:
    """What reading sets aside, and what it wants to tell.

    Args:
        file: Where `close` writes the rejected lines; None keeps them in memory.
        max_share: The share of a file's lines that may be rejected before `check` refuses the file.
    """

    def __init__(self, file: Path | None = None, *, max_share: float = 0.01) -> None:
        self.file, self.max_share = file, max_share
        self.rows: list[Rejected] = []
        self.notes: list[str] = []
        self.seen: Counter[str] = Counter()

    @property
    def count(self) -> int:
        return len(self.rows)

    def reject(self, path: Path, line: int, reason: str, raw: str) -> None:
        """Set one line aside."""
        self.rows.append(Rejected(str(path), line, reason, _printable(raw[:RAW_LIMIT])))

    def note(self, text: str) -> None:
        """Remember something the user should know that is no rejected line."""
        self.notes.append(text)

    def check(self, path: Path) -> None:
        """Refuse a file of which too much was rejected. Readers call it when they are through.

        Raises:
            DataError: More than `max_share` of the lines cannot be used; the first ones are named.
        """
        bad = [row for row in self.rows if row.file == str(path)]
        seen = max(self.seen[str(path)], len(bad))
        if len(bad) <= self.max_share * seen:
            return
        if sum(row.reason.startswith(NOT_UTF8) for row in bad) * 2 > len(bad):
            raise DataError(
                "E3002",
                f"{len(bad)} of {seen} lines are not UTF-8; the file is probably Windows-1252 (Latin-1)",
                fix=f"iconv -f WINDOWS-1252 -t UTF-8 {path} > {path.stem}-utf8{path.suffix}, and read that",
                at=f"{path}:{bad[0].line}",
            )
        first = "; ".join(f"line {row.line}: {row.reason}" for row in bad[:SHOWN])
        share = math.ceil(100 * len(bad) / seen) / 100
        # Where no bad line is borne, the flag does not govern the file, or was itself set to 0.
        accept = f", or leave them out with --max-bad-share {share:g}" if self.max_share > 0 and share <= 0.5 else ""
        raise DataError(
            "E3004",
            f"{len(bad)} of {seen} lines cannot be used: {first}{'; ...' if len(bad) > SHOWN else ''}",
            fix=f"mend these lines{accept}",
            at=f"{path}:{bad[0].line}",
        )

    def summary(self) -> list[str]:
        """The notes, and for each file how many of its lines were left out."""
        told = list(self.notes)
        for file, count in Counter(row.file for row in self.rows).items():
            first = next(row for row in self.rows if row.file == file)
            told.append(
                f"{count:,} of {self.seen[file]:,} lines of {Path(file).name} left out; "
                f"the first is line {first.line}: {first.reason}"
            )
        return told

    def close(self) -> None:
        """Write the rejected lines, if there are any and a file was given; remove the file of an earlier reading."""
        if self.file is None:
            return
        if not self.rows:
            self.file.unlink(missing_ok=True)
            return
        replace_text(self.file, "".join(json.dumps(asdict(row), ensure_ascii=False) + "\n" for row in self.rows))


def _printable(raw: str) -> str:
    # Bytes that are no UTF-8 arrive as lone surrogates, which no file can hold; they are shown as \udcXX.
    return raw.encode("utf-8", "backslashreplace").decode("utf-8")
