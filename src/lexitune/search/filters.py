"""Filters: which docs a query may see (matter, tenant, access)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexitune.errors import DataError
from lexitune.settings import did_you_mean
from lexitune.types import Doc, Query

__all__ = ["Allowed", "allowed_docs", "read_filter", "texts_of"]

EVERYTHING = -1


@dataclass(frozen=True)
class Allowed:
    """Which docs each query may see: one mask for each distinct filter, shared by its queries.

    Args:
        query_ids: The queries, in the order of `which`.
        doc_ids: The docs, in the order of the masks' columns.
        masks: bool [filters, docs].
        which: Row of `masks` for each query; -1 sees everything.
    """

    query_ids: tuple[str, ...]
    doc_ids: Sequence[str]
    masks: NDArray[np.bool_]
    which: NDArray[np.int64]

    def aligned(self, query_ids: Sequence[str], doc_ids: Sequence[str]) -> Allowed:
        """The same permissions in another order of queries and docs. A doc that is not known here is not allowed.

        Raises:
            KeyError: A query that is not known here.
        """
        masks, which = self.masks, self.which
        if self.doc_ids is not doc_ids and list(self.doc_ids) != list(doc_ids):
            column = {doc_id: place for place, doc_id in enumerate(self.doc_ids)}
            places = np.array([column.get(doc_id, len(column)) for doc_id in doc_ids], dtype=np.int64)
            masks = np.hstack([masks, np.zeros((len(masks), 1), dtype=bool)])[:, places]
        if self.query_ids != tuple(query_ids):
            by_query = dict(zip(self.query_ids, which.tolist(), strict=True))
            which = np.array([by_query[query_id] for query_id in query_ids], dtype=np.int64)
        return Allowed(tuple(query_ids), doc_ids, masks, which)

    def mask(self, place: int) -> NDArray[np.bool_] | None:
        """What the query at `place` may see; None: everything."""
        row = int(self.which[place])
        return None if row == EVERYTHING else self.masks[row]


def allowed_docs(queries: Sequence[Query], docs: Sequence[Doc]) -> Allowed | None:
    """Read the filters of queries; None when no query has one.

    `query.metadata["filter"]` maps a field of `doc.metadata` to a value or a list of values. A doc is
    allowed when each field holds one of them; a doc whose own value is a list needs one in common, and
    a doc without the field is out. Values meet as JSON text, so that 2023 typed on a command line finds the number.

    Raises:
        DataError: A filter that is not a mapping, or a field that no doc has. A filter that leaves no docs is no
            error: its ranking is empty.

    Example:
        >>> docs = [Doc("d1", "", metadata={"tenant": "a"}), Doc("d2", "", metadata={"tenant": "b"})]
        >>> allowed_docs([Query("q1", "", {"filter": {"tenant": ["b", "c"]}})], docs).masks.tolist()
        [[False, True]]
    """
    filters = [read_filter(query) for query in queries]
    if not any(filters):
        return None
    columns = _columns({field for wanted in filters for field in wanted}, docs)
    rows: dict[str, int] = {}
    masks: list[NDArray[np.bool_]] = []
    which = np.full(len(queries), EVERYTHING, dtype=np.int64)
    for place, (query, wanted) in enumerate(zip(queries, filters, strict=True)):
        if not wanted:
            continue
        key = json.dumps(wanted, sort_keys=True)
        if key not in rows:
            rows[key] = len(masks)
            masks.append(_mask(query, wanted, columns, docs))
        which[place] = rows[key]
    return Allowed(tuple(query.query_id for query in queries), [doc.doc_id for doc in docs], np.array(masks), which)


def read_filter(query: Query) -> dict[str, list[str]]:
    """field -> the values allowed, as texts; empty: the query sees everything.

    Raises:
        DataError: The filter is not a mapping.
    """
    given = query.metadata.get("filter")
    if given is None:
        return {}
    # A filter that cannot be read must never mean "everything": it may be what keeps one tenant from another.
    if not isinstance(given, Mapping) or any(value is None for value in given.values()):
        raise DataError(
            "E3144",
            f"the filter of query '{query.query_id}' is {given!r}",
            fix='write it as {"field": "value"} or {"field": ["value", "value"]}',
        )
    return {str(field): sorted(set(texts_of(value))) for field, value in given.items()}


def texts_of(value: Any) -> list[str]:
    """A value of metadata as the texts that filters are compared with, each one of a list on its own."""
    values = value if isinstance(value, list | tuple | set | frozenset) else [value]
    return [one if isinstance(one, str) else json.dumps(one) for one in values if one is not None]


def _columns(wanted: set[str], docs: Sequence[Doc]) -> dict[str, dict[str, list[int]]]:
    """field -> value -> rows, of the wanted fields that some doc has."""
    columns: dict[str, dict[str, list[int]]] = {}
    for row, doc in enumerate(docs):
        for field in wanted & doc.metadata.keys():
            column = columns.setdefault(field, {})
            for value in texts_of(doc.metadata[field]):
                column.setdefault(value, []).append(row)
    return columns


def _mask(
    query: Query, wanted: Mapping[str, list[str]], columns: Mapping[str, Mapping[str, list[int]]], docs: Sequence[Doc]
) -> NDArray[np.bool_]:
    mask = np.ones(len(docs), dtype=bool)
    for field, values in wanted.items():
        if field not in columns:
            known = {name for doc in docs for name in doc.metadata}
            raise DataError(
                "E3143",
                f"query '{query.query_id}' filters by '{field}', a field that no document has",
                fix=did_you_mean(field, known) if known else f"give the documents metadata with '{field}'",
            )
        allowed = np.zeros(len(docs), dtype=bool)
        for value in values:
            allowed[columns[field].get(value, [])] = True
        mask &= allowed
    return mask
