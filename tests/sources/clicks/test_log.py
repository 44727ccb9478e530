"""Reading search logs: what counts as a search, a click and a session, and what is left out, each with its number."""

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest
from tests.sources.clicks.logs import START, click, left_out, moment, read, search, table, write

from lexitune.errors import DataError, UsageError
from lexitune.io.quarantine import Quarantine
from lexitune.sources.clicks.log import read_votes
from lexitune.sources.clicks.options import LogsOptions

SHOWN = ["d1", "d2", "d3"]


def test_what_was_shown_and_clicked_is_counted_by_rank(tmp_path: Path) -> None:
    log = read(
        tmp_path,
        [search("s1", "force majeure", shown=SHOWN), search("s2", "Force  majeure?", shown=["d2", "d1", "d3"])],
        [click("s1", "d2", place=2), click("s2", "d2", place=1)],
    )

    assert table(log) == {
        ("force majeure", "d1", 1): (1, 0),
        ("force majeure", "d1", 2): (1, 0),
        ("force majeure", "d2", 1): (1, 1),
        ("force majeure", "d2", 2): (1, 1),
        ("force majeure", "d3", 3): (2, 0),
    }
    assert (log.searches, log.sessions, log.span) == (2, 2, ("2026-01-01", "2026-01-01"))
    assert log.left_out == []


def test_rows_of_files_of_one_name_are_told_together(tmp_path: Path) -> None:
    (tmp_path / "may").mkdir()
    (tmp_path / "june").mkdir()
    paths = [
        write(tmp_path / "queries.ndjson", [search("s1", "q", shown=SHOWN)]),
        write(tmp_path / "may" / "events.ndjson", [click("s1", "d1", place=1), click("s1", "d2", place=2)]),
        write(tmp_path / "june" / "events.ndjson", [click("s1", "d3", place=3)]),
    ]

    log = read_votes(paths, folder=tmp_path / "work", options=LogsOptions())

    assert log.rows == {"queries.ndjson": 1, "events.ndjson": 3}


def test_positions_from_0_and_from_1_are_told_apart_by_source(tmp_path: Path) -> None:  # fault 25
    searches = [search(f"{app}{n}", "q", shown=SHOWN, application=app) for app in "ab" for n in range(3)]
    events = [
        click(f"{app}{n}", f"d{n + 1}", place=n + first, application=app)
        for app, first in (("a", 0), ("b", 1))
        for n in range(3)
    ]

    log = read(tmp_path, searches, events)

    assert log.loaded.first == {"a": 0, "b": 1}
    assert log.loaded.how["a"] == "as 3 events agree with the lists of what was shown"


def test_positions_that_count_both_ways_in_one_source_are_refused(tmp_path: Path) -> None:  # fault 25
    searches = [search(f"s{n}", "q", shown=SHOWN) for n in range(4)]
    events = [click(f"s{n}", "d2", place=1 + n % 2) for n in range(4)]

    with pytest.raises(DataError) as raised:
        read(tmp_path, searches, events)

    assert raised.value.code == "E3015"
    assert "from 1 in 2 events and from 0 in 2" in raised.value.problem
    assert read(tmp_path, searches, events, first_position=1).loaded.first == {"events.ndjson": 1}


def test_without_lists_the_least_position_tells_where_they_start(tmp_path: Path) -> None:
    rows = [{"q": "q", "doc": "d1", "rank": rank, "sid": str(rank)} for rank in (3, 0, 2)]
    path = write(tmp_path / "log.jsonl", rows)
    options = LogsOptions(map="query=q,doc=doc,position=rank,session=sid")

    log = read_votes([path], folder=tmp_path, options=options)

    assert log.loaded.first == {"log.jsonl": 0}
    assert log.loaded.how == {"log.jsonl": "the least of 3 is 0"}


def test_clicks_out_of_their_searchs_time_or_place_are_left_out_and_counted(tmp_path: Path) -> None:  # fault 26
    log = read(
        tmp_path,
        [search("s1", "q", shown=SHOWN, minutes=10)],
        [
            click("s1", "d1", minutes=11),
            click("s1", "d2", minutes=9),
            click("s1", "d3", minutes=41),
            click("s1", "d9", minutes=11),
            click("s7", "d1", minutes=11),
            click("s1", "", minutes=11),
            {**click("s1", "d1", minutes=11), "action_name": "hover"},
        ],
    )

    assert table(log)["q", "d1", 1] == (1, 1)
    assert sum(clicked for _, clicked in table(log).values()) == 1
    assert left_out(log) == {
        "before its search": 1,
        "more than 30 minutes after its search": 1,
        "not among what was shown": 1,
        "its search is not in the log": 1,
        "it names no passage": 1,
        "an action that is neither a click nor an impression": 1,
    }


def test_robots_inner_traffic_and_health_checks_are_left_out_and_counted(tmp_path: Path) -> None:  # fault 27
    def robot(number: int) -> Any:
        return search(f"r{number}", f"q{number}", minutes=number / 500, client_id="fast")

    searches = [
        *(robot(number) for number in range(500)),
        search("s1", "lease", shown=SHOWN),
        search("s2", "lease", shown=SHOWN),
        search("s3", "lease", shown=SHOWN),
        search("s4", "Health check"),
        search("s5", "*:*"),
        search("s6", "  "),
    ]
    events = [
        click("s1", "d1", client_id="client of s1"),
        {**click("s2", "d1"), "client_id": "client of s2"},
        {**click("s3", "d1"), "client_id": "client of s3"},
    ]
    events[1]["event_attributes"]["ip"] = "10.1.2.3"
    events[2]["event_attributes"]["user_agent"] = "Mozilla/5.0 (compatible; Examplebot/2.1)"

    log = read(tmp_path, searches, events, internal="10.0.0.0/8")

    assert log.searches == 1
    assert left_out(log) == {
        "a robot": 501,
        "traffic from inside": 1,
        "a health check, or another query of --skip-queries": 2,
        "no query": 1,
        "its search was left out": 2,
    }


def test_a_user_who_clicks_a_hundred_times_has_one_vote_a_session(tmp_path: Path) -> None:  # fault 28
    searches = [search(f"s{n}", "q", shown=SHOWN, minutes=n / 10, client_id="ann") for n in range(20)]
    events = [click(f"s{n % 20}", "d1", minutes=5) for n in range(100)]

    log = read(tmp_path, searches, events, robot_searches=1000)

    assert log.sessions == 1
    assert table(log)["q", "d1", 1] == (1, 1)


def test_a_clients_silence_ends_its_session(tmp_path: Path) -> None:
    minutes = (0, 29, 58, 89)  # the last gap is 31 minutes
    log = read(
        tmp_path, [search(f"s{n}", "q", shown=SHOWN, minutes=m, client_id="a") for n, m in enumerate(minutes)], []
    )

    assert log.sessions == 2
    assert table(log)["q", "d1", 1] == (2, 0)


@pytest.mark.parametrize(("minutes", "searches", "votes"), [(29, 1, (1, 1)), (31, 2, (2, 1))])
def test_without_ids_a_client_searches_anew_after_a_silence(
    tmp_path: Path, minutes: int, searches: int, votes: tuple[int, int]
) -> None:
    row = {"q": "q", "url": "d1", "user": "ann", "n": 1}
    files = [
        write(tmp_path / "first", [{**row, "ts": moment(0), "hit": 0}]),
        write(tmp_path / "next", [{**row, "ts": moment(minutes), "hit": 1}]),
    ]
    options = LogsOptions(map="query=q,doc=url,time=ts,client=user,position=n,clicked=hit")

    log = read_votes(files, folder=tmp_path / "w", options=options)

    assert table(log) == {("q", "d1", 1): votes}
    assert (log.searches, log.sessions, log.left_out) == (searches, searches, [])


@pytest.mark.parametrize(
    ("written", "zone", "day"),
    [
        (str(START), None, "2026-01-01"),
        (str(START * 10**3), None, "2026-01-01"),
        (str(START * 10**6), None, "2026-01-01"),
        (str(START * 10**9), None, "2026-01-01"),
        ("2026-01-01T00:30:00+01:00", None, "2025-12-31"),
        ("2026-01-01 00:30:00-0500", None, "2026-01-01"),
        ("2026-01-01T00:30:00", "Asia/Tokyo", "2025-12-31"),
        ("2026-01-01T23:30:00.123", "America/New_York", "2026-01-02"),
        ("2025-10-26T01:30:00", "Europe/London", "2025-10-26"),  # the hour that comes twice
    ],
)
def test_times_of_every_form_are_utc(tmp_path: Path, written: str, zone: str | None, day: str) -> None:  # fault 29
    log = read(tmp_path, [search("s1", "q", shown=SHOWN, timestamp=written)], [], timezone=zone)

    assert log.span == (day, day)


def test_times_without_a_zone_are_refused_until_one_is_given(tmp_path: Path) -> None:  # fault 29
    with pytest.raises(DataError) as raised:
        read(tmp_path, [search("s1", "q", shown=SHOWN, timestamp="2026-01-01T00:30:00")], [])

    assert raised.value.code == "E3014"
    assert "--timezone" in raised.value.fix


def test_an_unknown_zone_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as raised:
        read(tmp_path, [search("s1", "q")], [], timezone="Mars/Olympus")

    assert raised.value.code == "E2002"


def test_a_time_that_cannot_be_read_leaves_its_search_out(tmp_path: Path) -> None:
    rows = [search("s1", "q", shown=SHOWN), search("s2", "q", shown=SHOWN, timestamp="yesterdayZ")]

    assert left_out(read(tmp_path, rows, [])) == {"a time that cannot be read": 1}


def test_passages_that_are_gone_are_left_out(tmp_path: Path) -> None:  # fault 30
    searches = [search("s1", "q", shown=SHOWN)]

    log = read(tmp_path, searches, [click("s1", "d1"), click("s1", "d2")], corpus=["d2", "d3"])

    assert set(table(log)) == {("q", "d2", 2), ("q", "d3", 3)}
    assert left_out(log) == {"a passage that is not in the corpus": 1}


def test_personal_data_is_masked_and_counted_never_kept(tmp_path: Path) -> None:  # fault 31
    texts = [
        "lease of ann.smith@firm.co.uk",
        "paid with 4111 1111 1111 1111",
        "NHS number 943 476 5919",
        "NHS number 943 476 5918",  # its check digit is wrong
    ]
    log = read(tmp_path, [search(f"s{n}", text, shown=SHOWN) for n, text in enumerate(texts)], [])

    assert sorted(log.words) == [
        "NHS number 943 476 5918",
        "NHS number [NHS number]",
        "lease of [email address]",
        "paid with [payment card]",
    ]
    assert log.masked == {"email address": 1, "payment card": 1, "NHS number": 1}


def test_a_key_pasted_as_a_query_is_left_out(tmp_path: Path) -> None:  # fault 32
    key = "ghp_" + "a1B2" * 10
    log = read(tmp_path, [search("s1", f"token {key}", shown=SHOWN), search("s2", "lease", shown=SHOWN)], [])

    assert list(log.words) == ["lease"]
    assert left_out(log) == {"a key or password in the query": 1}
    assert log.masked == {"key or token": 1}


def test_an_empty_position_and_a_number_as_id_are_accepted(tmp_path: Path) -> None:  # fault 33
    log = read(tmp_path, [search("s1", "q", shown=[1, 2, 3])], [click("s1", 2), click("s1", "3", place="3")])

    assert table(log) == {("q", "1", 1): (1, 0), ("q", "2", 2): (1, 1), ("q", "3", 3): (1, 1)}


def test_ids_meet_whatever_their_unicode_form(tmp_path: Path) -> None:
    log = read(tmp_path, [search("s1", "q", shown=["cafe\u0301", "d2"])], [click("s1", " caf\u00e9 ")])

    assert table(log)["q", "caf\u00e9", 1] == (1, 1)


def test_impression_events_stand_in_where_searches_have_no_lists(tmp_path: Path) -> None:
    shown = [{**click("s1", doc, place=n), "action_name": "impression"} for n, doc in enumerate(SHOWN)]

    log = read(tmp_path, [search("s1", "q")], [*shown, click("s1", "d3", place=2)])

    assert log.loaded.first == {"events.ndjson": 0}
    assert table(log) == {("q", "d1", 1): (1, 0), ("q", "d2", 2): (1, 0), ("q", "d3", 3): (1, 1)}


def test_clicks_alone_are_counted_without_ranks(tmp_path: Path) -> None:  # fault 34
    log = read(tmp_path, [search("s1", "q"), search("s2", "q")], [click("s1", "d1"), click("s2", "d1")])

    assert not log.votes.has_shown
    assert table(log) == {("q", "d1", 1): (2, 2)}


def test_a_full_hit_a_packed_file_and_a_json_array_are_the_same_log(tmp_path: Path) -> None:
    searches, events = [search("s1", "q", shown=SHOWN)], [click("s1", "d2", place=2)]
    plain = table(read(tmp_path, searches, events))
    hits = [
        write(tmp_path / f"h{n}", [{"_index": "i", "_source": r} for r in rows])
        for n, rows in enumerate((searches, events))
    ]
    packed = [tmp_path / "p0", tmp_path / "p1"]
    arrays = [tmp_path / "a0", tmp_path / "a1"]
    zst = [tmp_path / "z0", tmp_path / "z1"]
    for n, rows in enumerate((searches, events)):
        text = "".join(json.dumps(row) + "\r\n" for row in rows).encode()
        packed[n].write_bytes(gzip.compress(text))
        zst[n].write_bytes(pa.compress(text, codec="zstd", asbytes=True))
        arrays[n].write_text(json.dumps(rows, indent=1))

    for paths in (hits, packed, zst, arrays):
        assert table(read_votes(paths, folder=tmp_path / "w", options=LogsOptions())) == plain


@pytest.mark.parametrize("form", ["csv", "parquet", "jsonl"])
@pytest.mark.parametrize("numbered", [False, True])
def test_any_table_is_read_by_a_map(tmp_path: Path, form: str, numbered: bool) -> None:
    columns = {"sid": ["1", "1", "2"], "What was asked": ["q, and more"] * 3, "url": ["d1", "d2", "d2"], "n": [1, 2, 2]}
    path = tmp_path / f"log.{form}"
    rows = pa.table({**columns, "hit": ["0", "1", "true"]})
    if form == "csv":
        pc.write_csv(rows, path)
    elif form == "parquet":
        pq.write_table(rows, path)
    else:
        write(path, rows.to_pylist())
    query = "col2" if numbered else "What was asked"
    options = LogsOptions(map=f"session=sid,query={query},doc=url,position=n,clicked=hit")

    log = read_votes([path], folder=tmp_path / "w", options=options)

    assert table(log) == {("q, and more", "d1", 1): (1, 0), ("q, and more", "d2", 2): (2, 2)}
    assert log.span == ("", "")


def test_a_nested_column_is_named_by_its_path(tmp_path: Path) -> None:
    path = write(tmp_path / "log", [{"meta": {"text": "q", "ids": ["d2", "d1"]}, "who": "a"}])
    options = LogsOptions(map="query=meta.text,shown=meta.ids,client=who")

    assert set(table(read_votes([path], folder=tmp_path / "w", options=options))) == {("q", "d2", 1), ("q", "d1", 2)}


def test_algolias_positions_start_at_1_and_its_lists_are_opened(tmp_path: Path) -> None:
    searches = write(
        tmp_path / "s",
        [
            {
                "queryID": "a",
                "query": "q",
                "timestamp": START * 1000,
                "userToken": "u",
                "hits": [{"objectID": d} for d in SHOWN],
            }
        ],
    )
    clicked = {"eventType": "click", "queryID": "a", "timestamp": START * 1000 + 5, "userToken": "u"}
    events = write(
        tmp_path / "e", [{**clicked, "objectIDs": ["d2", "d3"], "positions": [2, 3]}, {**clicked, "objectIDs": []}]
    )

    log = read_votes([searches, events], folder=tmp_path / "w", options=LogsOptions())

    assert table(log) == {("q", "d1", 1): (1, 0), ("q", "d2", 2): (1, 1), ("q", "d3", 3): (1, 1)}
    assert log.loaded.first == {"e": 1}
    assert left_out(log) == {"it names no passage": 1}


def test_only_clicks_that_keep_the_user_count_when_asked(tmp_path: Path) -> None:
    searches = [search(f"s{n}", "q", shown=SHOWN, minutes=100 * n, client_id=f"c{n}") for n in range(10)]
    events = [
        {
            **click(f"s{n}", "d1", minutes=100 * n + 1),
            "event_attributes": {"object": {"object_id": "d1"}, "dwell_time": n},
        }
        for n in range(10)
    ]

    log = read(tmp_path, searches, events, clicks="satisfied", short_share=0.3)

    assert table(log)["q", "d1", 1] == (10, 7)  # dwells of 0, 1 and 2 lie below the quantile of 2.7
    assert left_out(log) == {"left again soon: among the shortest of its source": 3}


def test_broken_lines_are_named_and_the_rest_is_read(tmp_path: Path) -> None:  # faults 3, 5, 8 and 9
    path = tmp_path / "queries.ndjson"
    whole = [json.dumps(search(f"s{n}", f"q{n}", shown=SHOWN)).encode() for n in range(100)]
    broken = [b'{"user_query": "bad \xff byte"}', b"[1]", b'{"user_query": "\\ud800"}', b'{"user_query": "cut o']
    path.write_bytes(b"\n".join([*whole[:50], broken[0], b"", *broken[1:3], *whole[50:], broken[3]]))
    quarantine = Quarantine(max_share=0.05)

    log = read_votes([path], folder=tmp_path / "w", options=LogsOptions(), quarantine=quarantine)

    assert log.searches == 100
    assert [row.line for row in quarantine.rows if row.line] == [51, 53, 54, 105]
    assert quarantine.count == 4
    assert quarantine.seen[str(path)] == 104


def test_too_many_broken_lines_refuse_the_file(tmp_path: Path) -> None:
    path = tmp_path / "queries.ndjson"
    path.write_text(json.dumps(search("s", "q")) + '\n{"user_query": "cut\n')

    with pytest.raises(DataError) as raised:
        read_votes([path], folder=tmp_path / "w", options=LogsOptions(), quarantine=Quarantine(max_share=0.05))

    assert raised.value.code == "E3004"
    assert raised.value.at == f"{path}:2"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "E3003"),  # fault 6
        (b"\xff\xfeq\x00", "E3002"),  # fault 2
        (b"%PDF-1.7", "E3002"),
        (b"PK\x03\x04", "E3002"),
        (b'{"took": 3}\n', "E3007"),
        (b"a,b\n1,2\n", "E3007"),
        (b"\x1f\x8bcut", "E3008"),
        (b"[1, 2]", "E3002"),  # fault 7
    ],
)
def test_a_file_that_is_no_log_is_refused_by_what_it_is(tmp_path: Path, content: bytes, code: str) -> None:
    path = tmp_path / "log"
    path.write_bytes(content)

    with pytest.raises(DataError) as raised:
        read_votes([path], folder=tmp_path / "w", options=LogsOptions())

    assert raised.value.code == code


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path: Path) -> None:  # fault 1
    path = tmp_path / "log"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(search("s", "q", shown=SHOWN)).encode())

    assert read_votes([path], folder=tmp_path / "w", options=LogsOptions()).searches == 1


@pytest.mark.parametrize(
    ("text", "code"),
    [("query", "E2012"), ("querry=a", "E2001"), ("query=a,query=b", "E2012"), ("doc=a", "E2012"), ("query=", "E2012")],
)
def test_a_map_that_cannot_be_read_is_the_users_mistake(tmp_path: Path, text: str, code: str) -> None:
    with pytest.raises(UsageError) as raised:
        read_votes([write(tmp_path / "l", [search("s", "q")])], folder=tmp_path, options=LogsOptions(map=text))

    assert raised.value.code == code


def test_a_column_that_the_file_lacks_is_named_with_those_it_has(tmp_path: Path) -> None:
    path = write(tmp_path / "l", [{"text": "q"}])

    with pytest.raises(DataError) as raised:
        read_votes([path], folder=tmp_path, options=LogsOptions(map="query=asked"))

    assert raised.value.problem == f"{path} has no column 'asked'; it has 'text'"


def test_events_without_their_searches_are_no_log(tmp_path: Path) -> None:
    with pytest.raises(DataError) as raised:
        read_votes([write(tmp_path / "e", [click("s1", "d1")])], folder=tmp_path, options=LogsOptions())

    assert raised.value.code == "E3003"
    assert "no search is left" in raised.value.problem


def test_the_order_of_rows_and_files_changes_nothing(tmp_path: Path) -> None:
    searches = [search(f"s{n}", f"q{n % 7}", shown=SHOWN[n % 3 :] + SHOWN[: n % 3], minutes=n) for n in range(60)]
    events = [click(f"s{n}", f"d{n % 3 + 1}", minutes=n + 1) for n in range(0, 60, 2)]
    (tmp_path / "1").mkdir()
    (tmp_path / "2").mkdir()

    one = read(tmp_path / "1", searches, events)
    other = read(tmp_path / "2", searches[::-1], events[::-1])

    assert table(one) == table(other)
    assert list(one.words) == list(other.words)
    assert moment(61) == "2026-01-01T01:01:00Z"
