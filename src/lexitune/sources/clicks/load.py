"""Raw rows of all files into one table, with times in UTC and positions from 1 on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from lexitune.errors import DataError, UsageError
from lexitune.io.quarantine import NOT_UTF8, Quarantine
from lexitune.sources.clicks.database import literal
from lexitune.sources.clicks.files import LINES, LogFile
from lexitune.sources.clicks.formats import Format

if TYPE_CHECKING:
    import duckdb

__all__ = ["Loaded", "load"]

ENOUGH = 1000  # events of a source that show where its positions start
LONGEST = 1_000_000_000  # positions of a list: beyond, sums would overflow; -1 is how some say that there is none
TIMES = "TIMESTAMP '0001-01-01' AND TIMESTAMP '9999-12-30'"  # the same: what lies beyond is nobody's search
MIXED = 0.02  # share of events that may disagree about it: ids that stand twice in a list

# Searches are known by a hash of 64 bits of their id: among ten million, two are alike with a chance of 3e-6.
TABLE = """
CREATE TABLE raw (
    file INTEGER, moment TIMESTAMP, has_time BOOLEAN, has_zone BOOLEAN, search UBIGINT, query VARCHAR, client UBIGINT,
    session UBIGINT, source VARCHAR, action VARCHAR, doc VARCHAR, position INTEGER, shown VARCHAR[], address VARCHAR,
    agent VARCHAR, dwell DOUBLE
)
"""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the files held.

    Attributes:
        rows: Of each file.
        events: Clicks, impressions and other actions on passages among them.
        empty: Rows of tables that hold nothing of a search or event.
        first: Of each source, the number of its first position; None where it names no positions.
        how: Of each source, how that was found out.
    """

    rows: Sequence[int]
    events: int
    empty: int
    first: Mapping[str, int | None]
    how: Mapping[str, str]


NOTHING = "broken JSON, or nothing of a search or event in it"
BROKEN = "search IS NULL AND query IS NULL AND doc IS NULL"


def load(
    database: duckdb.DuckDBPyConnection,
    files: Sequence[tuple[LogFile, Format]],
    *,
    zone: str | None,
    first: int | None,
    quarantine: Quarantine,
) -> Loaded:
    """Read all files into the table `raw`.

    Args:
        zone: Of times that name none.
        first: The number of the first position; None: found out.

    Raises:
        DataError: Too many broken rows, times without a zone, or positions that count both ways.
        UsageError: There is no such zone.
    """
    if zone is not None:
        _check_zone(zone)
    database.execute(TABLE)
    rows = [_insert(database, number, file, form, zone or "UTC") for number, (file, form) in enumerate(files)]
    empty = sum(_set_aside(database, number, file, rows[number], quarantine) for number, (file, _) in enumerate(files))
    database.execute(f"DELETE FROM raw WHERE {BROKEN}")
    found = database.execute("SELECT count(doc), count(*) FILTER (doc IS NULL AND query IS NULL) FROM raw").fetchone()
    events, bare = found or (0, 0)
    if zone is None:
        _refuse_zoneless(database, files)
    start, how = _first_positions(database, files, first)
    return Loaded(rows, int(events), empty + int(bare), start, how)


def _check_zone(zone: str) -> None:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        fix = "name it as the IANA does: Europe/London, America/New_York or UTC"
        raise UsageError("E2002", f"--timezone {zone}: no such time zone", fix=fix) from error


def _insert(database: duckdb.DuckDBPyConnection, number: int, file: LogFile, form: Format, zone: str) -> int:
    import duckdb

    # Without an id, a session's searches of one text are one search; a client's are known by this hash of two raw
    # columns, and parted where it was silent (`build_searches`).
    search = f"""CASE WHEN search IS NOT NULL THEN hash(search)
        WHEN query IS NOT NULL AND session IS NOT NULL THEN hash(session, query)
        WHEN query IS NOT NULL AND client IS NOT NULL THEN hash(hash(client), query)
        WHEN query IS NOT NULL THEN hash({number}, query, uuid()) END"""
    try:
        found = database.execute(f"""
            INSERT INTO raw SELECT {number}, CASE WHEN instant BETWEEN {TIMES} THEN instant END, moment IS NOT NULL,
                {_has_zone("moment")},
                {search}, query, CASE WHEN client IS NOT NULL THEN hash(client) END,
                CASE WHEN session IS NOT NULL THEN hash(session) END, coalesce(source, {literal(file.path.name)}),
                action, doc, CASE WHEN place BETWEEN -1 AND {LONGEST} THEN place END, shown, address, agent,
                TRY_CAST(dwell AS DOUBLE)
            FROM (
                SELECT *, {_time("moment", zone)} AS instant, TRY_CAST(position AS INTEGER) AS place FROM ({form.rows})
            )""").fetchone()
    except duckdb.Error as error:
        problem = f"{file.path} cannot be read as {form.name}: {str(error).splitlines()[0]}"
        raise DataError(
            "E3002", problem, fix="export it as JSON lines, CSV with a line of names, or Parquet"
        ) from error
    return int(found[0]) if found else 0


def _time(column: str, zone: str) -> str:
    """SQL for a time as UTC: ISO 8601, or a number whose size tells seconds from milli-, micro- and nanoseconds."""
    number = f"TRY_CAST({column} AS DOUBLE)"
    return f"""CASE
        WHEN {number} IS NOT NULL THEN make_timestamp(CASE WHEN abs({number}) < 1e20 THEN CAST({number} * CASE
            WHEN abs({number}) < 1e11 THEN 1e6 WHEN abs({number}) < 1e14 THEN 1e3
            WHEN abs({number}) < 1e17 THEN 1 ELSE 1e-3 END AS BIGINT) END)
        WHEN {_has_zone(column)} THEN TRY_CAST({column} AS TIMESTAMPTZ) AT TIME ZONE 'UTC'
        ELSE (TRY_CAST({column} AS TIMESTAMP) AT TIME ZONE {literal(zone)}) AT TIME ZONE 'UTC' END"""


def _has_zone(column: str) -> str:
    # A date ends in "-05" too, so a zone counts from the hour on.
    return (
        f"({column} IS NULL OR TRY_CAST({column} AS DOUBLE) IS NOT NULL OR right({column}, 1) IN ('Z', 'z') "
        f"OR (length({column}) > 16 AND (substr({column}, -6, 1) IN ('+', '-') "
        f"OR substr({column}, -5, 1) IN ('+', '-') OR substr({column}, -3, 1) IN ('+', '-'))) "
        f"OR right({column}, 3) = 'UTC')"
    )


def _set_aside(
    database: duckdb.DuckDBPyConnection, number: int, file: LogFile, rows: int, quarantine: Quarantine
) -> int:
    """Count the rows that could not be read, name the first ones by line, and refuse too many.

    Returns:
        How many rows of a table hold nothing: those of JSON may be broken, and are named.
    """
    quarantine.seen[str(file.path)] += rows
    found = database.execute(f"SELECT count(*) FROM raw WHERE file = ? AND {BROKEN}", [number]).fetchone()
    bad = int(found[0]) if found else 0
    if file.form == "json" and bad:
        for line, reason, raw in _broken_lines(database, file, bad):
            quarantine.reject(file.path, line, reason, raw)
    if file.form == "csv":
        rejected = _rejected(database, file)
        quarantine.seen[str(file.path)] += len(rejected)
        for line, message, raw in rejected:
            quarantine.reject(file.path, int(line), _plain(str(message)), raw or "")
    quarantine.check(file.path)
    return 0 if file.form == "json" else bad


def _plain(message: str) -> str:
    first = next(iter(message.splitlines()), "")
    return NOT_UTF8 if "unicode" in first.lower() else first


def _broken_lines(database: duckdb.DuckDBPyConnection, file: LogFile, count: int) -> list[tuple[int, str, str]]:
    """Number, reason and text of lines that are no JSON object, as many as `count`; 0 where the line is not known."""
    if file.layout != LINES:
        return [(0, NOTHING, "")] * count
    lines = (
        f"read_csv({literal(str(file.path))}, columns = {{'line': 'VARCHAR'}}, header = false, delim = '\x01', "
        f"quote = '', escape = '', auto_detect = false, strict_mode = false, compression = '{file.packing}', "
        "max_line_size = 67108864, store_rejects = true, parallel = false)"
    )
    found = database.execute(
        f"""SELECT number, line FROM (SELECT row_number() OVER () AS number, line FROM {lines})
        WHERE line IS NOT NULL AND (NOT json_valid(line) OR json_type(TRY_CAST(line AS JSON)) <> 'OBJECT')
        ORDER BY number LIMIT {count}"""
    ).fetchall()
    # A line that is no UTF-8 is no row, so the rows below it have too low a number.
    told = [(int(line), _plain(str(message)), "") for line, message, _ in _rejected(database, file)]
    unread = [line for line, *_ in told]
    for number, text in found:
        line = int(number)
        for skipped in unread:
            line += skipped <= line
        told.append((line, NOTHING, str(text)))
    return [*sorted(told), *[(0, NOTHING, "")] * (count - len(told))][:count]


def _rejected(database: duckdb.DuckDBPyConnection, file: LogFile) -> list[tuple[int, str, str]]:
    """Line, reason and text of what the last reading of a file as CSV left out."""
    return database.execute(
        """SELECT DISTINCT ON (line) line, error_message, csv_line FROM reject_errors
        JOIN reject_scans USING (scan_id, file_id) WHERE file_path = ? ORDER BY line""",
        [str(file.path)],
    ).fetchall()


def _refuse_zoneless(database: duckdb.DuckDBPyConnection, files: Sequence[tuple[LogFile, Format]]) -> None:
    found = database.execute(
        "SELECT file, count(*) FROM raw WHERE NOT has_zone GROUP BY file ORDER BY file LIMIT 1"
    ).fetchone()
    if found is None:
        return
    raise DataError(
        "E3014",
        f"{found[1]:,} times of {files[found[0]][0].path} name no time zone",
        fix="say which one they are in: --timezone UTC, or --timezone Europe/London",
    )


def _first_positions(
    database: duckdb.DuckDBPyConnection, files: Sequence[tuple[LogFile, Format]], given: int | None
) -> tuple[dict[str, int | None], dict[str, str]]:
    """Where each source's positions start: by the lists of what was shown, where it logs them, or by the least one."""
    fixed = {file.path.name: form.first for file, form in files}
    rows = database.execute("""
        SELECT event.source, any_value(event.file), min(event.position), count(event.position),
            count(*) FILTER (place > 0 AND event.position = place),
            count(*) FILTER (place > 0 AND event.position = place - 1)
        FROM (SELECT source, file, search, doc, position FROM raw WHERE doc <> '') AS event
        LEFT JOIN (SELECT DISTINCT ON (search) search, shown FROM raw WHERE doc IS NULL AND len(shown) > 0) AS list
            USING (search),
            LATERAL (SELECT list_position(list.shown, event.doc) AS place)
        GROUP BY event.source ORDER BY event.source""").fetchall()
    first, how = dict[str, int | None](), dict[str, str]()
    for source, number, least, count, from_one, from_zero in rows:
        laid_down = given if given is not None else fixed[files[number][0].path.name]
        compared = from_one + from_zero
        if laid_down is None and min(from_one, from_zero) > MIXED * compared:
            raise DataError(
                "E3015",
                f"positions of '{source}' count from 1 in {from_one:,} events and from 0 in {from_zero:,}",
                fix="read the two kinds one after the other, each with --first-position",
            )
        if not count:
            first[source], how[source] = None, "it names no positions"
        elif laid_down is not None:
            first[source], how[source] = laid_down, "as given" if given is not None else "as the format lays down"
        elif compared:
            first[source] = int(from_one > from_zero)
            how[source] = f"as {compared:,} events agree with the lists of what was shown"
        else:
            first[source] = min(int(least), 1) if least >= 0 else 0
            few = "" if count >= ENOUGH or least < 1 else ", which are few: check it, or give --first-position"
            how[source] = f"the least of {count:,} is {least}{few}"
    return first, how
