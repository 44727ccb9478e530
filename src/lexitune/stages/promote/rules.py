"""The rules of the gate, one function each: what it says alone, why, and on which evidence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from lexitune.metrics.comparison import Comparison, Delta, Slice
from lexitune.metrics.statistics import holm, queries_needed, round_up
from lexitune.stages.promote.options import PromoteOptions

__all__ = [
    "CANNOT_DECIDE",
    "LEAST_SLICE",
    "PROMOTE",
    "REFUSE",
    "Finding",
    "bounds",
    "judge_against_bm25",
    "judge_gain",
    "judge_guard",
    "judge_holes",
    "judge_seeds",
    "judge_slices",
    "judge_unseen",
    "judge_untrained",
    "points",
    "tell_gain",
    "worst",
]

PROMOTE, REFUSE, CANNOT_DECIDE = "PROMOTE", "REFUSE", "CANNOT DECIDE"

SURE = 0.05  # level of the tests that must agree with what an interval says
TOO_MANY = 100_000  # queries that nobody labels: the advice is another one then

LEAST_SLICE = 50
"""Queries of a slice that may refuse; smaller ones are told."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule says.

    Attributes:
        answer: As if it were the only rule.
        why: The deciding reason first.
        evidence: What it was read from, as JSON values.
    """

    answer: str
    why: tuple[str, ...] = ()
    evidence: Mapping[str, Any] = field(default_factory=dict)


def worst(findings: Iterable[Finding]) -> str:
    """The answer that stands where each of these has a say."""
    answers = {finding.answer for finding in findings}
    return next((answer for answer in (REFUSE, CANNOT_DECIDE) if answer in answers), PROMOTE)


def judge_gain(comparison: Comparison, primary: str, options: PromoteOptions) -> Finding:
    """The gain in the primary measure: above `min_gain`, a shown failure, or neither."""
    delta = comparison.delta(primary)
    answer, *why = _answer_of_gain(delta, comparison, primary, options)
    return Finding(answer, tuple(why), tell_gain(delta) | {"primary": primary})


def _answer_of_gain(delta: Delta, comparison: Comparison, primary: str, options: PromoteOptions) -> tuple[str, ...]:
    low, high = bounds(delta)
    line = f"min_gain ({points(options.min_gain)} points)"
    if delta.n < options.min_queries:
        missing = options.min_queries - delta.n
        why = f"{delta.n} test queries carry no verdict, the least is {options.min_queries}: label {missing} more"
        return CANNOT_DECIDE, why
    if delta.won + delta.lost == 0:
        return CANNOT_DECIDE, "no test query changed, so they tell nothing; train on more pairs, or for longer"
    # With a handful of changes t is too sure of itself, either way; flipping signs is exact there.
    chance = delta.p_randomisation >= SURE
    if (low > options.min_gain >= 0 or high <= options.min_gain <= 0) and chance:
        p = f"randomisation p {delta.p_randomisation:.2f}"
        why = f"{delta.won + delta.lost} queries changed, which chance alone may do ({p})"
        return CANNOT_DECIDE, why, _more(comparison, primary, options)
    if low > options.min_gain:
        return PROMOTE, f"the gain's lower bound lies above {line}"
    if high <= options.min_gain:
        return REFUSE, f"a shown failure: the gain's upper bound does not reach beyond {line}"
    return CANNOT_DECIDE, f"the gain's interval spans {line}", _more(comparison, primary, options)


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
    return f"label about {round_up(more if more > 0 else delta.n // 2 + 1)} more test queries"


def judge_unseen(unseen: Delta | None, n: int, options: PromoteOptions) -> Finding:
    """Whether the gain stands without the test queries that train or dev asks as well.

    Args:
        unseen: The gain on the others; None: all are others.
        n: Test queries.
    """
    if unseen is None:
        return Finding(PROMOTE)
    low, high = bounds(unseen)
    line = f"min_gain ({points(options.min_gain)} points)"
    told = f"{n - unseen.n} of {n} test queries ask what a train or dev query asks; the other {unseen.n} gain"
    enough = unseen.n >= options.min_queries
    if enough and low > options.min_gain:
        return Finding(PROMOTE, (), tell_gain(unseen))
    # No shown failure, as in the gain: nothing changed, or chance alone may have lost as much.
    chance = unseen.won + unseen.lost == 0 or (options.min_gain <= 0 and unseen.p_randomisation >= SURE)
    if enough and high <= options.min_gain and not chance:
        return Finding(REFUSE, (f"{told} {_gain(unseen)}: not beyond {line}",), tell_gain(unseen))
    return Finding(CANNOT_DECIDE, (f"{told} {_gain(unseen)}: that does not show more than {line}",), tell_gain(unseen))


def judge_seeds(delta: Delta, seeds: Mapping[str, Delta]) -> Finding:
    """Whether the same training with other seeds gains, too, where there was one.

    Args:
        seeds: Model -> its gain on the same test queries.
    """
    against = sorted(name for name, other in seeds.items() if (other.mean > 0) != (delta.mean > 0))
    answer, why = PROMOTE, list[str]()
    if against:
        told = ", ".join(f"{name} {_gain(seeds[name])}" for name in against)
        answer, why = CANNOT_DECIDE, [f"the same training with another seed says otherwise: {told}"]
    elif seeds:
        why = [f"the same training with other seeds: {', '.join(points(seeds[name].mean) for name in sorted(seeds))}"]
    return Finding(answer, tuple(why), {name: tell_gain(other) for name, other in seeds.items()})


def judge_untrained(delta: Delta, untrained: Mapping[str, float]) -> Finding:
    """Name what gains more without training. It decides nothing: it was measured on train and dev queries.

    Args:
        untrained: What an assessment measured, as a sentence calls it -> points gained over stock, as a share.
    """
    better = {name: gain for name, gain in untrained.items() if gain > delta.mean}
    if not better:
        return Finding(PROMOTE, (), dict(untrained))
    name = max(better, key=lambda one: better[one])
    told = f"{name} gains {points(better[name])} points over stock on train and dev queries, without training"
    return Finding(PROMOTE, (f"{told}: lexitune assess",), dict(untrained))


def judge_slices(comparison: Comparison, primary: str, options: PromoteOptions) -> Finding:
    """No slice of 50 queries or more may be clearly worse, after Holm's correction for looking at several.

    Worse is below 0, or below `min_gain` where that allows a loss of the whole.
    """
    parts = {name: part.deltas[primary] for name, part in comparison.slices.items() if primary in part.deltas}
    parts = {name: delta for name, delta in parts.items() if delta.n}
    tested = [name for name, delta in parts.items() if delta.n >= LEAST_SLICE]
    adjusted = dict(zip(tested, holm([_p_of_loss(parts[name]) for name in tested]), strict=True))
    floor = min(0.0, options.min_gain)
    worse = [name for name in tested if adjusted[name] < SURE and bounds(parts[name])[1] <= floor]
    small = [name for name in parts if comparison.slices[name].field and name not in tested]
    why = [_worse_slice(name, parts[name], primary, adjusted[name], len(tested)) for name in worse]
    why += [_told_slice(name, comparison.slices[name], primary) for name in parts if name not in (*worse, *small)]
    if small:
        told = ", ".join(f"{name} ({parts[name].n})" for name in small)
        why.append(f"slices of under {LEAST_SLICE} queries, in the report and not judged: {told}")
    evidence = {n: tell_gain(d) | ({"p_holm": adjusted[n]} if n in adjusted else {}) for n, d in parts.items()}
    return Finding(REFUSE if worse else PROMOTE, tuple(why), evidence)


def _p_of_loss(delta: Delta) -> float:
    # A slice that gained must not count as found, or Holm would ask less of the others. And both tests must agree:
    # t is too sure where few queries changed, and does not know families.
    return max(delta.p, delta.p_randomisation) if delta.mean < 0 else 1.0


def _worse_slice(name: str, delta: Delta, primary: str, p: float, count: int) -> str:
    several = f" after Holm over {count} slices" if count > 1 else ""
    return f"a shown failure on a slice, {name}: {primary} {_gain(delta)}, n={delta.n}, p {p:.2g}{several}"


def _told_slice(name: str, part: Slice, primary: str) -> str:
    delta = part.deltas[primary]
    if delta.n == 1:  # one query has no spread, and so no interval
        return f"{name}: one query alone, {points(delta.mean)} points of {primary}"
    remark = " (too few to conclude from)" if part.too_small else " (it got worse)" if delta.high < 0 else ""
    return f"{name}: {primary} gains {_gain(delta)}, n={delta.n}{remark}"


def judge_guard(guard: Mapping[str, Comparison], options: PromoteOptions) -> Finding:
    """No text outside the field may lose more than `max_loss`: harmed, safe, or the guard cannot tell."""
    found = [_judge_text(name, comparison, options) for name, comparison in guard.items()]
    if not found:
        none = "the guard cannot tell: nothing outside the field was measured that stock can read; lexitune evaluate"
        found = [Finding(CANNOT_DECIDE, (none,))]
    answer = worst(found)
    found.sort(key=lambda finding: finding.answer != answer)
    evidence = {name: value for finding in found for name, value in finding.evidence.items()}
    blocks = {"shown": (REFUSE,), "strict": (REFUSE, CANNOT_DECIDE), "off": ()}[options.guard]
    why = tuple(reason for finding in found for reason in finding.why)
    if answer == CANNOT_DECIDE and answer in blocks:
        why = (*why, "guard = strict wants to know: give it more queries, with lexitune evaluate --guard-folder")
    return Finding(answer if answer in blocks else PROMOTE, why, evidence)


def _judge_text(name: str, comparison: Comparison, options: PromoteOptions) -> Finding:
    ((measure, delta),) = comparison.deltas.items()
    low, high = bounds(delta)
    told = f"{measure} {_gain(delta)}, n={delta.n} (max_loss {100 * options.max_loss:.1f})"
    if high < -options.max_loss:
        answer, why = REFUSE, f"{name} is harmed: {told}"
    elif low >= -options.max_loss:
        answer, why = PROMOTE, f"{name} is safe: {told}"
    else:
        answer, why = CANNOT_DECIDE, f"the guard cannot tell of {name}: {told}"
    return Finding(answer, (why,), {name: tell_gain(delta) | {"measure": measure, "answer": answer}})


def judge_against_bm25(rivals: Mapping[str, Delta], primary: str, options: PromoteOptions) -> Finding:
    """Whether BM25 is the better choice. It decides only where `beat_bm25` demands that the challenger is above."""
    evidence = {name: tell_gain(delta) for name, delta in rivals.items()}
    told = tuple(f"{name.replace('_', ' ')} against BM25: {primary} {_gain(delta)}" for name, delta in rivals.items())
    if not options.beat_bm25:
        behind = {name for name, delta in rivals.items() if delta.mean < 0}
        if "tuned" not in behind:
            return Finding(PROMOTE, (), evidence)
        advice = "BM25 is ahead of the tuned model alone: serve them as a hybrid"
        if behind == set(rivals):
            advice = "BM25 is ahead of the tuned model and of its hybrid: serve BM25, or train on more pairs"
        return Finding(PROMOTE, (*told, advice), evidence)
    spans = [bounds(delta) for delta in rivals.values()]
    if any(low > 0 for low, _ in spans):
        return Finding(PROMOTE, told, evidence)
    if spans and all(high < 0 for _, high in spans):
        why = "a shown failure: BM25 is better, and beat_bm25 demands otherwise"
        return Finding(REFUSE, (why, *told), evidence)
    why = "beat_bm25 demands more than BM25, and these queries do not show it"
    return Finding(CANNOT_DECIDE, (why, *told), evidence)


def judge_holes(unjudged: Mapping[str, float], options: PromoteOptions, *, needed: bool, where: str) -> Finding:
    """Whether the challenger has so many more unjudged hits than stock that it may look worse than it is.

    Args:
        unjudged: System -> share of its hits in the first ten that nobody judged.
        needed: Its judgements could turn the answer: it is none that unjudged hits, counted as wrong, make safer.
        where: What to label, and the file that lists it.
    """
    stock, tuned = unjudged.get("stock", 0.0), unjudged.get("tuned", 0.0)
    evidence = {"stock": stock, "tuned": tuned}
    if round(tuned - stock - options.max_unjudged_more, 9) <= 0:
        return Finding(PROMOTE, (), evidence)
    told = (
        f"unjudged in the first ten: stock {100 * stock:.0f} %, tuned {100 * tuned:.0f} %; "
        "unjudged counts as wrong, so the tuned model may be better than shown"
    )
    if needed:
        return Finding(CANNOT_DECIDE, (f"{told}: label these first: {where}",), evidence)
    return Finding(PROMOTE, (told,), evidence)


def bounds(delta: Delta) -> tuple[float, float]:
    """The wider, at each end, of the paired t interval and of the bootstrap."""
    return min(delta.low, delta.bootstrap_low), max(delta.high, delta.bootstrap_high)


def tell_gain(delta: Delta) -> dict[str, Any]:
    """All that is known of a gain, with the bounds that decide in place of those of t alone."""
    low, high = bounds(delta)
    return asdict(delta) | {"low": low, "high": high, "t_low": delta.low, "t_high": delta.high}


def points(share: float) -> str:
    """A share in points, with its sign.

    >>> points(0.0624), points(-0.0001)
    ('+6.2', '+0.0')
    """
    return f"{round(100 * share, 1) + 0.0:+.1f}"


def _gain(delta: Delta) -> str:
    low, high = bounds(delta)
    return f"{points(delta.mean)} points [{points(low)}, {points(high)}]"
