"""The learning rate over the steps."""

from __future__ import annotations

import math

__all__ = ["learning_rate_factor"]


def learning_rate_factor(step: int, *, steps: int, warmup: int, shape: str = "linear") -> float:
    """Linear rise to 1 over `warmup` steps, then a fall; the first and the last step still learn.

    Args:
        shape: "linear", "cosine" (half a wave) or "constant" (no fall).

    Example:
        >>> [round(learning_rate_factor(step, steps=6, warmup=2), 2) for step in range(6)]
        [0.5, 1.0, 1.0, 0.75, 0.5, 0.25]
        >>> [round(learning_rate_factor(step, steps=6, warmup=2, shape="cosine"), 2) for step in range(6)]
        [0.5, 1.0, 1.0, 0.85, 0.5, 0.15]
    """
    if step < warmup:
        return (step + 1) / warmup
    left = max(0.0, (steps - step) / max(1, steps - warmup))
    return {"linear": left, "cosine": 0.5 - 0.5 * math.cos(math.pi * left), "constant": 1.0}[shape]
