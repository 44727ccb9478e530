"""PostgreSQL with pgvector: a table for each index, a view as the alias, a table of stamps.

A view is replaced in one transaction, so a reader sees the old index or the new one. The vectors are searched by inner
product; a table above `hnsw_from` rows gets an HNSW index, a smaller one is read whole, which is exact.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import psycopg
from pgvector import HalfVector
from pgvector.psycopg import register_vector
from psycopg import errors as refusals
from psycopg.sql import SQL, Composed, Identifier, Literal
from psycopg.types.json import Jsonb

from lexitune.errors import StageFailed, UsageError
from lexitune.io.hits import Hits
from lexitune.registry import Spec
from lexitune.stores.postgres import connect, grants_on, kind_of, knows_vectors, read_target, speaking, table_behind
from lexitune.stores.store import (
    Filter,
    Matrix,
    Stamp,
    check_rows,
    facet,
    facets_of,
    no_index,
    no_passage,
    not_dropped,
    same_stamp,
    taken,
)
from lexitune.types import Doc

__all__ = ["PgvectorStore"]

STAMPS = "lexitune_indexes"
LONGEST = 40  # bytes of the view; with what indexes add it must stay below the 63 at which PostgreSQL cuts names
WIDEST = 2000  # dimensions that HNSW takes of a `vector`; of a `halfvec` twice as many
FETCH = 20_000  # rows a round trip
COLUMNS = ("doc_id", "title", "text", "metadata", "facets", "row_hash", "embedding")


class PgvectorStore:
    """Passages in tables `TABLE_<key>`, and the view TABLE over the one that serves.

    Args:
        target: A connection in libpq's form; what it leaves out comes from PGHOST, PGPASSWORD and ~/.pgpass.
        table: The view's name, with a schema before it where it has one.
        hnsw_from: Rows from which an index is searched by HNSW; below, every row is compared.
        build_memory: What the server may take to build it, in PostgreSQL's words. A graph that outgrows it is finished
            on disk, many times slower.

    Raises:
        UsageError: The address holds a password, or cannot be read.
    """

    efforts: tuple[int, ...] = (40, 80, 160, 320, 640, 1000)  # hnsw.ef_search; 1,000 is pgvector's own limit

    def __init__(
        self, target: str = "", *, table: str = "docs", hnsw_from: int = 50_000, build_memory: str = "1GB"
    ) -> None:
        self.target, self.hnsw_from, self.build_memory = read_target(target), hnsw_from, build_memory
        schema, _, self.alias = table.rpartition(".")
        if not 0 < len(self.alias.encode()) <= LONGEST:
            raise UsageError("E2002", f"table '{table}' is no name of 1 to {LONGEST} bytes", fix="table=docs")
        self.schema = schema or "public"
        self.place = str(Spec("pgvector", target, {"table": f"{self.schema}.{self.alias}"}))
        self.spec = f"{self.place},hnsw_from={hnsw_from},build_memory={build_memory}"
        self._open: psycopg.Connection[Any] | None = None

    def create(self, index: str, *, stamp: Stamp) -> None:
        with self._transaction(write=True) as db:
            self._prepare(db)
            held = self._stamp(db, index)
            if held is not None:
                same_stamp(index, held, stamp.fingerprint)
                return
            self._refuse_taken(db, index)
            db.execute(
                SQL(
                    'CREATE TABLE {} (doc_id text COLLATE "C" PRIMARY KEY, title text NOT NULL, text text NOT NULL, '
                    "metadata jsonb NOT NULL, facets text[] NOT NULL, row_hash text NOT NULL, embedding {} NOT NULL)"
                ).format(self._name(index), SQL(f"{_type(stamp)}({stamp.dim})"))
            )
            db.execute(
                SQL("INSERT INTO {} (name, alias, stamp) VALUES (%s, %s, %s)").format(self._name(STAMPS)),
                (index, self.alias, Jsonb(asdict(stamp))),
            )

    def upsert(self, index: str, docs: Sequence[Doc], vectors: Matrix, *, row_hashes: Sequence[str]) -> None:
        with self._transaction(write=True) as db:
            stamp = self._required(db, index)
            check_rows(docs, vectors, dim=stamp.dim)
            types = ["text", "text", "text", "jsonb", "text[]", "text", _type(stamp)]
            names = SQL(", ").join(map(Identifier, COLUMNS))
            db.execute(SQL("CREATE TEMP TABLE incoming (LIKE {}) ON COMMIT DROP").format(self._name(index)))
            copy = SQL("COPY incoming ({}) FROM STDIN WITH (FORMAT BINARY)").format(names)
            with db.cursor() as cursor, cursor.copy(copy) as rows:
                rows.set_types(types)
                for doc, row, row_hash in zip(docs, vectors, row_hashes, strict=True):
                    metadata = Jsonb(dict(doc.metadata))
                    rows.write_row(
                        (doc.doc_id, doc.title, doc.text, metadata, facets_of(doc), row_hash, _sent(row, stamp))
                    )
            changed = SQL(", ").join(
                SQL("{0} = EXCLUDED.{0}").format(Identifier(column)) for column in COLUMNS if column != "doc_id"
            )
            db.execute(
                SQL("INSERT INTO {} ({}) SELECT {} FROM incoming ON CONFLICT (doc_id) DO UPDATE SET {}").format(
                    self._name(index), names, names, changed
                )
            )

    def delete(self, index: str, doc_ids: Sequence[str]) -> None:
        with self._transaction(write=True) as db:
            self._required(db, index)
            db.execute(SQL("DELETE FROM {} WHERE doc_id = ANY(%s)").format(self._name(index)), (list(doc_ids),))

    def count(self, index: str) -> int:
        with self._transaction() as db:
            self._required(db, index)
            return self._count(db, index)

    def row_hashes(self, index: str) -> dict[str, str]:
        with self._transaction() as db:
            self._required(db, index)
            with db.cursor("hashes") as cursor:  # on the server, so that a table is not held twice
                cursor.itersize = FETCH
                return dict(cursor.execute(SQL("SELECT doc_id, row_hash FROM {}").format(self._name(index))))

    def vectors(self, index: str, doc_ids: Sequence[str]) -> Matrix:
        with self._transaction() as db:
            stamp = self._required(db, index)
            query = SQL("SELECT doc_id, embedding FROM {} WHERE doc_id = ANY(%s)").format(self._name(index))
            found = {doc_id: row.to_numpy() for doc_id, row in db.execute(query, (list(doc_ids),), binary=True)}
        if gone := [doc_id for doc_id in doc_ids if doc_id not in found]:
            raise no_passage(index, gone[0])
        return np.array([found[doc_id] for doc_id in doc_ids], dtype=np.float32).reshape(len(doc_ids), stamp.dim)

    def build(self, index: str) -> bool:
        with self._transaction(write=True) as db:
            stamp = self._required(db, index)
            table = self._name(index)
            db.execute(
                SQL("CREATE INDEX IF NOT EXISTS {} ON {} USING gin (facets)").format(
                    Identifier(f"{index}_facets"), table
                )
            )
            approximate = bool(self._count(db, index) >= self.hnsw_from and stamp.dim <= 2 * WIDEST)
            if approximate:
                db.execute("SELECT set_config('maintenance_work_mem', %s, true)", (self.build_memory,))
                db.execute(
                    SQL("CREATE INDEX IF NOT EXISTS {} ON {} USING hnsw (embedding {})").format(
                        Identifier(f"{index}_hnsw"), table, SQL(f"{_type(stamp)}_ip_ops")
                    )
                )
            else:
                db.execute(SQL("DROP INDEX IF EXISTS {}").format(self._name(f"{index}_hnsw")))
            db.execute(SQL("ANALYZE {}").format(table))
        return approximate

    def set_effort(self, index: str, effort: int) -> None:
        with self._transaction(write=True) as db:
            stamp = replace(self._required(db, index), effort=effort)
            db.execute(
                SQL("UPDATE {} SET stamp = %s WHERE name = %s").format(self._name(STAMPS)),
                (Jsonb(asdict(stamp)), index),
            )

    def search(
        self,
        index: str,
        queries: Matrix,
        *,
        query_ids: Sequence[str],
        k: int,
        fingerprint: str,
        filters: Sequence[Filter] | None = None,
    ) -> Hits:
        questions = [(row, filters[place] if filters else {}) for place, row in enumerate(queries)]
        # One snapshot: the stamp that is compared is the stamp of the rows that are read.
        with self._transaction() as db:
            stamp = self._required(db, index)
            same_stamp(index, stamp, fingerprint)
            effort = min(self.efforts[-1], max(stamp.effort, k, 1))
            db.execute("SELECT set_config('hnsw.ef_search', %s, true)", (str(effort),))
            # Without it a filter is applied to the first ef_search rows, and fewer than k may be left.
            db.execute("SET LOCAL hnsw.iterative_scan = strict_order")
            found = self._nearest(db, index, questions, k=k, stamp=stamp)
            # HNSW stops after 20,000 rows that the filter does not let pass, and those that it does may lie beyond.
            short = [place for place, hits in enumerate(found) if stamp.effort and len(hits) < k]
            some = [questions[place] for place in short]
            for place, hits in zip(
                short, self._nearest(db, index, some, k=k, stamp=replace(stamp, effort=0)), strict=True
            ):
                found[place] = hits
        return Hits.from_run(dict(zip(query_ids, found, strict=True)))

    def stamp(self, index: str) -> Stamp | None:
        with self._transaction() as db:
            return self._stamp(db, index)

    def indexes(self) -> list[str]:
        with self._transaction() as db:
            return self._indexes(db)

    def serving(self) -> str | None:
        with self._transaction() as db:
            return self._serving(db)

    def switch(self, index: str | None) -> None:
        with self._transaction(write=True) as db:
            view = self._name(self.alias)
            if index is None:
                self._refuse_taken(db, None)
                db.execute(SQL("DROP VIEW IF EXISTS {}").format(view))
                return
            stamp = self._required(db, index)
            self._refuse_taken(db, None)
            body = SQL(
                "VIEW {} AS SELECT doc_id, title, text, metadata, facets, embedding::{} AS embedding, "
                "{}::text AS model FROM {}"
            ).format(
                view,
                # Without its width a vector is of one type whatever the model, and the view can be replaced in place.
                SQL(_type(stamp)),
                Literal(stamp.fingerprint),
                self._name(index),
            )
            try:
                with db.transaction():
                    db.execute(SQL("CREATE OR REPLACE {}").format(body))
            except refusals.InvalidTableDefinition:  # vector to halfvec, or back
                grants = grants_on(db, self.schema, self.alias)
                db.execute(SQL("DROP VIEW {}").format(view))
                db.execute(SQL("CREATE {}").format(body))
                for grant in grants:
                    db.execute(grant)

    def drop(self, index: str) -> None:
        with self._transaction(write=True) as db:
            if self._stamp(db, index) is None:
                return
            if self._serving(db) == index:
                raise not_dropped(index, self.alias)
            db.execute(SQL("DROP TABLE IF EXISTS {}").format(self._name(index)))
            db.execute(SQL("DELETE FROM {} WHERE name = %s").format(self._name(STAMPS)), (index,))

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None

    @contextmanager
    def _transaction(self, *, write: bool = False) -> Iterator[psycopg.Connection[Any]]:
        """A connection inside a transaction; writers of one alias stand in line, readers see one moment.

        Raises:
            StageFailed: The server is not there, goes away, or refuses.
        """
        try:
            with speaking():
                db = self._connection()
                with db.transaction():
                    if write:
                        name = f"{self.schema}.{self.alias}"
                        db.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (name,))
                    else:
                        db.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                    yield db
        except StageFailed:
            self.close()  # the next call opens a connection of its own
            raise

    def _connection(self) -> psycopg.Connection[Any]:
        if self._open is None or self._open.closed:
            self._open = connect(self.target)
        return self._open

    def _prepare(self, db: psycopg.Connection[Any]) -> None:
        """The extension and the table of stamps, where they are not there yet."""
        if not knows_vectors(db):
            db.execute("CREATE EXTENSION vector")
            register_vector(db)
        # IF NOT EXISTS asks for the right to make schemas even where there is nothing to make.
        if not db.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (self.schema,)).fetchone():
            db.execute(SQL("CREATE SCHEMA {}").format(Identifier(self.schema)))
        db.execute(
            SQL(
                "CREATE TABLE IF NOT EXISTS {} (name text PRIMARY KEY, alias text NOT NULL, stamp jsonb NOT NULL)"
            ).format(self._name(STAMPS))
        )

    def _name(self, name: str) -> Composed:
        return Composed([Identifier(self.schema, name)])

    def _required(self, db: psycopg.Connection[Any], index: str) -> Stamp:
        if (stamp := self._stamp(db, index)) is None:
            raise no_index(index, self._indexes(db))
        return stamp

    def _nearest(
        self,
        db: psycopg.Connection[Any],
        index: str,
        questions: Sequence[tuple[Matrix, Filter]],
        *,
        k: int,
        stamp: Stamp,
    ) -> list[dict[str, float]]:
        """doc_id -> inner product of each question's k nearest; without an effort every row is compared."""
        cursors = []
        statement = SQL("SELECT doc_id, -(embedding <#> %s) AS score FROM {}{} ORDER BY {} LIMIT %s")
        with db.pipeline():
            for row, wanted in questions:
                where, values = _condition(wanted)
                one = _sent(row, stamp)
                # HNSW serves an order by the operator itself; an order by what is made of it reads every row.
                order, last = ("embedding <#> %s", [one]) if stamp.effort else ("score DESC, doc_id", [])
                text = statement.format(self._name(index), where, SQL(order))
                cursors.append(db.execute(text, (one, *values, *last, k), binary=True))
        return [dict(cursor.fetchall()) for cursor in cursors]

    def _count(self, db: psycopg.Connection[Any], index: str) -> int:
        (rows,) = db.execute(SQL("SELECT count(*) FROM {}").format(self._name(index))).fetchone() or (0,)
        return int(rows)

    def _stamp(self, db: psycopg.Connection[Any], index: str) -> Stamp | None:
        if not self._has_stamps(db):
            return None
        query = SQL("SELECT stamp FROM {} WHERE name = %s AND alias = %s").format(self._name(STAMPS))
        row = db.execute(query, (index, self.alias)).fetchone()
        return Stamp(**row[0]) if row else None

    def _indexes(self, db: psycopg.Connection[Any]) -> list[str]:
        if not self._has_stamps(db):
            return []
        query = SQL("SELECT name FROM {} WHERE alias = %s").format(self._name(STAMPS))
        return sorted(row[0] for row in db.execute(query, (self.alias,)))

    def _has_stamps(self, db: psycopg.Connection[Any]) -> bool:
        return kind_of(db, self.schema, STAMPS) is not None

    def _serving(self, db: psycopg.Connection[Any]) -> str | None:
        table = table_behind(db, self.schema, self.alias)
        return table if table in self._indexes(db) else None

    def _refuse_taken(self, db: psycopg.Connection[Any], index: str | None) -> None:
        """Refuse to write over a table or view that is somebody else's."""
        if kind_of(db, self.schema, self.alias) is not None and self._serving(db) is None:
            raise taken(self.alias, self.alias)
        if index is not None and kind_of(db, self.schema, index) is not None:
            raise taken(index, self.alias)


def _type(stamp: Stamp) -> str:
    """PostgreSQL's type of vectors of this width."""
    return "vector" if stamp.dim <= WIDEST else "halfvec"


def _sent(row: Matrix, stamp: Stamp) -> Matrix | HalfVector:
    """A vector as it goes to a column of that type."""
    numbers = np.asarray(row, dtype=np.float32)
    return numbers if stamp.dim <= WIDEST else HalfVector(numbers)


def _condition(wanted: Filter) -> tuple[Composed, list[list[str]]]:
    """The WHERE of a filter, and its values: each field must have one of them."""
    values = [[facet(field, value) for value in allowed] for field, allowed in wanted.items()]
    if not values:
        return Composed([]), []
    return SQL(" WHERE ") + SQL(" AND ").join([SQL("facets && %s::text[]")] * len(values)), values
