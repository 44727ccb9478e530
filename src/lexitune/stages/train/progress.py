"""Where a training stands."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["TRACKED", "Progress"]

TRACKED = "tracker"
"""Folder of the trackers that write files; it ends up in the model's."""


@dataclass
class Progress:
    """Where a training stands.

    Attributes:
        step: Steps done.
        curve: One row a step: step, loss, learning_rate, seconds; `dev` where it was measured. Step 0 is stock.
        best_step: Step whose weights are best on dev; 0 is the stock model, None where dev was never measured.
        best_dev: Their dev recall.
        stock_dev: The stock model's, of each dev query; empty where dev was never measured.
        best_hash: Hash of the file with the best weights.
        worse: Dev evaluations since the highest figure.
        seconds: Wall time of preparing, of the steps so far and of what came with them, over all sessions.
        before_s: What of it earlier sessions spent.
        dev_s: Wall time of the last dev evaluation.
        token_budget: Most tokens in one pass: what fits, and half of it each time that it did not; None: not known yet.
        scale: State of what fp16's gradients are scaled by.
        stopped: What ended the training before its last step: an option's name; empty where nothing did.
    """

    step: int = 0
    curve: list[dict[str, float]] = field(default_factory=list)
    best_step: int | None = None
    best_dev: float = -1.0
    stock_dev: list[float] = field(default_factory=list)
    best_hash: str = ""
    worse: int = 0
    seconds: float = 0.0
    before_s: float = 0.0
    dev_s: float = 0.0
    token_budget: int | None = None
    scale: dict[str, float] = field(default_factory=dict)
    stopped: str = ""

    def latest(self, name: str) -> float | None:
        """The last value of one column of the curve."""
        return next((row[name] for row in reversed(self.curve) if name in row), None)

    def log(self) -> str:
        """The curve as JSON lines."""
        return "".join(json.dumps(row) + "\n" for row in self.curve)

    def record(self, values: Mapping[str, float]) -> dict[str, float]:
        """Add a row to the curve."""
        row = {"step": float(self.step), **values}
        self.curve.append(row)
        return row
