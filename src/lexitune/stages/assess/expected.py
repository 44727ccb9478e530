"""What a tune would gain: foretold from what a pilot gained, by fields where both are known."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexitune.metrics.statistics import Interval

__all__ = [
    "BAND",
    "DOUBLINGS",
    "TABLE",
    "Case",
    "Expected",
    "Pilot",
    "ShortTune",
    "foretell",
    "known_cases",
    "standard_error",
    "table_text",
]

TABLE = "calibration.toml"
BAND = 0.80  # of the fields that are like the known ones, this share should lie within
LEAST_CASES = 4
DOUBLINGS = 2  # of the pairs; beyond them a curve is a guess


@dataclass(frozen=True, slots=True)
class Pilot:
    """What linear maps on the stock model's vectors gained, each query measured with one that never saw its passages.

    Attributes:
        pairs: On how many pairs they were trained, growing.
        lifts: R@10 over stock, for each of these numbers.
        rise: The last of them over the first, on the same queries.
        hybrid_lift: With most pairs, R@10 of the hybrid with BM25 over stock's hybrid.
        seconds: How long all of it took.
    """

    pairs: tuple[int, ...]
    lifts: tuple[Interval, ...]
    rise: Interval
    hybrid_lift: Interval
    seconds: float

    def at(self, pairs: int) -> float:
        """The gain with so many pairs, between those that were measured; beyond them that of the nearest."""
        return float(np.interp(np.log2(pairs), np.log2(self.pairs), [lift.mean for lift in self.lifts]))

    @property
    def slope(self) -> float:
        """Gain of R@10 by each doubling of the pairs, by least squares; 0 where it is not shown that more gain more."""
        doublings = np.log2(self.pairs)
        if np.ptp(doublings) == 0 or self.rise.low <= 0:
            return 0.0
        return max(0.0, float(np.polyfit(doublings, [lift.mean for lift in self.lifts], 1)[0]))


@dataclass(frozen=True, slots=True)
class ShortTune:
    """What a real training of some minutes gained on dev queries that it had not seen.

    Attributes:
        pairs: On how many it was trained, and `of` how many there are.
        docs: Among how many passages was ranked, those that matter first, and `corpus` how many there are.
        lift: R@10 over stock, on the same queries among the same passages.
        hybrid_lift: R@10 of the hybrid with BM25 over stock's hybrid.
        minutes: How long all of it took.
    """

    pairs: int
    of: int
    docs: int
    corpus: int
    lift: Interval
    hybrid_lift: Interval
    minutes: float


@dataclass(frozen=True, slots=True)
class Case:
    """A field where both are known, all in R@10: a row of the table.

    Attributes:
        pairs: On how many pairs the default recipe was trained.
        room: What the stock model leaves on train and dev queries.
        pilot: What the pilot gained, and `hybrid_pilot` its hybrid.
        lift: What the default recipe gained on test, and `hybrid_lift` its hybrid.
        error: Standard error of `lift`, and `hybrid_error` of `hybrid_lift`.
    """

    name: str
    pairs: int
    room: float
    pilot: float
    hybrid_pilot: float
    lift: float
    hybrid_lift: float
    error: float
    hybrid_error: float


@dataclass(frozen=True, slots=True)
class Expected:
    """What a tune would gain in R@10.

    Attributes:
        pairs: Training pairs that it is foretold for.
        alone: Over the stock model, with a band of 80 %; its `n` is how many fields were known.
        hybrid: Of the hybrid with BM25, over stock's hybrid.
        doubling: What each doubling of the pairs is thought to add; beyond `pairs` nothing was measured.
    """

    pairs: int
    alone: Interval
    hybrid: Interval
    doubling: float

    def at(self, pairs: int) -> float:
        """The gain with so many pairs, along the pilot's own curve: an extrapolation."""
        return self.alone.mean + self.doubling * math.log2(pairs / self.pairs)


def foretell(
    pilot: Pilot, *, stock: Interval, hybrid: Interval, ceiling: float, pairs: int, cases: Sequence[Case] | None = None
) -> Expected | None:
    """Foretell a tune's gain: a share of what stock leaves, and a multiple of what the pilot gained; beside BM25 that
    multiple alone.

    The factors are fitted by least squares on the known cases. The band is that of one new case (Student's t), and
    widens by what the queries at hand leave unsure of stock and pilot.

    Args:
        stock: The stock model's R@10, and `hybrid` its hybrid's.
        ceiling: The best R@10 that any system can reach.
        pairs: Training pairs that there are. The cases had 2,000 at most, so it is foretold for no more.
        cases: None: the table that comes with lexitune.

    Returns:
        None where fewer than four cases are known, or all of them had more pairs.
    """
    known = list(known_cases() if cases is None else cases)
    if len(known) < LEAST_CASES or pairs < min(one.pairs for one in known):
        return None
    alone = _fit([(one.room, one.pilot, one.lift, one.error) for one in known])
    beside = _fit([(one.hybrid_pilot, one.hybrid_lift, one.hybrid_error) for one in known])
    few = min(pairs, max(one.pairs for one in known))
    gain = pilot.lifts[-1]
    return Expected(
        few,
        alone.of(
            ceiling - stock.mean,
            pilot.at(few),
            errors=(standard_error(stock), standard_error(gain)),
            most=ceiling - stock.mean,
        ),
        beside.of(pilot.hybrid_lift.mean, errors=(standard_error(pilot.hybrid_lift),), most=ceiling - hybrid.mean),
        max(0.0, alone.factors[1] * pilot.slope),
    )


@cache
def known_cases() -> tuple[Case, ...]:
    """The fields of the table, measured with all-MiniLM-L6-v2 by `python -m benchmarks.pilot`."""
    table: dict[str, dict[str, Any]] = tomllib.loads(table_text())
    return tuple(Case(name, **row) for name, row in table.items())


def table_text() -> str:
    """The table as it lies in the package."""
    return files(__package__).joinpath(TABLE).read_text(encoding="utf-8")


@dataclass(frozen=True)
class _Fit:
    factors: NDArray[np.float64]
    inverse: NDArray[np.float64]
    variance: float
    freedom: int

    def of(self, *given: float, errors: tuple[float, ...], most: float) -> Interval:
        """A new case: its mean, never beyond `most`, and the band."""
        from scipy import stats

        row = np.array(given)
        mean = float(row @ self.factors)
        own = float(np.sum((self.factors * np.array(errors)) ** 2))
        spread = math.sqrt(self.variance * (1 + float(row @ self.inverse @ row)) + own)
        half = float(stats.t.ppf(0.5 + BAND / 2, self.freedom)) * spread
        low, middle, high = (min(bound, most) for bound in (mean - half, mean, mean + half))
        return Interval(middle, low, high, self.freedom + len(row))


def _fit(cases: Sequence[tuple[float, ...]]) -> _Fit:
    """Least squares through the origin: where nothing is left and the pilot gains nothing, nothing is gained.

    Each case is what is known, then the gain and its standard error.

    The variance of a new case is that of the residuals; a few cases can lie on a plane by chance, so it is at least the
    mean sampling variance of the gains that the plane was fitted to.
    """
    table = np.array(cases)
    matrix, wanted, errors = table[:, :-2], table[:, -2], table[:, -1]
    inverse = np.linalg.pinv(matrix.T @ matrix)
    factors = inverse @ matrix.T @ wanted
    freedom = len(table) - matrix.shape[1]
    residual = float(np.sum((wanted - matrix @ factors) ** 2)) / freedom
    return _Fit(factors, inverse, max(residual, float(np.mean(errors**2))), freedom)


def standard_error(found: Interval) -> float:
    """Standard error behind an interval of 95 %."""
    return (found.high - found.low) / 2 / 1.96
