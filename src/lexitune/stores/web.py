"""Stores behind a web address: what is given to them, what is kept in them, and what is said of them, in one way."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any, TypeVar
from urllib.parse import urlsplit

from lexitune.errors import StageFailed, UsageError
from lexitune.registry import masked
from lexitune.stores.store import Filter, Matrix, Stamp

__all__ = [
    "BUSY",
    "NUMBER_BYTES",
    "REQUEST_BYTES",
    "STAMP",
    "Question",
    "Ranking",
    "away",
    "by_size",
    "enough",
    "read_alias",
    "read_secret",
    "read_stamp",
    "read_url",
    "refused",
    "written_stamp",
]

STAMP = "lexitune"  # the key of our stamp among what others keep with an index
ALIAS = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")

BUSY = {408, 425, 429, 502, 503, 504}  # statuses that waiting helps against
REQUEST_BYTES = 8_000_000  # Qdrant takes 32 MB as it comes, OpenSearch 100 MB
NUMBER_BYTES = 22  # of a float in JSON, at most
MEND = "mend what it names; what was written stays, and the same command goes on"

Row = TypeVar("Row")
Question = tuple[Matrix, Filter]
Ranking = list[tuple[str, float]]


def read_url(target: str, *, store: str, secrets: str) -> str:
    """An address, looked at, without the slash at its end.

    Args:
        store: The name that a spec begins with.
        secrets: The variables that take what must not stand in a spec.

    Raises:
        UsageError: It cannot be read, or holds a password or key: specs are written into the workspace's files.
    """
    try:
        found = urlsplit(target)
        whole = found.scheme in ("http", "https") and bool(found.hostname) and (found.port or 1) > 0
    except ValueError:  # a port that is no number
        whole = False
    if "@" in target or "?" in target:
        # Not shown: it may be a secret.
        raise UsageError("E2017", "the address of the store holds a password or key", fix=f"export {secrets}")
    if not whole or found.fragment:
        raise UsageError("E2004", f"'{masked(target)}' is no web address", fix=f"{store}:http://HOST:PORT,table=docs")
    return target.rstrip("/")


def read_alias(table: str) -> str:
    """A name that every such store takes, and that stands in a path as it is.

    Raises:
        UsageError: It is none.
    """
    if not ALIAS.fullmatch(table):
        said = f"table '{table}' is no name of letters, digits, '_', '-' and '.'"
        raise UsageError("E2002", said, fix="table=docs")
    return table


def read_secret(variable: str) -> str:
    """What the environment holds under a name, empty where it holds nothing.

    Raises:
        UsageError: It cannot go into a header.
    """
    value = os.environ.get(variable, "").strip()
    if not (value.isascii() and (value.isprintable() or not value)):
        raise UsageError("E2107", f"{variable} holds what no key holds", fix="export the key alone, on one line")
    return value


def written_stamp(stamp: Stamp, *, index: str, alias: str) -> dict[str, Any]:
    """A stamp as JSON, with the names that it holds for: a copy under another name is nobody's index."""
    return {**asdict(stamp), "index": index, "alias": alias}


def read_stamp(held: Mapping[str, Any] | None, *, index: str, alias: str) -> Stamp | None:
    """The stamp in what a store keeps with an index; None: it is not an index of this alias."""
    given = (held or {}).get(STAMP)
    if not isinstance(given, Mapping) or (given.get("index"), given.get("alias")) != (index, alias):
        return None
    return Stamp(**{field.name: given[field.name] for field in fields(Stamp)})


def by_size(rows: Iterable[tuple[Row, int]], most: int) -> Iterator[list[Row]]:
    """The rows in their order, together as long as their sizes are at most `most`; a larger one goes alone.

    Example:
        >>> list(by_size([("a", 2), ("b", 2), ("c", 9), ("d", 1)], 4))
        [['a', 'b'], ['c'], ['d']]
    """
    some: list[Row] = []
    total = 0
    for row, size in rows:
        if some and total + size > most:
            yield some
            some, total = [], 0
        some.append(row)
        total += size
    if some:
        yield some


def enough(
    ask: Callable[[Sequence[Question], int], list[Ranking]], questions: Sequence[Question], *, k: int, effort: int
) -> list[Ranking]:
    """What each question finds; a graph that ends before k passages pass the filter is asked again, without it.

    Args:
        ask: Given questions and an effort; 0: every vector is compared.
    """
    found: list[Ranking] = [[] for _ in questions]
    # A field that may have no value lets nothing pass, and a server need not be asked.
    asked = [place for place, (_, wanted) in enumerate(questions) if all(wanted.values())]
    for once in dict.fromkeys((effort, 0)):
        for place, hits in zip(asked, ask([questions[place] for place in asked], once), strict=True):
            found[place] = hits
        asked = [place for place in asked if len(found[place]) < k]
    return found


def away(name: str, said: str) -> StageFailed:
    """A server that cannot be reached now, for a store to raise."""
    return StageFailed(
        "E1302",
        f"{name} does not answer: {said}",
        fix="start it, or correct the address; what was written stays, and the same command goes on",
    )


def refused(name: str, said: str, *, fix: str = MEND) -> StageFailed:
    """A server that refuses, for a store to raise."""
    return StageFailed("E1303", f"{name} refuses: {said}", fix=fix)
