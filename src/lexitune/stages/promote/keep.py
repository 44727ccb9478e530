"""How long what served before is kept: nothing is dropped by itself, and until then not by command either."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lexitune.errors import UsageError
from lexitune.io.workspace import Workspace
from lexitune.stages.promote.serving import Serving
from lexitune.stages.promote.switch import promotions

__all__ = ["Kept", "keep_time", "kept"]

UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


@dataclass(frozen=True, slots=True)
class Kept:
    """What a rollback goes back to, and until when it is kept.

    Args:
        until: None: it was left by an older lexitune, which set no end.
    """

    serving: Serving
    until: datetime | None

    @property
    def is_over(self) -> bool:
        """Whether it may go."""
        return self.until is not None and self.until <= datetime.now(UTC)

    def __str__(self) -> str:
        """`kept until 2026-12-03 14:05 UTC`."""
        return f"kept until {self.until.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if self.until else "kept without an end"


def keep_time(text: str) -> timedelta:
    """A time such as `12h`, `7d` or `4w`.

    Raises:
        UsageError: Another text.

    Example:
        >>> keep_time("7d")
        datetime.timedelta(days=7)
    """
    found = re.fullmatch(r"(\d{1,4})([hdw])", text)
    if found is None:
        raise UsageError("E2002", f"--keep {text!r} is no time", fix="--keep 7d, or 12h, or 4w")
    return int(found[1]) * UNITS[found[2]]


def kept(workspace: Workspace) -> list[Kept]:
    """What a rollback goes back to, the nearest first and each once; the longest time that was given to it counts."""
    longest: dict[tuple[str, str, str, str], Kept] = {}
    for event in reversed(promotions(workspace)):
        serving = event.before
        one = Kept(serving, datetime.fromisoformat(event.kept_until) if event.kept_until else None)
        key = (serving.model, serving.vectors, serving.store, serving.index)
        held = longest.setdefault(key, one)
        if held.until is not None and (one.until is None or one.until > held.until):
            longest[key] = one
    return list(longest.values())
