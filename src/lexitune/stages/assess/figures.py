"""Figures: all that is measured before an answer is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lexitune.metrics.statistics import Interval
from lexitune.stages.assess.expected import Expected, Pilot, ShortTune
from lexitune.stages.assess.gap import Gap
from lexitune.stages.assess.holes import Holes
from lexitune.stages.assess.ledger import SYSTEMS
from lexitune.stages.assess.representative import Likeness
from lexitune.stages.assess.stability import Stability
from lexitune.stages.assess.supply import Supply
from lexitune.stages.assess.vocabulary import Vocabulary

__all__ = ["DEEP", "LEAST_ASKED", "LONGER", "MOST_CHANGES", "NDCG", "RANK", "RECALL", "Figures", "Reranked"]

RECALL, NDCG, DEEP = "R@10", "nDCG@10", "R@100"
RANK = 10
LEAST_ASKED = 50  # queries that people asked, to leave out those that a program wrote
LONGER = "at "  # how the name begins of the stock model that reads another number of tokens
MOST_CHANGES = 0.30  # share of queries that a tune changes: a guess, where stock and BM25 do not tell a smaller one


@dataclass(frozen=True, slots=True)
class Reranked:
    """What a cross-encoder makes of the hybrid, all on the same queries.

    Attributes:
        depth: How many of a query's first passages it puts in order.
        systems: `stock`, `hybrid` and `reranked`, each measure with its interval.
        lift: R@10 over stock.
        over_hybrid: R@10 over the hybrid that it reorders.
        query_ms: Milliseconds that a query takes here, the hybrid's own included; None: it is encoded elsewhere.
    """

    depth: int
    systems: Mapping[str, Mapping[str, Interval]]
    lift: Interval
    over_hybrid: Interval
    query_ms: float | None


@dataclass(frozen=True)
class Figures:
    """What the advice is made of.

    Args:
        systems: What the ledger holds, each measure with its interval; empty where there was no query.
        available: Train and dev queries with a relevant passage; the intervals may rest on a sample of them.
        pairs: Training pairs, and `supply` what they are like.
        asked: Train and dev queries with a relevant passage that people asked, and `synthetic` those that a model
            wrote, which are measured on only where hardly anybody asked.
        test_queries: How many there are; nobody has looked at them.
        discordance: Share of queries whose outcome differs between stock and BM25, as measured; without systems nobody
            reads it.
        ceiling: The best R@10 that any system can reach; below 1 where queries have more than ten relevant passages.
        holes: What is not judged of stock's first ten.
        lifts: By system without training, R@10 above stock's on the same queries.
        vocabulary: What the words of corpus and queries are like; None where there was no query, or passages are in
            another language.
        gaps: By system, R@10 on queries that hold a shattered term of the field beside the others.
        stability: How words change over time; None where neither queries nor passages bear times.
        timed: What the times are those of: `queries`, `passages` or empty.
        newest: The stock model's R@10 on queries of the newest period beside those before; None likewise.
        max_length: Tokens that the model reads of a passage.
        cut_off: Share of the relevant passages that are as long as that, or longer, and lose their end.
        truncation: The stock model's R@10 on queries whose relevant passages all are, beside the others.
        model: Name of the stock model.
        prompt: What the stock model's queries begin with, and `prompt_lift` what that gains over leaving it out.
        documents: The stock model's R@10 of documents, each by the best of its passages; None where a document is a
            passage.
        query_ms: By system, milliseconds a query took here.
        reranked: What a cross-encoder makes of the hybrid; None: none was given.
        likeness: The judged queries beside a search log; None: there is none.
        pilot: What linear maps on the stock model's vectors gained; None: none was run.
        expected: What a tune would gain by it.
        short_tune: What a real tune of some minutes gained; None: none was asked for, or there was too little data.
    """

    systems: Mapping[str, Mapping[str, Interval]]
    available: int
    pairs: int
    test_queries: int
    discordance: float
    ceiling: float = 1.0
    lifts: Mapping[str, Interval] = field(default_factory=dict)
    vocabulary: Vocabulary | None = None
    gaps: Mapping[str, Gap] = field(default_factory=dict)
    stability: Stability | None = None
    timed: str = ""
    newest: Gap | None = None
    max_length: int = 0
    cut_off: float = 0.0
    truncation: Gap | None = None
    model: str = ""
    prompt: str = ""
    prompt_lift: Interval | None = None
    documents: Interval | None = None
    query_ms: Mapping[str, float] = field(default_factory=dict)
    reranked: Reranked | None = None
    likeness: Likeness | None = None
    pilot: Pilot | None = None
    expected: Expected | None = None
    short_tune: ShortTune | None = None
    supply: Supply | None = None
    holes: Holes | None = None
    asked: int = 0
    synthetic: int = 0

    @property
    def best(self) -> str:
        """What finds most without training; other stock models aside, which could be tuned themselves."""
        return max((name for name in SYSTEMS if name in self.systems), key=lambda one: self.systems[one][RECALL].mean)

    @property
    def reached(self) -> float:
        """R@10 of that."""
        return self.systems[self.best][RECALL].mean

    def after(self, alone: float, beside: float) -> float:
        """R@10 of what would serve after a tune that gains so much over stock, and beside BM25 over stock's hybrid."""
        return max(self.systems["stock"][RECALL].mean + alone, self.systems["hybrid"][RECALL].mean + beside)

    @property
    def changes(self) -> tuple[float, str]:
        """The share of queries that a tune is thought to change, and how that is known."""
        if not self.systems:
            return MOST_CHANGES, "a guess; nothing was measured"
        if self.discordance >= MOST_CHANGES:
            return MOST_CHANGES, "a guess; stock and BM25 differ in more"
        return max(self.discordance, 0.01), "as between stock and BM25"

    @property
    def loses_ends(self) -> bool:
        """Whether it is shown to cost recall that passages lose their end."""
        gap = self.truncation
        return gap is not None and gap.is_shown and gap.difference.mean < 0

    @property
    def deepest(self) -> tuple[str, float] | None:
        """The system that finds most in its first hundred, and how much of that is not in its first ten."""
        deep = {name: found[DEEP].mean for name, found in self.systems.items() if DEEP in found}
        if not deep:
            return None
        name = max(deep, key=lambda one: deep[one])
        return name, deep[name] - self.systems[name][RECALL].mean
