"""LanceDB in a folder: a table for each index, and two small tables beside them, for the stamps and for the alias.

The alias is one row, changed by one commit, so whoever reads it meets the old index or the new one. A program follows
it with nothing of lexitune's, and meets a switch with its next query:

    db = lancedb.connect("FOLDER")
    index = db.open_table("lexitune_aliases").search().where("alias = 'docs'").to_list()[0]["index"]
    hits = db.open_table(index).search(vector).distance_type("dot").limit(10).to_list()

The row names the model in `model`, too. Where the index is approximate, the `effort` that was found for it stands in
`lexitune_indexes`, and the search takes it as `.nprobes(effort)`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import lancedb
import numpy as np
import pyarrow as pa
from filelock import FileLock
from lancedb.index import IvfFlat, LabelList
from lancedb.query import LanceVectorQueryBuilder
from lancedb.table import Table

from lexitune.errors import StageFailed, UsageError
from lexitune.io.hits import Hits
from lexitune.registry import Spec, masked
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
    portions,
    same_stamp,
    taken,
)
from lexitune.types import Doc

__all__ = ["LanceStore"]

STAMPS, ALIASES = "lexitune_indexes", "lexitune_aliases"
STAMP_ROW = pa.schema([pa.field(name, pa.string(), nullable=False) for name in ("name", "alias", "stamp")])
ALIAS_ROW = pa.schema([pa.field(name, pa.string(), nullable=False) for name in ("alias", "index", "model")])
QUERIES = 100  # searched together: a table is read once for all of them
SHALLOW = 100  # hits that ten partitions hold for sure
IDS = 1000  # in one condition; the time to read a condition grows faster than its length
KEPT = timedelta(days=7)  # LanceDB's own: a program that opened a table goes on reading the version it opened
NOW = timedelta(milliseconds=1)
BARRED = (FileExistsError, NotADirectoryError, PermissionError)  # waiting does not help
UNREACHABLE = ("LanceError(IO)", "lance error: Not found")  # LanceDB raises RuntimeError for a disk, too
SOURCE = re.compile(r", /\S+\.rs:\d+:\d+")  # its errors end with places in its own sources


class LanceStore:
    """Passages in tables of one folder, and a row that says which of them serves.

    Args:
        target: The folder; it is made by the first write. A relative one is relative to the current directory, at the
            moment the store is opened: where commands run from several directories, write it in full.
        table: The alias. It is no table's name, so an application cannot read past it by chance.
        ann_from: Rows from which an index is searched through partitions; below, every row is compared.

    Raises:
        UsageError: The target is no folder of this machine.
    """

    efforts: tuple[int, ...] = (10, 20, 40, 80, 160, 320, 640)  # partitions looked into, of rows ** 0.5

    def __init__(self, target: str = "lancedb", *, table: str = "docs", ann_from: int = 200_000) -> None:
        if "://" in target:
            raise UsageError("E2004", f"'{masked(target)}' is no folder", fix="lancedb:FOLDER,table=docs")
        self.folder, self.alias, self.ann_from = Path(target).expanduser().absolute(), table, ann_from
        self.place = str(Spec("lancedb", str(self.folder), {"table": table}))
        self.spec = f"{self.place},ann_from={ann_from}"
        self._lock = FileLock(self.folder / ".lexitune-lock")
        self._open: lancedb.DBConnection | None = None

    def create(self, index: str, *, stamp: Stamp) -> None:
        with self._speaking(write=True):
            row = self._row(index)
            if row is not None and row["alias"] == self.alias and row["stamp"]:
                same_stamp(index, _read_stamp(row), stamp.fingerprint)
                return
            self._refuse_taken(index, row)
            # First the name is ours, last the index is there: a kill in between leaves what the next try clears away.
            self._put_stamp(index, None)
            self._remove(index)
            self._database().create_table(index, schema=_columns(stamp.dim))
            self._put_stamp(index, stamp)

    def upsert(self, index: str, docs: Sequence[Doc], vectors: Matrix, *, row_hashes: Sequence[str]) -> None:
        with self._speaking(write=True):
            stamp = self._required(index)
            check_rows(docs, vectors, dim=stamp.dim)
            rows = _rows_of(docs, vectors, row_hashes=row_hashes)
            if docs:
                _merge(self._table(index), rows, key="doc_id")

    def delete(self, index: str, doc_ids: Sequence[str]) -> None:
        with self._speaking(write=True):
            self._required(index)
            for some in portions(doc_ids, IDS):
                self._table(index).delete(f"doc_id IN ({_texts(some)})")

    def count(self, index: str) -> int:
        with self._speaking():
            self._required(index)
            return int(self._table(index).count_rows())

    def row_hashes(self, index: str) -> dict[str, str]:
        with self._speaking():
            self._required(index)
            held = self._table(index).search().select(["doc_id", "row_hash"]).to_arrow()
        return dict(zip(held["doc_id"].to_pylist(), held["row_hash"].to_pylist(), strict=True))

    def vectors(self, index: str, doc_ids: Sequence[str]) -> Matrix:
        place = {doc_id: row for row, doc_id in enumerate(dict.fromkeys(doc_ids))}
        with self._speaking():
            stamp = self._required(index)
            found, there = np.empty((len(place), stamp.dim), dtype=np.float32), np.zeros(len(place), dtype=bool)
            for some in portions(list(place), IDS):
                query = self._table(index).search().where(f"doc_id IN ({_texts(some)})")
                held = query.select(["doc_id", "vector"]).to_arrow()
                rows = [place[doc_id] for doc_id in held["doc_id"].to_pylist()]
                flat = held["vector"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
                found[rows], there[rows] = flat.reshape(len(rows), stamp.dim), True
        if gone := [doc_id for doc_id, row in place.items() if not there[row]]:
            raise no_passage(index, gone[0])
        return found[[place[doc_id] for doc_id in doc_ids]]

    def build(self, index: str) -> bool:
        with self._speaking(write=True):
            self._required(index)
            # Nobody reads an older version of what was only staged, nor is anybody else writing.
            staged = self._serving() != index
            table = self._table(index)
            table.optimize(cleanup_older_than=NOW if staged else KEPT, delete_unverified=staged)
            rows = table.count_rows()
            approximate = rows >= max(1, self.ann_from)
            indexed = {config.columns[0]: config.name for config in table.list_indices()}
            if rows and "facets" not in indexed:  # and none on doc_id: it made a merge of 5,000 rows twice as slow
                table.create_index("facets", config=LabelList())
            if approximate and "vector" not in indexed:
                table.create_index("vector", config=_partitions(rows))
            elif not approximate and "vector" in indexed:
                table.drop_index(indexed["vector"])
            for name in (STAMPS, ALIASES):
                if self._is_there(name):
                    self._table(name).optimize(cleanup_older_than=KEPT)
        return approximate

    def set_effort(self, index: str, effort: int) -> None:
        with self._speaking(write=True):
            self._put_stamp(index, replace(self._required(index), effort=effort))

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
        run: dict[str, dict[str, float]] = {query_id: {} for query_id in query_ids}
        alike: dict[str, list[int]] = {}
        for place in range(len(queries)):
            alike.setdefault(_condition(filters[place] if filters else {}), []).append(place)
        with self._speaking():
            stamp = self._required(index)
            same_stamp(index, stamp, fingerprint)
            table = self._table(index)
            for condition, places in alike.items():
                for some in portions(places, QUERIES):
                    rows = np.asarray(queries[some], dtype=np.float32)
                    for place, doc_id, score in _nearest(table, rows, k=k, condition=condition, effort=stamp.effort):
                        run[query_ids[some[place]]][doc_id] = score
        return Hits.from_run(run)

    def stamp(self, index: str) -> Stamp | None:
        with self._speaking():
            return self._stamp(index)

    def indexes(self) -> list[str]:
        with self._speaking():
            return self._indexes()

    def serving(self) -> str | None:
        with self._speaking():
            return self._serving()

    def switch(self, index: str | None) -> None:
        with self._speaking(write=True):
            if index is None:
                if self._is_there(ALIASES):
                    self._table(ALIASES).delete(f"alias = {_text(self.alias)}")
                return
            stamp = self._required(index)
            if self._serving() != index:
                row = {"alias": self.alias, "index": index, "model": stamp.fingerprint}
                self._put(ALIASES, row, schema=ALIAS_ROW)

    def drop(self, index: str) -> None:
        with self._speaking(write=True):
            row = self._row(index)
            if row is None or row["alias"] != self.alias:
                return
            if self._serving() == index:
                raise not_dropped(index, self.alias)
            self._put_stamp(index, None)
            self._remove(index)
            self._table(STAMPS).delete(f"name = {_text(index)}")

    def close(self) -> None:
        self._open = None

    @contextmanager
    def _speaking(self, *, write: bool = False) -> Iterator[None]:
        """Errors in lexitune's words; writers of one folder stand in line, readers wait for nobody.

        Raises:
            StageFailed: The folder cannot be read or written, or LanceDB refuses.
        """
        try:
            if write:
                self.folder.mkdir(parents=True, exist_ok=True)
                # Two merges at once could each insert the same passage.
                with self._lock:
                    yield
            else:
                yield
        except (OSError, RuntimeError, ValueError) as error:
            said = SOURCE.sub("", str(error)).strip().split("\n")[0]
            away = isinstance(error, OSError) and not isinstance(error, BARRED)
            if away or any(sign in said for sign in UNREACHABLE):
                raise StageFailed(
                    "E1302",
                    f"the LanceDB folder {self.folder} cannot be read or written: {said}",
                    fix="see that it is there, whole, and yours; what was written stays, and the same command goes on",
                ) from error
            raise StageFailed(
                "E1303",
                f"LanceDB refuses: {said}",
                fix=f"see that {self.folder} is a folder of yours, and names are letters, digits, '_', '-' and '.'",
            ) from error

    def _database(self) -> lancedb.DBConnection:
        if self._open is None:
            self._open = lancedb.connect(self.folder, read_consistency_interval=timedelta(0))
        return self._open

    def _table(self, name: str) -> Table:
        """A table as it is now."""
        return self._database().open_table(name)

    def _remove(self, name: str) -> None:
        """A table, whole or in pieces; one that is not there is no error."""
        if (self.folder / f"{name}.lance").exists():
            self._database().drop_table(name)

    def _is_there(self, name: str) -> bool:
        """Without LanceDB, for connecting makes the folder, and reading must not."""
        return any((self.folder / f"{name}.lance" / "_versions").glob("*.manifest"))

    def _rows(self, name: str, condition: str) -> list[dict[str, Any]]:
        return self._table(name).search().where(condition).to_list() if self._is_there(name) else []

    def _put(self, name: str, row: Mapping[str, str], *, schema: pa.Schema) -> None:
        """Write one row in one commit, over the one with the same first column."""
        table = self._database().create_table(name, schema=schema, exist_ok=True)
        _merge(table, pa.Table.from_pylist([row], schema=schema), key=schema.names[0])

    def _put_stamp(self, index: str, stamp: Stamp | None) -> None:
        """None: the name is ours, and there is no index."""
        text = json.dumps(asdict(stamp)) if stamp else ""
        self._put(STAMPS, {"name": index, "alias": self.alias, "stamp": text}, schema=STAMP_ROW)

    def _row(self, index: str) -> dict[str, Any] | None:
        rows = self._rows(STAMPS, f"name = {_text(index)}")
        return rows[0] if rows else None

    def _stamp(self, index: str) -> Stamp | None:
        row = self._row(index)
        return _read_stamp(row) if row is not None and row["alias"] == self.alias and row["stamp"] else None

    def _required(self, index: str) -> Stamp:
        if (stamp := self._stamp(index)) is None:
            raise no_index(index, self._indexes())
        return stamp

    def _indexes(self) -> list[str]:
        return sorted(row["name"] for row in self._rows(STAMPS, f"alias = {_text(self.alias)} AND stamp != ''"))

    def _serving(self) -> str | None:
        rows = self._rows(ALIASES, f"alias = {_text(self.alias)}")
        return rows[0]["index"] if rows and rows[0]["index"] in self._indexes() else None

    def _refuse_taken(self, index: str, row: Mapping[str, str] | None) -> None:
        """Refuse to write over somebody else's table, or to serve under the name of one that an application reads."""
        ours = row is not None and row["alias"] == self.alias
        for name in {index, self.alias} - ({index} if ours else set()):
            if (self.folder / f"{name}.lance").exists() or (name == index and row is not None):
                raise taken(name, self.alias, where=str(self.folder))


def _columns(dim: int) -> pa.Schema:
    texts = [pa.field(name, pa.string(), nullable=False) for name in ("doc_id", "title", "text", "metadata")]
    return pa.schema(
        [
            *texts,
            pa.field("facets", pa.list_(pa.string()), nullable=False),
            pa.field("row_hash", pa.string(), nullable=False),
            pa.field("vector", pa.list_(pa.float32(), dim), nullable=False),
        ]
    )


def _rows_of(docs: Sequence[Doc], vectors: Matrix, *, row_hashes: Sequence[str]) -> pa.Table:
    """Passages as rows."""
    flat = pa.array(np.ascontiguousarray(vectors, dtype=np.float32).ravel())
    columns = [
        [doc.doc_id for doc in docs],
        [doc.title for doc in docs],
        [doc.text for doc in docs],
        [json.dumps(dict(doc.metadata), ensure_ascii=False) for doc in docs],
        [facets_of(doc) for doc in docs],
        list(row_hashes),
        pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1]),
    ]
    return pa.table(columns, schema=_columns(vectors.shape[1]))


def _merge(table: Table, rows: pa.Table, *, key: str) -> None:
    """Replace and insert in one commit."""
    table.merge_insert(key).when_matched_update_all().when_not_matched_insert_all().execute(rows)


def _nearest(table: Table, queries: Matrix, *, k: int, condition: str, effort: int) -> Iterator[tuple[int, str, float]]:
    """(row of the query, doc_id, inner product) of the k nearest of each query, in no order."""
    query = cast(LanceVectorQueryBuilder, table.search(queries, vector_column_name="vector")).distance_type("dot")
    query = query.nprobes(effort) if effort else query.bypass_vector_index()
    if condition:
        query = query.where(condition, prefilter=True)
    if effort and (condition or k > SHALLOW):
        query = query.maximum_nprobes(0)  # no limit: those looked into may hold fewer than k that the filter lets pass
    held = query.select(["doc_id", "_distance"]).limit(k).to_arrow()
    places = held["query_index"].to_pylist() if "query_index" in held.column_names else [0] * held.num_rows
    # LanceDB's distance is one minus the inner product, of whatever length the vectors are.
    scores = 1.0 - held["_distance"].to_numpy()
    yield from zip(places, held["doc_id"].to_pylist(), scores.tolist(), strict=True)


def _partitions(rows: int) -> IvfFlat:
    """Vectors as they are, in partitions: scores stay exact.

    200,000 vectors of 384 dimensions in 3,000 clusters, at the lowest priority of two busy cores: built in 12 s, where
    a graph (HNSW over bytes) had used 190 s of processor and was not ready. Of the true ten, 20 partitions give 0.86 (7
    ms a query; 0.7 where a hundred are asked together), 80 give 0.96 (15; 2.2), 160 give 0.99 (19; 4.5), 320 give 0.999
    (33; 8.6). LanceDB's own, fewer partitions: 4 s, and 0.998 (36; 14). Every vector compared: 290 ms; 30 together.
    """
    return IvfFlat(distance_type="dot", num_partitions=max(1, round(rows**0.5)), max_iterations=10, sample_rate=64)


def _condition(wanted: Filter) -> str:
    """A filter as LanceDB reads it: each field must have one of its values."""
    facets = [[facet(field, value) for value in allowed] for field, allowed in wanted.items()]
    return " AND ".join(f"array_has_any(facets, [{_texts(some)}])" if some else "false" for some in facets)


def _texts(values: Sequence[str]) -> str:
    return ", ".join(map(_text, values))


def _text(value: str) -> str:
    """A text as a condition writes it. The quote is the only sign that means anything in it."""
    return "'" + value.replace("'", "''") + "'"


def _read_stamp(row: Mapping[str, str]) -> Stamp:
    return Stamp(**json.loads(row["stamp"]))
