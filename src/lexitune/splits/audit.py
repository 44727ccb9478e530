"""The audit of splits: a question that is tested must not have been trained on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lexitune.text.normalise import normalise
from lexitune.types import Qrels, Query

__all__ = ["find_leaks", "repair"]

HELD_OUT_FIRST = ("test", "dev", "train")


def find_leaks(learnt: Iterable[Query], held_out: Iterable[Query]) -> list[tuple[str, str]]:
    """Pairs of (learnt, held-out) query ids whose texts are equal when normalised, in the order of `learnt`.

    Example:
        >>> find_leaks([Query("a", "What is tort?")], [Query("t", "what is  tort")])
        [('a', 't')]
    """
    known: dict[str, str] = {}
    for query in held_out:
        known.setdefault(normalise(query.text), query.query_id)
    keys = ((query.query_id, normalise(query.text)) for query in learnt)
    return [(query_id, known[key]) for query_id, key in keys if key in known]


def repair(qrels: Mapping[str, Qrels], queries: Mapping[str, Query]) -> tuple[dict[str, Qrels], int]:
    """Drop train and dev queries that equal a test query, and train queries that equal a dev query.

    The test set is never touched: what was measured on it before stays comparable.

    Returns:
        The splits in the order given, and how many queries were dropped.
    """
    kept = dict(qrels)
    dropped = 0
    for place, name in enumerate(HELD_OUT_FIRST):
        if name not in kept:
            continue
        held_out = [queries[query_id] for above in HELD_OUT_FIRST[:place] for query_id in kept.get(above, ())]
        leaks = {leak for leak, _ in find_leaks((queries[query_id] for query_id in kept[name]), held_out)}
        if leaks:
            kept[name] = {query_id: grades for query_id, grades in kept[name].items() if query_id not in leaks}
            dropped += len(leaks)
    return kept, dropped
