"""Thumbs and scores: up, down or neither, on whatever scale a program keeps them."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Scale", "fit_scale", "read_thumb"]

UP = {
    "up", "thumbs up", "thumb up", "👍", "positive", "good", "great", "like", "liked", "helpful", "correct", "yes",
    "true", "satisfied", "upvote", "accepted",
}  # fmt: skip
DOWN = {
    "down", "thumbs down", "thumb down", "👎", "negative", "bad", "poor", "dislike", "disliked", "unhelpful",
    "not helpful", "incorrect", "wrong", "no", "false", "unsatisfied", "dissatisfied", "downvote", "rejected",
}  # fmt: skip
TOPS = (1.0, 5.0, 10.0, 100.0)
HIGH, LOW = 0.6, 0.4  # shares of a scale: between them a score says neither


@dataclass(frozen=True, slots=True)
class Scale:
    """Where a score's values begin and end."""

    least: float
    most: float


def fit_scale(least: float, most: float) -> Scale:
    """The usual scale that holds all values of a score, by the smallest and the largest that were seen.

    Example:
        >>> fit_scale(-1, 1), fit_scale(2, 5)
        (Scale(least=-1.0, most=1.0), Scale(least=1.0, most=5.0))
    """
    size = max(abs(least), abs(most))
    top = next((one for one in TOPS if size <= one), float(size))
    if least < 0:
        return Scale(-top, top)
    # Stars start at 1; percent and shares at 0.
    return Scale(1.0 if least >= 1 and top in (5.0, 10.0) else 0.0, top)


def read_thumb(value: float | str, scale: Scale | None) -> int:
    """1 for up, -1 for down, 0 for neither.

    Args:
        scale: Of the score's numbers; a text needs none.

    Example:
        >>> read_thumb("thumbs_up", None), read_thumb(2.0, Scale(1.0, 5.0)), read_thumb(3.0, Scale(1.0, 5.0))
        (1, -1, 0)
    """
    if isinstance(value, str):
        plain = " ".join(value.casefold().replace("_", " ").replace("-", " ").split())
        return int(plain in UP) - int(plain in DOWN)
    if scale is None or scale.most <= scale.least:
        return 0
    share = (value - scale.least) / (scale.most - scale.least)
    return int(share > HIGH) - int(share < LOW)
