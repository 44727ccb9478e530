"""A search log as votes: the files read, cleaned and counted, and what was found on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lexitune.errors import DataError
from lexitune.io.beir import made_id
from lexitune.io.quarantine import Quarantine
from lexitune.sources.clicks.database import log_database
from lexitune.sources.clicks.files import look_at
from lexitune.sources.clicks.formats import parse_map, recognise
from lexitune.sources.clicks.judging import Votes
from lexitune.sources.clicks.load import Loaded, load
from lexitune.sources.clicks.options import LogsOptions
from lexitune.sources.clicks.searches import build_searches, count_kept, count_left_out, leave_out
from lexitune.sources.clicks.votes import cast_votes, read_counts, reformulations, skipped
from lexitune.types import Silent, Talk

if TYPE_CHECKING:
    import duckdb

__all__ = ["Log", "read_votes"]

STEPS = 5


@dataclass(frozen=True, eq=False)
class Log:
    """A log, read.

    Attributes:
        words: Each text of the votes, as it was asked most often.
        rows: Of each file; files of one name are one.
        kept: Of "clicks" and "impressions", how many count. They and what was left out are all events of the log.
        left_out: "rows", "searches", "clicks", "impressions" or "events", the reason, and how many.
        masked: Kinds of personal data, and in how many different texts they were replaced.
        span: The first and the last day; empty texts where the log bears no times.
    """

    votes: Votes
    words: Sequence[str]
    loaded: Loaded
    rows: Mapping[str, int]
    searches: int
    sessions: int
    kept: Mapping[str, int]
    left_out: Sequence[tuple[str, str, int]]
    masked: Counter[str]
    span: tuple[str, str]


def read_votes(
    paths: Sequence[Path],
    *,
    folder: Path,
    options: LogsOptions,
    corpus: Sequence[str] | None = None,
    quarantine: Quarantine | None = None,
    talk: Talk | None = None,
) -> Log:
    """Read search logs of any size: what does not fit in memory is spilled.

    Args:
        paths: Files of User Behavior Insights (queries and events), of Algolia, or by the options' map.
        folder: Where the database may spill; it is left as it was.
        corpus: Ids of the passages that exist; None: all that are clicked are taken for real.
        quarantine: Takes the lines that cannot be read.

    Raises:
        DataError: A file cannot be read, or not told what it is; times without a zone; no search at all.
        UsageError: DuckDB is missing, or options that do not fit the log.
    """
    talk, quarantine = talk or Silent(), quarantine or Quarantine()
    columns = parse_map(options.map) if options.map else None
    with log_database(folder) as database:
        talk.progress("logs", 0, STEPS, "reading")
        files = [look_at(path, database) for path in paths]
        forms = [(file, recognise(file, columns)) for file in files]
        loaded = load(database, forms, zone=options.timezone, first=options.first_position, quarantine=quarantine)
        talk.progress("logs", 2, STEPS, "searches")
        masked = build_searches(database, options)
        if loaded.empty:
            leave_out(database, "rows", "nothing of a search or event in it", loaded.empty)
        _refuse_none(database, paths)
        talk.progress("logs", 3, STEPS, "clicks")
        has_shown = cast_votes(database, loaded.first, options, corpus=corpus)
        talk.progress("logs", 4, STEPS, "votes")
        votes, words = _gather(database, options, has_shown=has_shown)
        searches, sessions, *span = _facts(database)
        kept, left_out = count_kept(database), count_left_out(database)
    talk.progress("logs", STEPS, STEPS)
    rows = Counter[str]()
    for path, count in zip(paths, loaded.rows, strict=True):
        rows[path.name] += count
    return Log(votes, words, loaded, rows, searches, sessions, kept, left_out, masked, (span[0], span[1]))


def _refuse_none(database: duckdb.DuckDBPyConnection, paths: Sequence[Path]) -> None:
    found = database.execute("SELECT count(*) FROM searches WHERE reason IS NULL").fetchone()
    if found and not found[0]:
        why = "; ".join(f"{rows:,} {what}: {reason}" for what, reason, rows in count_left_out(database))
        problem = f"{', '.join(path.name for path in paths)}: no search is left" + (f" ({why})" if why else "")
        raise DataError("E3003", problem, fix="give the file of searches beside that of events, or a --map with query=")


def _gather(
    database: duckdb.DuckDBPyConnection, options: LogsOptions, *, has_shown: bool
) -> tuple[Votes, Sequence[str]]:
    counts, text, doc = read_counts(database, options.depth)
    words = [row[0] for row in database.execute("SELECT words FROM keys ORDER BY text").fetchall()]
    names = [row[1] for row in database.execute("SELECT DISTINCT doc, id FROM docs ORDER BY doc").fetchall()]
    sessions = np.zeros(len(words), np.int64)
    found = database.execute("""
        SELECT text, count(DISTINCT session) AS sessions FROM searches
        WHERE reason IS NULL GROUP BY text""").fetchnumpy()
    sessions[found["text"].astype(np.int64)] = found["sessions"]
    passed = skipped(database, options.least_skipped) if has_shown else []
    anew = reformulations(database, options.least_skipped)
    query_ids = [made_id("q", one) for one in words]
    return Votes(counts, text, doc, query_ids, names, sessions, passed, anew, has_shown), words


def _facts(database: duckdb.DuckDBPyConnection) -> tuple[int, int, str, str]:
    """Searches, sessions, and the days of the first and the last."""
    found = database.execute("""
        SELECT count(*), count(DISTINCT session), coalesce(strftime(min(moment), '%Y-%m-%d'), ''),
            coalesce(strftime(max(moment), '%Y-%m-%d'), '') FROM searches WHERE reason IS NULL""").fetchone()
    assert found is not None
    return int(found[0]), int(found[1]), str(found[2]), str(found[3])
