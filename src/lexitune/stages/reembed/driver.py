"""Re-embed in a workspace: encodes the corpus with a challenger, and names the result in `staged.json`."""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lexitune.errors import DataError, UsageError
from lexitune.fingerprint import hash_file
from lexitune.io.dataset import open_data
from lexitune.io.staged import Staged, newest_model, read_staged, staged_path, unstage, write_staged
from lexitune.io.succession import MANIFEST
from lexitune.io.vectors import Vectors, open_vectors
from lexitune.io.workspace import Meta, Workspace, is_finished, write_meta
from lexitune.models.options import ModelOptions
from lexitune.settings import did_you_mean
from lexitune.stages.reembed.options import ReembedOptions
from lexitune.stages.reembed.staging import reembed
from lexitune.stores.store import opened
from lexitune.types import Dataset, Silent, Talk

if TYPE_CHECKING:
    from lexitune.models.embedder import Embedder

__all__ = ["run"]

TRIED = 300  # queries that the store's index is tried with


def run(
    workspace: Workspace,
    *,
    model_id: str | None = None,
    model: ModelOptions | None = None,
    options: ReembedOptions | None = None,
    talk: Talk | None = None,
) -> Path:
    """Stage the index of a challenger. What serves is not touched.

    Args:
        model_id: Folder name under `models/`; None: the challenger finished last.
        model: Precision and device to encode with; prompts and length are the challenger's own.

    Returns:
        The vectors folder.

    Raises:
        UsageError: No challenger, or none of that name.
        DataError: No data in the workspace.
        StageFailed: The index failed its check, or its store cannot be reached or refuses.
    """
    from lexitune.models.corpus import corpus_key
    from lexitune.models.load import load

    model, options, talk = model or ModelOptions(), options or ReembedOptions(), talk or Silent()
    start = time.monotonic()
    with workspace.lock():
        model_id = _known(workspace, model_id)
        data = open_data(workspace)
        own = replace(model, max_length=None, revision=None)
        embedder = load(str(workspace.models / model_id), options=own, talk=talk)
        inputs = {"corpus": hash_file(workspace.corpus), "model": embedder.fingerprint}
        finished = is_finished(staged_path(workspace), stage="reembed", inputs=inputs, options=options)
        if finished and (folder := _sound(workspace, model_id)) is not None:
            talk.say("reembed: skipped, same corpus, same model")
            return folder
        if options.store:  # what is wrong with it is told before hours of encoding
            with opened(options.store) as store:
                store.serving()
        unstage(workspace, f"vectors/{corpus_key(embedder)}", corpus=inputs["corpus"])
        vectors = reembed(data.docs, model=embedder, out=workspace.vectors, options=options, talk=talk)
        name = vectors.folder.relative_to(workspace.root).as_posix()
        spec, index = _load(options, vectors, data, model=embedder, talk=talk) if options.store else ("", "")
        write_staged(
            workspace,
            Staged(
                model_id,
                name,
                inputs["model"],
                inputs["corpus"],
                embedder.doc_fingerprint,
                store=spec,
                index=index,
                manifest=hash_file(vectors.folder / MANIFEST),
            ),
        )
        write_meta(staged_path(workspace), Meta("reembed", asdict(options), inputs, cost_s=time.monotonic() - start))
    return vectors.folder


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
        if staged.store:
            with opened(staged.store) as store:
                stamp, held = store.stamp(staged.index), store.count(staged.index)
            if stamp is None or stamp.fingerprint != staged.doc_fingerprint or held != len(vectors):
                return None
        return vectors.folder
    except DataError:
        return None
