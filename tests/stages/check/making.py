"""A data set without a fault, and what a check of one finds."""

from __future__ import annotations

from lexitune.io.dataset import Raw
from lexitune.io.quarantine import Quarantine
from lexitune.stages.check.findings import Finding, find_faults
from lexitune.types import Doc, Query

NAMES = "alpha bravo charlie delta echo foxtrot golf hotel india juliet kilo lima mike november oscar papa"
WORDS = NAMES.split()


def clean_data() -> Raw:
    """24 passages of six words; 12 train, 6 dev and 6 test queries of three."""
    docs = [
        Doc(f"d{n:02}", " ".join(WORDS[(n * step + 3 * step) % 16] + str(n) for step in range(1, 7))) for n in range(24)
    ]
    queries = {
        f"q{n:02}": Query(f"q{n:02}", f"where is {docs[n].text.split()[1]} {docs[n].text.split()[4]}")
        for n in range(24)
    }
    pairs = {f"q{n:02}": {f"d{n:02}": 1} for n in range(24)}
    cuts = {"train": (0, 12), "dev": (12, 18), "test": (18, 24)}
    return Raw(
        docs, queries, {name: {f"q{n:02}": pairs[f"q{n:02}"] for n in range(*cut)} for name, cut in cuts.items()}
    )


def found(raw: Raw, quarantine: Quarantine | None = None) -> dict[str, Finding]:
    return {one.name: one for one in find_faults(raw, quarantine or Quarantine())}
