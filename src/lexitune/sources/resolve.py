"""Judgements of all sources into one answer for each (query, passage): qrels, and how much each pair weighs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from lexitune.metrics.statistics import Interval, wilson
from lexitune.text.normalise import normalise
from lexitune.types import Judgement, Query

__all__ = ["TRUST", "Agreement", "Resolved", "kind_of", "resolve"]

# A citation is a model's opinion of a passage that was shown to it, at best confirmed by a person's thumb for the whole
# answer: less than a person's click on the passage itself. But the question was somebody's and the passage really came
# up for it, which is more than a question that was made of its passage.
TRUST = {"expert": 1.0, "click": 0.5, "trace": 0.4, "synthetic": 0.3}
"""How much an opinion counts beside others, by the kind of who gave it. A kind is heard before those below it."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How often two sources say the same of a (query, passage) that both judged."""

    one: str
    other: str
    both: int
    same: int

    @property
    def interval(self) -> Interval:
        return wilson(self.same, self.both)


@dataclass(frozen=True, eq=False)
class Resolved:
    """One answer a pair.

    Attributes:
        queries: Of equal texts one; the one with the smallest id.
        qrels: Grades by query and doc; 0 for "not relevant".
        weights: How much each pair counts, between 0 and 1.
        kinds: Of each query, the most trusted kind that judged it.
        conflicts: Pairs on which sources of one kind are divided evenly: left out.
        overruled: Pairs on which a less trusted kind says otherwise.
        passed_over: Pairs that no expert, but somebody's behaviour speaks against. They are in no qrels, where a 0 is
            taken for a sure negative: mining finds those that are hard by itself, and guards against right ones.
        undecided: Judgements that say "cannot judge".
    """

    queries: Mapping[str, Query]
    qrels: Mapping[str, Mapping[str, int]]
    weights: Mapping[str, Mapping[str, float]]
    kinds: Mapping[str, str]
    conflicts: Sequence[tuple[str, str]]
    overruled: Sequence[tuple[str, str]]
    passed_over: int
    undecided: int
    agreement: Sequence[Agreement]
    pairs: Mapping[str, int]


def kind_of(source: str) -> str:
    """Whose opinion it is: the part of a source's name before a colon, as in "click:shop-2026"; else an expert's.

    Example:
        >>> kind_of("click:shop"), kind_of("ann")
        ('click', 'expert')
    """
    head = source.partition(":")[0]
    return head if head in TRUST else "expert"


def resolve(judgements: Iterable[Judgement], queries: Mapping[str, Query]) -> Resolved:
    """Of each (query, passage) the answer of the most trusted kind that judged it.

    Opinions of one kind are weighed against each other: the side with more weight wins, and grades above 0 are averaged
    by weight. Even sides are a conflict, and the pair is left out, for a wrong label costs more than one pair less.
    """
    same = _equal_texts(queries)
    by_pair: dict[tuple[str, str], dict[str, list[Judgement]]] = defaultdict(lambda: defaultdict(list))
    by_source: dict[str, dict[tuple[str, str], bool]] = defaultdict(dict)
    undecided, pairs = 0, Counter[str]()
    for one in judgements:
        if one.relevance is None:
            undecided += 1
            continue
        pair = (same[one.query_id], one.doc_id)
        by_pair[pair][kind_of(one.source)].append(one)
        by_source[one.source][pair] = one.relevance > 0
        pairs[one.source] += one.relevance > 0
    qrels: dict[str, dict[str, int]] = defaultdict(dict)
    weights: dict[str, dict[str, float]] = defaultdict(dict)
    kinds: dict[str, str] = {}
    conflicts, overruled, passed_over = list[tuple[str, str]](), list[tuple[str, str]](), 0
    for pair in sorted(by_pair):
        heard = [kind for kind in TRUST if kind in by_pair[pair]]
        grade = _grade(by_pair[pair][heard[0]])
        if grade is None:
            conflicts.append(pair)
            continue
        if any(bool(_grade(by_pair[pair][kind])) != bool(grade) for kind in heard[1:]):
            overruled.append(pair)
        if grade == 0 and heard[0] != "expert":
            passed_over += 1
            continue
        query_id, doc_id = pair
        qrels[query_id][doc_id] = grade
        heaviest = max(one.weight for one in by_pair[pair][heard[0]])
        weights[query_id][doc_id] = round(min(1.0, TRUST[heard[0]] * heaviest), 4)
        kinds[query_id] = min(kinds.get(query_id, heard[0]), heard[0], key=list(TRUST).index)
    known = {query_id: replace(queries[query_id], query_id=query_id) for query_id in sorted(qrels)}
    return Resolved(
        known, qrels, weights, kinds, conflicts, overruled, passed_over, undecided, _agreement(by_source), dict(pairs)
    )


def _equal_texts(queries: Mapping[str, Query]) -> dict[str, str]:
    """Each query id, and the smallest id of a query with an equal text."""
    first: dict[str, str] = {}
    for query_id in sorted(queries):
        first.setdefault(normalise(queries[query_id].text), query_id)
    return {query_id: first[normalise(query.text)] for query_id, query in queries.items()}


def _grade(opinions: Sequence[Judgement]) -> int | None:
    """The grade of one kind's opinions; None where their weights are even."""
    right = sum(one.weight for one in opinions if one.relevance)
    wrong = sum(one.weight for one in opinions if not one.relevance)
    if right == wrong:
        return None
    if wrong > right:
        return 0
    return max(1, round(sum(one.weight * (one.relevance or 0) for one in opinions if one.relevance) / right))


def _agreement(by_source: Mapping[str, Mapping[tuple[str, str], bool]]) -> list[Agreement]:
    found = []
    for one, other in combinations(sorted(by_source), 2):
        both = by_source[one].keys() & by_source[other].keys()
        if both:
            same = sum(by_source[one][pair] == by_source[other][pair] for pair in both)
            found.append(Agreement(one, other, len(both), same))
    return found
