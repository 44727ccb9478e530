"""Search logs under accident: whatever a log holds, it is counted, left out with its reason, or refused in words."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.mangled import fast, folder, lines, mangled, mangled_rows, noise
from tests.sources.clicks.logs import START, click, search

from lexitune.errors import LexituneError
from lexitune.io.quarantine import Quarantine
from lexitune.sources.clicks.log import Log, read_votes
from lexitune.sources.clicks.options import LogsOptions

SHOWN = ["d1", "d2", "d3"]
EVENTS = ("clicks", "impressions", "events")
Rows = Sequence[Any]

UBI = (
    [search(f"s{n}", f"query {n % 2}", shown=SHOWN if n else [], minutes=n) for n in range(4)],
    [
        *(click(f"s{n}", f"d{n}", place=n, minutes=n + 1, application="shop") for n in range(1, 4)),
        {**click("s0", "d1", place=1), "action_name": "impression"},
    ],
)
ALGOLIA = (
    [
        {"queryID": f"s{n}", "query": "q", "timestamp": START * 1000, "userToken": "u", "hits": [{"objectID": "d1"}]}
        for n in range(3)
    ],
    [
        {
            "eventType": kind,
            "queryID": f"s{n}",
            "timestamp": START * 1000 + 5,
            "userToken": "u",
            "objectIDs": ["d1", "d2"],
            "positions": [1, 2],
        }
        for n, kind in enumerate(("click", "view", "conversion"))
    ],
)
MAPPED = [
    {
        "sid": f"s{n}",
        "q": "query, or not",
        "meta": {"url": f"d{n}"},
        "n": n + 1,
        "hit": "1",
        "ts": str(START + n),
        "dwell": 3,
    }
    for n in range(4)
]
MAP = "session=sid,query=q,doc=meta.url,position=n,clicked=hit,time=ts,dwell=dwell"
TABLE_MAP = MAP.replace("meta.url", "url")
TABLE = [{key: value for key, value in row.items() if key != "meta"} | {"url": "d1"} for row in MAPPED]


def read(home: Path, *files: bytes, **options: Any) -> Log | None:
    """Nothing but our own errors comes out, the folder is as it was, and what was read adds up."""
    paths, quarantine = [home / f"{n}.log" for n in range(len(files))], Quarantine(max_share=1.0)
    for path, data in zip(paths, files, strict=True):
        path.write_bytes(data)
    try:
        log = read_votes(
            paths, folder=home, options=LogsOptions(timezone="UTC", **options), corpus=None, quarantine=quarantine
        )
    except LexituneError:
        log = None
    assert set(home.iterdir()) == set(paths)
    if log is not None:
        left_out = sum(count for what, _, count in log.left_out if what in EVENTS)
        assert log.kept["clicks"] + log.kept["impressions"] + left_out == log.loaded.events
        assert min(log.kept.values()) >= 0
        assert log.searches + sum(count for what, _, count in log.left_out if what != "rows") > 0
        assert quarantine.count + sum(count for what, _, count in log.left_out if what == "rows") <= sum(
            quarantine.seen.values()
        )
    return log


def table(rows: Rows) -> bytes:
    file = io.StringIO()
    writer = csv.DictWriter(file, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode()


@pytest.mark.parametrize(("searches", "events"), [UBI, ALGOLIA], ids=["UBI", "Algolia"])
def test_rows_of_any_json_count_or_are_left_out_with_their_reason(searches: Rows, events: Rows) -> None:
    @settings(fast, max_examples=15)
    @given(mangled_rows(searches), mangled_rows(events))
    def check(asked: Rows, done: Rows) -> None:
        with folder() as home:
            read(home, lines(asked), lines(done))

    check()


@pytest.mark.parametrize(("searches", "events"), [UBI, ALGOLIA], ids=["UBI", "Algolia"])
def test_a_mangled_log_counts_is_left_out_or_refused(searches: Rows, events: Rows) -> None:
    @settings(fast, max_examples=12)
    @given(mangled(lines(searches)), mangled(lines(events)))
    def check(asked: bytes, done: bytes) -> None:
        with folder() as home:
            read(home, asked, done)

    check()


@settings(fast, max_examples=12)
@given(mangled_rows(MAPPED))
def test_rows_of_any_json_by_a_map(rows: Rows) -> None:
    with folder() as home:
        read(home, lines(rows), map=MAP)


@settings(fast, max_examples=12)
@given(mangled(table(TABLE)))
def test_a_mangled_table_by_a_map(data: bytes) -> None:
    with folder() as home:
        read(home, data, map=TABLE_MAP)


@settings(fast, max_examples=15)
@given(noise, st.booleans())
def test_noise_is_no_log(data: bytes, is_mapped: bool) -> None:
    with folder() as home:
        read(home, data, map="query=col1,doc=col2" if is_mapped else None)


@pytest.mark.parametrize(
    "change",
    [
        {"timestamp": "99999999999999999999999999"},
        {"timestamp": "nan"},
        {"timestamp": "infinity"},
        {"timestamp": "294247-01-10T04:00:54Z"},
        {"event_attributes": {"object": {"object_id": "d1"}, "position": {"ordinal": 2147483647}}},
        {"event_attributes": {"object": {"object_id": "d1"}, "position": {"ordinal": -2147483648}}},
        {"event_attributes": {"object": {"object_id": " "}}},
        {"event_attributes": "text"},
    ],
)
def test_a_value_beyond_all_bounds_costs_its_event_alone(tmp_path: Path, change: dict[str, Any]) -> None:
    searches, events = UBI

    log = read(tmp_path, lines(searches), lines([*events, {**events[0], **change}]))

    assert log is not None
    assert log.searches == 4
    assert log.kept["clicks"] >= 3


@pytest.mark.parametrize("cell", ["[1", '["d1"', "[", "d1|d2", '["d1", null]'])
def test_a_list_in_a_cell_that_is_cut_costs_its_list_alone(tmp_path: Path, cell: str) -> None:
    rows = [{"q": "x", "shown": '["d1", "d2"]'}, {"q": "y", "shown": cell}]

    log = read(tmp_path, table(rows), map="query=q,shown=shown")

    assert log is not None
    assert log.searches == 2


def test_rows_of_a_table_that_hold_nothing_are_counted(tmp_path: Path) -> None:
    log = read(tmp_path, b"q,doc,sid\nx,d1,1\n,,2\ny,d2,3\n", map="query=q,doc=doc,session=sid")

    assert log is not None
    assert [row for row in log.left_out if row[0] == "rows"] == [("rows", "nothing of a search or event in it", 1)]


def test_impressions_that_cannot_count_are_told_with_their_reason(tmp_path: Path) -> None:
    def shown(name: str, doc: str, place: object) -> Any:
        return {**click(name, doc, place=place), "action_name": "impression"}

    events = [
        shown("s1", "d1", 1),
        shown("s1", "d2", None),
        shown("s9", "d1", 1),
        shown("s1", "", 2),
        click("s1", "d1"),
    ]

    log = read(tmp_path, lines([search("s1", "q")]), lines(events))

    assert log is not None
    assert log.kept == {"clicks": 1, "impressions": 1}
    assert sorted(log.left_out) == [
        ("impressions", "it has no position", 1),
        ("impressions", "it names no passage", 1),
        ("impressions", "its search is not in the log", 1),
    ]


def test_clicks_below_the_depth_are_told(tmp_path: Path) -> None:
    shown = [f"d{n}" for n in range(30)]

    log = read(tmp_path, lines([search("s1", "q", shown=shown)]), lines([click("s1", "d3"), click("s1", "d25")]))

    assert log is not None
    assert log.left_out == [("clicks", "below rank 20 (--depth)", 1)]
    assert log.kept["clicks"] == 1


def test_more_files_than_a_byte_can_number_are_read(tmp_path: Path) -> None:
    files = [lines([search(f"s{n}", "q", shown=SHOWN)]) for n in range(260)]

    log = read(tmp_path, *files)

    assert log is not None
    assert log.searches == 260
