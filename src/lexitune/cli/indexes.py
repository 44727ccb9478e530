"""lexitune indexes: what stores hold for this workspace, and what may go."""

from __future__ import annotations

from dataclasses import asdict

import click

from lexitune.cli.command import Call, Command, Result, ask
from lexitune.errors import UsageError

__all__ = ["command"]


def run(call: Call) -> Result:
    """List the indexes in stores, or drop one.

    What serves and what a rollback goes back to are never dropped.
    """
    workspace, name, store = call.workspace(), call.params["drop"], call.params["store"]
    if store is not None and name is None:
        raise UsageError("E2012", "--store goes with --drop", fix="lexitune indexes")
    from lexitune.pipeline.indexes import drop_index, list_indexes

    if name is not None:
        question, again = f"Drop index {name} for good?", f"indexes --drop {name}"
        if not ask(question, yes=call.params["yes"], command=again, before="it removes an index"):
            return Result(["nothing was changed"], {"indexes": None}, "lexitune indexes")
        drop_index(workspace, name, store=store, talk=call.talk)
    found = list_indexes(workspace, talk=call.talk)
    width = max((len(index.name) for index in found), default=0)
    stores = dict.fromkeys(index.store for index in found)
    lines = ["no index in a store"] if not found else []
    for spec in stores:
        lines += [spec] if len(stores) > 1 else []
        lines += [
            f"{index.name:<{width}}  {index.passages:>11,} passages  model {index.model[:12]}  "
            f"{index.role or 'not needed here'}"
            for index in found
            if index.store == spec
        ]
    return Result(lines, {"indexes": [asdict(index) for index in found]}, "lexitune status")


command = Command(
    "indexes",
    run,
    params=[
        click.Option(["--drop"], metavar="INDEX", help="Remove this index from its store"),
        click.Option(["--store"], metavar="SPEC", help="Where several stores have an index of that name: this one"),
        click.Option(["--yes"], is_flag=True, help="Do not ask"),
    ],
    has_json=True,
)
