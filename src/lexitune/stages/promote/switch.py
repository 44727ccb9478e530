"""The switch: model, vectors and thresholds change together, or not at all.

Five steps, each one atomic and each one harmless when it is made again: write `switch-intent.json`, point the store's
alias at the index (where a store serves), replace `serving`, extend `serving-log.jsonl`, remove the intent. A process
that dies between two of them leaves the intent, and whoever finds it calls `recover`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lexitune.errors import LexituneError
from lexitune.io.atomic import replace_text
from lexitune.io.succession import is_complete
from lexitune.io.workspace import Workspace
from lexitune.stages.promote.leaving import from_files
from lexitune.stages.promote.serving import Serving, locate, parse_serving, serving_of
from lexitune.stores.store import opened

__all__ = [
    "Event",
    "complete_without",
    "events",
    "history",
    "interrupted_rollback",
    "missing_parts",
    "point_again",
    "promotions",
    "recover",
    "switch",
    "under_way",
]

INTENT = "switch-intent.json"
LOG = "serving-log.jsonl"


@dataclass(frozen=True, slots=True)
class Event:
    """One promotion or rollback: `serves` took over from `before`, at `serves.at`.

    Args:
        action: `promote` or `rollback`.
        reason: Why: what the gate said first, or what the one who rolled back gave. Empty where nothing was said.
        kept_until: Of a promotion: until when `before` is kept (ISO 8601, UTC); empty: no end was set.
    """

    action: str
    serves: Serving
    before: Serving
    reason: str
    kept_until: str = ""


def switch(
    workspace: Workspace,
    *,
    action: str,
    to: Serving,
    before: Serving,
    reason: str = "",
    forced: Mapping[str, str] | None = None,
    kept_until: str = "",
    left: Mapping[str, Any] | None = None,
) -> None:
    """Make `to` serve.

    Args:
        action: `promote` or `rollback`, as the log will name it.
        before: What a later rollback of this promotion goes back to. Not always what `serving` holds:
            before the first promotion that file is absent, and the stock model is what one goes back to.
        reason: Why, for the log.
        forced: Who overruled the gate, when and why, for the log; None: nobody did.
        kept_until: Until when a promotion keeps `before` (ISO 8601), for the log; empty: no end is set.
        left: Who does without stores, when and why, and their places under `stores`: they are not spoken to.

    Raises:
        StageFailed: The store cannot be reached: the intent stays. Or it refuses: nothing has changed.
        UsageError: Somebody else's table or view has the alias's name by now: nothing has changed.
    """
    path = workspace.serving
    held = path.read_text(encoding="utf-8") if path.exists() else None
    entry = {"action": action, "serving": asdict(to), "before": asdict(before), "reason": reason}
    entry |= {"forced": dict(forced)} if forced else {}
    entry |= {"kept_until": kept_until} if kept_until else {}
    entry |= {"left": dict(left)} if left else {}
    intent = {"from": held, "to": to.to_line(), "entry": entry}
    replace_text(workspace.root / INTENT, json.dumps(intent) + "\n")
    _finish(workspace, intent)


def complete_without(workspace: Workspace, left: Mapping[str, Any]) -> None:
    """Complete a switch that was cut off without the stores that are left: what is to serve does so from its files.

    Args:
        left: As of `switch`.
    """
    path = workspace.root / INTENT
    intent = json.loads(path.read_text(encoding="utf-8"))
    to = from_files(parse_serving(intent["to"], path), left["stores"])
    intent |= {"to": to.to_line(), "entry": intent["entry"] | {"serving": asdict(to), "left": dict(left)}}
    replace_text(path, json.dumps(intent) + "\n")
    _finish(workspace, intent)


def under_way(workspace: Workspace) -> list[Serving]:
    """What a switch that was cut off goes to, and what it leaves; empty where none was."""
    path = workspace.root / INTENT
    if not path.exists():
        return []
    intent = json.loads(path.read_text(encoding="utf-8"))
    return [parse_serving(intent["to"], path), serving_of(intent["entry"]["before"])]


def recover(workspace: Workspace) -> str:
    """Complete a switch that was cut off, or undo it when its model or vectors are gone.

    Returns:
        What was done, for the log of the command that found it; empty when there was nothing to do.

    Raises:
        StageFailed: The store that is to be switched cannot be reached. The intent stays.
    """
    path = workspace.root / INTENT
    if not path.exists():
        return ""
    intent = json.loads(path.read_text(encoding="utf-8"))
    to = parse_serving(intent["to"], path)
    gone = missing_parts(workspace, to)
    if not gone:
        _finish(workspace, intent)
        return f"completed an interrupted switch: {to.model} serves"
    before = serving_of(intent["entry"]["before"])
    _point(before, left=to, without=_left(intent))
    if intent["from"] is None:
        workspace.serving.unlink(missing_ok=True)
    else:
        replace_text(workspace.serving, intent["from"])
    entries = _entries(workspace)
    if entries and entries[-1] == intent["entry"]:
        _write_entries(workspace, entries[:-1])
    path.unlink()
    return f"undid an interrupted switch to {to.model}: {' and '.join(gone)} gone"


def interrupted_rollback(workspace: Workspace) -> Serving | None:
    """What a rollback that was cut off goes back to; None: none was."""
    path = workspace.root / INTENT
    if not path.exists():
        return None
    intent = json.loads(path.read_text(encoding="utf-8"))
    return parse_serving(intent["to"], path) if intent["entry"]["action"] == "rollback" else None


def point_again(serving: Serving) -> bool:
    """Point the alias at what serves, where somebody moved it or took it away: whether it had to be done.

    Raises:
        StageFailed: The store cannot be reached, or refuses.
        DataError: The index is gone.
    """
    if not serving.store:
        return False
    with opened(serving.store) as store:
        if store.serving() == serving.index:
            return False
        store.switch(serving.index)
    return True


def missing_parts(workspace: Workspace, serving: Serving) -> list[str]:
    """Which parts of a serving line are gone or incomplete. A model outside the workspace is not looked at.

    Raises:
        StageFailed: Its store cannot be reached.
    """
    gone = []
    model = locate(workspace, serving.model)
    if model is not None and not model.is_dir():
        gone.append(serving.model)
    if not is_complete(workspace.root / serving.vectors):
        gone.append(serving.vectors)
    if serving.store:
        with opened(serving.store) as store:
            if store.stamp(serving.index) is None:
                gone.append(f"index {serving.index} of the store")
    return gone


def events(workspace: Workspace) -> list[Event]:
    """Every switch there was, the newest last."""
    return [
        Event(
            entry["action"],
            serving_of(entry["serving"]),
            serving_of(entry["before"]),
            entry.get("reason", ""),
            entry.get("kept_until", ""),
        )
        for entry in _entries(workspace)
    ]


def history(workspace: Workspace) -> list[Serving]:
    """What a rollback goes back to, the nearest last."""
    return [event.before for event in promotions(workspace)]


def promotions(workspace: Workspace) -> list[Event]:
    """The promotions that a rollback would undo, the nearest last: each rollback takes one off."""
    stack: list[Event] = []
    for event in events(workspace):
        if event.action == "promote":
            stack.append(event)
        elif stack:
            stack.pop()
    return stack


def _finish(workspace: Workspace, intent: Mapping[str, Any]) -> None:
    entry = intent["entry"]
    # A promotion into another store leaves the old store's alias as it is: applications move over one by one.
    left = serving_of(entry["serving"] if entry["action"] == "promote" else entry["before"])
    path = workspace.root / INTENT
    try:
        _point(parse_serving(intent["to"], path), left=left, without=_left(intent))
    except LexituneError as error:
        # A store that is away may have switched. One that refuses has not, nor would it the next time, and the intent
        # would stop every search through what still serves.
        if error.code != "E1302":
            path.unlink()
        raise
    replace_text(workspace.serving, intent["to"])
    entries = _entries(workspace)
    if not entries or entries[-1] != intent["entry"]:
        _write_entries(workspace, [*entries, intent["entry"]])
    path.unlink()


def _left(intent: Mapping[str, Any]) -> Sequence[str]:
    """Places of the stores that are not spoken to."""
    return tuple(intent["entry"].get("left", {}).get("stores", ()))


def _point(to: Serving, *, left: Serving, without: Sequence[str]) -> None:
    """Point the aliases of stores: that of `to` at its index; another one, of what is left, at nothing."""
    place = _serve(to)
    if left.store in ("", to.store):
        return
    with opened(left.store) as store:
        # What it serves by now may be another's: then it is not ours to take away.
        cut = store.place not in (place, *without) and store.serving() == left.index
        if cut:
            store.switch(None)
    if cut:
        _serve(to)  # one database may have two addresses, and then this was its alias


def _serve(serving: Serving) -> str:
    """Point the alias at the index; the place of the store, empty where none serves."""
    if not serving.store:
        return ""
    with opened(serving.store) as store:
        store.switch(serving.index)
        return store.place


def _entries(workspace: Workspace) -> list[dict[str, Any]]:
    path = workspace.root / LOG
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _write_entries(workspace: Workspace, entries: list[dict[str, Any]]) -> None:
    # Replaced whole, a line for each switch: an append that is cut off would leave half a line.
    replace_text(workspace.root / LOG, "".join(json.dumps(entry, sort_keys=True) + "\n" for entry in entries))
