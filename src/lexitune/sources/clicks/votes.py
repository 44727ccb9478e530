"""Clicks joined with what was shown: one vote a session, counted by query, passage and rank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from lexitune.sources.clicks.counts import Counts, Whole
from lexitune.sources.clicks.database import literal
from lexitune.sources.clicks.options import LogsOptions
from lexitune.sources.clicks.searches import leave_out

if TYPE_CHECKING:
    import duckdb

__all__ = ["cast_votes", "read_counts", "reformulations", "skipped"]

IMPRESSIONS = "'impression', 'view_search_results', 'shown'"
UNKNOWN = "'a passage that is not in the corpus'"
NEXT_MINUTES = 5  # a query asked so soon after one without a click is that one, said anew


def cast_votes(
    database: duckdb.DuckDBPyConnection,
    first: Mapping[str, int | None],
    options: LogsOptions,
    *,
    corpus: Sequence[str] | None,
) -> bool:
    """Make `docs` (passages and their numbers) and `votes` (session, text, doc, rank, clicked) of `raw` and `searches`.

    Args:
        first: Of each source, the number of its first position.
        corpus: Ids that exist; what is none of them is left out. None: all are taken for real.

    Returns:
        Whether the log tells what was shown. If not, a vote is a click, at the rank that it names, if any.
    """
    _number_docs(database, corpus)
    _show(database, first)
    shown = database.execute("SELECT count(*) FROM shown").fetchone()
    has_shown = bool(shown and shown[0])
    _click(database, first, options, has_shown=has_shown)
    # A passage that was shown twice in a session stands at its best rank.
    source = "SELECT session, text, doc, rank, false AS clicked FROM shown UNION ALL " if has_shown else ""
    rank = "NULL" if has_shown else "rank"
    database.execute(f"""
        CREATE TABLE votes AS SELECT session, text, doc, min(rank) AS rank, bool_or(clicked) AS clicked FROM (
            {source} SELECT session, text, doc, {rank} AS rank, true AS clicked FROM clicks WHERE reason IS NULL
        ) GROUP BY session, text, doc""")
    if has_shown:
        _leave_out_unseen(database)
    return has_shown


def _number_docs(database: duckdb.DuckDBPyConnection, corpus: Sequence[str] | None) -> None:
    """The names of passages as the log spells them, each with the id and number that it stands for."""
    known = ""
    if corpus is not None:
        database.execute("CREATE TABLE corpus AS SELECT unnest(?::VARCHAR[]) AS id", [list(corpus)])
        known = "JOIN corpus USING (id)"
    database.execute(f"""
        CREATE TABLE docs AS SELECT name, id, dense_rank() OVER (ORDER BY id)::INTEGER - 1 AS doc FROM (
            SELECT name, nfc_normalize(trim(name)) AS id FROM (
                SELECT doc AS name FROM raw UNION SELECT unnest(shown) FROM searches
            ) WHERE trim(name) <> ''
        ) {known}""")


def _rank(first: Mapping[str, int | None]) -> str:
    cases = " ".join(f"WHEN {literal(source)} THEN {one}" for source, one in first.items() if one is not None)
    start = f"CASE raw.source {cases} END" if cases else "NULL"
    return f"CASE WHEN raw.position >= {start} THEN raw.position - {start} + 1 END"


def _show(database: duckdb.DuckDBPyConnection, first: Mapping[str, int | None]) -> None:
    """What searches were shown: their lists, and where a search has none, impression events with a position."""
    database.execute(f"""
        CREATE TABLE shown AS
        SELECT session, text, docs.doc, rank FROM (
            SELECT session, text, unnest(shown) AS name, unnest(range(1, len(shown) + 1))::INTEGER AS rank
            FROM searches WHERE reason IS NULL
        ) JOIN docs USING (name)
        UNION ALL
        SELECT searches.session, searches.text, docs.doc, {_rank(first)} AS rank
        FROM raw JOIN searches USING (search) JOIN docs ON docs.name = raw.doc
        WHERE lower(raw.action) IN ({IMPRESSIONS}) AND searches.reason IS NULL
            AND coalesce(len(searches.shown), 0) = 0 AND {_rank(first)} IS NOT NULL""")
    # Where a search has a list, its impressions say again what that says.
    database.execute(f"""
        INSERT INTO left_out SELECT 'impressions', CASE
            WHEN trim(raw.doc) = '' THEN 'it names no passage'
            WHEN searches.search IS NULL THEN 'its search is not in the log'
            WHEN searches.reason IS NOT NULL THEN 'its search was left out'
            WHEN docs.doc IS NULL THEN {UNKNOWN}
            WHEN coalesce(len(searches.shown), 0) = 0 AND {_rank(first)} IS NULL THEN 'it has no position'
        END AS why, count(*)
        FROM raw LEFT JOIN searches USING (search) LEFT JOIN docs ON docs.name = raw.doc
        WHERE raw.doc IS NOT NULL AND lower(raw.action) IN ({IMPRESSIONS}) GROUP BY ALL""")


def _click(
    database: duckdb.DuckDBPyConnection, first: Mapping[str, int | None], options: LogsOptions, *, has_shown: bool
) -> None:
    actions = ", ".join(literal(name.strip().lower()) for name in options.click_actions.split(","))
    database.execute(f"""
        CREATE TABLE clicks AS SELECT searches.session, searches.text, searches.source, docs.doc,
            {_rank(first)} AS rank, raw.search, raw.moment, raw.dwell, CASE
                WHEN trim(raw.doc) = '' THEN 'it names no passage'
                WHEN raw.has_time AND raw.moment IS NULL THEN 'a time that cannot be read'
                WHEN searches.search IS NULL THEN 'its search is not in the log'
                WHEN searches.reason IS NOT NULL THEN 'its search was left out'
                WHEN docs.doc IS NULL THEN {UNKNOWN}
                WHEN raw.moment < searches.moment THEN 'before its search'
                WHEN raw.moment > searches.moment + INTERVAL '{options.click_minutes * 60} seconds'
                    THEN 'more than {options.click_minutes:g} minutes after its search'
            END AS reason
        FROM raw LEFT JOIN searches USING (search) LEFT JOIN docs ON docs.name = raw.doc
        WHERE raw.doc IS NOT NULL AND lower(raw.action) IN ({actions})""")
    _mark_short(database, options)
    database.execute(f"""
        INSERT INTO left_out SELECT 'clicks', reason, count(*) FROM clicks GROUP BY reason
        UNION ALL SELECT 'events', 'an action that is neither a click nor an impression', count(*) FROM raw
        WHERE doc IS NOT NULL AND (action IS NULL OR lower(action) NOT IN ({IMPRESSIONS}, {actions}))""")


def _mark_short(database: duckdb.DuckDBPyConnection, options: LogsOptions) -> None:
    """Dwell is what the log gives, else the time to the session's next search or click; the last one has none."""
    if options.clicks != "satisfied":
        return
    database.execute(f"""
        CREATE OR REPLACE TABLE clicks AS
        WITH steps AS (
            SELECT session, moment FROM clicks WHERE reason IS NULL AND moment IS NOT NULL
            UNION SELECT session, moment FROM searches WHERE reason IS NULL AND moment IS NOT NULL
        ), following AS (
            SELECT session, moment, lead(moment) OVER (PARTITION BY session ORDER BY moment) - moment AS gap FROM steps
        ), measured AS (
            SELECT clicks.*, coalesce(clicks.dwell, epoch(following.gap)) AS stay
            FROM clicks LEFT JOIN following ON clicks.session = following.session AND clicks.moment = following.moment
        ), bounds AS (
            SELECT source, quantile_cont(stay, {options.short_share}) AS bound FROM measured
            WHERE reason IS NULL AND stay IS NOT NULL GROUP BY source
        )
        SELECT measured.* EXCLUDE (stay, reason), coalesce(
            reason, CASE WHEN stay < bound THEN 'left again soon: among the shortest of its source' END
        ) AS reason
        FROM measured LEFT JOIN bounds ON measured.source = bounds.source""")


def _leave_out_unseen(database: duckdb.DuckDBPyConnection) -> None:
    unseen = "clicks ANTI JOIN shown USING (session, text, doc) WHERE reason IS NULL"
    _take_back(database, unseen, "not among what was shown")
    database.execute("DELETE FROM votes WHERE rank IS NULL")


def _take_back(database: duckdb.DuckDBPyConnection, clicks: str, reason: str) -> None:
    """Clicks that seemed to count and do not."""
    found = database.execute(f"SELECT count(*) FROM {clicks}").fetchone()
    if found and found[0]:
        leave_out(database, "clicks", reason, found[0])
        leave_out(database, "clicks", None, -found[0])


def read_counts(database: duckdb.DuckDBPyConnection, depth: int) -> tuple[Counts, Whole, Whole]:
    """Votes by query, passage and rank down to `depth`.

    Returns:
        The counts; and for each pair the number of its text in `keys` and of its passage in `docs`.
    """
    database.execute(f"""
        CREATE OR REPLACE TABLE counted AS SELECT text, doc, coalesce(rank, 1) AS rank, count(*) AS shown,
            count(*) FILTER (clicked) AS clicked
        FROM votes WHERE coalesce(rank, 1) <= {depth} GROUP BY ALL""")
    deep = f"clicks JOIN votes USING (session, text, doc) WHERE clicks.reason IS NULL AND votes.rank > {depth}"
    _take_back(database, deep, f"below rank {depth} (--depth)")
    rows = database.execute("""
        SELECT dense_rank() OVER (ORDER BY text) - 1 AS query, dense_rank() OVER (ORDER BY text, doc) - 1 AS pair,
            text, doc, rank::BIGINT AS rank, shown, clicked
        FROM counted ORDER BY text, doc, rank""").fetchnumpy()
    counts = Counts(*(rows[name].astype(np.int64) for name in ("query", "pair", "rank", "shown", "clicked")))
    _, first = np.unique(counts.pair, return_index=True)
    return counts, rows["text"][first].astype(np.int64), rows["doc"][first].astype(np.int64)


def skipped(database: duckdb.DuckDBPyConnection, least: int) -> list[tuple[int, int, int]]:
    """Text, passage and in how many sessions it was passed over for one below; nobody clicked it for that text.

    What stands below the last click was perhaps never seen, and is not among them (Joachims et al. 2005).
    """
    return database.execute(f"""
        WITH last AS (SELECT session, text, max(rank) AS rank FROM votes WHERE clicked GROUP BY session, text)
        SELECT votes.text, votes.doc, count(*) FILTER (NOT clicked AND votes.rank < last.rank) AS times
        FROM votes LEFT JOIN last USING (session, text)
        GROUP BY votes.text, votes.doc HAVING times >= {least} AND count(*) FILTER (clicked) = 0
        ORDER BY votes.text, votes.doc""").fetchall()


def reformulations(database: duckdb.DuckDBPyConnection, least: int) -> list[tuple[int, int, int]]:
    """Text, passage and in how many sessions a search without a click was asked anew, and then the passage clicked.

    It is the last click of the search that followed within minutes (Radlinski and Joachims 2005).
    """
    return database.execute(f"""
        WITH last AS (
            SELECT search, arg_max(doc, (moment, -coalesce(rank, 0), doc)) AS doc
            FROM clicks WHERE reason IS NULL GROUP BY search
        ), ordered AS (
            SELECT session, text, search, doc, lead(text) OVER chain AS next_text, lead(doc) OVER chain AS next_doc,
                lead(moment) OVER chain - moment AS gap
            FROM searches LEFT JOIN last USING (search) WHERE reason IS NULL AND moment IS NOT NULL
            WINDOW chain AS (PARTITION BY session ORDER BY moment, search)
        )
        SELECT text, next_doc, count(DISTINCT session) AS times FROM ordered
        WHERE doc IS NULL AND next_doc IS NOT NULL AND next_text <> text AND gap <= INTERVAL {NEXT_MINUTES} MINUTE
        GROUP BY text, next_doc HAVING times >= {least} ORDER BY text, next_doc""").fetchall()
