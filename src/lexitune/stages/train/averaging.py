"""How far to go from the stock weights to the trained ones: what dev and general text say along the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lexitune.errors import StageFailed
from lexitune.models.sizing import TRAINING_PASSES
from lexitune.stages.train.heldout import HeldOut, measure_held_out
from lexitune.types import Talk

if TYPE_CHECKING:
    from lexitune.models.embedder import Embedder
    from lexitune.stages.train.mixture import Mixture

__all__ = ["SHARES", "WHILE_TRAINING", "Point", "choose", "general_tokens", "sweep"]

WHILE_TRAINING = 0.7
"""Share at which dev ranks the checkpoints; what is taken where nothing can be measured."""

SHARES = (0.3, 0.5, 0.7, 0.85, 1.0)
"""Shares of the trained weights that are tried; 0, the stock model, stands beside them."""


GENERAL_SHARE = 0.05  # of the training's work that all evaluations on general text may take
ALIKE = 0.005  # of dev recall, or one dev query where that is more
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Point:
    """What `share` of the way from stock to trained reaches: dev recall, and nDCG@10 on general text that it reads."""

    share: float
    dev: float
    general: float | None


def general_tokens(read: float) -> float:
    """Tokens that one evaluation on general text may read, where the training reads so many."""
    return GENERAL_SHARE * TRAINING_PASSES * read / (len(SHARES) + 1)


def sweep(
    model: Embedder,
    mixture: Mixture,
    *,
    dev: HeldOut,
    general: HeldOut,
    known: Mapping[float, float],
    step: int,
    talk: Talk,
) -> list[Point]:
    """Measure the stock model, and each share of the trained weights, which the network has now and keeps.

    General text that the stock model cannot tell apart, since it is in a language that it does not read, say, is left
    out. So is a share with which the model has collapsed, as long as another is left.

    Args:
        general: Held-out general text.
        known: Share -> dev recall where it was measured before.
        step: Steps that were trained, for errors.

    Raises:
        StageFailed: Vectors that are not numbers, or a model that has collapsed.
    """
    trained, collapse = mixture.copy(), None
    mixture.put_share(trained, 0.0)
    stock = _read_by_stock(model, general, talk)
    points = [Point(0.0, known[0.0] if 0.0 in known else measure_held_out(model, dev, step=0), stock)]
    for number, share in enumerate(SHARES, start=1):
        talk.progress("average", number, len(SHARES) + 1)
        mixture.put_share(trained, share)
        try:
            reached = known[share] if share in known else measure_held_out(model, dev, step=step)
            points.append(
                Point(share, reached, stock if stock is None else measure_held_out(model, general, step=step))
            )
        except StageFailed as error:
            collapse = _only_collapse(error)
            talk.say(f"share {share:g} of the trained weights is no choice: {error.problem}")
    talk.progress("average", len(SHARES) + 1, len(SHARES) + 1)
    mixture.put(trained)
    if len(points) == 1 and collapse is not None:
        raise collapse
    return points


def _read_by_stock(model: Embedder, general: HeldOut, talk: Talk) -> float | None:
    """What the stock model, whose weights are in place, reaches on general text; None where it cannot read it."""
    try:
        return measure_held_out(model, general, step=0)
    except StageFailed as error:
        _only_collapse(error)
        talk.say("the stock model does not tell general text apart: give some that it can read with --general")
        return None


def _only_collapse(error: StageFailed) -> StageFailed:
    if error.code != "E1202":
        raise error
    return error


def choose(points: Sequence[Point], *, queries: int) -> Point:
    """The trained weights' share with the highest dev recall; of those within half a point of it, or within one query,
    the one that is best on general text: what is not gained should not be paid for.

    Args:
        queries: Of dev.

    Example:
        >>> curve = [Point(0.0, 0.5, 0.9), Point(0.5, 0.59, 0.9), Point(0.7, 0.6, 0.8), Point(1.0, 0.5, 0.7)]
        >>> [choose(curve, queries=count).share for count in (300, 100)]
        [0.7, 0.5]
    """
    trained = [point for point in points if point.share > 0]
    best, alike = max(point.dev for point in trained), max(ALIKE, 1 / queries) + ROUNDING
    near = [point for point in trained if point.dev >= best - alike]
    return max(near, key=lambda one: (one.general or 0.0, -one.share))
