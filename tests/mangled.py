"""Files as accidents leave them: real ones with bytes changed, records with values of any kind, and plain noise."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

__all__ = ["fast", "folder", "json_values", "lines", "mangled", "mangled_rows", "noise"]

AWKWARD: list[Any] = [
    None, True, 0, -1, 2**31 - 1, 2**63, 10**400, 0.5, 1e300, -0.0, "", " ", "\x00", "\u2028", "0", "-1", "1e999",
    "nan", "inf", "[", "[1", '["a", null]', "{'a': 1}", '{"a": NaN}', '{"a": "\\ud800"}', "[1] [2-9] [doc:x]",
    "\\ud800", "2026-01-01", "2026-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "infinity", "1" * 25, [], {},
    [[]], [None], {"": {}},
]  # fmt: skip
MAGIC = [b"PAR1", b"PK\x03\x04", b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xff\xfe", b"\xef\xbb\xbf", b"%PDF", b"[", b""]
PIECES = [b"\n", b"\r", b",", b"\t", b";", b'"', b"\\", b"{", b"}", b"[", b"]", b"\x00", b"\xff", b"\xed\xa0\x80"]

fast = settings(deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
"""The same examples each time, for a suite that a change must not turn red by chance."""

scalars = st.one_of(st.sampled_from(AWKWARD), st.text(max_size=8), st.integers(), st.floats(allow_nan=False))
json_values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)),
    max_leaves=6,
)
noise = st.builds(lambda magic, rest: magic + rest, st.sampled_from(MAGIC), st.binary(max_size=60))
edits = st.tuples(st.floats(0, 1), st.integers(0, 12), st.one_of(st.sampled_from(PIECES), st.binary(max_size=4)))


def lines(rows: Sequence[Any]) -> bytes:
    """JSON lines; a lone surrogate stands as its escape."""
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


@contextmanager
def folder() -> Iterator[Path]:
    """A folder of one example's own."""
    with TemporaryDirectory() as name:
        yield Path(name)


@st.composite
def mangled(draw: Callable[[Any], Any], whole: bytes) -> bytes:
    """A file with a few places cut out and others put in; or its beginning alone."""
    for share, cut, piece in draw(st.lists(edits, min_size=1, max_size=4)):
        place = int(share * len(whole))
        whole = whole[:place] + piece + whole[place + cut :]
    return whole[: int(draw(st.sampled_from([1.0, 1.0, 1.0, 0.7])) * len(whole))]


@st.composite
def mangled_rows(draw: Callable[[Any], Any], rows: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Records with some values, at any depth, replaced or dropped, and sometimes one that is no record."""
    found: list[Any] = json.loads(json.dumps(rows))
    for _ in range(draw(st.integers(0, 5))):
        spot = found[draw(st.integers(0, len(found) - 1))]
        while isinstance(spot, (dict, list)) and spot:
            key = draw(st.sampled_from(sorted(spot) if isinstance(spot, dict) else range(len(spot))))
            inner = spot[key]
            if not (isinstance(inner, (dict, list)) and inner and draw(st.booleans())):
                if isinstance(spot, dict) and draw(st.booleans()):
                    del spot[key]
                else:
                    spot[key] = draw(json_values)
                break
            spot = inner
    extra = draw(st.lists(json_values, max_size=1))
    return [*found, *extra]
