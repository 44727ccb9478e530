"""Re-embed in a workspace: encodes the corpus with a challenger, and names the result in `staged.json`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lexitune.errors import DataError, UsageError
from lexitune.fingerprint import hash_file
from lexitune.io.dataset import open_data
from lexitune.io.processes import processes
from lexitune.io.staged import Staged, newest_model, read_staged, staged_path, unstage, write_staged
from lexitune.io.succession import MANIFEST
from lexitune.io.vectors import Vectors, open_vectors
from lexitune.io.workspace import Meta, Workspace, is_finished, read_meta, write_meta
from lexitune.models.options import ModelOptions
from lexitune.settings import did_you_mean
from lexitune.stages.reembed.options import ReembedOptions
from lexitune.stages.reembed.plan import ReembedPlan, plan_reembed, refuse_full_disk, speed_record
from lexitune.stages.reembed.staging import reembed
from lexitune.stores.store import is_whole, opened
from lexitune.types import Dataset, Silent, Talk

if TYPE_CHECKING:
    from lexitune.models.embedder import Embedder

__all__ = ["foresee", "run"]

TRIED = 300  # queries that the store's index is tried with


@dataclass(frozen=True)
class _Challenger:
    """What is to be encoded, with what, and the hashes of both."""

    model_id: str
    data: Dataset
    embedder: Embedder
    inputs: Mapping[str, str]


def run(
    workspace: Workspace,
    *,
    model_id: str | None = None,
    model: ModelOptions | None = None,
    options: ReembedOptions | None = None,
    pounds_per_hour: float = 0.0,
    talk: Talk | None = None,
) -> Path:
    """Stage the index of a challenger. What serves is not touched. What it will take is said before it begins.

    Args:
        model_id: Folder name under `models/`; None: the challenger finished last.
        model: Precision and device to encode with; prompts and length are the challenger's own.
        pounds_per_hour: What this machine costs, for what is said before; 0: not known.

    Returns:
        The vectors folder. Of several processes the first alone stages it, when the others may have returned.

    Raises:
        UsageError: No challenger, or none of that name.
        DataError: No data in the workspace.
        StageFailed: The disk has too little room, the index failed its check, or its store cannot be reached or
            refuses.
    """
    from lexitune.models.corpus import find_work

    options, talk = options or ReembedOptions(), talk or Silent()
    start, is_first = time.monotonic(), processes().rank == 0
    with workspace.lock():
        found = _open(workspace, model_id, model, talk)
        path, speed = staged_path(workspace), _speed(workspace)
        finished = is_finished(path, stage="reembed", inputs=found.inputs, options=options)
        if finished and (folder := _sound(workspace, found.model_id)) is not None:
            talk.say("reembed: skipped, same corpus, same model")
            return folder
        if options.store:  # what is wrong with it is told before hours of encoding
            with opened(options.store) as store:
                store.serving()
        work = find_work(found.embedder, found.data.docs, workspace.vectors)
        if work.done is None:
            plan = plan_reembed(work, found.embedder, options=options, pounds_per_hour=pounds_per_hour, speed=speed)
            for line in plan.lines():
                talk.say(f"reembed: {line}")
            refuse_full_disk(plan, work.folder)
        if is_first:
            unstage(workspace, f"vectors/{work.folder.name}", corpus=found.inputs["corpus"])
        began = time.monotonic()
        vectors = reembed(
            found.data.docs, model=found.embedder, out=workspace.vectors, options=options, work=work, talk=talk
        )
        if options.engine == "local":
            speed = speed_record(work, found.embedder, seconds=time.monotonic() - began, earlier=speed)
        if is_first:  # all have encoded; two that load one store would be in each other's way
            _stage(workspace, found, vectors, options=options, talk=talk)
            cost_s, outputs = time.monotonic() - start, {"speed": speed} if speed else {}
            write_meta(path, Meta("reembed", asdict(options), found.inputs, cost_s=cost_s, outputs=outputs))
    return vectors.folder


def foresee(
    workspace: Workspace,
    *,
    model_id: str | None = None,
    model: ModelOptions | None = None,
    options: ReembedOptions | None = None,
    pounds_per_hour: float = 0.0,
    talk: Talk | None = None,
) -> ReembedPlan:
    """What `run` would say before it begins; nothing is written.

    Raises:
        LexituneError: As `run` would before it begins.
    """
    from lexitune.models.corpus import find_work

    options, talk = options or ReembedOptions(), talk or Silent()
    with workspace.lock():
        found = _open(workspace, model_id, model, talk)
        work = find_work(found.embedder, found.data.docs, workspace.vectors)
        plan = plan_reembed(
            work, found.embedder, options=options, pounds_per_hour=pounds_per_hour, speed=_speed(workspace)
        )
    refuse_full_disk(plan, work.folder)
    return plan


def _open(workspace: Workspace, model_id: str | None, model: ModelOptions | None, talk: Talk) -> _Challenger:
    from lexitune.models.load import load

    model_id = _known(workspace, model_id)
    data = open_data(workspace)
    own = replace(model or ModelOptions(), max_length=None, revision=None)
    embedder = load(str(workspace.models / model_id), options=own, talk=talk)
    return _Challenger(model_id, data, embedder, {"corpus": hash_file(workspace.corpus), "model": embedder.fingerprint})


def _speed(workspace: Workspace) -> dict[str, Any]:
    """How fast an earlier run was; empty: there was none, or it was too short to tell."""
    meta = read_meta(staged_path(workspace))
    return dict(meta.outputs.get("speed", {})) if meta else {}


def _stage(workspace: Workspace, found: _Challenger, vectors: Vectors, *, options: ReembedOptions, talk: Talk) -> None:
    """Load the vectors into the store, where one is to serve, and name them as staged."""
    spec, index = "", ""
    if options.store:
        spec, index = _load(options, vectors, found.data, model=found.embedder, talk=talk)
    staged = Staged(
        found.model_id,
        vectors.folder.relative_to(workspace.root).as_posix(),
        found.inputs["model"],
        found.inputs["corpus"],
        found.embedder.doc_fingerprint,
        store=spec,
        index=index,
        manifest=hash_file(vectors.folder / MANIFEST),
    )
    write_staged(workspace, staged)


def _load(options: ReembedOptions, vectors: Vectors, data: Dataset, *, model: Embedder, talk: Talk) -> tuple[str, str]:
    """Load the vectors into the store, and tell how it went: what opens the store again, and the index's name."""
    from lexitune.stores.loading import load_index

    asked = sorted(data.qrels.get("dev", {}))[:TRIED] or sorted(data.qrels.get("train", {}))[:TRIED]
    texts = [data.queries[query_id].text for query_id in asked]
    queries = model.encode_queries(texts) if texts else np.empty((0, vectors.dim), np.float32)
    with opened(options.store) as store:
        done = load_index(
            store, vectors, data.docs, queries=queries, least_agreement=options.least_agreement, talk=talk
        )
    written = f"{done.written:,} of {done.rows:,} passages written" if done.written else "nothing to write"
    how = f"effort {done.effort}" if done.effort else "every vector compared"
    talk.say(f"load: index {done.index}: {written}, {done.removed:,} removed, {done.seconds:.0f} s")
    talk.say(
        f"load: gives {100 * done.agreement:.1f} % of exact search's first ten, {done.query_ms:.1f} ms a query, {how}"
    )
    return store.spec, done.index


def _known(workspace: Workspace, model_id: str | None) -> str:
    found = model_id or newest_model(workspace)
    if found is None:
        raise UsageError("E2141", f"no finished model in {workspace.models}", fix="lexitune train")
    names = [folder.name for folder in workspace.models.glob("[!.]*") if folder.is_dir()]
    if found not in names:
        raise UsageError("E2141", f"no model '{found}' in {workspace.models}", fix=did_you_mean(found, names))
    return found


def _sound(workspace: Workspace, model_id: str) -> Path | None:
    """The vectors folder, where this challenger is staged and nothing is damaged: staging again mends what is."""
    try:
        staged = read_staged(workspace)
        if staged is None or staged.model_id != model_id or not staged.is_there(workspace):
            return None
        vectors = open_vectors(workspace.root / staged.vectors)
        made_by, rows = staged.doc_fingerprint, len(vectors)
        if staged.store and not is_whole(staged.store, staged.index, fingerprint=made_by, rows=rows):
            return None
        return vectors.folder
    except DataError:
        return None
