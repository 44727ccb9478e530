"""Removing a model for good: refused where something needs it, and safe against a kill in the middle."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lexitune.errors import UsageError
from lexitune.io.atomic import remove
from lexitune.io.staged import staged_path
from lexitune.io.succession import successor
from lexitune.io.workspace import Workspace, meta_path, read_object
from lexitune.pipeline.models import ROLLBACK, SERVES, STAGED, Use, find_model, model_vectors, size_bytes, uses
from lexitune.pipeline.sections import SECTIONS
from lexitune.settings import read_toml
from lexitune.stages.promote.driver import recover
from lexitune.stages.promote.keep import kept
from lexitune.stores.store import opened
from lexitune.types import Talk

__all__ = ["Removal", "plan_removal", "remove_model"]


@dataclass(frozen=True, slots=True)
class Removal:
    """What goes with a model.

    Args:
        paths: In the order in which they go, the model's own folder last: until then the same call goes on.
        freed_bytes: What they take on disk.
        lost: What cannot be done afterwards, in words.
    """

    model_id: str
    paths: tuple[Path, ...]
    freed_bytes: int
    lost: tuple[str, ...]


def plan_removal(workspace: Workspace, given: str, *, anyway: bool = False) -> Removal:
    """What would go: the model, the vectors that it alone made, its rankings, and a folder made for the Hub.

    `reports/` and `verdicts/` stay, and the table by query: what was found out about a model outlives it.

    Args:
        given: Its id, or as much of its beginning as no other has.
        anyway: Also what is staged, or what is still kept for a rollback.

    Raises:
        UsageError: No such model, or something needs it; the message says what, and how to get round.
        StageFailed: The store that has its index cannot be reached.
    """
    model_id, used = find_model(workspace, given), uses(workspace)
    mine = [use for use in used if use.model == model_id]
    _refuse_needed(workspace, model_id, mine, anyway=anyway)
    others = {use.vectors for use in used if use.model != model_id}
    vectors = [path for path in model_vectors(workspace, model_id) if f"vectors/{path.name}" not in others]
    vectors += [successor(path) for path in vectors if successor(path).exists()]
    roles = {use.role for use in mine}
    staged = (staged_path(workspace), meta_path(staged_path(workspace))) if STAGED in roles else ()
    packed = [path for path in [workspace.uploads / model_id] if path.exists()]
    paths = (*staged, *vectors, *packed, *_rankings(workspace, model_id), workspace.models / model_id)
    lost = (f"{model_id} is staged no longer",) * (STAGED in roles)
    lost += (f"lexitune rollback can no longer go back to {model_id}",) * (ROLLBACK in roles)
    kept = {use.index for use in mine if use.index and use.role == ROLLBACK}
    lost += tuple(f"index {index} stays in its store" for index in sorted(kept))
    return Removal(model_id, paths, sum(map(size_bytes, paths)), lost)


def remove_model(workspace: Workspace, given: str, *, anyway: bool = False, talk: Talk | None = None) -> Removal:
    """Remove a model as `plan_removal` says. After a kill it is there, and the same call goes on, or it is gone.

    Raises:
        UsageError: No such model, or something needs it.
        StageFailed: The store that has its index cannot be reached.
    """
    with workspace.lock():
        recover(workspace, talk=talk)
        planned = plan_removal(workspace, given, anyway=anyway)
        for path in planned.paths:
            remove(path)
    return planned


def _refuse_needed(workspace: Workspace, model_id: str, mine: list[Use], *, anyway: bool) -> None:
    roles = {use.role: use for use in mine}
    if SERVES in roles:
        raise UsageError("E2144", f"{model_id} serves", fix="lexitune rollback, or promote another model first")
    if _starts_here(workspace, model_id):
        raise UsageError(
            "E2144", f"{workspace.config} trains from {model_id}", fix="give its [model] section another model"
        )
    staged = roles.get(STAGED)
    if staged is not None and staged.store:
        with opened(staged.store) as store:
            there = store.stamp(staged.index) is not None
        if there:  # without the model nothing would name the store, and the index would stay there unseen
            raise UsageError(
                "E2144",
                f"index '{staged.index}' of the store holds vectors of {model_id}",
                fix=f"lexitune indexes --drop {staged.index}",
            )
    again = f"lexitune models rm {model_id} --anyway"
    still = _still_kept(workspace, mine)
    if still and not anyway:
        said = f"{model_id} is what lexitune rollback goes back to, {still}"
        raise UsageError("E2144", said, fix=f"{again} gives that way back up")
    if staged is not None and not anyway:
        raise UsageError("E2144", f"{model_id} is staged", fix=f"{again}, or stage another first")


def _still_kept(workspace: Workspace, mine: list[Use]) -> str:
    """Until when a rollback's way back is kept, in words; empty: it is not, or no longer."""
    ways = {(use.vectors, use.store, use.index) for use in mine if use.role == ROLLBACK}
    found = (one for one in kept(workspace) if (one.serving.vectors, one.serving.store, one.serving.index) in ways)
    return next((str(one) for one in found if not one.is_over), "")


def _starts_here(workspace: Workspace, model_id: str) -> bool:
    """Whether the file of options trains from this model, or measures it as the stock model."""
    named = str(read_toml(workspace.config, SECTIONS).get("model", {}).get("model", ""))
    folder = (workspace.models / model_id).resolve()
    return bool(named) and folder in (Path(named).resolve(), (workspace.root / named).resolve())


def _rankings(workspace: Workspace, model_id: str) -> Iterator[Path]:
    """The runs that its evaluation wrote. Not by a pattern: another model's id may begin with this one's."""
    for system in read_object(workspace.reports / f"{model_id}.json").get("systems", {}):
        suffix = "" if system == "tuned" else f"-{system.replace('_', '-')}"
        path = workspace.runs / f"{model_id}{suffix}.trec"
        if path.exists():
            yield path
