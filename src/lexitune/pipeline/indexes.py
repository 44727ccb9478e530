"""The indexes in stores that a workspace knows: what serves, what is staged, what a rollback needs, what may go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lexitune.errors import UsageError
from lexitune.io.staged import read_staged
from lexitune.io.workspace import Workspace
from lexitune.settings import did_you_mean
from lexitune.stages.promote.driver import recover
from lexitune.stages.promote.serving import read_serving
from lexitune.stages.promote.switch import history
from lexitune.stores.store import opened
from lexitune.types import Talk

__all__ = ["StoredIndex", "drop_index", "list_indexes"]


@dataclass(frozen=True, slots=True)
class StoredIndex:
    """An index of a store.

    Args:
        store: Spec of the store.
        passages: How many it holds.
        model: Fingerprint of the model that made its vectors.
        role: "serves", "staged", "rollback" (what served before) or "" (nothing needs it).
    """

    store: str
    name: str
    passages: int
    model: str
    role: str


def list_indexes(workspace: Workspace, *, talk: Talk | None = None) -> list[StoredIndex]:
    """Every index of every store that something in the workspace names.

    Raises:
        StageFailed: A store cannot be reached.
    """
    recover(workspace, talk=talk)
    roles = dict(_roles(workspace))
    found = []
    for spec in dict.fromkeys(store for store, _ in roles):
        with opened(spec) as store:
            serves = store.serving()
            for name in store.indexes():
                stamp = store.stamp(name)
                role = "serves" if name == serves else roles.get((spec, name), "")
                passages = len(store.row_hashes(name))
                found.append(StoredIndex(spec, name, passages, stamp.fingerprint if stamp else "", role))
    return found


def drop_index(workspace: Workspace, name: str, *, talk: Talk | None = None) -> None:
    """Remove an index from its store for good.

    Raises:
        UsageError: No such index, or it serves, is staged, or is what a rollback would go back to.
        StageFailed: The store cannot be reached.
    """
    known = {index.name: index for index in list_indexes(workspace, talk=talk)}
    if name not in known:
        raise UsageError("E2143", f"no store here has an index '{name}'", fix=did_you_mean(name, list(known)))
    index = known[name]
    if index.role in ("serves", "rollback"):
        needed = "serves" if index.role == "serves" else "is what lexitune rollback goes back to"
        raise UsageError("E2143", f"index '{name}' {needed}", fix="lexitune indexes")
    with workspace.lock(), opened(index.store) as store:
        store.drop(name)


def _roles(workspace: Workspace) -> Iterator[tuple[tuple[str, str], str]]:
    """(store, index) -> what it is for; the last word counts."""
    staged, serving = read_staged(workspace), read_serving(workspace)
    if staged is not None and staged.store:
        yield (staged.store, staged.index), "staged"
    for earlier in history(workspace):
        if earlier.store:
            yield (earlier.store, earlier.index), "rollback"
    if serving is not None and serving.store:
        yield (serving.store, serving.index), "serves"
