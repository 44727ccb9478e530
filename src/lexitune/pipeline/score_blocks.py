"""Where a threshold on scores lies under the new model, as a block of the report."""

from __future__ import annotations

from lexitune.metrics.score_map import ScoreMap
from lexitune.report.blocks import Cell, Estimate, Number, Table

__all__ = ["score_table"]

SHARES = (0.5, 0.25, 0.1, 0.05, 0.01)  # of the hits: what thresholds that people set let pass


def score_table(found: ScoreMap, model_id: str) -> Table:
    """Thresholds under stock, their images under the tuned model, and how many hits pass either."""
    rows: list[list[Cell]] = []
    for row in dict.fromkeys(min(found.rows, key=lambda one: abs(one.passes - share)) for share in SHARES):
        off = 100 * (row.passes_new - row.passes_old)
        difference = Estimate(off, 100 * row.low, 100 * row.high, "+.1f")
        rows.append([Number(row.old), Number(row.new), Number(100 * row.passes, ".1f"), difference])
    return Table(
        ["threshold under stock", "under tuned", "hits that pass, %", "more or fewer, held out"],
        rows,
        caption="A threshold in your code lies elsewhere now",
        note=f"As many of the first {found.k} hits pass, by {found.queries:,} dev queries. Held out: the difference, "
        f"with its 95 % interval, on {found.held_out:,} of them under a map that the others gave. For a threshold of "
        f"yours: lexitune thresholds 0.62. The whole map is reports/{model_id}.scores.tsv.",
    )
