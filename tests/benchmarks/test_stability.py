"""Reading changelogs as dated texts."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.stability import dealt, read

LOG = """\
tool (2.0-1) unstable; urgency=medium

  [ A. Person ]
  * New release, which
    goes on here.
  * Another item.

 -- A. Person <a@example.org>  Tue, 07 Jul 2026 23:47:51 -0400

tool (1.0-1) unstable; urgency=low

  * First release.

 -- A. Person <a@example.org>  Mon, 06 Jan 2025 10:00:00 +0000
"""


def test_items_bear_the_time_of_their_entry_and_copies_count_once(tmp_path: Path) -> None:
    for package in ("tool", "tool-common"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "changelog.Debian.gz").write_bytes(gzip.compress(LOG.encode()))

    found = list(read(tmp_path, set()))

    assert [one.text for one in found] == ["New release, which goes on here.", "Another item.", "First release."]
    assert [one.at for one in found] == [
        datetime(2026, 7, 8, 3, 47, 51, tzinfo=UTC),
        datetime(2026, 7, 8, 3, 47, 51, tzinfo=UTC),
        datetime(2025, 1, 6, 10, tzinfo=UTC),
    ]
    assert len({one.family for one in found}) == 2
    assert list(read(tmp_path, {"other"})) == []


def test_times_are_dealt_to_entries_not_to_items(tmp_path: Path) -> None:
    (tmp_path / "tool").mkdir()
    (tmp_path / "tool" / "changelog.Debian.gz").write_bytes(gzip.compress(LOG.encode()))
    found = list(read(tmp_path, set()))

    moved = dealt(found)

    assert [one.text for one in moved] == [one.text for one in found]
    assert {one.at for one in moved} == {one.at for one in found}
    assert moved[0].at == moved[1].at
