"""Change of words in real dated texts: the changelogs of the packages of a Debian system.

    python -m benchmarks.stability [--folder /usr/share/doc] [--packages chromium,linux-perf]

A text is one item of an entry, its time that of the entry, its family the entry: what was written at once belongs
together. Beside the real times stand the same texts with the entries' times dealt out anew: nothing changes there.
"""

from __future__ import annotations

import gzip
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.harness import arguments
from lexitune.stages.assess.stability import Stability, measure_stability

FOLDER = Path("/usr/share/doc")
SIGNED = re.compile(r"^ -- .*?  (?P<date>\S.*)$", re.MULTILINE)
ITEM = re.compile(r"^  [*-] (?P<text>.*(?:\n    .*)*)", re.MULTILINE)
SINCE = datetime(2015, 1, 1, tzinfo=UTC)
SEED = 13


class Item(NamedTuple):
    """One item of a changelog's entry."""

    text: str
    at: datetime
    family: str


def main() -> None:
    """Measure each period, with the real times and with times dealt out anew."""
    parser = arguments("Change of words in dated texts")
    parser.add_argument("--folder", type=Path, default=FOLDER, help=f"with changelogs (default {FOLDER})")
    parser.add_argument("--packages", default="", help="separated by commas (default all)")
    given = parser.parse_args()
    items = [one for one in read(given.folder, set(filter(None, given.packages.split(",")))) if one.at >= SINCE]
    sys.stdout.write(f"{len(items):,} items of {len({one.family for one in items}):,} entries since {SINCE:%Y}\n\n")
    sys.stdout.write("| times | period | periods | new | by chance | change [95 %] | half-life | answer |\n")
    sys.stdout.write(f"|{'---|' * 8}\n")
    for label, dated in (("real", items), ("dealt out anew", dealt(items))):
        for period in ("month", "week"):
            texts, times, families = map(list, zip(*dated, strict=True))
            found = measure_stability(texts, times, families=families, period=period, seed=SEED)
            sys.stdout.write(f"| {label} | {period} | {row(found) if found else 'one period alone'} |\n")
            sys.stdout.flush()


def read(folder: Path, packages: set[str]) -> Iterator[Item]:
    """The items of all changelogs, each once: packages built from one source share theirs."""
    seen: set[str] = set()
    for path in sorted(folder.glob("*/changelog.Debian.gz")):
        if packages and path.parent.name not in packages:
            continue
        log = gzip.decompress(path.read_bytes()).decode("utf-8", "replace")
        start = 0
        for signed in SIGNED.finditer(log):
            entry, start = log[start : signed.start()].strip(), signed.end()
            if entry in seen:
                continue
            seen.add(entry)
            family = entry.partition("\n")[0]
            try:
                at = parsedate_to_datetime(signed["date"]).astimezone(UTC)
            except ValueError:  # old entries have dates of every kind
                continue
            yield from (Item(" ".join(item["text"].split()), at, family) for item in ITEM.finditer(entry))


def dealt(items: list[Item]) -> list[Item]:
    """The same items, the times of their entries dealt out anew among the entries."""
    times = {one.family: one.at for one in items}
    order = np.random.default_rng(SEED).permutation(len(times))
    ats = list(times.values())
    moved = {family: ats[place] for family, place in zip(times, order.tolist(), strict=True)}
    return [one._replace(at=moved[one.family]) for one in items]


def row(found: Stability) -> str:
    """Figures of a row."""
    change = found.change
    life = "-" if found.half_life is None else f"{found.half_life:g}"
    told = f"{100 * change.mean:.1f} % [{100 * change.low:.1f}, {100 * change.high:.1f}]"
    return f"{change.n} | {100 * found.churn:.1f} % | {100 * found.chance:.1f} % | {told} | {life} | {found.answer}"


if __name__ == "__main__":
    main()
