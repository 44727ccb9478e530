"""Parts of traces on disk while files are read: a trace's steps may stand far apart, and memory holds one at a time."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import groupby
from pathlib import Path

from lexitune.io.atomic import TEMPORARY, remove
from lexitune.sources.traces.trace import Context, Feedback, Part

__all__ = ["add_feedback", "add_part", "feedback_on", "scales_of", "spilled_traces", "trace_database"]

SCHEMA = """
CREATE TABLE parts (trace TEXT, part TEXT, body TEXT, PRIMARY KEY (trace, part));
CREATE TABLE feedback (about TEXT, mark TEXT, name TEXT, number REAL, label TEXT, PRIMARY KEY (about, mark));
CREATE TABLE names (doc TEXT, key TEXT, PRIMARY KEY (doc, key)) WITHOUT ROWID;
CREATE TABLE docs (doc TEXT PRIMARY KEY, text TEXT);
CREATE TABLE asked (key TEXT, words TEXT, body TEXT);
CREATE INDEX asked_by_key ON asked (key);
"""


@contextmanager
def trace_database(folder: Path) -> Iterator[sqlite3.Connection]:
    """A database in a file of `folder` that is removed in the end."""
    place = folder / f"{TEMPORARY}traces"
    remove(place)
    place.mkdir(parents=True)
    try:
        with closing(sqlite3.connect(place / "traces.db")) as database:
            # It is gone after a crash in any case, so nothing is kept safe for one.
            database.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + SCHEMA)
            yield database
    finally:
        remove(place)


def add_part(database: sqlite3.Connection, part: Part) -> None:
    """Keep a part. One that was exported twice counts once; where the two differ, the longer one does."""
    database.execute(
        """INSERT INTO parts VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET body = excluded.body
        WHERE (length(excluded.body), excluded.body) > (length(body), body)""",
        (part.trace_id, part.part_id, json.dumps(part, ensure_ascii=False)),
    )


def add_feedback(database: sqlite3.Connection, one: Feedback) -> None:
    """Keep a score; one that was exported twice counts once."""
    number, label = (None, one.value) if isinstance(one.value, str) else (one.value, None)
    row = (one.about, one.mark, one.name, number, label)
    database.execute(
        """INSERT INTO feedback VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET number = excluded.number,
        label = excluded.label WHERE (coalesce(excluded.number, 0), coalesce(excluded.label, ''))
        > (coalesce(number, 0), coalesce(label, ''))""",
        row,
    )


def spilled_traces(database: sqlite3.Connection) -> Iterator[list[Part]]:
    """The parts of each trace, by its id."""
    rows = database.execute("SELECT trace, body FROM parts ORDER BY trace, part")
    for _, group in groupby(rows, key=lambda row: row[0]):
        yield [_part(json.loads(body)) for _, body in group]


def _part(row: Sequence[object]) -> Part:
    found = Part(*row)  # type: ignore[arg-type]
    return found._replace(contexts=[Context(doc_id, text, tuple(names)) for doc_id, text, names in found.contexts])


def feedback_on(database: sqlite3.Connection, ids: Sequence[str]) -> list[Feedback]:
    """Scores of a trace or of any of its parts."""
    rows = database.execute(
        "SELECT about, mark, name, number, label FROM feedback WHERE about IN (SELECT value FROM json_each(?))",
        (json.dumps(ids),),
    )
    return [
        Feedback(about, mark, name, number if label is None else label) for about, mark, name, number, label in rows
    ]


def scales_of(database: sqlite3.Connection) -> dict[str, tuple[float, float, int]]:
    """The least and the largest number of each score, and how many there are."""
    rows = database.execute(
        "SELECT name, min(number), max(number), count(number) FROM feedback WHERE number IS NOT NULL "
        "GROUP BY name ORDER BY name"
    )
    return {name: (least, most, count) for name, least, most, count in rows}
