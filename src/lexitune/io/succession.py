"""One complete set of vectors takes the place of another, and whoever searches meets the old one or the new one.

A complete set is never written into. What is to take its place is made beside it, under a name of its own, and two
renames put it there. A process that dies between them leaves the place empty; the next reader makes the second one.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from lexitune.io.atomic import aside, remove

__all__ = ["MANIFEST", "is_complete", "successor", "take_over"]

MANIFEST = "manifest.json"
"""Written last: present means complete."""


def successor(folder: Path) -> Path:
    """Where the set is made that is to take the place of a complete one."""
    return folder.with_name(f".next-{folder.name}")


def take_over(folder: Path) -> None:
    """Put the successor of a set, complete, in its place."""
    old = aside(folder) if folder.exists() else None
    if is_complete(folder) and old is not None:
        remove(old)


def is_complete(folder: Path) -> bool:
    """Whether there is a complete set. One that was about to take this place when its process died takes it now."""
    if not folder.exists() and (successor(folder) / MANIFEST).exists():
        with suppress(OSError):  # another process has just done it, or the disk is read-only
            successor(folder).rename(folder)
    return (folder / MANIFEST).exists()
