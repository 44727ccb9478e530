"""A Talk that keeps what it was told."""

from __future__ import annotations

from lexitune.types import Silent


class Heard(Silent):
    """Keeps the lines that were said; progress is not kept."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)
