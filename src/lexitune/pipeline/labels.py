"""What systems are called in a report, and intervals as its plots take them."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["LABELS", "bounds", "points"]

LABELS = {
    "stock": "stock",
    "bm25": "BM25",
    "hybrid_stock": "stock + BM25",
    "tuned": "tuned",
    "hybrid_tuned": "tuned + BM25",
    "hybrid": "stock + BM25",
    "known": "stock + known queries",
}


def bounds(found: Mapping[str, float]) -> tuple[float, float, float]:
    """Mean, low and high of an interval."""
    return found["mean"], found["low"], found["high"]


def points(found: Mapping[str, float]) -> tuple[float, float, float]:
    """The same of a difference, in points: hundredths.

    Example:
        >>> points({"mean": 0.25, "low": 0.125, "high": 0.5})
        (25.0, 12.5, 50.0)
    """
    mean, low, high = bounds(found)
    return 100 * mean, 100 * low, 100 * high
