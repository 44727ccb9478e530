"""Assess in a workspace: reads the data and the stock model, writes `reports/assess.json`."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from lexitune.errors import DataError, UsageError
from lexitune.fingerprint import hash_file, hash_text
from lexitune.io.atomic import replace_text
from lexitune.io.dataset import open_data
from lexitune.io.workspace import Meta, Workspace, is_finished, write_meta
from lexitune.models.options import ModelOptions
from lexitune.models.service import open_service
from lexitune.registry import parse_spec
from lexitune.stages.assess.also import OPENAI, named_rivals, refuse_unasked
from lexitune.stages.assess.asked import AskedVectors
from lexitune.stages.assess.assessment import assess, sample_queries
from lexitune.stages.assess.expected import Pilot, ShortTune, table_text
from lexitune.stages.assess.figures import LONGER
from lexitune.stages.assess.ledger import Ledger
from lexitune.stages.assess.live import ServingVectors, serving_vectors
from lexitune.stages.assess.log import hash_log
from lexitune.stages.assess.options import AssessOptions
from lexitune.stages.assess.reranking import named_reranker
from lexitune.stages.assess.rivals import Rival
from lexitune.types import Advice, Dataset, Silent, Talk

if TYPE_CHECKING:
    from lexitune.models.embedder import Embedder

__all__ = ["read_advice", "report_path", "run"]


def run(
    workspace: Workspace,
    *,
    model: ModelOptions | None = None,
    options: AssessOptions | None = None,
    talk: Talk | None = None,
    pilot: Callable[[Ledger, int], Pilot | None] | None = None,
    short_tune: Callable[[Dataset, Embedder, Ledger], ShortTune | None] | None = None,
    may_send: Callable[[str], bool] | None = None,
) -> Advice:
    """Assess the workspace's data with the stock model; equal data, model and options are read back.

    Args:
        pilot: What fits maps on the ledger's vectors, for the gain to expect.
        short_tune: What tunes for some minutes; it is called where the options ask for it.
        may_send: Hears how many texts would go to which service, and answers whether they may; None: they may not.

    Raises:
        DataError: No data in the workspace, or data that cannot be measured.
        UsageError: An unknown model, or texts that may not go to a service.
    """
    from lexitune.models.load import load

    model, options, talk = model or ModelOptions(), options or AssessOptions(), talk or Silent()
    start, path = time.monotonic(), report_path(workspace)
    with workspace.lock():
        data = open_data(workspace)
        embedder = load(options=model, talk=talk)
        others = _others(options, model, cache=workspace.vectors, talk=talk)
        live = _live(options, embedder, cache=workspace.vectors)
        inputs = {"data": hash_file(workspace.dataset), "model": embedder.fingerprint}
        inputs |= {"live": live.fingerprint} if live else {}
        inputs["pilot"] = hash_text(table_text()) if pilot is not None and options.pilot else ""
        inputs |= {f"model {name}": other.fingerprint for name, other in others.items()}
        reranker = named_reranker(options, device=str(embedder.network.device))
        inputs |= {"reranker": reranker.fingerprint} if reranker else {}
        inputs |= {"log": hash_log(options.log)} if options.log else {}
        if is_finished(path, stage="assess", inputs=inputs, options=options):
            talk.say("assess: skipped, same data, same model, same options")
            return read_advice(path)
        _ask_leave(data, options, others=others, live=live, may_send=may_send)
        advice = assess(
            data,
            model=embedder,
            others=others,
            vectors=workspace.vectors,
            reranker=reranker,
            live=live,
            options=options,
            talk=talk,
            pilot=pilot,
            short_tune=short_tune if options.pilot_minutes else None,
        )
        replace_text(path, json.dumps(asdict(advice), indent=1) + "\n")
        spent = time.monotonic() - start
        write_meta(path, Meta("assess", asdict(options), inputs, seed=options.seed, cost_s=spent))
    return advice


def _ask_leave(
    data: Dataset,
    options: AssessOptions,
    *,
    others: Mapping[str, Embedder | Rival],
    live: ServingVectors | None,
    may_send: Callable[[str], bool] | None,
) -> None:
    """See that nothing leaves this machine without leave: of `--also` passages and queries, of `--store` queries."""
    asked, _ = sample_queries(data, most=options.max_queries, seed=options.seed)
    queries = [data.queries[query_id].text for query_id in asked]
    also = {f"--also {name}": other for name, other in others.items()}
    refuse_unasked(also, [*(doc.full_text for doc in data.docs), *queries], may_send=may_send)
    if live:
        refuse_unasked({f"--store-model {options.store_model}": live.asked}, queries, may_send=may_send)


def _live(options: AssessOptions, model: Embedder, *, cache: Path) -> ServingVectors | None:
    """The index that serves, where the options name one; its queries are encoded by the model, or by a service."""
    if options.store is None:
        if options.store_model:
            raise UsageError("E2012", "--store-model goes with --store", fix="add --store pgvector:ADDRESS,table=TABLE")
        return None
    asked: Embedder | Rival = model
    if options.store_model:
        service = parse_spec(options.store_model)
        if service.name != OPENAI or not service.target:
            fix = "--store-model openai:MODEL; a model of this machine is --model"
            raise UsageError("E2004", f"--store-model {options.store_model} names no service", fix=fix)
        asked = AskedVectors(open_service(service.target, environ=os.environ), cache=cache)
    return serving_vectors(options.store, asked=asked)


def _others(options: AssessOptions, model: ModelOptions, *, cache: Path, talk: Talk) -> dict[str, Embedder | Rival]:
    """What the options name to stand beside the stock model."""
    from lexitune.models.load import load

    alone = partial(_alone, model)
    found = named_rivals(
        options.also, load=lambda name: load(options=alone(name), talk=talk), cache=cache, environ=os.environ
    )
    if options.try_length is not None:
        longer = load(options=replace(model, max_length=options.try_length), talk=talk)
        found = {**found, f"{LONGER}{options.try_length} tokens": longer}
    return found


def _alone(options: ModelOptions, name: str) -> ModelOptions:
    """Options for another model: a revision, trust in its code and a length are the stock model's own."""
    return replace(options, model=name, revision=None, trust_remote_code=False, max_length=None)


def report_path(workspace: Workspace) -> Path:
    """Where the advice lies."""
    return workspace.reports / "assess.json"


def read_advice(path: Path) -> Advice:
    """The advice that `run` wrote.

    Raises:
        DataError: The file is not what `run` writes.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        told = {name: tuple(found.get(name, ())) for name in ("reasons", "also")}
        return Advice(found["answer"], evidence=found["evidence"], next_command=found["next_command"], **told)
    except (ValueError, KeyError, TypeError) as error:
        raise DataError("E3307", f"{path} cannot be read: {error!r}", fix=f"rm {path} && lexitune assess") from error
