"""A Talk that keeps what it was told."""

from __future__ import annotations

from lexitune.types import Silent


class Heard(Silent):
    """Keeps the lines that were said, and the names of the stages that made progress."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.stages: set[str] = set()

    def say(self, line: str) -> None:
        self.lines.append(line)

    def progress(self, stage: str, done: float, total: float, note: str = "") -> None:
        self.stages.add(stage)
