"""How far to go from the stock weights to the trained ones: what dev and general text say along the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lexitune.stages.train.heldout import HeldOut, measure_held_out
from lexitune.stages.train.mixture import Mixture
from lexitune.types import Talk

if TYPE_CHECKING:
    from lexitune.models.embedder import Embedder

__all__ = ["SHARES", "WHILE_TRAINING", "Point", "choose", "sweep"]

WHILE_TRAINING = 0.7
"""Share at which dev ranks the checkpoints; what is taken where nothing can be measured."""

SHARES = (0.3, 0.5, 0.7, 0.85, 1.0)
"""Shares of the trained weights that are tried; 0, the stock model, stands beside them."""


ALIKE = 0.005  # of dev recall: one or two of 300 queries


@dataclass(frozen=True, slots=True)
class Point:
    """What `share` of the way from stock to trained reaches: dev recall, and nDCG@10 on general text."""

    share: float
    dev: float
    general: float


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

    Args:
        known: Share -> dev recall where it was measured before.
        step: Steps that were trained, for errors.

    Raises:
        StageFailed: Vectors that are not numbers, or a model that has collapsed.
    """
    trained = mixture.copy()
    points = []
    for number, share in enumerate((0.0, *SHARES)):
        mixture.put_share(trained, share)
        found = known.get(share)
        found = measure_held_out(model, dev, step=step) if found is None else found
        points.append(Point(share, found, measure_held_out(model, general, step=step)))
        talk.progress("average", number + 1, len(SHARES) + 1)
    mixture.put(trained)
    return points


def choose(points: Sequence[Point]) -> Point:
    """The trained weights' share with the highest dev recall; of those within half a point of it, the one that is best
    on general text: what is not gained should not be paid for.

    Example:
        >>> curve = [Point(0.0, 0.5, 0.9), Point(0.5, 0.599, 0.9), Point(0.7, 0.6, 0.8), Point(1.0, 0.5, 0.7)]
        >>> choose(curve).share
        0.5
    """
    trained = [point for point in points if point.share > 0]
    best = max(point.dev for point in trained)
    return max((point for point in trained if point.dev >= best - ALIKE), key=lambda one: (one.general, -one.share))
