"""lexitune thresholds: a score of the model that served, as one of the model that takes over."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from lexitune.cli.command import Call, Command, Result
from lexitune.errors import UsageError

if TYPE_CHECKING:
    from lexitune.metrics.score_map import Threshold
    from lexitune.stages.promote.thresholds import Translation

__all__ = ["command"]

SHARES = (0.02, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9)  # of the hits, that the thresholds let pass which stand for a table
HEAD = (
    "    threshold  hits that pass, %            queries with one, %      right, %",
    "   old    new    old    new     difference   old   new  changed    old    new",
)


def run(call: Call) -> Result:
    """Say what a threshold on scores is under the new model.

    \b
    lexitune thresholds 0.62
    From what serves to the staged model; where that serves already, from what
    served before. As many of the first ten hits pass under either, by the dev
    queries. Without a SCORE, a table.
    """
    scores = call.params["scores"]
    if not all(map(math.isfinite, scores)):
        raise UsageError("E2012", "a score is a number, such as 0.62", fix="lexitune thresholds 0.62")
    workspace = call.workspace()
    from lexitune.stages.promote.driver import recover
    from lexitune.stages.promote.serving import read_serving, same_model
    from lexitune.stages.promote.thresholds import between, users

    recover(workspace, reading=True, talk=call.talk)
    found = between(workspace, call.params["model_id"])
    serving = read_serving(workspace)
    serves = serving is not None and same_model(serving, found.new)
    rows = [found.at(score) for score in scores or found.typical(SHARES)]
    lines = [*_about(found), "", *HEAD, *map(draw, rows), *_remarks(found, scores)]
    kept = users(found.old)
    lines += [f"kept as {name}: {score:.3f}, then {found.at(score).new:.3f}" for name, score in kept.items()]
    data = {
        "old": found.old.model,
        "new": found.new.model,
        "queries": found.last.queries,
        "held_out": found.last.held_out,
        "k": found.last.k,
        "thresholds": [asdict(row) for row in rows],
    }
    return Result(lines, data, "lexitune status" if serves else "lexitune promote")


def draw(row: Threshold) -> str:
    """One threshold on one line of 77 columns, in per cent but for the scores; `-` where nothing passes."""
    right = [
        f"{100 * share:6.1f}" if passes else f"{'-':>6}"
        for share, passes in ((row.right_old, row.passes_old), (row.right_new, row.passes_new))
    ]
    difference = f"[{100 * row.low:+.1f}, {100 * row.high:+.1f}]"
    return (
        f"{row.old:6.3f} {row.new:6.3f}  {100 * row.passes_old:5.1f} {100 * row.passes_new:6.1f} {difference:>14}  "
        f"{100 * row.answered_old:4.0f} {100 * row.answered_new:5.0f} {100 * row.changed:8.0f} {right[0]} {right[1]}"
    )


def _about(found: Translation) -> list[str]:
    last = found.last
    lines = [f"old: {found.old.model}", f"new: {found.new.model}"]
    if found.first:
        lines.append("both were measured beside the stock model: what passes under old is its figure")
    return [*lines, f"as many of the first {last.k} hits pass, by {last.queries:,} dev queries"]


def _remarks(found: Translation, scores: Sequence[float]) -> list[str]:
    lines = [
        "",
        f"What passes is of {found.last.held_out:,} of these queries, under a map that the others gave,",
        "with the 95 % interval of the difference. Right: judged so; unjudged is wrong.",
    ]
    low, high = found.seen
    beyond = [f"{score:g}" for score in scores if not low <= score <= high]
    if beyond:
        lines.append(f"{', '.join(beyond)}: beyond all hits ({low:.3f} to {high:.3f}), so moved like the nearest")
    return lines


command = Command(
    "thresholds",
    run,
    params=[
        click.Argument(["scores"], type=float, nargs=-1, metavar="[SCORE]..."),
        click.Option(["--model-id"], metavar="MODEL_ID", help="Another evaluated model than the staged one"),
    ],
    has_json=True,
)
