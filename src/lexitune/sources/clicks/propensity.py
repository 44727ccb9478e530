"""How likely a rank is looked at, compared with rank 1: the bias that clicks carry.

A click needs a look and a reason: P(click) = examination(rank) * attraction(query, passage), the position-based model
(Craswell et al. 2008). Attraction belongs to the pair and examination to the rank, so a pair that was shown at two
ranks tells their ratio, whatever its attraction. That is intervention harvesting (Agarwal et al. 2019, arXiv
1812.05161). Where hardly any pair moved, the two cannot be told apart, and a stated curve stands in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from lexitune.sources.clicks.counts import Counts, Floats, Whole

__all__ = ["Propensities", "assume_curve", "fit_position_model", "harvest"]

STEPS = 50  # of Newton's method, which needs 5 to 8
CLOSE = 1e-9
MOST = 2.0  # of a step, in logarithms
LEAST = -12.0  # a logarithm of a share that is nothing
CONFIDENT = 1.959964  # standard normal, 97.5 %


@dataclass(frozen=True, eq=False)
class Propensities:
    """Examination of ranks 1, 2, 3, ... as a share of rank 1's, with a 95 % interval where there is one.

    Attributes:
        how: "harvest", "position model" or "curve".
        pairs: Pairs that were shown at two ranks or more, and clicked: what a harvest rests on.
    """

    share: Floats
    low: Floats
    high: Floats
    how: str
    pairs: int = 0

    def at(self, ranks: Whole, *, least: float = 0.0) -> Floats:
        """The share at each of these ranks, `least` where it is smaller; below the last known rank, the last one's."""
        found: Floats = np.maximum(self.share[np.minimum(ranks, len(self.share)) - 1], least)
        return found


def harvest(counts: Counts, depth: int) -> Propensities:
    """Examination from pairs that were shown at several ranks.

    Of a pair's clicks, the share that fell at rank k is shown(k) * examination(k), divided by the same summed over its
    ranks: attraction cancels. The shares that make all clicks likeliest are found by Newton's method; it is the
    Poisson model with an effect of its own for each pair, right also where a session can click only once (Wooldridge
    1999: it takes nothing but the mean to be right). Intervals are robust, with queries as clusters.

    Args:
        depth: Ranks 1 to this one. A rank that no chain of moved pairs links to rank 1 is NaN.
    """
    moved = _moved(counts.down_to(depth), depth)
    pairs = moved.pair_count
    shown, clicked = np.zeros((pairs, depth)), np.zeros((pairs, depth))
    np.add.at(shown, (moved.pair, moved.rank - 1), moved.shown)
    np.add.at(clicked, (moved.pair, moved.rank - 1), moved.clicked)
    known = _linked(shown, depth)
    log_share = np.full(depth, np.nan)
    error = np.full(depth, np.nan)
    log_share[0] = error[0] = 0.0
    if known.sum() > 1:
        query = np.zeros(pairs, np.int64)
        query[moved.pair] = moved.query
        linked = shown[:, known].any(axis=1)
        log_share[known], error[known] = _newton(shown[linked][:, known], clicked[linked][:, known], query[linked])
    share = np.exp(log_share)
    return Propensities(
        share, share * np.exp(-CONFIDENT * error), share * np.exp(CONFIDENT * error), "harvest", pairs=pairs
    )


def _moved(counts: Counts, depth: int) -> Counts:
    """The rows of pairs that were shown at two ranks or more and clicked at one."""
    ranks = counts.of_pair(np.ones(len(counts.pair)))
    clicks = counts.of_pair(counts.clicked)
    rows = (ranks > 1)[counts.pair] & (clicks > 0)[counts.pair]
    kept = Counts(*(column[rows] for column in _columns(counts)))
    return kept.down_to(depth)


def _columns(counts: Counts) -> Sequence[Whole]:
    return counts.query, counts.pair, counts.rank, counts.shown, counts.clicked


def _linked(shown: Floats, depth: int) -> np.ndarray:
    """Which ranks a chain of pairs, each shown at two of them, links to rank 1."""
    pair, rank = np.nonzero(shown)
    links = coo_matrix((np.ones(len(pair)), (pair + depth, rank)), shape=(depth + len(shown), depth + len(shown)))
    _, group = connected_components(links, directed=False)
    return np.asarray(group[:depth] == group[0])


def _newton(shown: Floats, clicked: Floats, query: Whole) -> tuple[Floats, Floats]:
    """Logarithms of the shares, the first fixed at 0, and their standard errors."""
    total = clicked.sum(axis=1)
    log_share = np.zeros(shown.shape[1])

    def fit(values: Floats) -> tuple[float, Floats]:
        weight = shown * np.exp(values)
        summed = weight.sum(axis=1)
        clear = np.where(clicked > 0, clicked * np.log(np.where(clicked > 0, weight, 1) / summed[:, None]), 0)
        return float(clear.sum()), weight / summed[:, None]

    likelihood, expected = fit(log_share)
    for _ in range(STEPS):
        slope = (clicked - total[:, None] * expected).sum(axis=0)[1:]
        step = np.zeros_like(log_share)
        # Bounded, for a rank without a single click goes down for ever.
        step[1:] = np.clip(np.linalg.lstsq(_information(expected, total), slope, rcond=None)[0], -MOST, MOST)
        size = 1.0
        while (found := fit(log_share + size * step))[0] < likelihood - 1e-12 * abs(likelihood) and size > CLOSE:
            size /= 2
        log_share, (likelihood, expected) = log_share + size * step, found
        if np.abs(size * step).max() < CLOSE or log_share.min() < LEAST:
            break
    _, cluster = np.unique(query, return_inverse=True)
    slopes = np.zeros((int(cluster.max()) + 1, shown.shape[1]))
    np.add.at(slopes, cluster, clicked - total[:, None] * expected)
    inverse = np.linalg.pinv(_information(expected, total))
    spread = inverse @ (slopes[:, 1:].T @ slopes[:, 1:]) @ inverse
    return log_share, np.concatenate([[0.0], np.sqrt(np.maximum(np.diag(spread), 0))])


def _information(expected: Floats, total: Floats) -> Floats:
    inner = expected[:, 1:]
    weighted = inner * total[:, None]
    return np.diag(weighted.sum(axis=0)) - inner.T @ weighted


def fit_position_model(
    counts: Counts, depth: int, *, prior: float = 2.0, steps: int = 500
) -> tuple[Propensities, Floats]:
    """Examination and attraction together, by expectation-maximisation (Wang et al. 2018).

    Args:
        depth: Ranks 1 to this one; what was shown below them is left out.
        prior: Sessions that each pair is taken to have been seen in with average attraction, for the few are noisy.
        steps: Most rounds; it ends earlier where nothing moves by a thousandth.

    Returns:
        The propensities (without intervals), and for each pair of `counts` its attraction between 0 and 1, NaN where
        it was shown below `depth` only.
    """
    rows = np.flatnonzero(counts.rank <= depth)
    pair, place = counts.pair[rows], counts.rank[rows] - 1
    shown, clicked = counts.shown[rows].astype(float), counts.clicked[rows].astype(float)
    unclicked, pairs = shown - clicked, counts.pair_count
    of_pair, of_rank = np.bincount(pair, shown, pairs), np.bincount(place, shown, depth)
    examined = np.linspace(0.9, 0.3, depth)
    attraction = np.full(pairs, 0.5)
    for _ in range(steps):
        looked, drawn = examined[place], attraction[pair]
        neither = np.maximum(1 - looked * drawn, 1e-12)
        new = np.bincount(place, clicked + unclicked * looked * (1 - drawn) / neither, depth)
        new = np.where(of_rank > 0, new / np.maximum(of_rank, 1), np.nan)
        likely = np.bincount(pair, clicked + unclicked * drawn * (1 - looked) / neither, pairs)
        average = likely.sum() / of_pair.sum()
        attraction = (likely + prior * average) / (of_pair + prior)
        change = np.nanmax(np.abs(new - examined))
        examined = np.clip(new, 1e-6, 1.0)
        if change < 1e-4 * np.nanmax(examined):
            break
    share = examined / examined[0]
    unknown = np.full(depth, np.nan)
    return Propensities(share, unknown, unknown, "position model"), np.where(of_pair > 0, attraction, np.nan)


def assume_curve(depth: int, power: float) -> Propensities:
    """Examination of 1 / rank ** power: an assumption, for logs that tell nothing about it."""
    share = np.arange(1, depth + 1, dtype=float) ** -power
    unknown = np.full(depth, np.nan)
    return Propensities(share, unknown, unknown, "curve")
