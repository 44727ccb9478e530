"""Promote in a workspace: asks the gate, and on its yes switches model, vectors and thresholds together."""

from __future__ import annotations

import getpass
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from lexitune.errors import DataError, StageFailed, UsageError
from lexitune.fingerprint import hash_file
from lexitune.io.atomic import replace_text
from lexitune.io.staged import Staged, require_staged
from lexitune.io.vectors import open_vectors
from lexitune.io.workspace import Meta, Workspace, read_meta, write_meta
from lexitune.stages.promote.beside import judged
from lexitune.stages.promote.keep import Kept, keep_time
from lexitune.stages.promote.leaving import from_files, lost_places, offering_to_leave
from lexitune.stages.promote.options import PromoteOptions
from lexitune.stages.promote.rules import PROMOTE
from lexitune.stages.promote.serving import Serving, read_serving, serving_of
from lexitune.stages.promote.switch import (
    complete_without,
    history,
    interrupted_rollback,
    missing_parts,
    point_again,
    switch,
    under_way,
)
from lexitune.stages.promote.switch import recover as recover_unlocked
from lexitune.stages.promote.thresholds import carry_over, refuse_bad, users
from lexitune.stores.store import is_whole
from lexitune.types import GateResult, Silent, Talk

__all__ = ["recover", "rollback", "run"]

WAITING = ("E1001", "E1002", "E1302")  # a switch waits for room on the disk, another process, or a store that is away


def run(
    workspace: Workspace,
    *,
    model_id: str | None = None,
    options: PromoteOptions | None = None,
    force: str | None = None,
    thresholds: Mapping[str, float] | None = None,
    talk: Talk | None = None,
) -> GateResult:
    """Let the gate decide, write its verdict to `verdicts/<id>.json`, and switch when it says PROMOTE.

    A challenger that serves already is judged again and stays.

    Args:
        model_id: The challenger; None: the staged one.
        force: Why it is to serve whatever the gate says. The verdict stays what it is; who overruled it, when and why
            stands beside it as `forced`, and in the log of what served.
        thresholds: Name -> a score under what serves now that your own code cuts at. The serving line then bears its
            image under the challenger, as it does for those of earlier promotions; a rollback brings this one back.

    Returns:
        The verdict. `exit_code` in `gate.py` maps it to 0, 4 or 5; a refusal is a result, not an error.

    Raises:
        DataError: The staged index or the evaluation is absent, incomplete, or of another model, corpus or data; or
            there are thresholds and nothing tells where they lie under the challenger.
        UsageError: Forced without a reason; a threshold that is no score or has the name of a measured one, or the
            challenger serves already.
    """
    if force is not None and not force.strip():
        raise UsageError("E2145", "a promotion was forced without a reason", fix='lexitune promote --force "why"')
    refuse_bad(thresholds or {})
    options, talk = options or PromoteOptions(), talk or Silent()
    keep = keep_time(options.keep)
    with workspace.lock():
        recover(workspace, talk=talk)
        staged, evaluation = _evidence(workspace, model_id)
        result = judged(workspace, evaluation, model_id=staged.model_id, options=options)
        forced = None if force is None or result.answer == PROMOTE else _overruled(result, force.strip())
        hashes = _hashes(workspace, staged.model_id, evaluation)
        result = replace(result, evidence={**result.evidence, "hashes": hashes, "forced": forced})
        verdict = workspace.verdicts / f"{staged.model_id}.json"
        replace_text(verdict, json.dumps(asdict(result), indent=1) + "\n")
        write_meta(verdict, Meta("promote", asdict(options), {"evaluation": hashes["evaluation"]}))
        if result.answer == PROMOTE or forced:
            reason = result.reasons[0]
            _promote(
                workspace,
                evaluation,
                thresholds=thresholds or {},
                reason=reason,
                forced=forced,
                keep=keep,
                talk=talk,
            )
            return replace(result, next_command='lexitune search "your query"')
    return result


def rollback(
    workspace: Workspace, *, reason: str = "", leave_store: str | None = None, talk: Talk | None = None
) -> Serving:
    """Go back to what served before the last promotion: the champion before it, or the stock model.

    A rollback that was cut off is completed, and no second one follows.

    Args:
        reason: Why, for the log of what served.
        leave_store: Why a store that is lost is done without: nothing is asked of it, its alias stays as it is, and
            what was served through it is served from its files. Who left it, when and why stands in the log.

    Returns:
        What serves now.

    Raises:
        UsageError: Nothing was promoted, or everything was rolled back already; a store is left without a reason, or
            each of them answers.
        DataError: The model or the vectors to go back to are gone.
        StageFailed: A store cannot be reached, and is not to be left.
    """
    if leave_store is not None and not leave_store.strip():
        raise UsageError(
            "E2148", "a store is left without a reason", fix='lexitune rollback --leave-store "the server is gone"'
        )
    talk = talk or Silent()
    with workspace.lock(), offering_to_leave():
        cut_off, stores = interrupted_rollback(workspace), list[str]()
        if leave_store is not None and (stores := lost_places(under_way(workspace))):
            complete_without(workspace, _leave(leave_store, stores))
        recover(workspace, talk=talk)
        serving, earlier = read_serving(workspace), history(workspace)
        if serving is not None and cut_off is not None and serving == from_files(cut_off, stores):
            return serving
        if serving is None or not earlier:
            now = "nothing was promoted" if serving is None else f"{serving.model} is the first that served"
            raise UsageError("E2142", f"nothing to roll back to in {workspace.root}: {now}", fix="lexitune status")
        target = replace(earlier[-1], at=_now())
        if leave_store is None:
            left = None
        else:
            left = _leave(leave_store, stores or _lost(serving, target))
            target = from_files(target, left["stores"])
        if gone := missing_parts(workspace, target):
            raise _gone(target, gone)
        switch(workspace, action="rollback", to=target, before=serving, reason=reason or leave_store or "", left=left)
        talk.say(f"{target} serves again, {serving} no longer")
    return target


def recover(workspace: Workspace, *, reading: bool = False, talk: Talk | None = None) -> str:
    """Complete or undo a switch that was cut off. Every command that reads what serves calls this first.

    Args:
        reading: Nothing is to be changed: where the switch has to wait, that is told, and the line that serves still
            holds a model and vectors that belong together.

    Returns:
        What was done, in words; empty when no switch was under way.

    Raises:
        StageFailed: The store that is to be switched cannot be reached, another process works in the workspace, or
            its disk is full; and more than reading is wanted.
    """
    # Looked for before locking, so that a search beside a long training does not find the door shut.
    if not (workspace.root / "switch-intent.json").exists():
        return ""
    try:
        with workspace.lock():
            done = recover_unlocked(workspace)
    except StageFailed as error:
        if not reading or error.code not in WAITING:
            raise
        done = f"a switch is under way and cannot be completed now: {error.problem}"
    if done and talk is not None:
        talk.say(done)
    return done


def _evidence(workspace: Workspace, model_id: str | None) -> tuple[Staged, Mapping[str, Any]]:
    """The staged index of one challenger, whole, and its evaluation: of the same model, vectors, corpus and data."""
    staged = require_staged(workspace, model_id)
    path = workspace.reports / f"{staged.model_id}.json"
    try:
        evaluation = json.loads(path.read_text(encoding="utf-8"))
        tuned = evaluation["sides"]["tuned"]
        made = (tuned["model"], tuned["vectors"], tuned["fingerprint"], tuned.get("store", ""), tuned.get("index", ""))
    except FileNotFoundError as error:
        raise DataError("E3303", f"{staged.model_id} was not evaluated: no {path}", fix="lexitune evaluate") from error
    except (ValueError, KeyError, TypeError) as error:
        raise DataError("E3303", f"{path} is not an evaluation: {error!r}", fix="lexitune evaluate") from error
    if made != (f"models/{staged.model_id}", staged.vectors, staged.fingerprint, staged.store, staged.index):
        raise DataError(
            "E3304",
            f"{path} measured model {made[2][:12]} in {made[4] or made[1]}, "
            f"but {staged.fingerprint[:12]} in {staged.index or staged.vectors} is staged",
            fix="lexitune evaluate",
        )
    meta = read_meta(path)
    data = meta.inputs.get("data") if meta else None
    if data and workspace.dataset.exists() and data != hash_file(workspace.dataset):
        raise DataError("E3304", f"{staged.model_id} was measured on other data", fix="lexitune evaluate")
    vectors = open_vectors(workspace.root / staged.vectors)
    found = vectors.manifest.get("fingerprint")
    if found != staged.doc_fingerprint:
        raise DataError("E3304", f"{staged.vectors} holds vectors of model {str(found)[:12]}", fix="lexitune reembed")
    if staged.store and not is_whole(staged.store, staged.index, fingerprint=staged.doc_fingerprint, rows=len(vectors)):
        raise DataError(
            "E3304",
            f"index {staged.index} of the store is gone, incomplete or another model's",
            fix="lexitune reembed",
        )
    return staged, evaluation


def _hashes(workspace: Workspace, model_id: str, evaluation: Mapping[str, Any]) -> dict[str, str]:
    """Of all that the verdict stands on: the evaluation, and what that was made of."""
    path = workspace.reports / f"{model_id}.json"
    meta = read_meta(path)
    sides = {name: str(side["fingerprint"]) for name, side in evaluation["sides"].items()}
    qrels = str(evaluation["systems"]["stock"]["fingerprints"].get("qrels", ""))
    return {**(meta.inputs if meta else {}), **sides, "qrels": qrels, "evaluation": hash_file(path)}


def _overruled(result: GateResult, why: str) -> dict[str, str]:
    """Who overrules the gate, when and why."""
    return {"who": _who(), "at": _now(), "why": why, "gate": result.answer}


def _leave(why: str, stores: list[str]) -> dict[str, Any]:
    """Who does without stores, when and why."""
    return {"who": _who(), "at": _now(), "why": why.strip(), "stores": stores}


def _lost(serving: Serving, target: Serving) -> list[str]:
    """The places of stores that a rollback would need and cannot have.

    Raises:
        UsageError: There are none: an alias that can be switched must be.
    """
    if not (stores := lost_places([serving, target])):
        raise UsageError("E2148", "no store has to be left: each one answers", fix="lexitune rollback")
    return stores


def _gone(target: Serving, gone: list[str]) -> DataError:
    only_index = bool(target.store) and gone == [f"index {target.index} of the store"]
    back = f"put {gone[0]} back from a copy, then: lexitune rollback"
    return DataError(
        "E3305",
        f"cannot go back to {target.model}: {' and '.join(gone)} gone or incomplete",
        fix='lexitune rollback --leave-store "why" serves it from files' if only_index else back,
    )


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container may run under a number that has no name
        return "unknown"


def _promote(
    workspace: Workspace,
    evaluation: Mapping[str, Any],
    *,
    thresholds: Mapping[str, float],
    reason: str,
    forced: Mapping[str, str] | None,
    keep: timedelta,
    talk: Talk,
) -> None:
    tuned, stock = (replace(serving_of(evaluation["sides"][name]), at=_now()) for name in ("tuned", "stock"))
    serving = read_serving(workspace)
    if serving is not None and _bare(serving) == _bare(tuned):
        if thresholds:
            problem = f"{tuned.model} serves already: these thresholds would be taken for scores of its own"
            scores = " ".join(f"{score:g}" for score in thresholds.values())
            raise UsageError("E2012", problem, fix=f"lexitune thresholds {scores}")
        moved = point_again(serving)
        talk.say(f"{tuned.model} serves already" + (f"; the alias points at {serving.index} again" if moved else ""))
        return
    if gone := missing_parts(workspace, tuned):
        raise DataError("E3305", f"{' and '.join(gone)} gone or incomplete", fix="lexitune train && lexitune reembed")
    # Before the first promotion no line says so, but it is the stock model that one would go back to.
    before = serving or replace(stock, at="")
    before = replace(before, thresholds={**before.thresholds, **thresholds})
    tuned = carry_over(workspace, evaluation, before, tuned)
    why = forced["why"] if forced else reason
    until = datetime.fromisoformat(tuned.at) + keep
    switch(
        workspace,
        action="promote",
        to=tuned,
        before=before,
        reason=why,
        forced=forced,
        kept_until=until.isoformat(timespec="seconds"),
    )
    talk.say(f"{tuned.model} serves now; back again with: lexitune rollback")
    talk.say(f"what served before it is {Kept(before, until)}")
    for name, score in users(before).items():
        talk.say(f"threshold {name}: {score:.3f} before, {tuned.thresholds[name]:.3f} now")
    if not users(before) and evaluation.get("score_map"):
        talk.say("its scores lie elsewhere: lexitune thresholds 0.62 tells what 0.62 became")


def _bare(serving: Serving) -> Serving:
    """Without what tells two promotions of one model and index apart."""
    measured = {name: value for name, value in serving.thresholds.items() if name not in users(serving)}
    return replace(serving, at="", thresholds=measured)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
