"""What a journey came to: for the screen, for `--json`, and for the one who asked from Python."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexitune.types import Advice, GateResult

if TYPE_CHECKING:
    from lexitune.metrics.comparison import Comparison, Delta
    from lexitune.metrics.statistics import Interval
    from lexitune.stages.evaluate.evaluation import Evaluation

__all__ = ["TuneOutcome", "fold", "gain_text", "gains", "interval_text", "shown_path", "table_lines", "verdict"]


@dataclass(frozen=True)
class TuneOutcome:
    """Where a journey ended. `evaluation` and `gate` are None when the advice stopped it before training.

    Attributes:
        model: Folder of the tuned model; None where there is none.
        seconds: Wall time by stage; `train` counts every run of a training that was interrupted.
        lines: The closing lines of the screen.
        facts: Further JSON values, such as what only the demo measures.
    """

    advice: Advice
    gate: GateResult | None
    evaluation: Evaluation | None
    model: Path | None
    report: Path
    seconds: Mapping[str, float]
    peak_rss_mb: float
    lines: Sequence[str]
    exit_code: int
    next_command: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """One plain object: advice, gate, systems, gain, seconds, peak_rss_mb, and where things lie."""
        found = self.evaluation
        return {
            "advice": advice_json(self.advice),
            "gate": None if self.gate is None else {"answer": self.gate.answer, "reasons": list(self.gate.reasons)},
            "systems": {} if found is None else {name: report.summary() for name, report in found.systems.items()},
            "gain": {} if found is None else gains(found.comparison),
            "seconds": {name: round(value, 2) for name, value in self.seconds.items()},
            "peak_rss_mb": round(self.peak_rss_mb, 1),
            "model": None if self.model is None else str(self.model),
            "report": str(self.report),
            **self.facts,
        }


def advice_json(advice: Advice) -> dict[str, Any]:
    """What a journey tells of its advice; `reports/assess.json` has the evidence."""
    return {"answer": advice.answer, "reasons": list(advice.reasons), "also": list(advice.also)}


def gains(comparison: Comparison) -> dict[str, dict[str, float | int]]:
    """Each measure's {mean, low, high, p, n}, in fractions."""
    return {
        name: {"mean": delta.mean, "low": delta.low, "high": delta.high, "p": delta.p, "n": delta.n}
        for name, delta in comparison.deltas.items()
    }


def verdict(delta: Delta) -> str:
    """BETTER or WORSE where the whole interval of the gain lies on one side of 0, else NOT SHOWN."""
    if delta.low > 0:
        return "BETTER"
    return "WORSE" if delta.high < 0 else "NOT SHOWN"


def interval_text(found: Interval) -> str:
    """A mean with its 95 % interval, such as `0.54 [0.51, 0.57]`."""
    return f"{found.mean:.2f} [{found.low:.2f}, {found.high:.2f}]"


def gain_text(delta: Delta) -> str:
    """A gain in points, relative, and with its interval: `+8.9 points (+17 %) [+6.9, +11.0]`."""
    relative = "" if delta.relative is None else f" ({100 * delta.relative:+.0f} %)"
    return f"{100 * delta.mean:+.1f} points{relative} [{100 * delta.low:+.1f}, {100 * delta.high:+.1f}]"


def fold(line: str, *, indent: int = 0) -> str:
    """A line in at most 79 columns, wrapped where it is longer."""
    start, then = " " * indent, " " * (indent or 2)
    return textwrap.fill(
        line, 79, initial_indent=start, subsequent_indent=then, break_long_words=False, break_on_hyphens=False
    )


def shown_path(path: Path) -> str:
    """A path as one would type it: from here, where it lies below."""
    here = Path.cwd()
    return str(path.resolve().relative_to(here)) if path.resolve().is_relative_to(here) else str(path)


def table_lines(found: Evaluation) -> list[str]:
    """Stock and tuned, alone and in hybrid, BM25, the gain, the guard, and how many queries changed: 80 columns."""
    name = found.primary
    at = {system: interval_text(report.interval(name)) for system, report in found.systems.items()}
    delta = found.comparison.delta(name)
    return [
        f"           {name + ' [95 %]':<20}  {'hybrid with BM25':<20}",
        f"  stock    {at['stock']:<20}  {at['hybrid_stock']:<20}  BM25 {at['bm25']}",
        f"  tuned    {at['tuned']:<20}  {at['hybrid_tuned']:<20}",
        f"  gain     {gain_text(delta)}, n={delta.n:,}",
        *map(_guard_line, found.guard.items()),
        f"{verdict(delta)} on this field: {delta.won} queries won, {delta.lost} lost, {delta.tied} unchanged.",
    ]


def _guard_line(named: tuple[str, Comparison]) -> str:
    name, comparison = named
    ((measure, delta),) = comparison.deltas.items()
    span = f"[{100 * delta.low:+.1f}, {100 * delta.high:+.1f}]"
    return f"  guard    {100 * delta.mean:+.1f} points {span} of {measure} on {name}, n={delta.n:,}"
