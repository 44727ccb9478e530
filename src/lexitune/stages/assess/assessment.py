"""Assess: measure what stock systems reach on train and dev queries, and what the words and times of the data say."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lexitune.io.hits import Hits
from lexitune.metrics.grades import count_pairs
from lexitune.metrics.measures import measure_hits, parse_measures
from lexitune.metrics.report import Report
from lexitune.metrics.statistics import Interval, t_interval
from lexitune.splits.grouped import known_times, time_decides
from lexitune.stages.assess.advice import advise
from lexitune.stages.assess.documents import by_document, document_of, documents_of
from lexitune.stages.assess.expected import Pilot, ShortTune, foretell
from lexitune.stages.assess.figures import DEEP, LEAST_ASKED, MOST_CHANGES, NDCG, RANK, RECALL, Figures
from lexitune.stages.assess.gap import recall_gap
from lexitune.stages.assess.holes import find_holes
from lexitune.stages.assess.ledger import DEPTH, Ledger, keep_ledger
from lexitune.stages.assess.live import ServingVectors
from lexitune.stages.assess.log import named_log
from lexitune.stages.assess.options import AssessOptions
from lexitune.stages.assess.representative import Likeness, compare_with_log
from lexitune.stages.assess.reranking import Rescore, measure_reranked, named_reranker
from lexitune.stages.assess.rivals import Rival
from lexitune.stages.assess.stability import measure_stability, number_of
from lexitune.stages.assess.supply import is_synthetic, survey_pairs
from lexitune.stages.assess.vocabulary import survey
from lexitune.text.frequency import GeneralLanguage, general_language
from lexitune.types import Advice, Dataset, Doc, Qrels, Query, Silent, Talk

if TYPE_CHECKING:
    from lexitune.models.embedder import Embedder

__all__ = ["assess", "ceiling_of", "sample_queries"]

DEFAULT = AssessOptions()


def assess(
    data: Dataset,
    *,
    model: Embedder,
    others: Mapping[str, Embedder | Rival] | None = None,
    vectors: Path | None = None,
    reranker: Rescore | None = None,
    live: ServingVectors | None = None,
    log: Mapping[str, int] | None = None,
    options: AssessOptions = DEFAULT,
    talk: Talk | None = None,
    pilot: Callable[[Ledger, int], Pilot | None] | None = None,
    short_tune: Callable[[Dataset, Embedder, Ledger], ShortTune | None] | None = None,
) -> Advice:
    """Measure the stock systems, words and times, and turn the figures into advice: see `lexitune.assess`.

    Args:
        live: The index that serves, in the stock model's place.
        log: Searches by query, in place of the file that `options` names.
        pilot: What fits maps on the ledger's vectors, for the gain to expect; it borrows from another stage, so it is
            handed in. None: the rule of thumb decides.
        short_tune: Likewise, what tunes for some minutes; None: nothing does.
    """
    talk, general = talk or Silent(), general_language(options.language)
    qrels, available = sample_queries(data, most=options.max_queries, seed=options.seed)
    pairs = count_pairs(data.qrels.get("train", {}))
    tests = data.test.query_count if data.test else 0
    if not qrels:
        return advise(Figures({}, 0, pairs, tests, MOST_CHANGES), options=options)
    searches = named_log(options, talk=talk) if log is None else log
    judge = reranker or named_reranker(options, device=str(model.network.device))
    ledger = keep_ledger(
        data, qrels, model=model, others=others or {}, live=live, vectors=vectors, seed=options.seed, talk=talk
    )
    reports = _reports(ledger, qrels)
    reranked = judge and measure_reranked(data, ledger, judge=judge, options=options, talk=talk)
    found = None
    if pilot is not None and options.pilot and pairs:
        talk.say("assess: a pilot foretells what a tune would gain")
        found = pilot(ledger, options.seed)
    tuned = short_tune(data, model, ledger) if short_tune is not None and pairs else None
    figures = Figures(
        systems={name: {m: report.interval(m) for m in report.measures} for name, report in reports.items()},
        available=available,
        pairs=pairs,
        test_queries=tests,
        discordance=_discordance(reports),
        lifts={name: _lift(report, reports["stock"]) for name, report in reports.items() if name != "stock"},
        query_ms=ledger.query_ms,
        reranked=reranked,
        short_tune=tuned,
        likeness=_likeness(data, reports["stock"], searches, seed=options.seed),
        **_expected(reports, found, qrels=qrels, pairs=pairs),
        **_stock(data, ledger, reports["stock"], model=model, live=live),
        **_supplied(data),
        **_times(data, reports["stock"], options=options),
        **_texts(data, qrels, reports, model=None if live and not live.encodes_here else model, general=general),
    )
    return advise(figures, options=options)


def _reports(ledger: Ledger, qrels: Qrels) -> dict[str, Report]:
    measures = parse_measures(f"{RECALL},{NDCG},{DEEP}")
    return {
        name: measure_hits(hits, qrels, measures, system=name, split="train+dev") for name, hits in ledger.hits.items()
    }


def _stock(
    data: Dataset, ledger: Ledger, report: Report, *, model: Embedder, live: ServingVectors | None
) -> dict[str, Any]:
    """The stock model's name and prompt, and what its ranking holds, as `Figures` has them."""
    hits, qrels = ledger.hits["stock"], ledger.stock.qrels
    return {
        "model": live.live.name if live else model.spec.name,
        "prompt": model.spec.query_prompt if live is None else "",
        "prompt_lift": _prompt_lift(ledger, qrels, report),
        "documents": _documents(data, hits, qrels),
        "holes": find_holes(hits, qrels),
    }


def _prompt_lift(ledger: Ledger, qrels: Qrels, stock: Report) -> Interval | None:
    """What the stock model's prompt gains, where it has one."""
    if ledger.bare is None:
        return None
    return _lift(stock, measure_hits(ledger.bare, qrels, parse_measures(RECALL)))


def _documents(data: Dataset, stock: Hits, qrels: Qrels) -> Interval | None:
    """The stock model's recall of documents, where passages are parts of them."""
    documents = documents_of(data.docs)
    if not documents:
        return None
    hits, judged = by_document(stock, qrels, documents)
    if any(len(hits.run(query_id)) < RANK and len(stock.run(query_id)) == DEPTH for query_id in hits.query_ids):
        return None  # the ranking was cut before it held ten documents
    return measure_hits(hits, judged, parse_measures(RECALL)).interval(RECALL)


def _likeness(data: Dataset, stock: Report, searches: Mapping[str, int] | None, *, seed: int) -> Likeness | None:
    """The judged queries beside the log, all of them; recall by traffic is that of the sample."""
    if searches is None:
        return None
    judged, _ = sample_queries(data, most=len(data.queries), seed=seed)
    texts = [data.queries[query_id].text for query_id in stock.query_ids]
    recalls = list(zip(texts, stock.values(RECALL).tolist(), strict=True))
    return compare_with_log(searches, (data.queries[one].text for one in judged), recalls=recalls, seed=seed)


def _expected(reports: Mapping[str, Report], pilot: Pilot | None, *, qrels: Qrels, pairs: int) -> dict[str, Any]:
    """What can be reached at all, the pilot, and what a tune would gain by it, as `Figures` has them."""
    ceiling = ceiling_of(qrels)
    if pilot is None:
        return {"ceiling": ceiling}
    stock, hybrid = (reports[name].interval(RECALL) for name in ("stock", "hybrid"))
    found = foretell(pilot, stock=stock, hybrid=hybrid, ceiling=ceiling, pairs=pairs)
    return {"ceiling": ceiling, "pilot": pilot, "expected": found}


def _texts(
    data: Dataset, qrels: Qrels, reports: Mapping[str, Report], *, model: Embedder | None, general: GeneralLanguage
) -> dict[str, Any]:
    """How the model cuts words and lengths, as `Figures` has it; None: a service's, and nobody knows."""
    if model is None:
        return {}
    words = _words(data, reports, model=model, general=general)
    return words | _lengths(data, qrels, reports["stock"], model=model)


def _words(
    data: Dataset, reports: Mapping[str, Report], *, model: Embedder, general: GeneralLanguage
) -> dict[str, Any]:
    """The vocabulary, and the gap in recall that goes with it, as `Figures` has them."""
    query_ids = reports["stock"].query_ids
    found = survey(
        (doc.full_text for doc in data.docs),
        [data.queries[query_id].text for query_id in query_ids],
        cut=model.cut_words,
        general=general,
        unknown=model.model.tokenizer.unk_token,
    )
    if found is None:
        return {}
    holding = np.zeros(len(query_ids), dtype=bool)
    holding[list(found.holding)] = True
    gaps = {name: recall_gap(report.values(RECALL), holding) for name, report in reports.items()}
    return {"vocabulary": found, "gaps": {name: gap for name, gap in gaps.items() if gap is not None}}


def _times(data: Dataset, stock: Report, *, options: AssessOptions) -> dict[str, Any]:
    """Whether words change over time, by the queries' times or else the passages', as `Figures` has it.

    All train and dev queries count, not the sample alone: nothing is encoded, and few texts show little.
    """
    docs = {doc.doc_id: doc for doc in data.docs}
    asked = {query_id: data.queries[query_id] for name in ("train", "dev") for query_id in data.qrels.get(name, {})}
    sides: list[tuple[str, Mapping[str, Query | Doc], Callable[[str], str]]] = [
        ("queries", asked, lambda key: asked[key].text),
        ("passages", docs, lambda key: docs[key].full_text),
    ]
    for name, records, text_of in sides:
        times = known_times({key: record.metadata for key, record in records.items()})
        if not time_decides(times, len(records)):
            continue
        found = measure_stability(
            [text_of(key) for key in times],
            list(times.values()),
            families=[document_of(key, records[key].metadata) for key in times],
            period=options.period,
            seed=options.seed,
        )
        newest = None
        if name == "queries":
            dated = [place for place, query_id in enumerate(stock.query_ids) if query_id in times]
            numbers = np.array([number_of(times[stock.query_ids[place]], options.period) for place in dated])
            newest = recall_gap(stock.values(RECALL)[dated], numbers == numbers.max(initial=0))
        return {"timed": name, "stability": found, "newest": newest}
    return {}


def _lengths(data: Dataset, qrels: Qrels, stock: Report, *, model: Embedder) -> dict[str, Any]:
    """Relevant passages that lose their end, and the gap in recall with it, as `Figures` has them."""
    relevant = {query_id: [doc for doc, grade in qrels[query_id].items() if grade > 0] for query_id in stock.query_ids}
    needed = {doc_id for doc_ids in relevant.values() for doc_id in doc_ids}
    docs = [doc for doc in data.docs if doc.doc_id in needed]
    full = {docs[row].doc_id for row in np.flatnonzero(model.filled([doc.full_text for doc in docs])).tolist()}
    cut = np.array([full.issuperset(relevant[query_id]) for query_id in stock.query_ids])
    return {
        "max_length": model.spec.max_length,
        "cut_off": len(full) / max(1, len(docs)),
        "truncation": recall_gap(stock.values(RECALL), cut),
    }


def _supplied(data: Dataset) -> dict[str, Any]:
    """The training pairs, and who asked the queries, as `Figures` has them."""
    judged, asked = _answered(data)
    return {"supply": survey_pairs(data), "asked": len(asked), "synthetic": len(judged) - len(asked)}


def ceiling_of(qrels: Qrels) -> float:
    """The best R@10 that any system can reach: below 1 where queries have more than ten relevant passages."""
    return float(np.mean([min(1.0, RANK / sum(g > 0 for g in judged.values())) for judged in qrels.values()]))


def sample_queries(data: Dataset, *, most: int, seed: int) -> tuple[Qrels, int]:
    """A seeded sample of the train and dev queries that have a relevant passage, and how many there were.

    Those that a program wrote are left out, unless fewer than fifty are anybody's: people ask otherwise.
    """
    judged, asked = _answered(data)
    judged = asked if len(asked) >= LEAST_ASKED else judged
    chosen = sorted(judged)
    if len(chosen) > most:
        chosen = sorted(random.Random(seed).sample(chosen, most))
    return {query_id: judged[query_id] for query_id in chosen}, len(judged)


def _answered(data: Dataset) -> tuple[Qrels, Qrels]:
    """Judgements of the train and dev queries that have a relevant passage, and of those that people asked."""
    judged = {
        query_id: docs
        for split in ("train", "dev")
        for query_id, docs in data.qrels.get(split, {}).items()
        if any(grade > 0 for grade in docs.values())
    }
    return judged, {key: docs for key, docs in judged.items() if not is_synthetic(data.queries[key])}


def _discordance(reports: Mapping[str, Report]) -> float:
    # The mean squared difference: for hits and misses the share that differs, and the right weight for fractions.
    difference = reports["stock"].values(RECALL) - reports["bm25"].values(RECALL)
    return float(np.mean(difference**2))


def _lift(report: Report, stock: Report) -> Interval:
    return t_interval(report.values(RECALL) - stock.values(RECALL))
