"""What each collection earns: tunes on each alone, on all of them, and on all but each.

Every tune is made by one recipe, sees no dev query, and is thrown away once it has ranked the corpus for them. What
each query's recall was is kept, so that the same call goes on where it was cut off.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lexitune.errors import DataError
from lexitune.fingerprint import hash_json
from lexitune.io.atomic import replace_text
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
from lexitune.search.filters import allowed_docs
from lexitune.sources.dataset import Gathered, build_data
from lexitune.sources.resolve import resolve
from lexitune.stages.train.options import TrainOptions
from lexitune.stages.train.training import hash_data, plan_training
from lexitune.types import Dataset, Qrels, Talk

if TYPE_CHECKING:
    from lexitune.models.embedder import Embedder

__all__ = ["ALL", "Ablation", "Trained", "Trial", "ablate", "compare_trials", "make_trials"]

ALL = "all"
(RECALL,) = parse_measures("R@10")
DEPTH = 10
FEWEST_QUERIES = 50  # held out: with fewer, no interval of a source is narrower than what sources earn

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

    Args:
        pairs: At most so many right pairs of each collection, drawn by seed; None: all there are. With equal numbers
            the answer is about what a pair of each is worth.
        sections: Options of `data`, `model` and `train`.

    Raises:
        DataError: There are not two collections to tell apart, too few dev queries, or data that `collect resolve`
            would not take either.
        LexituneError: As training raises it.
    """
    own: TrainOptions = sections["train"]
    with workspace.lock():
        corpus = sections["data"].corpus
        built = build_data(workspace, corpus=Path(corpus) if corpus else None, options=sections["data"], talk=talk)
        data = read(built.folder, options=replace(sections["data"], corpus=None))
        trials = make_trials(built.gathered, data.qrels["train"], pairs=pairs, seed=own.seed)
        sources, asked = {source for one in trials for source in one.sources}, len(data.qrels["dev"])
        for name in sorted(set(built.gathered.judgements) - sources):
            talk.say(f"ablate: {name} is left out: no pair of it is to be trained on")
        if len(sources) < 2 or asked < FEWEST_QUERIES:
            raise DataError(
                "E3017",
                f"nothing to compare: {len(sources)} collections with train pairs, {asked} dev queries",
                fix=f"collect from two sources or more, and judge enough for {FEWEST_QUERIES} dev queries",
            )
        model = load(options=sections["model"], talk=talk)
        found = compare_trials(
            data,
            model,
            trials,
            options=own,
            loading=sections["model"],
            folder=workspace.reports / "ablation",
            talk=talk,
        )
    return replace(found, held_out=ALL if "all" in built.splits else "experts")


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
    pace = measure_pace(data, model, options)
    seconds = sum(pace.training(count_pairs(one.train)) + pace.doc * len(data.docs) for one in trials)
    minutes = max(1, round(seconds / 60))
    talk.say(f"ablate: {len(trials)} tunes, each ranking {len(data.docs):,} passages: about {minutes} min here")
    stock = {**hash_data(data), "model": model.fingerprint}
    before = _kept(folder, stock, lambda: _recall(model, data, talk))
    after = {}
    for number, one in enumerate(trials):
        talk.progress("ablate", number, len(trials), one.name)
        after[one.name] = _found(data, model, one, options=options, loading=loading, folder=folder, talk=talk)
    talk.progress("ablate", len(trials), len(trials))
    trained = tuple(
        Trained(one.name, count_pairs(one.train), mean_interval(after[one.name]), t_interval(after[one.name] - before))
        for one in trials
    )
    by_sources = {one.sources: after[one.name] for one in trials}
    whole = max(by_sources, key=len)
    earned = {
        name: t_interval(by_sources[whole] - by_sources[whole - {name}]) for name in sorted(whole) if len(whole) > 1
    }
    return Ablation(mean_interval(before), trained, earned)


def _found(
    data: Dataset,
    model: Embedder,
    trial: Trial,
    *,
    options: TrainOptions,
    loading: ModelOptions,
    folder: Path,
    talk: Talk,
) -> Floats:
    """Each dev query's recall after this tune: as it was kept, or as it is now measured."""
    blind = replace(data, qrels={"train": trial.train})
    plan = plan_training(blind, model=model, weights=trial.weights, options=options)

    def tune() -> Floats:
        with passing_model(plan, model, loading=loading, root=folder, talk=talk) as tuned:
            return _recall(tuned, data, talk)

    return _kept(folder, {"tune": plan.hash, "dev": hash_data(data)["dev"]}, tune)


def _kept(folder: Path, made_of: Mapping[str, str], make: Callable[[], Floats]) -> Floats:
    """What was measured before of the same things, or is now."""
    path = folder / f"{hash_json(dict(made_of))[:16]}.json"
    if path.exists():
        return np.array(json.loads(path.read_text(encoding="utf-8")), np.float64)
    folder.mkdir(parents=True, exist_ok=True)
    found = make()
    replace_text(path, json.dumps(found.tolist()) + "\n")
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
