"""The indexes in stores that a workspace knows: what serves, what is staged, what a rollback needs, what may go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lexitune.errors import StageFailed, UsageError
from lexitune.io.staged import read_staged
from lexitune.io.workspace import Workspace
from lexitune.settings import did_you_mean
from lexitune.stages.promote.driver import recover
from lexitune.stages.promote.keep import Kept, kept
from lexitune.stages.promote.serving import read_serving
from lexitune.stages.promote.switch import history
from lexitune.stores.store import opened
from lexitune.types import Silent, Talk

__all__ = ["StoredIndex", "drop_index", "known_stores", "list_indexes"]


@dataclass(frozen=True, slots=True)
class StoredIndex:
    """An index of a store.

    Args:
        store: Spec of the store.
        passages: How many it holds.
        model: Fingerprint of the model that made its vectors.
        role: "serves", "staged", "rollback" (what served before) or "" (nothing in this workspace needs it).
        alias: Of the store, where it points at this index though something else serves: applications that read it have
            not moved over yet. Else empty.
        kept: `kept until DATE`, of what a rollback goes back to, while no command drops it; else empty.
    """

    store: str
    name: str
    passages: int
    model: str
    role: str
    alias: str = ""
    kept: str = ""

    @property
    def may_go(self) -> bool:
        """It was kept for a rollback for as long as that was asked."""
        return self.role == "rollback" and not self.kept and not self.alias


def list_indexes(
    workspace: Workspace, *, store: str | None = None, strict: bool = False, talk: Talk | None = None
) -> list[StoredIndex]:
    """Every index of every store that something in the workspace names.

    Args:
        store: Of this store alone.
        strict: A store that cannot be reached is an error; else it is told, and the others are listed.

    Raises:
        StageFailed: No store can be reached, or, where that is asked, one cannot.
    """
    talk = talk or Silent()
    recover(workspace, talk=talk)
    roles = {(_place(spec), name): role for (spec, name), role in _roles(workspace)}
    held = {(_place(one.serving.store), one.serving.index): one for one in kept(workspace) if one.serving.store}
    wanted = known_stores(workspace)
    if store is not None:
        wanted = {place: spec for place, spec in wanted.items() if place == _place(store)}
    found: list[StoredIndex] = []
    left_out = 0
    for place, spec in wanted.items():
        try:
            found += _list_store(spec, place, roles, held)
        except StageFailed as error:
            left_out += 1
            if strict or left_out == len(wanted):
                raise
            talk.say(f"{spec} is left out: {error.problem}")
    return found


def _list_store(
    spec: str, place: str, roles: Mapping[tuple[str, str], str], held: Mapping[tuple[str, str], Kept]
) -> list[StoredIndex]:
    found = []
    with opened(spec) as store:
        pointed = store.serving()
        for name in store.indexes():
            stamp, role, until = store.stamp(name), roles.get((place, name), ""), held.get((place, name))
            alias = store.alias if name == pointed and role != "serves" else ""
            still = str(until) if role == "rollback" and until and not until.is_over else ""
            model = stamp.fingerprint if stamp else ""
            found.append(StoredIndex(spec, name, store.count(name), model, role, alias, still))
    return found


def known_stores(workspace: Workspace) -> dict[str, str]:
    """The place of each store that something in the workspace names -> the spec that named it last."""
    return {_place(spec): spec for (spec, _), _ in _roles(workspace)}


def drop_index(
    workspace: Workspace, name: str, *, store: str | None = None, anyway: bool = False, talk: Talk | None = None
) -> None:
    """Remove an index from its store for good.

    Args:
        store: Spec of the store, where several have an index of that name.
        anyway: Also what is still kept for a rollback, and what the alias of a store points at that this workspace has
            left: the alias goes with it.

    Raises:
        UsageError: No such index or several, or it serves, or is needed as above.
        StageFailed: The store cannot be reached; or another one, which may have an index of that name, where `store`
            is not given.
    """
    with workspace.lock():
        known = list_indexes(workspace, store=store, strict=True, talk=talk)
        found = [index for index in known if index.name == name]
        if not found:
            where = "no store here" if store is None else store
            fix = did_you_mean(name, [index.name for index in known]) if known else "lexitune indexes"
            raise UsageError("E2143", f"{where} has {'an' if store is None else 'no'} index '{name}'", fix=fix)
        if len(found) > 1:
            fix = f"lexitune indexes --drop {name} --store SPEC, with one of: {', '.join(one.store for one in found)}"
            raise UsageError("E2143", f"{len(found)} stores have an index '{name}'", fix=fix)
        _refuse_needed(found[0], anyway=anyway)
        with opened(found[0].store) as owner:
            if found[0].alias:
                owner.switch(None)
            owner.drop(name)


def _refuse_needed(index: StoredIndex, *, anyway: bool) -> None:
    if index.role == "serves":
        raise UsageError("E2143", f"index '{index.name}' serves", fix="lexitune indexes")
    needed = [f"is what lexitune rollback goes back to, {index.kept}"] if index.kept else []
    needed += [f"is what applications read as '{index.alias}' in its store"] if index.alias else []
    if needed and not anyway:
        lost = " and ".join(["that way back"] * bool(index.kept) + [f"the alias {index.alias}"] * bool(index.alias))
        raise UsageError(
            "E2143",
            f"index '{index.name}' {' and '.join(needed)}",
            fix=f"lexitune indexes --drop {index.name} --anyway, which gives up {lost}",
        )


def _place(spec: str) -> str:
    with opened(spec) as store:
        return store.place


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
