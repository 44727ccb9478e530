"""lexitune collect ablate: what each source earns."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from lexitune.cli.command import Call, Command, Result
from lexitune.io.options import DataOptions
from lexitune.models.options import ModelOptions
from lexitune.stages.train.options import TrainOptions

if TYPE_CHECKING:
    from lexitune.metrics.statistics import Interval
    from lexitune.pipeline.ablation import Ablation

__all__ = ["command"]


def run(call: Call) -> Result:
    """Tell what each source earns: tune on each alone, on all, and on all but each.

    Models are thrown away; dev queries tell them apart, which no tune has seen. Killed, the same call goes on.

    \b
    lexitune collect ablate                    after lexitune collect resolve
    lexitune collect ablate --pairs 1000       what a pair of each is worth
    """
    workspace = call.workspace_or_new()
    from lexitune.pipeline.ablation import ablate
    from lexitune.pipeline.outcome import fold, shown_path

    found = ablate(workspace, pairs=call.params["pairs"], sections=call.sections(workspace), talk=call.talk)
    lines = [*_table(found), "", *map(fold, _earned(found)), fold(_held_out(found))]
    return Result(lines, asdict(found), call.beside("tune", shown_path(workspace.collected / "data")))


def _table(found: Ablation) -> list[str]:
    width = max(len(one.name) for one in found.trained)
    return [
        f"  {'tuned on':<{width}}    pairs   R@10   gain in points [95 %]",
        f"  {'nothing':<{width}}  {'':>7}  {found.stock.mean:5.3f}",
        *(
            f"  {one.name:<{width}}  {one.pairs:>7,}  {one.recall.mean:5.3f}  {_points(one.gain)}"
            for one in found.trained
        ),
    ]


def _earned(found: Ablation) -> list[str]:
    return [f"{name} {_verdict(gain)} beside the others: {_points(gain)}" for name, gain in found.earned.items()]


def _verdict(gain: Interval) -> str:
    if gain.low > 0:
        return "EARNS"
    return "HARMS" if gain.high < 0 else "is NOT SHOWN to earn or harm"


def _points(gain: Interval) -> str:
    return f"{100 * gain.mean:+5.1f} [{100 * gain.low:+.1f}, {100 * gain.high:+.1f}]"


def _held_out(found: Ablation) -> str:
    who = "experts judged" if found.held_out == "experts" else "come from all sources, whose bias they share"
    return (
        f"By recall@10 of {found.stock.n:,} dev queries, which {who}. One tune each: another --train-seed may differ."
    )


pairs = click.Option(
    ["--pairs"], type=click.IntRange(min=1), help="At most N right pairs of each source, drawn by seed  [default: all]"
)
command = Command("ablate", run, sections=(DataOptions, ModelOptions, TrainOptions), params=[pairs], has_json=True)
