"""Evaluate: five systems on the same test queries, and what the challenger gains over the stock model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from lexitune.errors import DataError
from lexitune.io.hits import Hits
from lexitune.io.vectors import Vectors
from lexitune.metrics.comparison import Comparison, Delta, compare, compare_slices
from lexitune.metrics.measures import Measure, measure_hits, parse_measures
from lexitune.metrics.report import Report
from lexitune.metrics.score_map import ScoreMap
from lexitune.splits.audit import tell
from lexitune.stages.evaluate.declared import Declared, declared_slices
from lexitune.stages.evaluate.evaluation import SYSTEMS, Change, Evaluation, Side
from lexitune.stages.evaluate.options import EvaluateOptions
from lexitune.stages.evaluate.scores import map_scores, tell_scores
from lexitune.stages.evaluate.seen import cells, seen_documents, seen_queries
from lexitune.stages.evaluate.systems import EXACT, Clock, Search, rank, relevant_scores
from lexitune.stages.evaluate.unjudged import pairs_to_label
from lexitune.text.normalise import normalise
from lexitune.types import Dataset, Qrels, Silent, Talk

if TYPE_CHECKING:
    from lexitune.models.embedder import Embedder

__all__ = ["clusters_of", "evaluate"]

SHOWN = 20  # wins and losses each: what people read, with texts
DEFAULT = EvaluateOptions()


def evaluate(
    data: Dataset,
    test: Qrels,
    *,
    stock: Embedder,
    tuned: Embedder,
    stock_vectors: Vectors,
    tuned_vectors: Vectors,
    model_id: str = "tuned",
    tuned_search: Search | None = None,
    options: EvaluateOptions = DEFAULT,
    talk: Talk | None = None,
) -> Evaluation:
    """Measure the challenger through the vectors that would serve it.

    Args:
        data: The corpus, all queries, and the train and dev judgements (for slices and thresholds).
        test: The test judgements, opened.
        stock_vectors: `data.docs` under `stock`, in their order; `tuned_vectors` likewise.
        tuned_search: The index that would serve the challenger, judged beside exact search; None: exact search alone.

    Raises:
        DataError: No test query with a relevant doc, other vectors or corpus, a collapsed model, or no such field.
        StageFailed: A query encodes to NaN.
    """
    talk, clock = talk or Silent(), Clock()
    judged = _answerable(test)
    models = {"stock": (stock, stock_vectors), "tuned": (tuned, tuned_vectors)}
    searches = {} if tuned_search is None else {"tuned": tuned_search}
    declared = declared_slices(data.queries, judged, options.slices)
    queries = [data.queries[query_id] for query_id in sorted(judged)]
    measures, depth = _measures(options)
    primary = str(measures[0])
    hits, weights, dev_hits = rank(data, queries, models=models, searches=searches, depth=depth, clock=clock, talk=talk)
    sides, score_map = _sides(data, models, weights, clock), _score_map(data, dev_hits)
    reports = _measure_all(hits, test, measures, sides)
    seen = seen_queries(data, judged, stock=stock if options.cosine_audit else None, talk=talk)
    clock.stop("seen queries")
    comparisons = _compare_all(data, judged, reports, primary, options, seen=seen.keys(), declared=declared)
    won, lost = _changes(comparisons["tuned"], primary, hits, judged)
    clock.stop("statistics")
    told = (*tell_scores(score_map), *tell(list(seen.values()), len(judged)))
    return Evaluation(
        model_id=model_id,
        primary=primary,
        systems=reports,
        comparison=comparisons["tuned"],
        hybrid=comparisons["hybrid"],
        against_bm25={"tuned": comparisons["bm25"], "hybrid_tuned": comparisons["hybrid_bm25"]},
        won=won,
        lost=lost,
        sides=sides,
        unseen=_unseen(comparisons["tuned"], primary, options, seen=seen.keys()),
        to_label=len(pairs_to_label(hits, judged)),
        score_map=score_map,
        seconds=clock.seconds,
        notes=(*_notes(reports, weights, declared), *_beside(hits, test, measures[0]), *told),
        hits=hits,
        seen=seen,
    )


def _measures(options: EvaluateOptions) -> tuple[list[Measure], int]:
    """The measures, and how deep the rankings go."""
    measures = parse_measures(options.measures)
    # A measure beyond the depth would count docs as missed that nobody looked for.
    return list(measures), max(options.depth, *(measure.cutoff for measure in measures))


def _answerable(test: Qrels) -> Qrels:
    """The queries with a relevant passage: without one, no system can be right."""
    judged = {q: docs for q, docs in test.items() if any(grade > 0 for grade in docs.values())}
    if not judged:
        raise DataError("E3301", "no test query has a relevant passage", fix="lexitune tune DATA --test-share 0.2")
    return judged


def _beside(hits: Mapping[str, Hits], test: Qrels, primary: Measure) -> list[str]:
    """What exact search over the challenger's vectors finds, where an index of a store was judged."""
    if (exact := hits.get("tuned" + EXACT)) is None:
        return []
    found = hits["tuned"]
    through, truth = (float(measure_hits(one, test, [primary]).values(primary).mean()) for one in (found, exact))
    tens = [[{doc for doc, _ in one.run(query_id)[:10]} for one in (found, exact)] for query_id in exact.query_ids]
    same = np.mean([len(mine & true) / max(1, len(true)) for mine, true in tens])
    return [
        f"tuned was judged through the store's index: {primary} {through:.3f}; exact search over the same vectors "
        f"{truth:.3f}; {100 * same:.1f} % of the first ten are the same"
    ]


def _sides(
    data: Dataset, models: Mapping[str, tuple[Embedder, Vectors]], weights: Mapping[str, float], clock: Clock
) -> dict[str, Side]:
    dev = data.qrels.get("dev", {})
    found = {
        name: Side(
            model.spec.name,
            str(vectors.folder),
            model.fingerprint,
            relevant_scores(data, dev, model=model, vectors=vectors)
            | ({"bm25_weight": weights[name]} if name in weights else {}),
            size=sum(part.nbytes for part in vectors.parts),
            query_ms=clock.query_ms(name),
        )
        for name, (model, vectors) in models.items()
    }
    clock.stop("thresholds")
    return found


def _score_map(data: Dataset, dev_hits: Mapping[str, Hits]) -> ScoreMap | None:
    if not dev_hits:
        return None
    dev = {query_id: data.qrels["dev"][query_id] for query_id in dev_hits["stock"].query_ids}
    return map_scores(dev_hits["stock"], dev_hits["tuned"], dev, clusters=clusters_of(data, dev))


def _measure_all(
    hits: Mapping[str, Hits], test: Qrels, measures: Sequence[Measure], sides: Mapping[str, Side]
) -> dict[str, Report]:
    prints = {name: {"model": side.fingerprint} for name, side in sides.items()}
    # A hybrid is a product of its model, so it bears that model's fingerprint.
    return {
        name: measure_hits(
            hits[name], test, measures, system=name, split="test", fingerprints=prints.get(name.removeprefix("hybrid_"))
        )
        for name in SYSTEMS
    }


def clusters_of(data: Dataset, test: Qrels) -> dict[str, str]:
    """A label for each test query; equal labels are drawn together in the bootstrap.

    Queries belong together when their best relevant doc is of one family (metadata `family`, else the doc
    itself), or when their texts are equal after normalising. Both count: a chain of the two is one cluster.
    """
    family = {doc.doc_id: str(doc.metadata.get("family", doc.doc_id)) for doc in data.docs}
    parent: dict[str, str] = {}

    def root(node: str) -> str:
        while parent.setdefault(node, node) != node:
            parent[node] = node = parent[parent[node]]
        return node

    keys = {}
    for query_id, docs in test.items():
        best = min(docs, key=lambda doc: (-docs[doc], doc))
        keys[query_id] = f"family {family.get(best, best)}"
        parent[root(f"query {normalise(data.queries[query_id].text)}")] = root(keys[query_id])
    return {query_id: root(key) for query_id, key in keys.items()}


def _compare_all(
    data: Dataset,
    judged: Qrels,
    reports: Mapping[str, Report],
    primary: str,
    options: EvaluateOptions,
    *,
    seen: AbstractSet[str],
    declared: Sequence[Declared],
) -> dict[str, Comparison]:
    clusters = clusters_of(data, judged)
    # Only the first comparison is shown in every measure; resampling the others there would be for nobody.
    brief = {name: replace(one, per_query={primary: one.per_query[primary]}) for name, one in reports.items()}
    pairs = {
        "tuned": (reports["stock"], reports["tuned"]),
        "hybrid": (brief["hybrid_stock"], brief["hybrid_tuned"]),
        "bm25": (brief["bm25"], brief["tuned"]),
        "hybrid_bm25": (brief["bm25"], brief["hybrid_tuned"]),
    }
    found = {
        name: compare(before, after, clusters=clusters, resamples=options.resamples, seed=options.seed)
        for name, (before, after) in pairs.items()
    }
    whole = found["tuned"]
    part = replace(whole, per_query={primary: whole.per_query[primary]})
    documents = seen_documents(data.qrels.get("train", {}), judged)
    slices = cells(judged.keys(), queries=seen, documents=documents)
    sample = {"resamples": options.resamples, "seed": options.seed}
    parts = compare_slices(part, slices, **sample)
    for one in declared:
        own = compare_slices(part, one.members, **sample)
        parts |= {name: replace(slice_, field=one.field) for name, slice_ in own.items()}
    found["tuned"] = replace(whole, slices=parts)
    return found


def _unseen(comparison: Comparison, primary: str, options: EvaluateOptions, *, seen: AbstractSet[str]) -> Delta | None:
    """The gain on queries that neither train nor dev asks, where there are others beside them."""
    unseen = set(comparison.query_ids) - seen
    if not 0 < len(unseen) < len(comparison.query_ids):
        return None
    part = replace(comparison, per_query={primary: comparison.per_query[primary]})
    found = compare_slices(part, {"unseen": unseen}, resamples=options.resamples, seed=options.seed)
    return found["unseen"].deltas[primary]


def _first_relevant(hits: Hits, judged: Qrels) -> dict[str, tuple[int | None, str]]:
    """query -> rank of its first relevant doc (None: not found) and that doc (the best judged one, where not found)."""
    found: dict[str, tuple[int | None, str]] = {}
    for query_id, docs in judged.items():
        places = ((place, doc) for place, (doc, _) in enumerate(hits.run(query_id), start=1) if docs.get(doc, 0) > 0)
        found[query_id] = next(places, (None, min(docs, key=lambda doc: (-docs[doc], doc))))
    return found


def _changes(
    comparison: Comparison,
    primary: str,
    hits: Mapping[str, Hits],
    judged: Qrels,
) -> tuple[tuple[Change, ...], tuple[Change, ...]]:
    """The queries that gained and lost most: by the primary measure, then by how far the first relevant doc moved."""
    ranks = {name: _first_relevant(hits[name], judged) for name in ("stock", "tuned")}

    def change(query_id: str, delta: float) -> Change:
        before, after = (hits[name].run(query_id) for name in ("stock", "tuned"))
        side = "tuned" if delta > 0 else "stock"
        return Change(
            query_id,
            delta,
            ranks[side][query_id][1],
            ranks["stock"][query_id][0],
            ranks["tuned"][query_id][0],
            before[0][0] if before else None,
            after[0][0] if after else None,
        )

    def moved(query_id: str) -> float:
        before, after = (ranks[name][query_id][0] for name in ("stock", "tuned"))
        return abs((1 / after if after else 0.0) - (1 / before if before else 0.0))

    def most(pairs: list[tuple[str, float]]) -> tuple[Change, ...]:
        ordered = sorted(pairs, key=lambda pair: (-abs(pair[1]), -moved(pair[0]), pair[0]))
        return tuple(change(query_id, delta) for query_id, delta in ordered[:SHOWN])

    everything = len(comparison.query_ids)
    return (
        most(comparison.wins(primary, count=everything)),
        most(comparison.losses(primary, count=everything)),
    )


def _notes(
    reports: Mapping[str, Report], weights: Mapping[str, float], declared: Sequence[Declared]
) -> tuple[str, ...]:
    notes = [note for one in declared for note in one.notes]
    if weights:
        told = ", ".join(f"{weight:g} beside {name}" for name, weight in weights.items())
        notes.append(f"in the hybrids BM25 weighs {told}: learnt on dev, where 0.5 is even")
    left_out = reports["stock"].without_relevant
    if left_out:
        notes.append(f"{left_out} judged test queries have no relevant passage and are left out")
    for name, report in reports.items():
        if report.expected:
            expected = ", ".join(f"{measure} {value:.3f}" for measure, value in report.expected.items())
            notes.append(
                f"{name}: {100 * report.ties:.0f} % of queries tie across rank 10; in random order: {expected}"
            )
    return tuple(notes)
