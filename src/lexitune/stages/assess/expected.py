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

__all__ = ["BAND", "Case", "Expected", "Pilot", "foretell", "known_cases"]

TABLE = "calibration.toml"
BAND = 0.80  # of the fields that are like the known ones, this share should lie within
LEAST_CASES = 4


@dataclass(frozen=True, slots=True)
class Pilot:
    """What linear maps on the stock model's vectors gained, each query measured with one that never saw its passages.

    Attributes:
        pairs: On how many pairs they were trained, growing.
        lifts: R@10 over stock, for each of these numbers.
        hybrid_lift: With most pairs, R@10 of the hybrid with BM25 over stock's hybrid.
        seconds: How long it took.
    """

    pairs: tuple[int, ...]
    lifts: tuple[Interval, ...]
    hybrid_lift: Interval
    seconds: float

    @property
    def slope(self) -> float:
        """Gain of R@10 by each doubling of the pairs, by least squares; 0 where more pairs gain nothing."""
        doublings = np.log2(self.pairs)
        if np.ptp(doublings) == 0:
            return 0.0
        return max(0.0, float(np.polyfit(doublings, [lift.mean for lift in self.lifts], 1)[0]))


@dataclass(frozen=True, slots=True)
class Case:
    """A field where both are known, all in R@10: a row of the table.

    Attributes:
        pairs: On how many pairs the default recipe was trained.
        stock: The stock model, and `hybrid` its hybrid with BM25, on train and dev queries.
        pilot: What the pilot gained, and `hybrid_pilot` its hybrid.
        lift: What the default recipe gained on test, and `hybrid_lift` its hybrid.
    """

    name: str
    pairs: int
    stock: float
    hybrid: float
    pilot: float
    hybrid_pilot: float
    lift: float
    hybrid_lift: float


@dataclass(frozen=True, slots=True)
class Expected:
    """What a tune would gain in R@10, with a band of 80 %.

    Attributes:
        pairs: Training pairs that it is foretold for.
        alone: Over the stock model.
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
    pilot: Pilot, *, stock: float, hybrid: float, pairs: int, cases: Sequence[Case] | None = None
) -> Expected | None:
    """Foretell a tune's gain: a share of what stock leaves, and a multiple of what the pilot gained.

    Both factors are fitted by least squares on the known cases, and the band is that of one new case (Student's t).

    Args:
        stock: The stock model's R@10, and `hybrid` its hybrid's.
        pairs: Training pairs that there are. The cases had 2,000 at most, so it is foretold for no more.
        cases: None: the table that comes with lexitune.

    Returns:
        None where fewer than four cases are known.
    """
    known = list(known_cases() if cases is None else cases)
    if len(known) < LEAST_CASES:
        return None
    alone = _fit([(1 - one.stock, one.pilot) for one in known], [one.lift for one in known])
    beside = _fit([(1 - one.hybrid, one.hybrid_pilot) for one in known], [one.hybrid_lift for one in known])
    return Expected(
        min(pairs, max(one.pairs for one in known)),
        alone.of(1 - stock, pilot.lifts[-1].mean),
        beside.of(1 - hybrid, pilot.hybrid_lift.mean),
        alone.factors[1] * pilot.slope,
    )


@cache
def known_cases() -> tuple[Case, ...]:
    """The fields of the table, measured with all-MiniLM-L6-v2 by `python -m benchmarks.pilot`."""
    table: dict[str, dict[str, Any]] = tomllib.loads(files(__package__).joinpath(TABLE).read_text(encoding="utf-8"))
    return tuple(Case(name, **row) for name, row in table.items())


@dataclass(frozen=True)
class _Fit:
    factors: NDArray[np.float64]
    inverse: NDArray[np.float64]
    error: float
    freedom: int

    def of(self, *given: float) -> Interval:
        """A new case: its mean, never beyond what stock leaves, and the band."""
        from scipy import stats

        row = np.array(given)
        mean = float(row @ self.factors)
        half = stats.t.ppf(0.5 + BAND / 2, self.freedom) * self.error * math.sqrt(1 + float(row @ self.inverse @ row))
        room = given[0]
        low, high = (float(min(bound, room)) for bound in (mean - half, mean + half))
        return Interval(min(mean, room), low, high, self.freedom + len(row))


def _fit(rows: Sequence[tuple[float, float]], gains: Sequence[float]) -> _Fit:
    """Least squares through the origin: where nothing is left and the pilot gains nothing, nothing is gained."""
    matrix, wanted = np.array(rows), np.array(gains)
    inverse = np.linalg.pinv(matrix.T @ matrix)
    factors = inverse @ matrix.T @ wanted
    freedom = len(rows) - matrix.shape[1]
    error = math.sqrt(float(np.sum((wanted - matrix @ factors) ** 2)) / freedom)
    return _Fit(factors, inverse, error, freedom)
