"""Stability: does the vocabulary change from week to week? A model tuned on words that are gone by then is spent.

Each of the newest weeks is set beside all weeks before it, as a model that is tuned today meets next week's words. Few
texts have new words by chance alone, however stable the language: so the texts of both sides are also put together and
parted anew at random, and only what lies above that is change. Were both of one language, it would make no difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from lexitune.metrics.statistics import Interval, t_interval
from lexitune.stages.assess.term_counts import apart, count_terms

__all__ = ["CHANGING", "Stability", "measure_stability", "number_of"]

CHANGING = 0.10  # of word uses, beyond chance: with so much new each period a tune is soon behind
NEWEST = 12  # periods, each beside all before it
LEAST_PERIODS = 4  # of these, for an answer
MOST_CHANCE = 0.5  # churn by chance; above, the texts are too few to show what is new
PERMUTATIONS = 20
SETTLED = 3  # uses from which on a new word's life is measured: most words are used once and never again, everywhere

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Stability:
    """How words change over time.

    Attributes:
        period: `day`, `week` or `month`, in UTC; weeks begin on Monday.
        first: Day on which the first period with texts begins; `last` likewise.
        texts: How many bear a time.
        churn: Share of a period's word uses whose word no period before it has: the mean over the newest periods.
        chance: The same where the texts of both sides are parted at random.
        change: (churn - chance) / (1 - chance): the share of what is no chance. Student's interval over periods, `n`.
        distance: Jensen-Shannon distance to all before, less chance (base 2: 0 alike, 1 nothing in common).
        half_life: Periods after which half of the new words are no longer used (Kaplan and Meier 1958: those used in
            the last period count as far as they were seen); None: more than half of them stay, or none is new.
    """

    period: str
    first: str
    last: str
    texts: int
    churn: float
    chance: float
    change: Interval
    distance: Interval
    half_life: float | None

    @property
    def answer(self) -> str:
        """`stable`, `changing` or `cannot tell`."""
        if self.change.n < LEAST_PERIODS or self.chance > MOST_CHANCE:
            return "cannot tell"
        if self.change.low >= CHANGING:
            return "changing"
        return "stable" if self.change.high < CHANGING else "cannot tell"

    def to_json(self) -> dict[str, object]:
        """A plain dict."""
        return {**asdict(self), "answer": self.answer}


def measure_stability(
    texts: Sequence[str],
    times: Sequence[datetime],
    *,
    families: Sequence[str] | None = None,
    period: str = "week",
    seed: int = 13,
) -> Stability | None:
    """Compare each of the newest periods with all before it; None where words of one period only are there.

    Args:
        texts: Queries, or passages.
        times: One a text, with an offset.
        families: What each text is a part of, such as its document: texts of one family are no independent draws, and
            are parted together. None: each is its own.
        period: `day`, `week` or `month`.

    Example:
        >>> weeks = [datetime(2024, 1, 1 + 7 * week, tzinfo=UTC) for week in range(5) for _ in range(2)]
        >>> told = measure_stability(["alpha beta", "beta gamma"] * 5, weeks)
        >>> (told.first, told.last, told.churn, told.answer)
        ('2024-01-01', '2024-01-29', 0.0, 'stable')
    """
    counts, numbers = _units([number_of(time, period) for time in times], texts, families)
    draw = np.random.default_rng(seed)
    found = [
        _beside(counts[numbers <= number], numbers[numbers <= number] < number, draw)
        for number in np.unique(numbers)[1:][-NEWEST:].tolist()
    ]
    if not found:
        return None
    churn, chance, distance, distance_chance = np.array(found).T
    return Stability(
        period,
        _begins(int(numbers.min()), period),
        _begins(int(numbers.max()), period),
        len(texts),
        float(churn.mean()),
        float(chance.mean()),
        t_interval((churn - chance) / np.maximum(1 - chance, 1e-9)),
        t_interval(distance - distance_chance),
        _half_life(counts, numbers),
    )


def number_of(time: datetime, period: str) -> int:
    """The period that a time falls into, counted on without gaps."""
    day = time.astimezone(UTC).date()
    if period == "month":
        return 12 * day.year + day.month - 1
    return day.toordinal() if period == "day" else (day.toordinal() - 1) // 7


def _begins(number: int, period: str) -> str:
    if period == "month":
        return date(number // 12, number % 12 + 1, 1).isoformat()
    return date.fromordinal(number if period == "day" else 7 * number + 1).isoformat()


def _units(numbers: Sequence[int], texts: Sequence[str], families: Sequence[str] | None) -> tuple[csr_array, Numbers]:
    """Term counts of each family in each period, float64 (units, terms), and the units' periods; none without words."""
    units: dict[tuple[int, str], list[str]] = {}
    for place, (number, text) in enumerate(zip(numbers, texts, strict=True)):
        units.setdefault((number, families[place] if families else str(place)), []).append(text)
    counts, _ = count_terms(units.values())
    worded = np.diff(counts.indptr) > 0
    return counts[worded], np.array([number for number, _ in units], dtype=np.int64)[worded]


def _beside(
    counts: csr_array, before: NDArray[np.bool_], draw: np.random.Generator
) -> tuple[float, float, float, float]:
    """Churn and its chance, distance and its chance, of the units that are not `before` beside those that are."""
    total = counts.sum(axis=0)

    def part(before: NDArray[np.bool_]) -> tuple[float, float]:
        new = counts[~before].sum(axis=0)
        return apart(new, total - new)

    churn, distance = part(before)
    chance, distance_chance = np.mean([part(draw.permutation(before)) for _ in range(PERMUTATIONS)], axis=0).tolist()
    return churn, chance, distance, distance_chance


def _half_life(counts: csr_array, numbers: Numbers) -> float | None:
    from scipy.stats import CensoredData, ecdf

    entries = counts.tocoo()
    used = numbers[entries.coords[0]]
    first = np.full(counts.shape[1], numbers.max() + 1)
    last = np.full(counts.shape[1], numbers.min() - 1)
    np.minimum.at(first, entries.coords[1], used)
    np.maximum.at(last, entries.coords[1], used)
    new = (first > numbers.min()) & (counts.sum(axis=0) >= SETTLED)
    if not new.any():
        return None
    lives, stays = (last - first + 1)[new], (last == numbers.max())[new]
    curve = ecdf(CensoredData(uncensored=lives[~stays], right=lives[stays])).sf
    gone = np.flatnonzero(curve.probabilities <= 0.5)
    return float(curve.quantiles[gone[0]]) if len(gone) else None
