"""From counts to how much more a passage is clicked than its rank alone would bring: three ways, one form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import beta, norm

from lexitune.sources.clicks.counts import Counts, Floats
from lexitune.sources.clicks.propensity import Propensities

__all__ = ["Lift", "click_rates", "clicks_over_expected", "examined_rates", "inverse_propensity"]

CONFIDENCE = 0.95  # of the lower bound, one-sided


@dataclass(frozen=True, eq=False)
class Lift:
    """For each pair: clicks over what its ranks lead one to expect; 1 is an average passage.

    Attributes:
        mean: The estimate, drawn towards 1 where the pair was seen in few sessions.
        low: It is above this with 95 % confidence.
        reliability: Share of the estimate that the pair's own sessions carry, between 0 and 1.
    """

    mean: Floats
    low: Floats
    reliability: Floats


def click_rates(counts: Counts) -> Floats:
    """For each row the share of clicks among all that was shown at its rank (what COEC expects)."""
    depth = int(counts.rank.max())
    shown, clicked = counts.of_rank(counts.shown, depth), counts.of_rank(counts.clicked, depth)
    rates: Floats = (clicked / np.maximum(shown, 1))[counts.rank - 1]
    return rates


def examined_rates(counts: Counts, examined: Floats) -> Floats:
    """For each row the click rate of a passage of average attraction, at the row's examination."""
    average = counts.clicked.sum() / (counts.shown * examined).sum()
    rates: Floats = np.minimum(examined * average, 1.0)
    return rates


def clicks_over_expected(counts: Counts, rates: Floats, *, prior: float) -> Lift:
    """Clicks over expected clicks with a Beta prior around the expectation (Zhang and Jones 2007 without one).

    Args:
        rates: Expected click rate of each row: `click_rates`, or `examined_rates`.
        prior: Sessions that the prior weighs as much as.
    """
    shown, clicked = counts.of_pair(counts.shown), counts.of_pair(counts.clicked)
    expected = np.clip(counts.of_pair(counts.shown * rates) / shown, 1e-6, 1 - 1e-6)
    successes, failures = clicked + prior * expected, shown - clicked + prior * (1 - expected)
    mean = successes / (successes + failures) / expected
    low = beta.ppf(1 - CONFIDENCE, successes, failures) / expected
    return Lift(mean, low, shown / (shown + prior))


def inverse_propensity(counts: Counts, propensities: Propensities, *, clip: float, prior: float) -> Lift:
    """Each click divided by its rank's examination, at least `clip`, normalised by what all clicks come to.

    Self-normalised (Swaminathan and Joachims 2015): a pair's weighted clicks a session, over the mean of all sessions.
    The bound takes the weighted clicks for a sum of Poisson counts.
    """
    weights = 1 / propensities.at(counts.rank, least=clip)
    shown = counts.of_pair(counts.shown)
    drawn = counts.of_pair(counts.clicked * weights)
    average = drawn.sum() / shown.sum()
    squares = counts.of_pair(counts.clicked * weights**2) + prior * average * float(np.mean(weights))
    rate = (drawn + prior * average) / (shown + prior)
    error = np.sqrt(squares) / (shown + prior)
    return Lift(rate / average, (rate - norm.ppf(CONFIDENCE) * error) / average, shown / (shown + prior))
