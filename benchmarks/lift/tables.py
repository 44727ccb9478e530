"""The tables, made of rows, in Markdown.

Over several seeds a query's value is its mean over them; intervals are then over queries, as for one seed.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.lift.trial import MEASURES, unpack
from benchmarks.rows import Row
from lexitune.metrics.statistics import mean_interval, paired_t

__all__ = ["lift_table", "trials_table"]

RECALL = str(MEASURES[0])
CLASSIC, DEFAULT = "mnrl", "default"
FOLK = (0.05, 0.15)  # the relative gain in recall@10 that people expect of fine-tuning
Values = NDArray[np.float64]


def trials_table(rows: Sequence[Row]) -> str:
    """Every recipe on every set: means over its seeds, in points. On dev its hybrid has seen the queries."""
    lines = [
        "| set | recipe | pairs | seeds | R@10 | gain [95 %] | nDCG@10 | hybrid R@10 | minutes |",
        "|" + "---|" * 9,
    ]
    for name in sorted({row["set"] for row in rows}):
        here = [row for row in rows if row["set"] == name]
        stock = next(row for row in here if row["recipe"] == "stock")
        lines.append(f"| {name} | BM25 | | | {_points(stock['bm25'])} | | {_points(stock['bm25'], 1)} | | |")
        lines.append(
            f"| {name} | stock | | | {_points(stock)} | | {_points(stock, 1)} | {_points(stock['hybrid'])} | |"
        )
        for recipe, group in _by_recipe(here):
            gained = paired_t(_pooled(group) - unpack(stock["values"][RECALL]))
            hybrid = _mean([row["hybrid"] for row in group], RECALL)
            lines.append(
                f"| {name} | {recipe} | {group[0]['trained_pairs']} | {len(group)} | {_mean(group, RECALL)} | "
                f"{_interval(gained)} | {_mean(group, str(MEASURES[1]))} | {hybrid} "
                f"| {statistics.mean(row['train_minutes'] for row in group):.1f} |"
            )
    return "\n".join(lines) + "\n"


def lift_table(rows: Sequence[Row]) -> str:
    """The classic recipe and the default one on test: what they gain, what parts them, and what they cost."""
    lines = [
        "| set | n | seeds | BM25 | stock | stock + BM25 | classic | default | default + BM25 | classic's gain | "
        "default's gain | of stock | default - classic | minutes | times faster | peak MB | guard |",
        "|" + "---|" * 17,
    ]
    for name in sorted({row["set"] for row in rows}):
        here = [row for row in rows if row["set"] == name]
        stock = next(row for row in here if row["recipe"] == "stock")
        pairs = _same_samples(here)
        if pairs:
            lines.append(_lift_line(name, stock, [one for one, _ in pairs], [other for _, other in pairs]))
    return "\n".join(lines) + "\n"


def _lift_line(name: str, stock: Row, classic: Sequence[Row], default: Sequence[Row]) -> str:
    before, old, new = unpack(stock["values"][RECALL]), _pooled(classic), _pooled(default)
    gained = paired_t(new - before)
    relative = gained.mean / before.mean()
    side = "below" if relative < FOLK[0] else "above" if relative > FOLK[1] else "inside"
    ratios = [one["train_minutes"] / other["train_minutes"] for one, other in zip(classic, default, strict=True)]
    minutes = " / ".join(f"{statistics.mean(row['train_minutes'] for row in one):.1f}" for one in (classic, default))
    memory = " / ".join(str(max(row["train"]["peak_mb"] for row in one)) for one in (classic, default))
    guard = " -> ".join(
        f"{100 * value:.1f}"
        for value in (
            stock["guard"]["now"]["mean"],
            statistics.mean(row["guard"].get("before_averaging", row["guard"]["now"])["mean"] for row in default),
            statistics.mean(row["guard"]["now"]["mean"] for row in default),
        )
    )
    cells = [
        name,
        str(len(before)),
        str(len(default)),
        _points(stock["bm25"]),
        _points(stock),
        _points(stock["hybrid"]),
        _interval(mean_interval(old), sign=""),
        _interval(mean_interval(new), sign=""),
        _mean([row["hybrid"] for row in default], RECALL),
        _interval(paired_t(old - before)),
        _interval(gained),
        f"{100 * relative:+.0f} % ({side})",
        _interval(paired_t(new - old)),
        minutes,
        f"{statistics.median(ratios):.1f} [{min(ratios):.1f}, {max(ratios):.1f}]",
        memory,
        guard,
    ]
    return f"| {' | '.join(cells)} |"


def _same_samples(rows: Sequence[Row]) -> list[tuple[Row, Row]]:
    """Rows of the classic and of the default recipe on equal samples of pairs."""
    classic, default = (
        {(row["seed"], row["pairs"]): row for row in rows if row["recipe"] == recipe} for recipe in (CLASSIC, DEFAULT)
    )
    return [(classic[key], default[key]) for key in sorted(classic.keys() & default.keys())]


def _by_recipe(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    groups: dict[tuple[str, int], list[Row]] = {}
    for row in rows:
        if row["recipe"] != "stock":
            groups.setdefault((row["recipe"], row["pairs"]), []).append(row)
    for (recipe, _), group in groups.items():
        yield recipe, group


def _pooled(group: Sequence[Row], measure: str = RECALL) -> Values:
    """A value a query: its mean over the rows."""
    found: Values = np.mean([unpack(row["values"][measure]) for row in group], axis=0)
    return found


def _points(found: Mapping[str, Mapping[str, float]], place: int = 0) -> str:
    return f"{100 * found[str(MEASURES[place])]['mean']:.1f}"


def _mean(group: Sequence[Mapping[str, Mapping[str, float]]], measure: str) -> str:
    return f"{100 * statistics.mean(row[measure]['mean'] for row in group):.1f}"


def _interval(found: object, *, sign: str = "+") -> str:
    mean, low, high = (100 * getattr(found, part) for part in ("mean", "low", "high"))
    return f"{mean:{sign}.1f} [{low:{sign}.1f}, {high:{sign}.1f}]"
