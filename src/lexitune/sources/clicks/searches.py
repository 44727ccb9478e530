"""Searches: their texts cleaned, robots and inner traffic left out, sessions cut."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

from lexitune.errors import UsageError
from lexitune.settings import read_pattern
from lexitune.sources.clicks.database import literal
from lexitune.sources.clicks.options import LogsOptions
from lexitune.text.normalise import normalise
from lexitune.text.personal import SECRETS, mask_personal

if TYPE_CHECKING:
    import duckdb

__all__ = ["build_searches", "count_kept", "count_left_out", "leave_out"]

ROBOT = "(?i)bot\\b|crawl|spider|slurp|headless|curl/|python-requests|wget"
BLOCK = 100_000
TEXTS = pa.schema([("query", pa.string()), ("key", pa.string()), ("words", pa.string()), ("reason", pa.string())])

ONE_SEARCH = """
    search, min(moment) AS moment, bool_or(has_time AND moment IS NULL) AS unread,
    arg_min(query, (moment, query)) AS query, min(client) AS client, min(session) AS session,
    min(source) AS source, min(address) AS address, min(agent) AS agent"""

# A row without a reason says how many were not left out.
LEFT_OUT = "CREATE TABLE left_out (what VARCHAR, reason VARCHAR, rows BIGINT)"


def leave_out(database: duckdb.DuckDBPyConnection, what: str, reason: str | None, rows: int) -> None:
    """Write down that so many were left out; without a reason, that so many were not."""
    database.execute("INSERT INTO left_out VALUES (?, ?, ?)", [what, reason, rows])


def count_left_out(database: duckdb.DuckDBPyConnection) -> list[tuple[str, str, int]]:
    """What was left out: "searches" or "events", why, and how many; the most first."""
    return database.execute(
        "SELECT what, reason, sum(rows)::BIGINT FROM left_out WHERE reason IS NOT NULL GROUP BY ALL "
        "HAVING sum(rows) > 0 ORDER BY 3 DESC, 2"
    ).fetchall()


def count_kept(database: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """How many "clicks" and "impressions" count: the rest of the events is among what was left out."""
    rows = database.execute(
        "SELECT what, sum(rows)::BIGINT FROM left_out WHERE reason IS NULL GROUP BY what"
    ).fetchall()
    return {"clicks": 0, "impressions": 0, **dict(rows)}


def build_searches(database: duckdb.DuckDBPyConnection, options: LogsOptions) -> Counter[str]:
    """Make `keys` (the texts that were asked) and `searches` (one row a search, with its session) of `raw`.

    Returns:
        How often personal data of each kind was masked in different texts; secrets, whose texts are left out, too.

    Raises:
        UsageError: A pattern or network of the options that cannot be read.
    """
    database.execute(LEFT_OUT)
    masked = _clean_texts(database, read_pattern(options.skip_queries, flag="--skip-queries"))
    _part_visits(database, options.click_minutes)  # a click that comes later is not of the search
    _gather(database)
    _mark_robots(database, options)
    _cut_sessions(database, options.session_gap_minutes)
    database.execute(
        "INSERT INTO left_out SELECT 'searches', reason, count(*) FROM searches WHERE reason IS NOT NULL GROUP BY ALL"
    )
    return masked


def _clean_texts(database: duckdb.DuckDBPyConnection, skipped: re.Pattern[str]) -> Counter[str]:
    """Each different text once: its form for comparing, itself without personal data, or why it is left out."""
    database.execute(
        "CREATE TABLE asked AS SELECT query, count(*) AS times FROM raw WHERE query IS NOT NULL GROUP BY ALL"
    )
    database.execute("CREATE TABLE forms (query VARCHAR, key VARCHAR, words VARCHAR, reason VARCHAR)")
    masked: Counter[str] = Counter()
    for block in _blocks(database.cursor()):  # a second connection, since this one writes meanwhile
        rows = [_clean(query, skipped, masked) for query in block]
        table = pa.table([block, *zip(*rows, strict=True)], schema=TEXTS)
        database.register("block", table)
        database.execute("INSERT INTO forms SELECT * FROM block")
        database.unregister("block")
    database.execute("""
        CREATE TABLE keys AS
        SELECT key, row_number() OVER (ORDER BY key) - 1 AS text, arg_max(words, (times, words)) AS words
        FROM forms JOIN asked USING (query) WHERE reason IS NULL GROUP BY key""")
    return masked


def _blocks(cursor: duckdb.DuckDBPyConnection) -> Iterator[list[str]]:
    for batch in cursor.sql("SELECT query FROM asked ORDER BY query").to_arrow_reader(BLOCK):
        yield batch.column(0).to_pylist()


def _clean(query: str, skipped: re.Pattern[str], masked: Counter[str]) -> tuple[str, str, str | None]:
    words = " ".join(query.split())
    if not words:
        return "", "", "no query"
    if skipped.fullmatch(words):
        return "", "", "a health check, or another query of --skip-queries"
    words, found = mask_personal(words)
    masked.update(found)
    if any(kind in SECRETS for kind in found):
        return "", "", "a key or password in the query"
    return normalise(words), words, None


def _part_visits(database: duckdb.DuckDBPyConnection, silence_minutes: float) -> None:
    """Where neither a search nor a session has an id: a client that names one text after a silence searches anew."""
    # In one statement: between two of them rows may be numbered anew.
    database.execute(f"""
        UPDATE raw SET search = visits.visit FROM (
            SELECT number, hash(search, sum(new::INTEGER) OVER (PARTITION BY search ORDER BY moment)) AS visit
            FROM (
                SELECT rowid AS number, search, moment, coalesce(
                    moment - lag(moment) OVER (PARTITION BY search ORDER BY moment)
                        > INTERVAL '{silence_minutes * 60} seconds', false
                ) AS new
                FROM raw WHERE search = hash(client, query)
            )
        ) AS visits WHERE raw.rowid = visits.number""")


def _gather(database: duckdb.DuckDBPyConnection) -> None:
    """One row a search: of the rows that log searches, and where there is none, of the events that name a query."""
    database.execute(f"""
        CREATE TABLE searches AS
        WITH logged AS (
            SELECT {ONE_SEARCH}, arg_min(shown, (moment, len(shown))) AS shown
            FROM raw WHERE doc IS NULL AND query IS NOT NULL GROUP BY search
        ), implied AS (
            SELECT {ONE_SEARCH}, NULL::VARCHAR[] AS shown
            FROM raw ANTI JOIN logged USING (search) WHERE doc IS NOT NULL AND query IS NOT NULL GROUP BY search
        )
        SELECT found.*, keys.text, coalesce(
            forms.reason, CASE WHEN unread THEN 'a time that cannot be read' END
        ) AS reason
        FROM (SELECT * FROM logged UNION ALL SELECT * FROM implied) AS found
        JOIN forms USING (query) LEFT JOIN keys USING (key)""")


def _mark_robots(database: duckdb.DuckDBPyConnection, options: LogsOptions) -> None:
    """Clients that search faster than people, call themselves robots, or come from inside."""
    database.execute(f"""
        CREATE TABLE robots AS SELECT DISTINCT client FROM (
            SELECT client FROM searches WHERE client IS NOT NULL AND moment IS NOT NULL
            GROUP BY client, date_trunc('minute', moment) HAVING count(*) > {options.robot_searches}
            UNION ALL SELECT client FROM raw WHERE client IS NOT NULL AND regexp_matches(agent, {literal(ROBOT)}))""")
    database.execute(f"""
        UPDATE searches SET reason = 'a robot' WHERE reason IS NULL AND
        (client IN (SELECT client FROM robots) OR regexp_matches(agent, {literal(ROBOT)}))""")
    if not options.internal:
        return
    networks = _networks(options.internal)
    found = database.execute("SELECT DISTINCT address FROM raw WHERE address IS NOT NULL").fetchall()
    inner = [address for (address,) in found if _is_inside(address, networks)]
    database.execute("CREATE TABLE inner_addresses AS SELECT unnest(?::VARCHAR[]) AS address", [inner])
    database.execute("""
        UPDATE searches SET reason = 'traffic from inside' WHERE reason IS NULL AND (
            address IN (SELECT address FROM inner_addresses)
            OR client IN (
                SELECT client FROM raw WHERE client IS NOT NULL AND address IN (SELECT * FROM inner_addresses)))""")


def _networks(text: str) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    try:
        return [ipaddress.ip_network(part.strip()) for part in text.split(",")]
    except ValueError as error:
        raise UsageError("E2002", f"--internal: {error}", fix="give networks such as 10.0.0.0/8,192.0.2.7") from error


def _is_inside(address: str, networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    try:
        found = ipaddress.ip_address(address.strip())
    except ValueError:
        return False
    return any(found in network for network in networks)


def _cut_sessions(database: duckdb.DuckDBPyConnection, gap_minutes: float) -> None:
    """A session as logged; else a client's searches until it is silent for a while; else the search alone."""
    database.execute("""
        CREATE TABLE logged_sessions AS SELECT search, min(session) AS session
        FROM raw WHERE doc IS NOT NULL AND session IS NOT NULL GROUP BY search""")
    database.execute(f"""
        CREATE OR REPLACE TABLE searches AS
        WITH ordered AS (
            SELECT *, moment - lag(moment) OVER (PARTITION BY client ORDER BY moment, search)
                > INTERVAL '{gap_minutes * 60} seconds' AS new
            FROM searches WHERE reason IS NULL
        ), numbered AS (
            SELECT *, sum(coalesce(new, false)::INTEGER) OVER (PARTITION BY client ORDER BY moment, search) AS number
            FROM ordered
        )
        SELECT numbered.* EXCLUDE (session, new, number), coalesce(
            numbered.session, logged_sessions.session,
            CASE WHEN client IS NOT NULL THEN hash(client, number) END, hash(search)
        ) AS session
        FROM numbered LEFT JOIN logged_sessions USING (search)
        UNION ALL BY NAME
        SELECT * EXCLUDE (session), NULL::UBIGINT AS session FROM searches WHERE reason IS NOT NULL""")
    database.execute("DROP TABLE logged_sessions")
