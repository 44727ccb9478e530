"""Evaluate in a workspace: opens the test judgements, writes runs, `reports/<id>.json` and tables."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lexitune.errors import DataError
from lexitune.fingerprint import hash_file
from lexitune.io.atomic import replace_text, replacing
from lexitune.io.dataset import open_data, read_record
from lexitune.io.hits import Hits
from lexitune.io.staged import Staged, require_staged
from lexitune.io.trec import write_run
from lexitune.io.vectors import open_vectors
from lexitune.io.workspace import Meta, Workspace, is_finished, meta_path, write_meta
from lexitune.models.options import ModelOptions
from lexitune.search.filters import read_filter
from lexitune.splits.sealing import open_test
from lexitune.stages.evaluate.declared import refuse_unknown_fields
from lexitune.stages.evaluate.evaluation import Evaluation
from lexitune.stages.evaluate.guard import GuardText, measure_guard, read_guard
from lexitune.stages.evaluate.measuring import evaluate
from lexitune.stages.evaluate.options import EvaluateOptions
from lexitune.stages.evaluate.scores import write_score_table
from lexitune.stages.evaluate.seen import seen_documents
from lexitune.stages.evaluate.systems import Search
from lexitune.stages.evaluate.unjudged import pairs_to_label, write_pairs
from lexitune.types import Dataset, Qrels, Query, Silent, Talk

if TYPE_CHECKING:
    from lexitune.models.embedder import Embedder

__all__ = ["read_evaluation", "report_path", "run", "staged_search"]


def run(
    workspace: Workspace,
    *,
    model_id: str | None = None,
    model: ModelOptions | None = None,
    options: EvaluateOptions | None = None,
    talk: Talk | None = None,
) -> Evaluation:
    """Evaluate the staged challenger against the stock model, on the test queries, through the staged index.

    Equal data, models and options are read back; then the test judgements stay closed.

    Args:
        model_id: The challenger; None: the staged one.
        model: The stock model, and how both compute; prompts and length of the challenger are its own.

    Raises:
        DataError: Nothing staged, a staged index of another model or corpus, no test queries, test judgements that
            changed since the import, a collapsed model, a guard folder that cannot be used, or no such field.
    """
    from lexitune.models.corpus import encode_corpus
    from lexitune.models.load import load

    model, options, talk = model or ModelOptions(), options or EvaluateOptions(), talk or Silent()
    start = time.monotonic()
    with workspace.lock():
        data = open_data(workspace)
        staged = require_staged(workspace, model_id)
        refuse_unknown_fields(data.queries.values(), options.slices)
        stock = load(options=model, talk=talk)
        tuned = _challenger(workspace, staged, model, talk)
        guard = read_guard(options.guard_folder)
        inputs = {"stock": stock.fingerprint, "tuned": tuned.fingerprint, "data": hash_file(workspace.dataset)}
        inputs |= _index(staged) | {text.name: text.fingerprint for text in guard}
        path = report_path(workspace, staged.model_id)
        if is_finished(path, stage="evaluate", inputs=inputs, options=options):
            talk.say("evaluate: skipped, same data, same models, same options")
            return read_evaluation(path)
        tuned_vectors = open_vectors(workspace.root / staged.vectors)
        stock_vectors = encode_corpus(stock, data.docs, workspace.vectors, talk=talk, stage="evaluate")
        test = _open(workspace, data, purpose=f"evaluate {staged.model_id}")
        with staged_search(staged) as search:
            found = evaluate(
                data,
                test,
                stock=stock,
                tuned=tuned,
                stock_vectors=stock_vectors,
                tuned_vectors=tuned_vectors,
                model_id=staged.model_id,
                tuned_search=search,
                options=options,
                talk=talk,
            )
        found = _named(workspace, found, staged, stock=stock, tuned=tuned)
        found = _guarded(workspace, found, guard, stock=stock, tuned=tuned, options=options, talk=talk)
        _write(workspace, found, data, test)
        cost_s = time.monotonic() - start
        write_meta(path, Meta("evaluate", asdict(options), inputs, seed=options.seed, cost_s=cost_s))
    return found


def report_path(workspace: Workspace, model_id: str) -> Path:
    """Where the evaluation of a challenger lies."""
    return workspace.reports / f"{model_id}.json"


def read_evaluation(path: Path) -> Evaluation:
    """The evaluation that `run` wrote, without its rankings.

    Raises:
        DataError: The file is not an evaluation.
    """
    try:
        return Evaluation.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, DataError) as error:
        why = error.problem if isinstance(error, DataError) else error
        raise DataError("E3303", f"{path} cannot be read: {why}", fix=f"rm {path} && lexitune evaluate") from error


@contextmanager
def staged_search(staged: Staged) -> Iterator[Search | None]:
    """Search through the staged index of a store, each query behind its filter; None where files will serve.

    Raises:
        UsageError: The store's package is missing.
    """
    if not staged.store:
        yield None
        return
    from lexitune.stores.store import opened

    with opened(staged.store) as store:

        def search(encoded: NDArray[np.float32], queries: Sequence[Query], depth: int) -> Hits:
            return store.search(
                staged.index,
                encoded,
                query_ids=[query.query_id for query in queries],
                k=depth,
                fingerprint=staged.doc_fingerprint,
                filters=[read_filter(query) for query in queries],
            )

        yield search


def _index(staged: Staged) -> dict[str, str]:
    through = {"store": staged.store, "index": staged.index} if staged.store else {}
    return {"vectors": staged.vectors, **through}


def _challenger(workspace: Workspace, staged: Staged, model: ModelOptions, talk: Talk) -> Embedder:
    """The staged model, if it is still the one that made the index."""
    from lexitune.models.load import load

    own = replace(model, max_length=None, revision=None)
    tuned = load(str(workspace.models / staged.model_id), options=own, talk=talk)
    if staged.fingerprint != tuned.fingerprint:
        raise DataError(
            "E3304",
            f"the index of {staged.model_id} was made with model {staged.fingerprint[:12]}, which is now "
            f"{tuned.fingerprint[:12]}: its weights, length or precision changed",
            fix="lexitune reembed",
        )
    return tuned


def _open(workspace: Workspace, data: Dataset, *, purpose: str) -> Qrels:
    if data.test is None or not data.test.query_count:
        raise DataError("E3301", f"no test queries in {workspace.root}", fix="lexitune tune DATA --test-share 0.2")
    sealed = read_record(workspace)["files"].get("qrels/test.tsv")
    return open_test(data.test, openings=workspace.openings, purpose=purpose, expected_sha256=sealed)


def _named(workspace: Workspace, found: Evaluation, staged: Staged, *, stock: Embedder, tuned: Embedder) -> Evaluation:
    """Name both sides so that the workspace may be moved and `lexitune.load` finds either; note a foreign base."""
    source = Path(stock.spec.source)
    names = {
        "stock": str(source.resolve()) if source.is_dir() else stock.spec.name,
        "tuned": f"models/{found.model_id}",
    }
    sides = {
        name: replace(side, model=names[name], vectors=Path(side.vectors).relative_to(workspace.root).as_posix())
        for name, side in found.sides.items()
    }
    sides["tuned"] = replace(sides["tuned"], store=staged.store, index=staged.index)
    if tuned.base.get("weights") == stock.base.get("weights"):
        return replace(found, sides=sides)
    trained_from, measured = tuned.base.get("name"), stock.base.get("name")
    note = f"the challenger was trained from {trained_from}; the stock model measured here is {measured}"
    return replace(found, sides=sides, notes=(note, *found.notes))


def _guarded(
    workspace: Workspace,
    found: Evaluation,
    guard: Sequence[GuardText],
    *,
    stock: Embedder,
    tuned: Embedder,
    options: EvaluateOptions,
    talk: Talk,
) -> Evaluation:
    """The same with what the challenger loses outside the field."""
    start = time.monotonic()
    measured = measure_guard(guard, stock=stock, tuned=tuned, vectors=workspace.vectors, options=options, talk=talk)
    return replace(found, guard=measured, seconds={**found.seconds, "guard": time.monotonic() - start})


def _write(workspace: Workspace, found: Evaluation, data: Dataset, test: Qrels) -> None:
    path = report_path(workspace, found.model_id)
    meta_path(path).unlink(missing_ok=True)  # from here on the files are not those that it tells of
    for name, hits in found.hits.items():
        suffix = "" if name == "tuned" else f"-{name.replace('_', '-')}"
        write_run(workspace.runs / f"{found.model_id}{suffix}.trec", hits, name)
    write_pairs(workspace.runs / f"{found.model_id}.unjudged.csv", pairs_to_label(found.hits, test))
    _write_table(
        workspace.runs / f"{found.model_id}.per-query.csv", found, seen_documents(data.qrels.get("train", {}), test)
    )
    scores = workspace.reports / f"{found.model_id}.scores.tsv"
    scores.unlink(missing_ok=True)  # of an evaluation that had more dev queries
    if found.score_map:
        write_score_table(scores, found.score_map)
    replace_text(path, json.dumps(found.to_json()) + "\n")


def _write_table(path: Path, found: Evaluation, seen_document: frozenset[str]) -> None:
    columns = [(name, measure) for name, report in found.systems.items() for measure in report.measures]
    values = [found.systems[name].values(measure).tolist() for name, measure in columns]
    ids = found.systems["stock"].query_ids
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["query_id", "seen_query", "seen_document", *(f"{name} {measure}" for name, measure in columns)])
        for row, query_id in enumerate(ids):
            # The train or dev query that asks the same; empty: none.
            like = found.seen[query_id].other_id if query_id in found.seen else ""
            table.writerow([query_id, like, int(query_id in seen_document), *(column[row] for column in values)])
