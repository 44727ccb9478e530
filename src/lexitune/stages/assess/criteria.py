"""Criteria: what the advice goes by, one by one: the figure, the line, on which side it is, and what would flip it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lexitune.metrics.statistics import detectable_gain, queries_needed, round_up
from lexitune.stages.assess.expected import BAND, DOUBLINGS
from lexitune.stages.assess.figures import RECALL, Figures
from lexitune.stages.assess.gap import in_points, is_gain
from lexitune.stages.assess.options import AssessOptions
from lexitune.stages.assess.reasons import called, with_interval
from lexitune.stages.assess.representative import ENOUGH
from lexitune.stages.assess.stability import CHANGING

__all__ = ["AGAINST", "FOR", "OPEN", "SHORT_TUNE", "Criterion", "list_criteria"]

FOR, AGAINST, OPEN = "for a tune", "against", "open"

SHORT_TUNE = "--pilot-minutes 10"
"""What tells more where these do not."""

FOLK_PAIRS = 5_000
"""What the field's rule of thumb asks for; 500 were enough in the lab."""

POINT = 0.01


@dataclass(frozen=True, slots=True)
class Criterion:
    """One thing that the advice goes by.

    Attributes:
        figure: What was found.
        line: What it is held against, and whose line that is.
        says: `FOR`, `AGAINST` or `OPEN`.
        flip: What would change that.
    """

    name: str
    figure: str
    line: str
    says: str
    flip: str


def list_criteria(figures: Figures, options: AssessOptions) -> tuple[Criterion, ...]:
    """All criteria of which there is a figure. None of them decides alone: see `advise`."""
    found = [
        _stock(figures, options),
        _gain(figures, options),
        _after(figures, options),
        _short_tune(figures, options),
        _pairs(figures, options),
        _tests(figures, options),
        _log(figures),
        _words(figures),
        _change(figures, options),
    ]
    return tuple(one for one in found if one is not None)


def _stock(figures: Figures, options: AssessOptions) -> Criterion | None:
    if not figures.systems:
        return None
    stock, line = figures.systems["stock"][RECALL], options.threshold
    says = FOR if stock.high < line else AGAINST if stock.low >= line else OPEN
    flip = {
        FOR: f"another stock model that reaches {line:.2f}: --also",
        AGAINST: "queries that people ask and that fail: label some of these",
        OPEN: "more queries to measure on",
    }
    return Criterion(
        f"stock {RECALL}", with_interval(stock), f"below {line:.2f} (--threshold; a rule of thumb)", says, flip[says]
    )


def _gain(figures: Figures, options: AssessOptions) -> Criterion | None:
    found, pilot, least = figures.expected, figures.pilot, options.least_gain
    if found is None or pilot is None:
        return None
    alone = found.alone
    shown = is_gain(pilot.lifts[-1])
    says = FOR if alone.low > 0 and shown else AGAINST if alone.high < least and shown else OPEN
    flip = {
        FOR: f"a short tune that gains nothing: {SHORT_TUNE}",
        AGAINST: "pairs of another kind, which stock fails on",
        OPEN: f"a short tune: {SHORT_TUNE}",
    }
    line = f"{100 * BAND:.0f} % band above 0, and not below {_points(least)} points (--least-gain)"
    return Criterion(f"gain foretold, {found.pairs:,} pairs", in_points(alone), line, says, flip[says])


def _after(figures: Figures, options: AssessOptions) -> Criterion | None:
    """What would serve after a tune, beside the best that needs none."""
    found = figures.expected
    if found is None:
        return None
    middle = figures.after(found.alone.mean, found.hybrid.mean)
    most = figures.after(found.alone.high, found.hybrid.high)
    line = figures.reached + options.least_gain
    says = FOR if middle >= line else AGAINST if most < line else OPEN
    flip = f"{called(figures.best)} at {middle - options.least_gain:.2f} without training"
    if says != FOR:
        flip = _more_pairs(found.pairs, found.doubling, line - middle)
    told = f"{_points(options.least_gain)} points over {called(figures.best)}: {line:.2f}"
    return Criterion(f"{RECALL} after a tune, foretold", f"{middle:.2f}", told, says, flip)


def _more_pairs(pairs: int, doubling: float, missing: float) -> str:
    """How many pairs would bring what is missing, by the pilot's own curve."""
    if doubling < POINT / 4 or missing > DOUBLINGS * doubling:
        return "more pairs than the pilot's curve reaches"
    return f"about {round_up(pairs * 2 ** (missing / doubling)):,} pairs, by the pilot's own curve"


def _short_tune(figures: Figures, options: AssessOptions) -> Criterion | None:
    found = figures.short_tune
    if found is None:
        return None
    says = FOR if found.lift.low > 0 else AGAINST if found.lift.high < options.least_gain else OPEN
    name = f"gain of a short tune, {found.pairs:,} of {found.of:,} pairs"
    flip = "all of the pairs" if found.pairs < found.of else "more pairs"
    return Criterion(name, in_points(found.lift), "above 0", says, flip)


def _pairs(figures: Figures, options: AssessOptions) -> Criterion:
    least = options.min_pairs
    says = FOR if figures.pairs >= least else AGAINST
    missing = f"collect {least - figures.pairs:,} more" if says == AGAINST else "nothing: more are better"
    line = f"{least:,} (--min-pairs); {FOLK_PAIRS:,} by the rule of thumb"
    return Criterion("training pairs", f"{figures.pairs:,}", line, says, missing)


def _tests(figures: Figures, options: AssessOptions) -> Criterion:
    """Whether the test queries can show what is expected."""
    tests, least, (changes, _) = figures.test_queries, options.min_test_queries, figures.changes
    line = f"{least} at least (--min-test-queries)"
    if tests < least:
        return Criterion("test queries", f"{tests:,}", line, AGAINST, f"label {least - tests} more")
    shows = detectable_gain(tests, changes)
    figure = f"{tests:,}, which show {_points(shows)} points"
    gain = figures.expected.alone.mean if figures.expected else 0.0
    if gain <= 0:
        return Criterion("test queries", figure, line, FOR, "nothing: more show more")
    line = f"the {_points(gain)} points foretold"
    if shows <= gain:
        return Criterion("test queries", figure, line, FOR, f"a gain under {_points(shows)} points")
    more = round_up(queries_needed(min(gain, changes), changes) - tests)
    return Criterion("test queries", figure, line, OPEN, f"label about {more:,} more")


def _log(figures: Figures) -> Criterion | None:
    """Whether the judged queries are such as people search for: what was measured holds for those alone."""
    found = figures.likeness
    if found is None:
        return None
    says = FOR if found.answer == "representative" else OPEN
    flip = "searches that change" if says == FOR else f"judging about {min(ENOUGH, found.queries):,} queries of the log"
    figure = f"{found.answer} of {found.searches:,} searches"
    return Criterion("judged queries", figure, "as queries drawn from the log", says, flip)


def _words(figures: Figures) -> Criterion | None:
    """Whether the field's own words are what stock lacks."""
    gap = figures.gaps.get("stock")
    if gap is None:
        return None
    says = OPEN if not gap.is_shown else FOR if gap.difference.mean < 0 else AGAINST
    flip = {
        FOR: "a stock model that knows the words",
        AGAINST: "nothing: words are not what stock lacks",
        OPEN: "more queries that hold such terms",
    }
    return Criterion(
        f"{RECALL} on queries with a shattered term", in_points(gap.difference), "below the others", says, flip[says]
    )


def _change(figures: Figures, options: AssessOptions) -> Criterion:
    found = figures.stability
    line = f"under {100 * CHANGING:.0f} % new a {options.period} beyond chance (--period; a rule of thumb)"
    if found is None or math.isnan(found.change.mean):
        return Criterion("change of words", "unknown", line, OPEN, "times (at) on queries or passages")
    says = {"changing": AGAINST, "stable": FOR}.get(found.answer, OPEN)
    figure = f"{100 * found.change.mean:.0f} % [{100 * found.change.low:.0f}, {100 * found.change.high:.0f}]"
    flip = "a vocabulary that settles" if says == AGAINST else "a vocabulary that changes faster"
    return Criterion("change of words", figure, line, says, flip if says != OPEN else "more periods")


def _points(share: float) -> str:
    return f"{100 * share:.1f}".removesuffix(".0")
