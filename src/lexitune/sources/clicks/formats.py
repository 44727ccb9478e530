"""Formats of search logs, each as a SELECT of the same raw columns: User Behavior Insights, Algolia, or by a map."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from lexitune.errors import DataError, UsageError
from lexitune.settings import did_you_mean
from lexitune.sources.clicks.database import identifier
from lexitune.sources.clicks.files import LogFile

__all__ = ["Format", "parse_map", "recognise"]

RAW = (
    "moment", "search", "query", "client", "session", "source", "action",
    "doc", "position", "shown", "address", "agent", "dwell",
)  # fmt: skip
"""Columns of a raw row: texts as they came, but for `shown`, the ids in the order returned. One with `doc` is an event,
one without a search. Both name their `search`, where the log has an id for it."""

FIELDS = (*RAW, "clicked", "time")
"""What a map may name. `time` is `at`; `clicked` says of a row of what was shown whether it was clicked."""


class Format(NamedTuple):
    """How a file is read.

    Attributes:
        name: For the user.
        rows: SQL that gives the raw columns.
        first: The number of the first position, where the format lays it down.
    """

    name: str
    rows: str
    first: int | None = None


def recognise(file: LogFile, columns: Mapping[str, str] | None) -> Format:
    """The format of a file by its columns; with `columns` (`parse_map`), what those say.

    Raises:
        DataError: It is of no known format, or lacks a column of the map.
    """
    if columns is not None:
        return _mapped(file, columns)
    names = set(file.columns)
    if "action_name" in names:
        return Format("UBI events", _ubi_events(file))
    if "user_query" in names:
        return Format("UBI queries", _ubi_queries(file))
    if {"eventType", "objectIDs"} <= names:
        return Format("Algolia events", _algolia_events(file), 1)
    if {"queryID", "query"} <= names:
        return Format("Algolia searches", _algolia_searches(file), 1)
    raise DataError(
        "E3007",
        f"{file.path} has the columns {', '.join(map(repr, file.columns[:12]))}: neither UBI nor Algolia",
        fix="say what they are, such as --map query=col3,doc=url,time=ts,session=sid",
    )


def _select(rows: str, **columns: str) -> str:
    """SELECT of all raw columns, those not named being NULL."""
    types = {"shown": "VARCHAR[]"}
    wanted = ", ".join(
        f"CAST({columns.get(name, 'NULL')} AS {types.get(name, 'VARCHAR')}) AS {identifier(name)}" for name in RAW
    )
    return f"SELECT {wanted} FROM ({rows})"


def _is_row(rows: str, *names: str) -> str:
    """A broken row is NULL in all columns, a whole one in none of these."""
    return f"SELECT * FROM ({rows}) WHERE coalesce({', '.join(names)}) IS NOT NULL"


def _ubi_queries(file: LogFile) -> str:
    nested = file.form == "json"
    columns = ("query_id", "user_query", "client_id", "session_id", "user_id", "application", "timestamp")
    rows = file.read(dict.fromkeys(columns, "VARCHAR") | {"query_response_hit_ids": "VARCHAR[]"})
    hits = "query_response_hit_ids" if nested else _list("query_response_hit_ids")
    return _select(
        rows,
        moment="timestamp",
        search="query_id",
        query="coalesce(user_query, CASE WHEN query_id IS NOT NULL THEN '' END)",
        client="coalesce(client_id, user_id)",
        session="session_id",
        source="application",
        shown=f"coalesce({hits}, [])",
    )


def _ubi_events(file: LogFile) -> str:
    columns = dict.fromkeys(
        ("action_name", "query_id", "user_query", "client_id", "session_id", "user_id", "application", "timestamp"),
        "VARCHAR",
    )
    if file.form == "json":
        columns["event_attributes"] = (
            "STRUCT(object STRUCT(object_id VARCHAR), position STRUCT(ordinal VARCHAR), "
            "dwell_time VARCHAR, ip VARCHAR, user_agent VARCHAR)"
        )
        inner = "event_attributes."
    else:  # as tables flatten it
        columns |= dict.fromkeys(("object_id", "ordinal", "dwell_time", "ip", "user_agent"), "VARCHAR")
        inner = ""
    nested = bool(inner)
    return _select(
        file.read(columns),
        moment="timestamp",
        search="query_id",
        query="user_query",
        client="coalesce(client_id, user_id)",
        session="session_id",
        source="application",
        action="action_name",
        doc=f"coalesce({inner}{'object.' if nested else ''}object_id, CASE WHEN action_name IS NOT NULL THEN '' END)",
        position=f"{inner}{'position.' if nested else ''}ordinal",
        dwell=f"{inner}dwell_time",
        address=f"{inner}ip",
        agent=f"{inner}user_agent",
    )


def _algolia_searches(file: LogFile) -> str:
    nested = file.form == "json"
    columns = dict.fromkeys(("queryID", "query", "timestamp", "userToken", "index"), "VARCHAR")
    rows = file.read(columns | {"hits": "STRUCT(objectID VARCHAR)[]" if nested else "VARCHAR"})
    hits = "list_transform(hits, lambda hit: hit.objectID)" if nested else _list("hits")
    return _select(
        rows,
        moment='"timestamp"',
        search='"queryID"',
        query="coalesce(query, CASE WHEN \"queryID\" IS NOT NULL THEN '' END)",
        client='"userToken"',
        source='"index"',
        shown=f"coalesce({hits}, [])",
    )


def _algolia_events(file: LogFile) -> str:
    nested = file.form == "json"
    columns = dict.fromkeys(("eventType", "eventName", "queryID", "timestamp", "userToken", "index"), "VARCHAR")
    lists = "VARCHAR[]" if nested else "VARCHAR"
    rows = file.read(columns | {"objectIDs": lists, "positions": lists})
    docs, positions = ('"objectIDs"', "positions") if nested else (_list('"objectIDs"'), _list("positions"))
    # An event without objects stays one row, to be counted.
    places = f"coalesce({positions}, [])[:len({docs})]"
    opened = (
        f"SELECT *, unnest(CASE WHEN len({docs}) > 0 THEN {docs} WHEN \"eventType\" IS NOT NULL THEN [''] "
        f"ELSE [NULL] END) AS doc, unnest(CASE WHEN len({docs}) > 0 THEN {places} ELSE [NULL] END) AS place "
        f"FROM ({rows})"
    )
    return _select(
        opened,
        moment='"timestamp"',
        search='"queryID"',
        client='"userToken"',
        source='"index"',
        action="CASE \"eventType\" WHEN 'view' THEN 'impression' ELSE \"eventType\" END",
        doc="coalesce(doc, CASE WHEN \"eventType\" IS NOT NULL THEN '' END)",
        position="place",
    )


def _list(column: str) -> str:
    """A list that stands in one cell: JSON, or parted by | or a comma."""
    return (
        f"CASE WHEN {column} LIKE '[%' THEN TRY_CAST(TRY_CAST({column} AS JSON) AS VARCHAR[]) "
        f"ELSE string_split_regex({column}, '\\s*[|,]\\s*') END"
    )


def parse_map(text: str) -> dict[str, str]:
    """`query=col3,doc=url` as a mapping of field to column.

    Raises:
        UsageError: A field that no log has, one given twice, or none for the query.

    Example:
        >>> parse_map("query=col3, doc=url")
        {'query': 'col3', 'doc': 'url'}
    """
    found: dict[str, str] = {}
    for part in text.split(","):
        name, _, column = (piece.strip() for piece in part.partition("="))
        if name not in FIELDS:
            raise UsageError("E2001", f"--map {part.strip()}: no log has '{name}'", fix=did_you_mean(name, FIELDS))
        name = "moment" if name == "time" else name
        if not column or name in found:
            what = "twice" if name in found else "without a column"
            raise UsageError("E2012", f"--map names {name} {what}", fix="--map query=col3,doc=url")
        found[name] = column
    if "query" not in found and "search" not in found:
        raise UsageError("E2012", f"--map {text} does not say which column is the query", fix="add query=COLUMN")
    return found


def _mapped(file: LogFile, columns: Mapping[str, str]) -> Format:
    tops = {name: _top(file, column) for name, column in columns.items()}
    rows = file.read(dict.fromkeys(tops.values(), "JSON" if file.form == "json" else "VARCHAR"))
    given = {name: _value(file, tops[name], column) for name, column in columns.items()}
    clicked = given.pop("clicked", None)
    if shown := given.get("shown"):
        given["shown"] = _list(shown)
    if clicked:
        given["action"] = (
            f"unnest(CASE WHEN lower({clicked}) IN ('1', 'true', 't', 'yes', 'y', '1.0') "
            "THEN ['impression', 'click'] ELSE ['impression'] END)"
        )
    elif "doc" in given and "action" not in given:
        given["action"] = "'click'"
    return Format("by the map", _select(rows, **given))


def _top(file: LogFile, column: str) -> str:
    """The column's name in the file; `col3` is the third, where none is called so."""
    if column in file.columns:
        return column
    numbered = re.fullmatch(r"col(\d+)", column)
    if numbered and 0 < int(numbered[1]) <= len(file.columns):
        return file.columns[int(numbered[1]) - 1]
    head = column.partition(".")[0]
    if file.form == "json" and head in file.columns:
        return head
    known = ", ".join(map(repr, file.columns[:12]))
    raise DataError("E3007", f"{file.path} has no column '{column}'; it has {known}", fix="name one of these in --map")


def _value(file: LogFile, top: str, column: str) -> str:
    if file.form != "json":
        return identifier(top)
    path = "" if column == top else column.partition(".")[2]
    steps = "".join(f'."{step}"' for step in path.split(".")) if path else ""
    return f"json_extract_string({identifier(top)}, '$" + steps.replace("'", "''") + "')"
