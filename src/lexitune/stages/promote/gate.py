"""The gate: may the challenger serve? It can say yes, no, and that the queries do not tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from lexitune.errors import DataError, GateRefused, Undecided
from lexitune.metrics.comparison import Comparison, Delta
from lexitune.metrics.statistics import queries_needed
from lexitune.stages.promote.options import PromoteOptions
from lexitune.types import GateResult

__all__ = ["CANNOT_DECIDE", "PROMOTE", "REFUSE", "exit_code", "gate"]

PROMOTE, REFUSE, CANNOT_DECIDE = "PROMOTE", "REFUSE", "CANNOT DECIDE"

FEW_CHANGES = 30  # won and lost together; below it, an interval leans on a handful of queries
MORE_HOLES = 0.10  # a challenger with this much more unjudged in its first ten may look worse than it is
SURE = 0.05  # level of the randomisation test that must agree with a yes
TOO_MANY = 100_000  # queries that nobody labels: the advice is another one then

DEFAULT = PromoteOptions()


def gate(evaluation: Mapping[str, Any], *, options: PromoteOptions = DEFAULT) -> GateResult:
    """Decide on the gain in the primary measure, with its uncertainty.

    The gain's interval is the wider, at each end, of the paired t interval and of the bootstrap that draws
    families of queries together. PROMOTE when all of it lies above `min_gain`. REFUSE is for a shown
    failure: all of it lies at or below `min_gain`. What is said of a gain or a loss, `min_gain` being 0 or beyond it,
    must also be more than chance by the randomisation test. Everything else is CANNOT DECIDE, because "not shown" is
    not "no gain".

    Args:
        evaluation: What `evaluate` wrote to `reports/<id>.json`.
        options: Declared before training; whoever changes them after seeing the gain decides nothing.

    Raises:
        DataError: Not an evaluation, or one of an older form.
    """
    try:
        primary = str(evaluation["primary"])
        comparison = Comparison.from_json(evaluation["comparison"])
        unjudged = {name: float(system["unjudged"]) for name, system in evaluation["systems"].items()}
        rivals = {name: Comparison.from_json(one).delta(primary) for name, one in evaluation["against_bm25"].items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError("E3303", f"not an evaluation: {error!r}", fix="lexitune evaluate") from error
    delta = comparison.delta(primary)
    answer, reasons = _primary(delta, comparison, primary, options)
    reasons += _slices(comparison, primary) + _notes(delta, unjudged)
    rival_answer, rival_reason = _bm25(rivals, primary, demanded=options.beat_bm25)
    reasons += rival_reason
    if answer == PROMOTE:
        answer = rival_answer or PROMOTE
    elif rival_answer == REFUSE and delta.n >= options.min_queries:
        answer = REFUSE
    low, high = _bounds(delta)
    evidence = {
        "primary": primary,
        "gain": {"mean": delta.mean, "low": low, "high": high, "p": delta.p, "n": delta.n},
        "delta": asdict(delta),
        "options": asdict(options),
    }
    return GateResult(answer, tuple(reasons), evidence, NEXT[answer])


NEXT = {PROMOTE: "lexitune promote", REFUSE: "lexitune status", CANNOT_DECIDE: "lexitune status"}


def exit_code(result: GateResult) -> int:
    """0 for PROMOTE, 4 for REFUSE, 5 for CANNOT DECIDE.

    Example:
        >>> exit_code(GateResult("REFUSE", ()))
        4
    """
    return {PROMOTE: 0, REFUSE: GateRefused.exit_code, CANNOT_DECIDE: Undecided.exit_code}[result.answer]


def _primary(delta: Delta, comparison: Comparison, primary: str, options: PromoteOptions) -> tuple[str, list[str]]:
    low, high = _bounds(delta)
    told = f"{primary} gains {_gain(delta)}, n={delta.n}: {delta.won} queries won, {delta.lost} lost"
    line = f"min_gain ({_points(options.min_gain)} points)"
    if delta.n < options.min_queries:
        missing = options.min_queries - delta.n
        why = f"{delta.n} test queries carry no verdict, the least is {options.min_queries}: label {missing} more"
        return CANNOT_DECIDE, [told, why]
    if delta.won + delta.lost == 0:
        return CANNOT_DECIDE, [told, "no test query changed, so they tell nothing; train on more pairs, or for longer"]
    # With a handful of changes t is too sure of itself, either way; flipping signs is exact there.
    chance = delta.p_randomisation >= SURE
    if (low > options.min_gain >= 0 or high <= options.min_gain <= 0) and chance:
        p = f"randomisation p {delta.p_randomisation:.2f}"
        why = f"{delta.won + delta.lost} queries changed, which chance alone may do ({p})"
        return CANNOT_DECIDE, [told, why, _more(comparison, primary, options)]
    if low > options.min_gain:
        return PROMOTE, [told, f"the lower bound lies above {line}"]
    if high <= options.min_gain:
        return REFUSE, [told, f"a shown failure: the upper bound does not reach beyond {line}"]
    return CANNOT_DECIDE, [told, f"the interval spans {line}", _more(comparison, primary, options)]


def _more(comparison: Comparison, primary: str, options: PromoteOptions) -> str:
    """How many more queries would show the gain that was seen, were it the true one."""
    delta = comparison.delta(primary)
    margin = delta.mean - options.min_gain
    if margin <= 0:
        return "the gain seen is not above min_gain, so more labels alone may not help: train on more pairs first"
    # queries_needed knows a variance as d - gain^2, so this d carries the variance that was seen.
    discordance = float(np.var(comparison.per_query[primary])) + margin**2
    more = queries_needed(margin, discordance) - delta.n
    if more > TOO_MANY:
        return "a gain this close to min_gain takes more test queries than anybody labels: train on more pairs first"
    # Power is a chance: enough queries may still have missed. Then half as many again is a fair next step.
    return f"label about {_round_up(more if more > 0 else delta.n // 2 + 1)} more test queries"


def _bounds(delta: Delta) -> tuple[float, float]:
    return min(delta.low, delta.bootstrap_low), max(delta.high, delta.bootstrap_high)


def _slices(comparison: Comparison, primary: str) -> list[str]:
    reasons = []
    for name, part in comparison.slices.items():
        if part.n and primary in part.deltas:
            delta = part.deltas[primary]
            if part.n == 1:  # one query has no spread, and so no interval
                reasons.append(f"{name}: one query alone, {_points(delta.mean)} points of {primary}")
                continue
            remark = " (too few to conclude from)" if part.too_small else " (it got worse)" if delta.high < 0 else ""
            reasons.append(f"{name}: {primary} gains {_gain(delta)}, n={part.n}{remark}")
    return reasons


def _notes(delta: Delta, unjudged: Mapping[str, float]) -> list[str]:
    notes = []
    changed = delta.won + delta.lost
    if 0 < changed < FEW_CHANGES:
        notes.append(f"only {changed} queries changed, so the interval leans on few")
    stock, tuned = unjudged.get("stock", 0.0), unjudged.get("tuned", 0.0)
    if tuned - stock >= MORE_HOLES:
        notes.append(
            f"unjudged in the first ten: stock {100 * stock:.0f} %, tuned {100 * tuned:.0f} %; "
            "unjudged counts as wrong, so the tuned model may be better than shown: label these first"
        )
    return notes


def _bm25(rivals: Mapping[str, Delta], primary: str, *, demanded: bool) -> tuple[str, list[str]]:
    """An answer only where `beat_bm25` demands one: above by an interval, alone or in hybrid."""
    told = [f"{name.replace('_', ' ')} against BM25: {primary} {_gain(delta)}" for name, delta in rivals.items()]
    if not demanded:
        behind = {name for name, delta in rivals.items() if delta.mean < 0}
        if "tuned" not in behind:
            return "", []
        if behind == set(rivals):
            return "", [*told, "BM25 is ahead of the tuned model and of its hybrid: serve BM25, or train on more pairs"]
        return "", [*told, "BM25 is ahead of the tuned model alone: serve them as a hybrid"]
    bounds = [_bounds(delta) for delta in rivals.values()]
    if any(low > 0 for low, _ in bounds):
        return "", told
    if bounds and all(high < 0 for _, high in bounds):
        return REFUSE, [*told, "a shown failure: BM25 is better, and beat_bm25 demands otherwise"]
    return CANNOT_DECIDE, [*told, "beat_bm25 demands more than BM25, and these queries do not show it"]


def _gain(delta: Delta) -> str:
    low, high = _bounds(delta)
    return f"{_points(delta.mean)} points [{_points(low)}, {_points(high)}]"


def _points(share: float) -> str:
    """
    >>> _points(0.0624), _points(-0.0001)
    ('+6.2', '+0.0')
    """
    return f"{round(100 * share, 1) + 0.0:+.1f}"


def _round_up(count: int) -> int:
    # Two figures: a planned number of labels is no measurement.
    step: int = 10 ** max(0, len(str(count)) - 2)
    return -(-count // step) * step
