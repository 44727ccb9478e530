"""lexitune indexes: what stores hold for this workspace, and what may go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from lexitune.cli.command import Call, Command, Result, ask
from lexitune.errors import UsageError

if TYPE_CHECKING:
    from lexitune.pipeline.indexes import StoredIndex

__all__ = ["command"]


def run(call: Call) -> Result:
    """List the indexes in stores, or drop one.

    What serves is never dropped; what a rollback goes back to, and what a store's alias still points at, with --anyway.
    """
    workspace, name, store = call.workspace(), call.params["drop"], call.params["store"]
    anyway = call.params["anyway"]
    if (store is not None or anyway) and name is None:
        flag = "--anyway" if anyway else "--store"
        raise UsageError("E2012", f"{flag} goes with --drop", fix="lexitune indexes")
    from lexitune.pipeline.indexes import drop_index, list_indexes

    if name is not None:
        question, again = f"Drop index {name} for good?", f"indexes --drop {name}" + " --anyway" * anyway
        if not ask(question, yes=call.params["yes"], command=again, before="it removes an index"):
            return Result(["nothing was changed"], {"indexes": None}, "lexitune indexes")
        drop_index(workspace, name, store=store, anyway=anyway, talk=call.talk)
    found = list_indexes(workspace, talk=call.talk)
    width = max((len(index.name) for index in found), default=0)
    stores = dict.fromkeys(index.store for index in found)
    lines = ["no index in a store"] if not found else []
    for spec in stores:
        lines += [spec] if len(stores) > 1 else []
        lines += [line for index in found if index.store == spec for line in _draw(index, width)]
    return Result(lines, {"indexes": [asdict(index) for index in found]}, "lexitune status")


def _draw(index: StoredIndex, width: int) -> Iterator[str]:
    role = index.role or "not needed here" * (not index.alias)
    yield f"{index.name:<{width}}  {index.passages:>11,} passages  model {index.model[:12]}  {role}".rstrip()
    if index.alias:
        yield f"  the alias {index.alias} of its store points at it"
    if index.kept:
        yield f"  {index.kept}"
    if index.may_go:
        yield f"  can go: lexitune indexes --drop {index.name}"


command = Command(
    "indexes",
    run,
    params=[
        click.Option(["--drop"], metavar="INDEX", help="Remove this index from its store"),
        click.Option(["--store"], metavar="SPEC", help="Where several stores have an index of that name: this one"),
        click.Option(["--anyway"], is_flag=True, help="With --drop: also what is still kept, or has a store's alias"),
        click.Option(["--yes"], is_flag=True, help="Do not ask"),
    ],
    has_json=True,
)
