"""Stability: does the vocabulary change from week to week? A model tuned on words that are gone by then is spent.

Few texts a week use different words by chance alone, however stable the language. So the texts of two neighbouring
weeks are also put together and parted anew at random, and only what lies above that counts as change: were both weeks
of one language, the parting would make no difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.spatial.distance import jensenshannon

from lexitune.metrics.statistics import Interval, t_interval
from lexitune.text.terms import terms

__all__ = ["CHANGING", "Stability", "measure_stability", "number_of"]

CHANGING = 0.10  # of word uses, beyond chance: so much new from one period to the next, and a tune is soon behind
PARTINGS = 20  # at random, of each pair of neighbours
SETTLED = 3  # uses from which on a new word's life is measured: most words are used once and never again, everywhere

Numbers = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Stability:
    """How words change between neighbouring periods.

    Attributes:
        period: `day`, `week` or `month`, in UTC; weeks begin on Monday.
        first: Day on which the first period with texts begins; `last` likewise.
        texts: How many bear a time.
        churn: Share of a period's word uses whose word the period before does not have: the mean over neighbours.
        chance: The same where the texts of both periods are parted at random.
        change: Churn less chance, with Student's interval over the pairs of neighbours, `n`.
        distance: Jensen-Shannon distance between neighbours, less chance (base 2: 0 alike, 1 nothing in common).
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
        if self.change.n >= 2 and self.change.low >= CHANGING:
            return "changing"
        return "stable" if self.change.n >= 2 and self.change.high < CHANGING else "cannot tell"


def measure_stability(
    texts: Sequence[str], times: Sequence[datetime], *, period: str = "week", seed: int = 13
) -> Stability | None:
    """Compare each period with the one before it; None where no two neighbouring periods have words.

    Args:
        texts: Queries, or passages.
        times: One a text, with an offset.
        period: `day`, `week` or `month`.

    Example:
        >>> weeks = [datetime(2024, 1, 1 + 7 * week, tzinfo=UTC) for week in range(4) for _ in range(2)]
        >>> told = measure_stability(["alpha beta", "beta gamma"] * 4, weeks)
        >>> (told.first, told.last, told.churn, told.answer)
        ('2024-01-01', '2024-01-22', 0.0, 'stable')
    """
    numbers = np.array([number_of(time, period) for time in times], dtype=np.int64)
    counts = _counts(texts)
    draw = np.random.default_rng(seed)
    pairs = [
        found
        for number in np.unique(numbers).tolist()
        if (
            found := _neighbours(counts, np.flatnonzero(numbers == number - 1), np.flatnonzero(numbers == number), draw)
        )
    ]
    if not pairs:
        return None
    churn, chance, distance, distance_chance = np.array(pairs).T
    return Stability(
        period,
        _begins(int(numbers.min()), period),
        _begins(int(numbers.max()), period),
        len(texts),
        float(churn.mean()),
        float(chance.mean()),
        t_interval(churn - chance),
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


def _counts(texts: Sequence[str]) -> csr_array:
    """Texts by terms: how often each is used."""
    vocabulary: dict[str, int] = {}
    rows = [[vocabulary.setdefault(term, len(vocabulary)) for term in terms(text)] for text in texts]
    columns = np.fromiter(chain.from_iterable(rows), dtype=np.int64)
    ends = np.cumsum([0, *map(len, rows)])
    found = csr_array((np.ones(len(columns)), columns, ends), shape=(len(rows), max(1, len(vocabulary))))
    found.sum_duplicates()
    return found


def _neighbours(
    counts: csr_array, before: Numbers, after: Numbers, draw: np.random.Generator
) -> tuple[float, float, float, float] | None:
    """Churn and its chance, distance and its chance; None where either period has no words."""
    both = counts[np.concatenate([before, after])]
    both = both[:, np.flatnonzero(both.sum(axis=0))]
    order = np.arange(len(before) + len(after))
    found = _part(both, order, len(before))
    if found is None:
        return None
    parted = [_part(both, draw.permutation(order), len(before)) for _ in range(PARTINGS)]
    by_chance = np.mean([one for one in parted if one is not None], axis=0)
    return found[0], float(by_chance[0]), found[1], float(by_chance[1])


def _part(counts: csr_array, order: Numbers, at: int) -> tuple[float, float] | None:
    """Churn and distance between the texts before place `at` of an order and those from there on."""
    before, after = counts[order[:at]].sum(axis=0), counts[order[at:]].sum(axis=0)
    if not before.any() or not after.any():
        return None
    return float(after[before == 0].sum() / after.sum()), float(jensenshannon(before, after, base=2))


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
