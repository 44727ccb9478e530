"""The fault cases of input files, logs and data sets: each has a test that names its number, as in `# fault 7`."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).resolve().parent
# Input files 1 to 24, logs 25 to 34, data sets 35 to 44.
CASES = frozenset(range(1, 45))
NAMED = re.compile(r"#\s*faults? ((?:\d+(?:, | and )?)+)")


def test_every_fault_case_is_named_by_a_test() -> None:
    named = {
        int(number)
        for path in TESTS.rglob("test_*.py")
        if path != Path(__file__).resolve()
        for match in NAMED.finditer(path.read_text(encoding="utf-8"))
        for number in re.findall(r"\d+", match[1])
    }

    assert sorted(CASES - named) == []
