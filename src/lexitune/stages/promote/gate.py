"""The gate: may the challenger serve? It can say yes, no, and that the queries do not tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from lexitune.errors import DataError, GateRefused, Undecided
from lexitune.metrics.comparison import Comparison, Delta
from lexitune.stages.promote.options import PromoteOptions
from lexitune.stages.promote.rules import (
    CANNOT_DECIDE,
    PROMOTE,
    REFUSE,
    Finding,
    bounds,
    judge_against_bm25,
    judge_gain,
    judge_guard,
    judge_holes,
    judge_seeds,
    judge_slices,
    judge_unseen,
    judge_untrained,
    points,
    worst,
)
from lexitune.types import GateResult

__all__ = ["exit_code", "gate"]

FEW_CHANGES = 30  # won and lost together; below it, an interval leans on a handful of queries

DEFAULT = PromoteOptions()
NEXT = {PROMOTE: "lexitune promote", REFUSE: "lexitune status", CANNOT_DECIDE: "lexitune status"}


def gate(
    evaluation: Mapping[str, Any],
    *,
    seeds: Mapping[str, Delta] | None = None,
    untrained: Mapping[str, float] | None = None,
    options: PromoteOptions = DEFAULT,
) -> GateResult:
    """Decide by rules that each say yes, no, or that the queries do not tell; the worst answer stands.

    An interval is the wider, at each end, of the paired t interval and of the bootstrap that draws families of queries
    together. REFUSE is for a shown failure: the gain lies at or below `min_gain`, a slice is clearly worse, or text
    outside the field is harmed. CANNOT DECIDE is for what is not shown, because "not shown" is not "no gain".

    Where the challenger has so many more unjudged hits than stock that it may look worse than it is, the field refuses
    nothing before they are labelled. A yes stands all the same, since unjudged counts as wrong.

    Args:
        evaluation: What `evaluate` wrote to `reports/<id>.json`.
        seeds: Model -> what the same training with another seed gained on the same test queries.
        untrained: What needs no training -> the share that it gains over stock on train and dev queries.
        options: Declared before training; whoever changes them after seeing the gain decides nothing.

    Returns:
        First the gain, then the reasons that decide, then all others.

    Raises:
        DataError: Not an evaluation, or one of an older form.
    """
    try:
        primary = str(evaluation["primary"])
        comparison = Comparison.from_json(evaluation["comparison"])
        unjudged = {name: float(system["unjudged"]) for name, system in evaluation["systems"].items()}
        rivals = {name: Comparison.from_json(one).delta(primary) for name, one in evaluation["against_bm25"].items()}
        # Evaluations from before there was a guard have none.
        guard = {name: Comparison.from_json(one) for name, one in evaluation.get("guard", {}).items()}
        unseen = Delta(**evaluation["unseen"]) if evaluation.get("unseen") else None
        to_label, costs = int(evaluation.get("to_label", 0)), _costs(evaluation["sides"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError("E3303", f"not an evaluation: {error!r}", fix="lexitune evaluate") from error
    delta = comparison.delta(primary)
    field = {
        "gain": judge_gain(comparison, primary, options),
        "unseen": judge_unseen(unseen, delta.n, options),
        "seeds": judge_seeds(delta, seeds or {}),
        "slices": judge_slices(comparison, primary, options),
        "against_bm25": judge_against_bm25(rivals, primary, options),
    }
    if field["gain"].answer != PROMOTE:  # what is not shown of all queries is not shown of some of them
        field["unseen"] = replace(field["unseen"], answer=PROMOTE, why=())
    if delta.n < options.min_queries:  # the gain's own answer says how many are missing
        field |= {name: replace(one, answer=PROMOTE) for name, one in field.items() if name != "gain"}
    where = f"{to_label:,} pairs in runs/{evaluation.get('model_id')}.unjudged.csv"
    holes = judge_holes(unjudged, options, needed=worst(field.values()) != PROMOTE, where=where)
    if holes.answer == CANNOT_DECIDE:
        field = {name: _softened(finding) for name, finding in field.items()}
    further = {"guard": judge_guard(guard, options), "untrained": judge_untrained(delta, untrained or {})}
    findings = {"unjudged": holes, **field, **further}
    return _result(delta, primary, findings, costs, options)


def exit_code(result: GateResult) -> int:
    """0 for PROMOTE and for what was forced, 4 for REFUSE, 5 for CANNOT DECIDE.

    Example:
        >>> exit_code(GateResult("REFUSE", ()))
        4
    """
    if result.evidence.get("forced"):
        return 0
    return {PROMOTE: 0, REFUSE: GateRefused.exit_code, CANNOT_DECIDE: Undecided.exit_code}[result.answer]


def _softened(finding: Finding) -> Finding:
    return replace(finding, answer=CANNOT_DECIDE) if finding.answer == REFUSE else finding


def _result(
    delta: Delta, primary: str, findings: Mapping[str, Finding], costs: Mapping[str, Any], options: PromoteOptions
) -> GateResult:
    low, high = bounds(delta)
    answer = worst(findings.values())
    told = (
        f"{primary} gains {points(delta.mean)} points [{points(low)}, {points(high)}], "
        f"n={delta.n}: {delta.won} queries won, {delta.lost} lost"
    )
    ordered = sorted(findings.values(), key=lambda finding: finding.answer != answer)
    reasons = [told, *(reason for finding in ordered for reason in finding.why)]
    changed = delta.won + delta.lost
    if 0 < changed < FEW_CHANGES:
        reasons.append(f"only {changed} queries changed, so the interval leans on few")
    if costs:
        reasons.append(_told_costs(costs))
    evidence = {
        "primary": primary,
        **{name: dict(finding.evidence) for name, finding in findings.items()},
        "costs": dict(costs),
        "options": asdict(options),
    }
    return GateResult(answer, tuple(reasons), evidence, NEXT[answer])


def _costs(sides: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """What either side takes to serve; empty for an evaluation from before that was kept."""
    keys = ("size", "query_ms")
    if not all(side.get(key) for side in sides.values() for key in keys):
        return {}
    return {name: {key: float(side[key]) for key in keys} for name, side in sides.items()}


def _told_costs(costs: Mapping[str, Mapping[str, float]]) -> str:
    stock, tuned = costs["stock"], costs["tuned"]
    return (
        f"to serve: {tuned['size'] / 1e6:,.1f} MB of vectors (stock {stock['size'] / 1e6:,.1f}), "
        f"{tuned['query_ms']:.1f} ms a query in batches (stock {stock['query_ms']:.1f})"
    )
