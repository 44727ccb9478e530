"""How far to go from the stock weights to the trained ones: what dev and general text say along the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lexitune.errors import StageFailed
from lexitune.models.adapter import Matrix, unit_rows
from lexitune.models.sizing import TRAINING_PASSES
from lexitune.stages.train.heldout import Encoded, HeldOut, encode_held_out, values_of_vectors
from lexitune.types import Talk

if TYPE_CHECKING:
    from lexitune.models.embedder import Embedder
    from lexitune.stages.train.mixture import Mixture

__all__ = [
    "AFTER",
    "ENDS",
    "ROUNDING",
    "SHARES",
    "USUAL",
    "Point",
    "choose",
    "general_tokens",
    "mean_and_error",
    "only_collapse",
    "sweep",
]

USUAL = 0.7
"""Share at which dev ranks the checkpoints, and which is taken unless dev or general text speaks against it."""

SHARES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Shares of the trained weights that are looked at first; 0, the stock model, stands beside them. Less than half of the
way gives up much of what was learnt (docs/decisions.md).
"""

LOWER = (0.4, 0.3, 0.2)
"""Shares that are looked at where general text loses too much at all others."""

ENDS = 2
"""Encodings of general text that a sweep takes: by the stock model, and by the trained one."""

AFTER = 2
"""Encodings of dev after the last step: by the trained weights, and at the share that is taken, if not the usual one.
The stock model's are those of step 0.
"""

GENERAL_SHARE = 0.05  # of the training's work that all evaluations on general text may take
MOST_GENERAL = 100_000  # tokens: twice what comes with lexitune
MOST_LOSS = 0.02  # of nDCG@10 on general text
TINY = 1e-12  # in place of 0, to divide by
ROUNDING = 1e-9
"""One query lost and none won is one standard error to the digit: rounding must not decide."""

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Point:
    """What `share` of the way from stock to trained reaches.

    Attributes:
        dev: Recall.
        behind: Standard errors, of the paired difference, by which it lies behind the best share on dev.
        general: nDCG@10; None where the stock model cannot read general text.
        lost: What it lost on general text against stock; None likewise.
    """

    share: float
    dev: float
    behind: float
    general: float | None
    lost: float | None


def general_tokens(learnt: float) -> float:
    """Tokens that one evaluation on general text may read, where the training learns from so many."""
    return min(MOST_GENERAL, GENERAL_SHARE * TRAINING_PASSES * learnt / ENDS)


def sweep(
    model: Embedder,
    mixture: Mixture,
    *,
    dev: HeldOut,
    general: HeldOut,
    step: int,
    talk: Talk,
    dev_by_stock: Encoded | None = None,
) -> list[Point]:
    """Estimate what stock and each share of the trained weights reach. The network has the trained ones and keeps them.

    Texts are encoded twice, by the stock model and by the trained one, and what lies between is estimated from vectors
    between theirs. As far as vectors follow the weights in a straight line, these are the vectors of the weights
    between; recall was off by two thirds of a point on average, at most by 1.1 (docs/decisions.md).

    Args:
        general: Held-out general text. Where the stock model cannot tell it apart, since it is in a language that it
            does not read, say, it is left out.
        step: Steps that were trained, for errors.
        dev_by_stock: The stock model's vectors of dev; None: they are encoded.

    Raises:
        StageFailed: Vectors that are not numbers, or a model that has collapsed at every share.
    """
    trained = mixture.copy()
    ends = []
    for number, share in enumerate((0.0, 1.0)):
        talk.progress("average", number, ENDS)
        mixture.put_share(trained, share)
        at = step if share else 0
        known = None if share else dev_by_stock
        ends.append([known or encode_held_out(model, dev, step=at), encode_held_out(model, general, step=at)])
    mixture.put(trained)
    talk.progress("average", ENDS, ENDS)
    (dev_0, general_0), (dev_1, general_1) = ends
    between = partial(_between, step=step, normalise=model.network.normalise)
    on_dev, on_general = partial(between, dev, dev_0, dev_1), partial(between, general, general_0, general_1)
    stock = _read_by_stock(on_general, talk)
    dev_values, general_values, collapse = {0.0: on_dev(0.0)}, {0.0: stock}, None
    for share in (*SHARES, *LOWER):
        if share in LOWER and (
            len(dev_values) == 1  # all collapsed
            or any((_lost(stock, general_values[one]) or 0.0) <= MOST_LOSS for one in dev_values if one)
        ):
            break
        try:
            found = on_dev(share), None if stock is None else on_general(share)
        except StageFailed as error:
            collapse = only_collapse(error)
            talk.say(f"share {share:g} of the trained weights is no choice: {error.problem}")
        else:
            dev_values[share], general_values[share] = found
    if len(dev_values) == 1 and collapse is not None:
        raise collapse
    best = max((values for share, values in dev_values.items() if share > 0), key=lambda values: float(values.mean()))
    return [_point(share, dev_values[share], best, general_values[share], stock) for share in sorted(dev_values)]


def _lost(stock: Values | None, general: Values | None) -> float | None:
    """What general text lost against stock."""
    return None if stock is None or general is None else float((stock - general).mean())


def _point(share: float, dev: Values, best: Values, general: Values | None, stock: Values | None) -> Point:
    behind, error = mean_and_error(best - dev)
    reached = None if general is None else float(general.mean())
    return Point(share, float(dev.mean()), behind / max(error, TINY), reached, _lost(stock, general))


def mean_and_error(values: Values) -> tuple[float, float]:
    """The mean and its standard error: of paired differences, how far ahead and how sure.

    Example:
        One of four queries is lost: one standard error behind, whatever their number.

        >>> mean_and_error(np.array([1.0, 0.0, 0.0, 0.0]))
        (0.25, 0.25)
    """
    return float(values.mean()), float(values.std(ddof=min(1, len(values) - 1)) / len(values) ** 0.5)


def _between(
    held_out: HeldOut,
    stock: Sequence[Matrix],
    trained: Sequence[Matrix],
    share: float,
    *,
    step: int,
    normalise: bool,
) -> Values:
    """The measure of each query with vectors that are `share` of the way from stock to trained."""
    queries, docs = (
        np.float32(1 - share) * before + np.float32(share) * after for before, after in zip(stock, trained, strict=True)
    )
    if normalise:
        queries, docs = unit_rows(queries), unit_rows(docs)
    return values_of_vectors(queries, docs, held_out, step=step if share else 0)


def _read_by_stock(on_general: Callable[[float], Values], talk: Talk) -> Values | None:
    """What the stock model reaches on general text; None where it cannot read it."""
    try:
        return on_general(0.0)
    except StageFailed as error:
        only_collapse(error)
        talk.say("the stock model does not tell general text apart: give some that it can read with --general")
        return None


def only_collapse(error: StageFailed) -> StageFailed:
    """The error, where it tells of a model that has collapsed; any other is raised again."""
    if error.code != "E1202":
        raise error
    return error


def choose(points: Sequence[Point]) -> Point:
    """The usual share, unless dev or general text speaks against it.

    A few hundred dev queries tell neighbours on the curve apart by chance alone. So of the shares that lie within one
    standard error of the best on dev, and for which general text does not show a loss of more than two points, the one
    nearest to the usual is taken. Where it shows that for all of them, it is the best on dev of all that lose no more,
    also of those below a half; where there is none, the one that loses least.

    Args:
        points: Of stock, then of each share.

    Example:
        >>> near, usual = Point(0.5, 0.57, 0.9, 0.90, -0.01), Point(0.7, 0.59, 0.5, 0.88, 0.015)
        >>> choose([near, usual, Point(1.0, 0.60, 0.0, 0.80, 0.09)]).share
        0.7
        >>> choose([near, Point(0.7, 0.59, 0.5, 0.86, 0.025), Point(1.0, 0.60, 0.0, 0.80, 0.09)]).share
        0.5
    """
    tuned = [point for point in points if point.share > 0]
    borne = [point for point in tuned if (point.lost or 0.0) <= MOST_LOSS]
    if alike := [point for point in borne if point.behind <= 1 + ROUNDING]:
        return min(alike, key=lambda one: (round(abs(one.share - USUAL), 9), one.share))
    if borne:
        return min(borne, key=lambda one: (one.behind, one.share))
    return min(tuned, key=lambda one: (one.lost or 0.0, one.share))
