"""A table or view of PostgreSQL that somebody's application searches: its passages and vectors, read in one stream."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import psycopg
from psycopg.sql import SQL, Composable, Identifier

from lexitune.errors import DataError, UsageError
from lexitune.settings import did_you_mean
from lexitune.stores.postgres import connect, read_target, speaking
from lexitune.stores.store import Matrix, useless_rows
from lexitune.types import Doc

__all__ = ["PgvectorTable"]

BATCH = 5_000
VECTORS = ("vector", "halfvec")
TEXTS = ("text", "content", "body", "passage", "chunk", "document", "page_content")
IDS = ("doc_id", "id", "uuid")
TITLES = ("title",)
KEPT = ("r", "p", "m")  # kinds of relations that hold rows: a table, in partitions too, and a materialised view


class PgvectorTable:
    """A table that serves. Columns that are not named are found where there is one choice, and asked for where not.

    Args:
        target: A connection in libpq's form; what it leaves out comes from PGHOST, PGPASSWORD and ~/.pgpass.
        table: Its name, with a schema before it where it has one.
        doc_id: Column of ids; empty: `doc_id` or `id`.
        text: Column of texts; empty: `text`, `content`, `document` and the like.
        vector: Column of vectors; empty: the only one of that type.
        title: Column of titles; empty: `title`, where there is one.
        metadata: Column of JSON; empty: the only one of that type, where there is one.

    Raises:
        UsageError: The address holds a password, or cannot be read.
    """

    def __init__(
        self,
        target: str = "",
        *,
        table: str,
        doc_id: str = "",
        text: str = "",
        vector: str = "",
        title: str = "",
        metadata: str = "",
    ) -> None:
        self.target, self.name, self.skipped = read_target(target), table, 0
        self.asked = {"doc_id": doc_id, "text": text, "vector": vector, "title": title, "metadata": metadata}

    def state(self) -> str:
        with speaking(), connect(self.target) as db:
            oid = self._oid(db)
            kind = db.execute("SELECT relkind::text FROM pg_class WHERE oid = %s", (oid,)).fetchone() or ("",)
            # A row that is written anew bears the number of the transaction that wrote it; a row of a view bears none.
            each = "each_row.xmin::text::bigint" if kind[0] in KEPT else "hashtextextended(each_row::text, 0)::numeric"
            query = SQL("SELECT count(*), sum({}) FROM {} AS each_row").format(SQL(each), self._table())
            return ":".join(map(str, db.execute(query).fetchone() or ()))

    def read(self) -> Iterator[tuple[Sequence[Doc], Matrix]]:
        self.skipped, width = 0, 0
        with speaking(), connect(self.target) as db:
            columns, kind = self._columns(db)
            query = SQL("COPY (SELECT {} FROM {}) TO STDOUT WITH (FORMAT BINARY)").format(
                SQL(", ").join(_cast(columns.get(name), name) for name in self.asked), self._table()
            )
            docs, rows = list[Doc](), list[Matrix]()
            with db.cursor() as cursor, cursor.copy(query) as stream:
                stream.set_types(["text", "text", kind, "text", "text"])
                for doc_id, text, vector, title, metadata in stream.rows():
                    if vector is None or text is None or doc_id is None:
                        self.skipped += 1
                        continue
                    docs.append(Doc(doc_id, text, title or "", _fields(metadata, columns.get("metadata", ""))))
                    rows.append(vector.to_numpy())
                    width = width or len(rows[0])
                    if len(docs) == BATCH:
                        yield docs, _sound(docs, rows, width)
                        docs, rows = [], []
            if docs:
                yield docs, _sound(docs, rows, width)

    def _table(self) -> Identifier:
        return Identifier(*self.name.split("."))

    def _oid(self, db: psycopg.Connection[Any]) -> int:
        """PostgreSQL's number of it.

        Raises:
            DataError: There is no such table.
        """
        (oid,) = db.execute("SELECT to_regclass(%s)::oid", (self._table().as_string(db),)).fetchone() or (None,)
        if oid is None:
            raise DataError("E3146", f"there is no table '{self.name}'", fix="give table=SCHEMA.NAME")
        return int(oid)

    def _columns(self, db: psycopg.Connection[Any]) -> tuple[dict[str, str], str]:
        """The column of each part, and the type of the vectors.

        Raises:
            DataError: There is no such table.
            UsageError: A column is not there, or not to be told.
        """
        rows = db.execute(
            "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute "
            "WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped",
            (self._oid(db),),
        )
        types = dict(rows.fetchall())
        found = {}
        for part, fitting, needed in (
            ("doc_id", [name for name in IDS if name in types], True),
            ("text", [name for name in TEXTS if name in types], True),
            ("vector", [name for name, kind in types.items() if kind in VECTORS], True),
            ("title", [name for name in TITLES if name in types], False),
            ("metadata", [name for name, kind in types.items() if kind in ("jsonb", "json")], False),
        ):
            if column := self._column(part, fitting, types, needed=needed):
                found[part] = column
        return found, types[found["vector"]]

    def _column(self, part: str, fitting: Sequence[str], types: Mapping[str, str], *, needed: bool) -> str | None:
        if asked := self.asked[part]:
            if asked not in types:
                raise UsageError("E2001", f"'{self.name}' has no column '{asked}'", fix=did_you_mean(asked, types))
            return asked
        if len(fitting) == 1 or (fitting and part in ("doc_id", "text")):
            return fitting[0]
        if needed or fitting:
            raise UsageError(
                "E2012",
                f"which column of '{self.name}' is the {part}? it has {', '.join(types)}",
                fix=f"add ,{part}=COLUMN to the spec",
            )
        return None


def _cast(column: str | None, part: str) -> Composable:
    if column is None:
        return SQL("NULL::text")
    return Identifier(column) if part == "vector" else Identifier(column) + SQL("::text")


def _fields(metadata: str | None, column: str) -> dict[str, Any]:
    """A column of JSON as metadata; what is no object stands under the column's name."""
    found = json.loads(metadata) if metadata else None
    if found is None:
        return {}
    return found if isinstance(found, dict) else {column: found}


def _sound(docs: Sequence[Doc], rows: Sequence[Matrix], width: int) -> Matrix:
    """The vectors of a batch as one matrix.

    Raises:
        DataError: One is of another width, not finite, or all zeros: nothing would find it, or everything.
    """
    if any(len(row) != width for row in rows):
        raise DataError(
            "E3142", "the table holds vectors of several widths", fix="choose the rows of one model by a view"
        )
    found = np.array(rows, dtype=np.float32)
    for row in useless_rows(found):
        raise DataError(
            "E3141", f"the vector of '{docs[row].doc_id}' is not finite, or all zeros", fix="encode that text again"
        )
    return found
