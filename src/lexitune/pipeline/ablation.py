"""What each collection earns: tunes on each alone, on all of them, and on all but each.

Every tune is made by one recipe, sees no dev query, and is thrown away once it has ranked the corpus for them. What
each query's recall was is kept, so that the same call goes on where it was cut off.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lexitune.errors import DataError
from lexitune.fingerprint import hash_json
from lexitune.io.atomic import replace_text
from lexitune.io.judgements import DATA
from lexitune.io.workspace import Workspace
from lexitune.metrics.grades import count_pairs
from lexitune.metrics.measures import measure_hits, parse_measures
from lexitune.metrics.statistics import Interval, mean_interval, t_interval
from lexitune.models.corpus import encode_corpus
from lexitune.models.load import load
from lexitune.models.options import ModelOptions
from lexitune.pipeline.data import read
from lexitune.pipeline.passing import measure_pace, passing_model
from lexitune.search.exact import exact_search
from lexitune.search.filters import allowed_docs, read_filter
from lexitune.sources.dataset import Gathered, gather_resolved
from lexitune.sources.resolve import resolve
from lexitune.stages.train.options import TrainOptions
from lexitune.stages.train.training import Plan, hash_data, plan_training
from lexitune.types import Dataset, Qrels, Talk

if TYPE_CHECKING:
    from lexitune.models.embedder import Embedder

__all__ = ["ALL", "Ablation", "Trained", "Trial", "ablate", "compare_trials", "make_trials", "measured_on"]

ALL = "all"
(RECALL,) = parse_measures("R@10")
DEPTH = 10
FEWEST_QUERIES = 50  # held out: with fewer, no interval of a source is narrower than what sources earn
MOST_DEV = 0.6  # of the judged queries: beyond, too few are left to train on

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Trial:
    """What one tune learns from.

    Attributes:
        name: A collection's, `all`, or `all but` a collection.
        sources: The collections in it.
    """

    name: str
    sources: frozenset[str]
    train: Qrels
    weights: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Trained:
    """What one tune found.

    Attributes:
        recall: Of dev queries; `gain` is over the stock model.
    """

    name: str
    pairs: int
    recall: Interval
    gain: Interval


@dataclass(frozen=True, slots=True)
class Ablation:
    """What each collection earned.

    Attributes:
        earned: Of each collection, the recall of all collections less that of all but this one.
        held_out: Who judged the dev queries: "experts", or "all" sources.
    """

    stock: Interval
    trained: tuple[Trained, ...]
    earned: Mapping[str, Interval]
    held_out: str = ALL


def ablate(workspace: Workspace, *, pairs: int | None, sections: Mapping[str, Any], talk: Talk) -> Ablation:
    """Tune on each collection of a workspace, on all, and on all but each, and compare what they find.

    It takes passages and splits from the data set that `collect resolve` made of them, and leaves it as it is.

    Args:
        pairs: At most so many right pairs of each collection, drawn by seed; None: all there are. With equal numbers
            the answer is about what a pair of each is worth.
        sections: Options of `data`, `model` and `train`.

    Raises:
        DataError: They were not resolved since, there are not two to tell apart, or too few dev queries.
        LexituneError: As training raises it.
    """
    own: TrainOptions = sections["train"]
    with workspace.lock():
        gathered, by_experts = gather_resolved(workspace, options=sections["data"])
        data = read(workspace.collected / DATA, options=sections["data"])
        _refuse_few_queries(len(data.qrels["dev"]), gathered, by_experts=by_experts)
        model = load(options=sections["model"], talk=talk)
        trials = _fit_trials(data, gathered, model, pairs=pairs, options=own, talk=talk)
        folder = workspace.reports / "ablation"
        found = compare_trials(data, model, trials, options=own, loading=sections["model"], folder=folder, talk=talk)
    return replace(found, held_out="experts" if by_experts else ALL)


def _refuse_few_queries(asked: int, gathered: Gathered, *, by_experts: bool) -> None:
    if asked >= FEWEST_QUERIES:
        return
    kinds = resolve(chain.from_iterable(gathered.judgements.values()), gathered.queries).kinds
    judged = sum(kind == "expert" for kind in kinds.values()) if by_experts else len(kinds)
    share = math.ceil(110 * FEWEST_QUERIES / max(1, judged)) / 100  # what belongs together is not cut: a tenth more
    hold_out = f"lexitune collect {'resolve' if by_experts else 'ablate'} --dev-share {share:g}"
    judge = f"judge more queries, {2 * FEWEST_QUERIES} or more: lexitune collect pairs FILE"
    raise DataError(
        "E3017",
        f"{asked} dev queries are too few to tell sources apart: {FEWEST_QUERIES} are needed",
        fix=hold_out if share <= MOST_DEV else judge,
    )


def _fit_trials(
    data: Dataset, gathered: Gathered, model: Embedder, *, pairs: int | None, options: TrainOptions, talk: Talk
) -> list[Trial]:
    """The trials of all collections that can be trained on alone; the others are told."""
    trials = make_trials(gathered, data.qrels["train"], pairs=pairs, seed=options.seed)
    alone = {one.name: one for one in trials if len(one.sources) == 1}
    unfit = {name: "no pair of it is to be trained on" for name in gathered.judgements if name not in alone}
    for name, one in alone.items():
        try:
            _plan(data, model, one, options)
        except DataError as error:
            unfit[name] = error.problem
    for name, why in sorted(unfit.items()):
        talk.say(f"ablate: {name} is left out: {why}")
    left = {name: judged for name, judged in gathered.judgements.items() if name not in unfit}
    if len(left) < 2:
        raise DataError(
            "E3017",
            f"nothing to compare: {len(left)} collections that can be trained on",
            fix="collect from another source: lexitune collect logs, traces, docs or pairs, then resolve",
        )
    return make_trials(replace(gathered, judgements=left), data.qrels["train"], pairs=pairs, seed=options.seed)


def make_trials(gathered: Gathered, train: Qrels, *, pairs: int | None, seed: int) -> list[Trial]:
    """Each collection alone, all of them, and all but each.

    Args:
        train: Queries that may be trained on, whoever judged them.
    """
    drawn = {}
    for name, judged in gathered.judgements.items():
        alone = resolve(judged, gathered.queries).qrels
        right = [(key, doc) for key in sorted(alone.keys() & train.keys()) for doc, g in alone[key].items() if g > 0]
        order = np.random.default_rng(seed).permutation(len(right))
        if right:
            drawn[name] = {right[place] for place in order[:pairs].tolist()}
    whole = frozenset(drawn)
    but = [(f"{ALL} but {name}", whole - {name}) for name in drawn] if len(drawn) > 2 else []
    named = [*((name, frozenset({name})) for name in drawn), *([(ALL, whole)] if len(drawn) > 1 else []), *but]
    return [_trial(gathered, name, sources, drawn) for name, sources in named]


def _trial(gathered: Gathered, name: str, sources: frozenset[str], drawn: Mapping[str, set[tuple[str, str]]]) -> Trial:
    chosen = set().union(*(drawn[source] for source in sources))
    of_query = {query_id for query_id, _ in chosen}
    judged = [one for source in sorted(sources) for one in gathered.judgements[source]]
    found = resolve(judged, gathered.queries)
    kept = {
        key: {doc: grade for doc, grade in docs.items() if (key, doc) in chosen or grade == 0}
        for key, docs in found.qrels.items()
        if key in of_query
    }
    kept = {key: docs for key, docs in kept.items() if any(docs.values())}
    weights = {key: {doc: found.weights[key][doc] for doc in docs} for key, docs in kept.items()}
    return Trial(name, sources, kept, weights)


def compare_trials(
    data: Dataset,
    model: Embedder,
    trials: Sequence[Trial],
    *,
    options: TrainOptions,
    loading: ModelOptions,
    folder: Path,
    talk: Talk,
) -> Ablation:
    """Tune on each, and compare what they find for the dev queries.

    Args:
        model: The stock model; `loading` is how it was loaded.
        folder: Keeps each query's recall, by all that a tune is made of.
    """
    on = measured_on(data)
    stock = _Kept.of(folder, on, model.fingerprint)
    plans = [_plan(data, model, one, options) for one in trials]
    kept = [_Kept.of(folder, on, plan.hash) for plan in plans]
    left = [one for one, there in zip(trials, kept, strict=True) if not there.path.exists()]
    if left:
        pace = measure_pace(data, model, options)
        seconds = sum(pace.training(count_pairs(one.train)) for one in left) + pace.doc * len(data.docs) * len(left)
        minutes = max(1, round(seconds / 60))
        talk.say(f"ablate: {len(left)} tunes, each ranking {len(data.docs):,} passages: about {minutes} min here")
    before = stock.get(lambda: _recall(model, data, talk))
    after = {}
    for number, (one, plan, there) in enumerate(zip(trials, plans, kept, strict=True)):
        talk.progress("ablate", number, len(trials), one.name)
        tune = partial(_tune, plan, data, model, loading=loading, folder=folder, talk=talk)
        after[one.sources] = there.get(tune)
    talk.progress("ablate", len(trials), len(trials))
    trained = tuple(
        Trained(one.name, count_pairs(one.train), mean_interval(found), t_interval(found - before))
        for one in trials
        for found in [after[one.sources]]
    )
    whole = max(after, key=len)
    earned = {name: t_interval(after[whole] - after[whole - {name}]) for name in sorted(whole) if len(whole) > 1}
    return Ablation(mean_interval(before), trained, earned)


def _plan(data: Dataset, model: Embedder, trial: Trial, options: TrainOptions) -> Plan:
    """Of a training that sees no dev query."""
    blind = replace(data, qrels={"train": trial.train})
    return plan_training(blind, model=model, weights=trial.weights, options=options)


def _tune(plan: Plan, data: Dataset, model: Embedder, *, loading: ModelOptions, folder: Path, talk: Talk) -> Floats:
    with passing_model(plan, model, loading=loading, root=folder, talk=talk) as tuned:
        return _recall(tuned, data, talk)


def measured_on(data: Dataset) -> str:
    """The hash of what recall is measured on: passages, dev queries, and the metadata that their filters look at."""
    asked = [data.queries[query_id] for query_id in sorted(data.qrels["dev"])]
    filters = list(map(read_filter, asked))
    seen = [filters, [dict(doc.metadata) for doc in data.docs]] if any(filters) else []
    return hash_json([hash_data(replace(data, qrels={"dev": data.qrels["dev"]})), seen])


@dataclass(frozen=True)
class _Kept:
    """Each dev query's recall, in a file that is named by what it was measured on and by the model, or its tune."""

    path: Path

    @classmethod
    def of(cls, folder: Path, on: str, model: str) -> _Kept:
        folder.mkdir(parents=True, exist_ok=True)
        return cls(folder / f"{hash_json([on, model])[:16]}.json")

    def get(self, measure: Callable[[], Floats]) -> Floats:
        """As it was measured before, or is now."""
        if self.path.exists():
            return np.array(json.loads(self.path.read_text(encoding="utf-8")), np.float64)
        found = measure()
        replace_text(self.path, json.dumps(found.tolist()) + "\n")
        return found


def _recall(model: Embedder, data: Dataset, talk: Talk) -> Floats:
    dev = data.qrels["dev"]
    query_ids = sorted(dev)
    queries = [data.queries[query_id] for query_id in query_ids]
    with tempfile.TemporaryDirectory(prefix="lexitune-ablate-") as folder:
        vectors = encode_corpus(model, data.docs, Path(folder), talk=talk, stage="encode")
        asked = model.encode_queries([query.text for query in queries])
        allowed = allowed_docs(queries, data.docs)
        hits = exact_search(asked, vectors, DEPTH, query_ids=query_ids, allowed=allowed)
    return measure_hits(hits, dev, [RECALL], split="dev").values(RECALL)
