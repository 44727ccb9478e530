"""Representative: are the judged queries such as people search for? What was measured holds for those alone.

They are set beside a search log, and so are queries drawn from that log by its traffic, as many distinct ones: how far
such draws lie from the log is chance. Judged queries may be some of the log's, or of another week's. So each draw is
looked at twice: as it is, and with one search of each query taken out of the log, as if it had come from elsewhere. A
query searched once is then as new to the log as one of another week (Good 1953).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from lexitune.errors import DataError
from lexitune.metrics.statistics import Interval, mean_interval, t_interval, weighted_interval
from lexitune.stages.assess.gap import LEAST_SIDE, difference_of
from lexitune.stages.assess.term_counts import apart, count_terms
from lexitune.text.normalise import normalise
from lexitune.text.terms import terms

__all__ = ["ENOUGH", "FAR", "LEAST", "LONGER", "TIMES", "Beside", "Likeness", "Part", "Use", "compare_with_log"]

FAR = 0.10  # of the queries, searches or words, or of the distance, beyond all draws
LONGER = 0.25  # of the words in a search, beyond all draws
LEAST = 30  # judged queries: with fewer nearly anything may be chance
TIMES = 3  # as many queries in the log as were judged: draws of nearly half of a log no longer tell what chance does
ENOUGH = 400  # queries: recall is then known to five points on either side, whatever it is
DRAWS = 39  # chance puts one case of twenty outside all of them (Barnard 1963), and few of these so far outside
SHOWN = 5  # terms
PARTS = ("head", "torso", "tail", "new")

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Beside:
    """A figure of the judged queries, and the least and the most that draws from the log have."""

    judged: float
    low: float
    high: float

    def is_far(self, by: float = FAR) -> bool:
        """Whether it lies outside all draws by so much."""
        return self.judged < self.low - by or self.judged > self.high + by


@dataclass(frozen=True, slots=True)
class Part:
    """A third of the searches (head, torso, tail: most frequent queries first), or what the log does not have.

    Attributes:
        queries: How many of the log's are in it.
        share: That of the judged queries that are.
    """

    queries: int
    share: Beside


@dataclass(frozen=True, slots=True)
class Use:
    """A term as it is written, and its share of the words searched and of those in judged queries."""

    text: str
    searched: float
    judged: float


@dataclass(frozen=True, slots=True)
class Likeness:
    """The judged queries beside a search log. Queries are distinct texts in their normal form.

    Attributes:
        searches: In the log; `queries`: how many are distinct; `fewest`: those for the rarest.
        judged: Distinct judged queries.
        parts: By their names. Queries searched equally often have no order: where a third ends among them, each is in
            both parts, by the share of it.
        covered: Share of the searches that are for a judged query.
        words: In a search, on average.
        length: Words in a query; `longer`: how far the judged lie above searches.
        missing: Share of the words searched that no judged query holds.
        distance: Jensen-Shannon distance of the words to those searched.
        rare: The terms that judged queries lack most, by difference of shares; `frequent` likewise.
        stock: R@10 weighted by searches, over the judged queries that the log has; None where they are too few. In
            `plain` each of them counts once.
    """

    searches: int
    queries: int
    fewest: int
    judged: int
    parts: Mapping[str, Part]
    covered: Beside
    words: float
    length: Beside
    longer: Interval
    missing: Beside
    distance: Beside
    rare: Sequence[Use]
    frequent: Sequence[Use]
    stock: Interval | None
    plain: Interval | None

    @property
    def far(self) -> tuple[str, ...]:
        """What differs by more than chance and a size that matters: of covered, head, torso, new, length and terms."""
        shares = {name: self.parts[name].share.is_far() for name in ("head", "torso", "new")}
        differs = {
            "covered": self.covered.is_far(),
            **shares,
            "length": self.length.is_far(LONGER * self.words),
            "terms": self.missing.is_far() or self.distance.is_far(),
        }
        return tuple(name for name, found in differs.items() if found)

    @property
    def answer(self) -> str:
        """`representative`, `not representative` or `cannot tell`."""
        if self.judged < LEAST or self.queries < TIMES * self.judged:
            return "cannot tell"
        return "not representative" if self.far else "representative"

    def to_json(self) -> dict[str, Any]:
        """A plain dict."""
        return {**asdict(self), "answer": self.answer, "far": list(self.far)}


def compare_with_log(
    log: Mapping[str, int], judged: Iterable[str], *, recalls: Sequence[tuple[str, float]] = (), seed: int = 13
) -> Likeness:
    """Set judged queries beside a search log.

    Args:
        log: Searches by query, one or more each.
        judged: Texts of the judged queries, one at least.
        recalls: Text and stock R@10 of those that were measured.
        seed: Of the draws.

    Raises:
        DataError: No searches.

    Example:
        >>> found = compare_with_log({"lease": 6, "rent": 2, "deed of gift": 1}, ["Rent?", "what is a trust"])
        >>> (found.searches, found.parts["new"].share.judged, round(found.covered.judged, 2), found.answer)
        (9, 0.5, 0.22, 'cannot tell')
    """
    if min(log.values(), default=0) < 1:
        fix = "give a Counter of what was searched"
        raise DataError("E3003", "the log holds no queries, or one without searches", fix=fix)
    searches: Counter[str] = Counter()
    for text, count in log.items():
        searches[normalise(text)] += count
    texts = _Texts.of(searches, {normalise(text) for text in judged})
    seen, drawn = texts.figures(texts.judged, own=False), texts.draws(min(len(texts.judged), len(searches) // 2), seed)
    besides = [Beside(*map(float, found)) for found in zip(seen, drawn.min(0), drawn.max(0), strict=True)]
    covered, length, missing, distance = besides[len(PARTS) :]
    by_search = texts.length_of_searches()
    rare, frequent = texts.apart_most()
    stock, plain = _by_traffic(searches, recalls)
    return Likeness(
        searches=searches.total(),
        queries=len(searches),
        fewest=min(searches.values()),
        judged=len(texts.judged),
        parts={name: Part(size, share) for name, size, share in zip(PARTS, texts.sizes(), besides, strict=False)},
        covered=covered,
        words=by_search.mean,
        length=length,
        longer=difference_of(t_interval(texts.lengths[texts.judged]), by_search),
        missing=missing,
        distance=distance,
        rare=rare,
        frequent=frequent,
        stock=stock,
        plain=plain,
    )


def _by_traffic(
    searches: Mapping[str, int], recalls: Sequence[tuple[str, float]]
) -> tuple[Interval | None, Interval | None]:
    """R@10 over the queries that the log has, weighted by their searches, and each counted once."""
    by_text: dict[str, list[float]] = {}
    for text, recall in recalls:
        by_text.setdefault(normalise(text), []).append(recall)
    found = {text: float(np.mean(values)) for text, values in by_text.items() if text in searches}
    if len(found) < LEAST_SIDE:
        return None, None
    values = list(found.values())
    return weighted_interval(values, [searches[text] for text in found]), mean_interval(values)


@dataclass(frozen=True, eq=False)
class _Texts:
    """The log's queries, behind them the judged ones that it lacks, and what is counted of them.

    Attributes:
        counts: Searches; 0 for what the log lacks.
        level_of: Number of the row of `thirds` that tells how far a query is in head, torso and tail.
        terms: Uses of each term (texts, terms), and in all searches (terms,); `names` of the columns.
        judged: Rows of the judged queries.
    """

    texts: Sequence[str]
    counts: Rows
    level_of: Rows
    thirds: Floats
    lengths: Rows
    terms: csr_array
    searched: Floats
    names: Sequence[str]
    judged: Rows

    @classmethod
    def of(cls, searches: Mapping[str, int], judged: set[str]) -> _Texts:
        """Count both. Half a gigabyte and a minute for a million queries."""
        texts = [*searches, *sorted(judged.difference(searches))]
        counts = np.zeros(len(texts), dtype=np.int64)
        counts[: len(searches)] = list(searches.values())
        rows = np.array([row for row, text in enumerate(texts) if text in judged], dtype=np.int64)
        lengths = np.array([len(text.split()) for text in texts], dtype=np.int64)
        found, names = count_terms([text] for text in texts)
        return cls(texts, counts, *_thirds(counts), lengths, found, counts @ found, names, rows)

    def sizes(self) -> list[int]:
        """How many of the log's queries are head, torso, tail and, none of them, new."""
        within = np.cumsum(np.bincount(self.level_of[self.counts > 0], minlength=len(self.thirds)) @ self.thirds)
        ends = np.ceil(np.round(within, 6)).astype(int).tolist()
        return [ends[0], ends[1] - ends[0], ends[2] - ends[1], 0]

    def figures(self, rows: Rows, *, own: bool) -> Floats:
        """Parts, share covered, mean length, share of words missing and their distance, of these rows beside the log.

        Args:
            own: One search of each is taken out of it first.
        """
        counts = self.counts[rows] - int(own)
        new = counts == 0
        parts = np.where(new[:, None], 0.0, self.thirds[self.level_of[rows]]).mean(axis=0)
        covered = counts.sum() / max(1, self.counts.sum() - own * len(rows))
        used = self.terms[rows].sum(axis=0)
        words = apart(self.searched - own * used, used)
        return np.array([*parts, new.mean(), covered, self.lengths[rows].mean(), *words])

    def draws(self, size: int, seed: int) -> Floats:
        """Figures (2 * draws, 8) of so many distinct queries, each draw by traffic, as they are and taken out."""
        generator, counts = np.random.default_rng(seed), self.counts[self.counts > 0]
        size, found = max(1, size), []
        for _ in range(DRAWS):
            # The smallest of exponential waiting times, at the rates of the searches (Efraimidis and Spirakis 2006).
            waits = generator.exponential(size=len(counts)) / counts
            rows = np.argpartition(waits, size - 1)[:size]
            found += [self.figures(rows, own=own) for own in (False, True)]
        return np.array(found)

    def length_of_searches(self) -> Interval:
        """Words in a search, with Student's interval over searches."""
        searches = int(self.counts.sum())
        mean = float(self.counts @ self.lengths) / searches
        error = (float(self.counts @ (self.lengths - mean) ** 2) / max(1, searches - 1) / searches) ** 0.5
        return Interval(mean, mean - 1.96 * error, mean + 1.96 * error, searches)

    def apart_most(self) -> tuple[list[Use], list[Use]]:
        """The terms whose share among judged queries lies furthest below and above that in searches."""
        used = self.terms[self.judged].sum(axis=0)
        shares = self.searched / max(1, self.searched.sum()), used / max(1, used.sum())
        above = shares[1] - shares[0]
        order = np.argsort(above, kind="stable")

        def named(columns: Rows) -> list[Use]:
            # A name and its words are several terms, and all of them are written as the name.
            found: dict[str, Use] = {}
            for one in columns[: 3 * SHOWN].tolist():
                text = self._written(one)
                found.setdefault(text, Use(text, float(shares[0][one]), float(shares[1][one])))
            return list(found.values())[:SHOWN]

        return named(order[above[order] < 0]), named(order[::-1][above[order[::-1]] > 0])

    def _written(self, column: int) -> str:
        """A term as the first text that holds it has it: terms are stems."""
        term = self.names[column]
        text = self.texts[self.terms[:, [column]].nonzero()[0][0]]
        return next((word for word in text.split() if term in terms(word)), term)


def _thirds(counts: Rows) -> tuple[Rows, Floats]:
    """The level of each query, by how often it is searched, and how far each level is head, torso and tail."""
    levels, level_of = np.unique(-counts, return_inverse=True)
    traffic = -levels * np.bincount(level_of)
    ends = np.cumsum(traffic) / traffic.sum()
    starts, edges = ends - traffic / traffic.sum(), np.arange(4) / 3
    within = np.minimum(ends[:, None], edges[1:]) - np.maximum(starts[:, None], edges[:-1])
    within = np.maximum(within, 0.0)
    return level_of, within / np.maximum(within.sum(axis=1, keepdims=True), 1e-300)
