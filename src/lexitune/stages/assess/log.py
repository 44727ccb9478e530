"""The search log that the options name."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from lexitune.fingerprint import hash_file
from lexitune.io.jsonl import check_exists
from lexitune.io.log import read_log
from lexitune.io.quarantine import Quarantine
from lexitune.stages.assess.options import AssessOptions
from lexitune.types import Talk

__all__ = ["hash_log", "named_log"]

MOST_BAD = 0.5  # of the lines: logs are dirty, but a file with more than that is something else


def named_log(options: AssessOptions, *, talk: Talk) -> Counter[str] | None:
    """Searches by query; None: the options name no log. What could not be used is told.

    Raises:
        DataError: It cannot be read.
    """
    if options.log is None:
        return None
    path, quarantine = Path(options.log), Quarantine(max_share=MOST_BAD)
    found = read_log(path, quarantine)
    talk.say(f"assess: {path.name} has {found.total():,} searches")
    for line in quarantine.summary():
        talk.say(f"assess: {line}")
    return found


def hash_log(log: str) -> str:
    """Hash of the file.

    Raises:
        DataError: There is none.
    """
    check_exists(Path(log))
    return hash_file(Path(log))
