"""Slices that the user declares: the test queries by the values of a field of their own metadata."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from lexitune.errors import DataError
from lexitune.search.filters import texts_of
from lexitune.settings import did_you_mean
from lexitune.types import Query

__all__ = ["Declared", "declared_slices", "refuse_unknown_fields"]

MOST = 20  # values of a field, each with a bootstrap of its own; more are no longer read


@dataclass(frozen=True, slots=True)
class Declared:
    """The slices of one field.

    Args:
        members: `field=value` -> test queries, the largest slice first.
        notes: What is not among them.
    """

    field: str
    members: dict[str, frozenset[str]]
    notes: tuple[str, ...]


def refuse_unknown_fields(queries: Iterable[Query], fields: str) -> None:
    """Refuse a field that no query has, before anything is measured.

    Args:
        fields: Names, separated by commas.

    Raises:
        DataError: Such a field; the nearest one that is there is told.
    """
    known = {name for query in queries for name, _ in _fields_of(query)} if fields else set()
    for field in _named(fields):
        if field not in known:
            fix = did_you_mean(field, known) if known else f'give the queries "metadata": {{"{field}": ...}}'
            raise DataError("E3105", f"slices by '{field}', a field that no query has", fix=fix)


def declared_slices(queries: Mapping[str, Query], asked: Collection[str], fields: str) -> list[Declared]:
    """The queries that are asked by their values of each field; one with several values is in several slices.

    Args:
        queries: All there are.
        fields: Names, separated by commas; each is taken once.

    Raises:
        DataError: A field that no query has.

    Example:
        >>> made = {"q1": "de", "q2": ["de", "fr"], "q3": None}
        >>> queries = {name: Query(name, "", {"language": value}) for name, value in made.items()}
        >>> (found,) = declared_slices(queries, queries, "language")
        >>> {name: sorted(ids) for name, ids in found.members.items()}, found.notes
        ({'language=de': ['q1', 'q2'], 'language=fr': ['q2']}, ('1 of 3 test queries have no language',))
    """
    refuse_unknown_fields(queries.values(), fields)
    return [_cut([queries[query_id] for query_id in asked], field) for field in _named(fields)]


def _cut(queries: Sequence[Query], field: str) -> Declared:
    by_value: dict[str, set[str]] = {}
    for query in queries:
        for value in texts_of(dict(_fields_of(query)).get(field)):
            by_value.setdefault(value, set()).add(query.query_id)
    without = len(queries) - len(set().union(*by_value.values()))
    notes = [f"{without:,} of {len(queries):,} test queries have no {field}"] * bool(without)
    ordered = sorted(by_value, key=lambda value: (-len(by_value[value]), value))
    if further := ordered[MOST:]:
        most = len(by_value[further[0]])
        notes.append(
            f"slices are the {MOST} largest values of {field}; {len(further):,} more have up to {most:,} queries"
        )
    return Declared(field, {f"{field}={value}": frozenset(by_value[value]) for value in ordered[:MOST]}, tuple(notes))


def _named(fields: str) -> list[str]:
    return list(dict.fromkeys(filter(None, (field.strip() for field in fields.split(",")))))


def _fields_of(query: Query) -> Iterator[tuple[str, object]]:
    """A query's own fields, and those that it is filtered by, where it has none of that name itself."""
    own = {name: value for name, value in query.metadata.items() if name != "filter"}
    wanted = query.metadata.get("filter")
    yield from ({**wanted, **own} if isinstance(wanted, dict) else own).items()
