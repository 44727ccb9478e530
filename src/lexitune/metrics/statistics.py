"""Statistics of a decision: how sure is a mean, is a difference shown, how many queries would show it.

The paired t interval decides, because it holds its level and its coverage from about thirty queries on, also on
hit-or-miss values (Urbano, Lima and Hanjalic 2019). The clustered bootstrap and the randomisation test check it: they
know that queries of one family are not independent. No function here returns NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

__all__ = [
    "Interval",
    "Paired",
    "clustered_bootstrap",
    "detectable_gain",
    "holm",
    "mean_interval",
    "paired_t",
    "queries_needed",
    "randomisation_p",
    "round_up",
    "t_interval",
    "weighted_interval",
    "wilson",
]

Floats = NDArray[np.float64]

BLOCK_CELLS = 1 << 20  # draws held at once: 8 MiB a temporary, whatever the number of queries and resamples


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over `n` queries and the bounds that hold it in 95 of 100 repetitions, unless said otherwise."""

    mean: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Paired:
    """A mean difference over `n` queries, its interval, and the two-sided p of no difference."""

    mean: float
    low: float
    high: float
    p: float
    n: int


def wilson(successes: int, n: int, *, confidence: float = 0.95) -> Interval:
    """Wilson's score interval of a share (Wilson 1927). It never leaves [0, 1], and 0 of n still has a width.

    Example:
        >>> found = wilson(54, 100)
        >>> print(f"{found.mean:.2f} [{found.low:.3f}, {found.high:.3f}]")
        0.54 [0.443, 0.634]
    """
    if n == 0:
        return Interval(0.0, 0.0, 1.0, 0)
    share = successes / n
    return Interval(share, *_score_bounds(share, n, confidence), n)


def t_interval(values: ArrayLike, *, confidence: float = 0.95) -> Interval:
    """Student's t interval of a mean. Fewer than two values, or equal ones, give a width of zero."""
    found = paired_t(values, confidence=confidence)
    return Interval(found.mean, found.low, found.high, found.n)


def mean_interval(values: ArrayLike, *, confidence: float = 0.95) -> Interval:
    """Interval of the mean of a measure, whose values lie from 0 to 1.

    Wilson's where each query is a hit or a miss; Student's t, cut at 0 and 1, where values are fractions. Where these
    are equal, as one alone is, no spread tells how unsure they are: then Wilson's of that share, as wide as hits and
    misses would be.
    """
    array = _floats(values)
    if bool(np.isin(array, (0.0, 1.0)).all()):
        return wilson(int(array.sum()), len(array), confidence=confidence)
    if 0.0 <= array.min() == array.max() <= 1.0:
        share = float(array[0])
        return Interval(share, *_score_bounds(share, len(array), confidence), len(array))
    found = t_interval(array, confidence=confidence)
    return Interval(found.mean, max(0.0, found.low), min(1.0, found.high), found.n)


def weighted_interval(values: ArrayLike, weights: ArrayLike, *, confidence: float = 0.95) -> Interval:
    """Interval of a weighted mean of a measure, whose values lie from 0 to 1.

    Wilson's, with Kish's effective number of values (Kish 1965) in place
    of their number. Where values are fractions it is wider than need be, for those vary less than hits and misses.

    Args:
        weights: One a value, such as how often its query was searched; none below 0, and not all 0.

    Example:
        >>> found = weighted_interval([1.0, 0.0, 1.0], [6, 2, 2])
        >>> print(f"{found.mean:.2f} [{found.low:.2f}, {found.high:.2f}], n={found.n}")
        0.80 [0.24, 0.98], n=3
    """
    array, share = _floats(values), _floats(weights) / np.sum(weights)
    mean = min(1.0, float(share @ array))  # rounding must not carry it beyond
    return Interval(mean, *_score_bounds(mean, 1 / float(share @ share), confidence), len(array))


def paired_t(deltas: ArrayLike, *, confidence: float = 0.95) -> Paired:
    """Student's paired t on per-query differences.

    Args:
        deltas: One difference a query. Fewer than two, or none but zeros, show nothing: p is 1 and the interval is the
            mean itself. Look at `n` before reading a width of zero as certainty.
    """
    array = _floats(deltas)
    n = len(array)
    mean = float(array.mean()) if n else 0.0
    if n < 2 or not array.any():
        return Paired(mean, mean, mean, 1.0, n)
    if array.min() == array.max():  # equal differences: rounding must not decide between p = 0 and 0 / 0
        return Paired(mean, mean, mean, 0.0, n)
    error = float(array.std(ddof=1)) / math.sqrt(n)
    half = float(special.stdtrit(n - 1, 0.5 + confidence / 2)) * error
    p = 2 * float(special.stdtr(n - 1, -abs(mean) / error))
    return Paired(mean, mean - half, mean + half, p, n)


def clustered_bootstrap(
    values: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    resamples: int = 10_000,
    seed: int = 13,
    confidence: float = 0.95,
) -> Interval:
    """Percentile bootstrap of the mean that draws whole clusters (Efron and Tibshirani 1993, chapters 8 and 13).

    Queries of one family or session rise and fall together. Drawing them one by one would count the same evidence
    several times and make the interval too narrow.

    Args:
        clusters: A label a value; equal labels are drawn together. None: each value stands alone.
        resamples: Means drawn. Memory does not grow with it.
        seed: Equal seeds give equal intervals.
    """
    array = _floats(values)
    mean = float(array.mean()) if len(array) else 0.0
    sums, sizes = _cluster_sums(array, clusters)
    count = len(sums)
    if count < 2:
        return Interval(mean, mean, mean, len(array))

    def draw(generator: np.random.Generator, rows: int) -> Floats:
        drawn = generator.integers(0, count, size=(rows, count))
        totals: Floats = sums[drawn].sum(axis=1)
        return totals / (float(count) if len(array) == count else sizes[drawn].sum(axis=1))

    means = np.concatenate(list(_blocks(draw, resamples=resamples, width=count, seed=seed)))
    low, high = np.quantile(means, [0.5 - confidence / 2, 0.5 + confidence / 2])
    return Interval(mean, float(low), float(high), len(array))


def randomisation_p(
    deltas: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    resamples: int = 10_000,
    seed: int = 13,
) -> float:
    """Two-sided p of no difference, by flipping the sign of differences at random (Fisher's randomisation test).

    It is (b + 1) / (m + 1) for b of m resamples as far from zero as what was seen: a p from resampling is never 0
    (Phipson and Smyth 2010).

    Args:
        clusters: A label a difference; equal labels flip together. None: each flips alone.
        resamples: m above; the smallest p is 1 / (m + 1).
    """
    sums, _ = _cluster_sums(_floats(deltas), clusters)
    sums = sums[sums != 0.0]  # flipping a zero changes nothing
    seen = abs(float(sums.sum()))
    # The same sum added in another order differs in its last digits; it counts as equally far.
    line = seen - 1e-12 * float(np.abs(sums).sum())

    def draw(generator: np.random.Generator, rows: int) -> Floats:
        signs = generator.integers(0, 2, size=(rows, len(sums)), dtype=np.int8) * np.int8(2) - np.int8(1)
        totals: Floats = np.abs(signs.astype(np.float64) @ sums)
        return totals

    blocks = _blocks(draw, resamples=resamples, width=len(sums), seed=seed)
    as_far = sum(int(np.count_nonzero(block >= line)) for block in blocks)
    return (as_far + 1) / (resamples + 1)


def queries_needed(gain: float, discordance: float, *, power: float = 0.8, alpha: float = 0.05) -> int:
    """Queries that show a true gain with the given power, in a two-sided paired test.

    n = (z(1 - alpha/2) + z(power))^2 * (d - gain^2) / gain^2, from the variance of a difference that is +1, 0 or -1.

    Args:
        gain: The true gain, as a fraction: 0.05 is five points. Not 0: no number of queries shows that.
        discordance: d, the share of queries whose hit or miss changes. For a measure with fractions, the mean squared
            difference plays its part. It is at least the gain, and taken as that when given smaller.

    Raises:
        ValueError: A gain of 0 or beyond 1.

    Example:
        >>> queries_needed(0.05, 0.15)
        464
    """
    size = abs(gain)
    if not 0.0 < size <= 1.0:
        raise ValueError(f"gain must lie between 0 and 1, got {gain!r}")
    needed = _effort(power, alpha) * (max(discordance, size) - size**2) / size**2
    return max(1, math.ceil(needed))


def detectable_gain(n: int, discordance: float, *, power: float = 0.8, alpha: float = 0.05) -> float:
    """The smallest true gain that `n` queries show with the given power: `queries_needed` turned round.

    Args:
        n: Queries. None at all detect nothing smaller than 1.
        discordance: As in `queries_needed`.

    Example:
        >>> round(detectable_gain(100, 0.15), 3)
        0.104
    """
    effort = _effort(power, alpha)
    gain = math.sqrt(effort * discordance / (n + effort))
    # A gain beyond d needs more changes than were given: then d is the gain itself.
    return gain if gain <= discordance else effort / (n + effort)


def round_up(count: float) -> int:
    """Up to two figures: a planned number of labels is no measurement.

    Example:
        >>> round_up(464), round_up(7)
        (470, 7)
    """
    whole = math.ceil(round(count, 6))
    step: int = 10 ** max(0, len(str(whole)) - 2)
    return -(-whole // step) * step


def holm(p_values: Sequence[float]) -> list[float]:
    """p values adjusted for being several (Holm 1979), in the order given.

    Compare each with alpha as if it were alone: the chance of one false finding among all stays below alpha.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, worst = [0.0] * len(order), 0.0
    for rank, position in enumerate(order):
        worst = max(worst, min(1.0, p_values[position] * (len(order) - rank)))
        adjusted[position] = worst
    return adjusted


def _score_bounds(share: float, n: float, confidence: float) -> tuple[float, float]:
    z = _quantile(0.5 + confidence / 2)
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # At the ends the bound is the share itself; rounding would put it a hair beyond.
    low = 0.0 if share == 0.0 else max(0.0, centre - half)
    return low, 1.0 if share == 1.0 else min(1.0, centre + half)


def _quantile(probability: float) -> float:
    return float(special.ndtri(probability))


def _effort(power: float, alpha: float) -> float:
    return (_quantile(1 - alpha / 2) + _quantile(power)) ** 2


def _floats(values: ArrayLike) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not np.isfinite(array).all():
        raise ValueError(f"expected finite numbers in one dimension, got shape {array.shape}")
    return array


def _cluster_sums(values: Floats, clusters: ArrayLike | None) -> tuple[Floats, Floats]:
    if clusters is None:
        return values, np.ones(len(values))
    labels: NDArray[Any] = np.asarray(clusters)
    if labels.shape != values.shape:
        raise ValueError(f"{len(values)} values but cluster labels of shape {labels.shape}")
    _, member = np.unique(labels, return_inverse=True)
    sizes = np.bincount(member).astype(np.float64)
    return np.bincount(member, weights=values).astype(np.float64), sizes


def _blocks(
    draw: Callable[[np.random.Generator, int], Floats], *, resamples: int, width: int, seed: int
) -> Iterator[Floats]:
    # All resamples of n queries at once would be resamples * n cells: 800 MB at 10,000 of each.
    generator = np.random.default_rng(seed)
    rows = max(1, BLOCK_CELLS // max(1, width))
    for start in range(0, resamples, rows):
        yield draw(generator, min(rows, resamples - start))
