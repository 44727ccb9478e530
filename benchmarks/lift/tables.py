"""The tables, made of rows, in Markdown, and the object that every benchmark gives.

Over several seeds a query's value is its mean over them; intervals are then over queries, as for one seed.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.lift.trial import MEASURES, unpack
from benchmarks.rows import Row
from lexitune.metrics.statistics import Interval, mean_interval, paired_t

__all__ = ["in_points", "lift_object", "lift_table", "race_table", "trials_table"]

RECALL = str(MEASURES[0])
CLASSIC, DEFAULT = "mnrl", "default"
DEVICE = ("cpu", "gpu")  # of a row: minutes of two devices make no ratio
FOLK = (0.05, 0.15)  # the relative gain in recall@10 that people expect of fine-tuning
QUALITY = 0.95  # of the classic recipe's gain
Values = NDArray[np.float64]


def trials_table(rows: Sequence[Row]) -> str:
    """Every recipe on every set and number of pairs: means over its seeds, in points.

    Beside the gain over stock stands the one over the default recipe, of the seeds for which both were trained on the
    same sample. On dev the hybrid's weight was chosen by the very queries it is measured on, and there is no guard.
    """
    head = ["set", "recipe", "pairs", "seeds", "R@10", "gain [95 %]", "over default [95 %]", "nDCG@10", "hybrid R@10"]
    head += ["minutes", "guard"]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for name in sorted({row["set"] for row in rows}):
        here = [row for row in rows if row["set"] == name]
        stock = next(row for row in here if row["recipe"] == "stock")
        lines.append(f"| {name} | BM25 | | | {_points(stock['bm25'])} | | | {_points(stock['bm25'], 1)} | | | |")
        lines.append(
            f"| {name} | stock | | | {_points(stock)} | | | {_points(stock, 1)} | {_points(stock['hybrid'])} | "
            f"| {_guard([stock])} |"
        )
        for recipe, group in _by_recipe(here):
            gained = paired_t(_pooled(group) - unpack(stock["values"][RECALL]))
            hybrid = _mean([row["hybrid"] for row in group], RECALL)
            lines.append(
                f"| {name} | {recipe} | {group[0]['trained_pairs']} | {len(group)} | {_mean(group, RECALL)} | "
                f"{in_points(gained)} | {_over_default(group, here)} | {_mean(group, str(MEASURES[1]))} | {hybrid} "
                f"| {statistics.mean(row['train_minutes'] for row in group):.1f} | {_guard(group)} |"
            )
    return "\n".join(lines) + "\n"


def _over_default(group: Sequence[Row], rows: Sequence[Row]) -> str:
    pairs = _same_samples(rows, DEFAULT, group[0]["recipe"])
    both = [(one, other) for one, other in pairs if other["pairs"] == group[0]["pairs"]]
    if not both or group[0]["recipe"] == DEFAULT:
        return ""
    default, own = (_pooled(some) for some in zip(*both, strict=True))
    return in_points(paired_t(own - default))


def lift_table(rows: Sequence[Row]) -> str:
    """The classic recipe and the default one on test: what they reach and gain, and what that costs.

    A line has one set and one number of pairs, and the seeds for which both recipes were trained on the same sample.
    """
    groups = list(_compared(rows))
    tables = [table(groups, str(measure)) for table in (_quality_table, _hybrid_table) for measure in MEASURES]
    return "\n".join([*tables, _cost_table(groups)])


def lift_object(rows: Sequence[Row]) -> dict[str, Any]:
    """Both recipes' trainings, a round for each set and seed, and by how much the default recipe's R@10 is higher."""
    groups = list(_compared(rows))
    timed = [pair for one in groups for pair in one.timed()]
    peer, ours = zip(*timed, strict=True) if timed else ((), ())
    ratios = [old["train_minutes"] / new["train_minutes"] for old, new in timed]
    return {
        "ours": _side(ours),
        "peer": _side(peer),
        "ratio": {"median": statistics.median(ratios), "low": min(ratios), "high": max(ratios)} if ratios else None,
        "rounds": len(timed),
        "hardware": sorted({row.get("gpu") or row.get("cpu") for row in ours}),
        "agreement": {
            f"{one.stock['set']}, {one.default[0]['trained_pairs']} pairs": asdict(
                paired_t(_pooled(one.default) - _pooled(one.classic))
            )
            for one in groups
        },
    }


def _side(rows: Sequence[Row]) -> dict[str, float]:
    if not rows:
        return {}
    seconds = 60 * statistics.median(row["train_minutes"] for row in rows)
    return {"seconds": seconds, "peak_mb": max(map(_peak_mb, rows))}


def race_table(rows: Sequence[Row]) -> str:
    """Minutes to stock + 95 % of the classic recipe's gain on dev, for each recipe that was trained beside its curve.

    The classic recipe's are those of the first place on its curve that is as good, without what came after; those of
    any other are its whole training's, and count only where what it publishes is as good. Rows of another
    device take no part.
    """
    lines = ["| set | pairs | seeds | recipe | reached | minutes, classic | minutes | times faster |", "|" + "---|" * 8]
    races: dict[tuple[str, int, str], list[tuple[float, float | None]]] = {}
    for classic, target, minutes in _finishes(rows):
        for row in rows:
            same = all(row.get(name) == classic.get(name) for name in ("set", "seed", "pairs", *DEVICE))
            if same and "curve" not in row:
                race = races.setdefault((row["set"], classic["trained_pairs"], row["recipe"]), [])
                race.append((minutes, row["train_minutes"] if row[RECALL]["mean"] >= target else None))
    for (name, pairs, recipe), race in sorted(races.items()):
        won = [(classic, own) for classic, own in race if own is not None]
        own = statistics.median(own for _, own in won) if won else float("nan")
        lines.append(
            f"| {name} | {pairs} | {len(race)} | {recipe} | {len(won)} of {len(race)} | "
            f"{statistics.median(classic for classic, _ in race):.1f} | {own:.1f} | "
            f"{_spread([classic / own for classic, own in won]) if won else '-'} |"
        )
    return "\n".join(lines) + "\n"


def _finishes(rows: Sequence[Row]) -> Iterator[tuple[Row, float, float]]:
    """Each row of the classic recipe with a curve that gains, the recall raced to, and the minutes after which it is
    there.
    """
    for classic in rows:
        if "curve" not in classic:
            continue
        stock = next(row for row in rows if row["recipe"] == "stock" and row["set"] == classic["set"])
        start, end = stock[RECALL]["mean"], classic["curve"][-1][RECALL]
        if end > start:
            target = start + QUALITY * (end - start)
            there = next(point for point in classic["curve"] if point[RECALL] >= target)
            yield classic, target, there["seconds"] / 60


@dataclass(frozen=True)
class _Compared:
    """Rows of one set: of stock, and of both recipes by seed."""

    stock: Row
    classic: Sequence[Row]
    default: Sequence[Row]

    @property
    def start(self) -> list[str]:
        """The first cells of each table."""
        return [self.stock["set"], str(self.default[0]["trained_pairs"]), str(len(self.default))]

    def timed(self) -> list[tuple[Row, Row]]:
        """Classic and default of a seed, trained on devices of one name."""
        pairs = zip(self.classic, self.default, strict=True)
        return [(old, new) for old, new in pairs if all(old.get(name) == new.get(name) for name in DEVICE)]


def _compared(rows: Sequence[Row]) -> Iterator[_Compared]:
    for name in sorted({row["set"] for row in rows}):
        here = [row for row in rows if row["set"] == name]
        stock = next(row for row in here if row["recipe"] == "stock")
        pairs = _same_samples(here, CLASSIC, DEFAULT)
        for count in sorted({one["pairs"] for one, _ in pairs}):
            chosen = [both for both in pairs if both[0]["pairs"] == count]
            yield _Compared(stock, [one for one, _ in chosen], [other for _, other in chosen])


def _quality_table(groups: Sequence[_Compared], measure: str) -> str:
    head = ["n", "BM25", "stock", "classic", "default"]
    head += ["classic's gain", "default's gain", "of stock", "default - classic"]
    lines = []
    for one in groups:
        before = unpack(one.stock["values"][measure])
        old, new = _pooled(one.classic, measure), _pooled(one.default, measure)
        relative = (new - before).mean() / before.mean()
        side = "below" if relative < FOLK[0] else "above" if relative > FOLK[1] else "inside"
        lines.append(
            [
                str(len(before)),
                in_points(Interval(**one.stock["bm25"][measure]), sign=""),
                in_points(mean_interval(before), sign=""),
                in_points(mean_interval(old), sign=""),
                in_points(mean_interval(new), sign=""),
                in_points(paired_t(old - before)),
                in_points(paired_t(new - before)),
                f"{100 * relative:+.0f} % ({side})",
                in_points(paired_t(new - old)),
            ]
        )
    return f"### {measure}\n\n{_table(head, groups, lines)}"


def _hybrid_table(groups: Sequence[_Compared], measure: str) -> str:
    """Rows that kept no value a query give their means alone."""
    head = ["BM25", "stock + BM25", "classic + BM25", "default + BM25", "gain over stock + BM25", "BM25's weight"]
    lines = []
    for one in groups:
        sides = [one.stock], one.classic, one.default
        weights = [f"{row['hybrid']['bm25_weight']:.2g}" for row in (one.stock, *one.default)]
        kept = all(measure in row["hybrid_values"] for side in sides for row in side)
        values = [_pooled(side, measure, kind="hybrid_values") for side in sides] if kept else []
        lines.append(
            [
                in_points(Interval(**one.stock["bm25"][measure]), sign=""),
                *(in_points(mean_interval(some), sign="") for some in values),
                *(_mean([row["hybrid"] for row in side], measure) for side in sides if not kept),
                in_points(paired_t(values[2] - values[0])) if kept else "-",
                f"{weights[0]} -> {' '.join(weights[1:])}",
            ]
        )
    return f"### {measure} with BM25\n\n{_table(head, groups, lines)}"


def _cost_table(groups: Sequence[_Compared]) -> str:
    """Median minutes and most memory over the seeds, and how many times faster the default recipe is, of the seeds with
    both rows of one device; the guard is mean nDCG@10: of stock, of the trained weights, and after averaging.
    """
    lines = []
    for one in groups:
        both = (one.classic, one.default)
        ratios = [old["train_minutes"] / new["train_minutes"] for old, new in one.timed()]
        guard = [_guard([one.stock]), _guard(one.default, "before_averaging"), _guard(one.default)]
        lines.append(
            [
                " / ".join(f"{statistics.median(row['train_minutes'] for row in some):.1f}" for some in both),
                _spread(ratios) if ratios else "-",
                " / ".join(str(max(map(_peak_mb, some))) for some in both),
                " -> ".join(guard),
                _guard(one.classic),
            ]
        )
    return f"### Cost\n\n{_table(['minutes', 'times faster', 'peak MB', 'guard', 'of classic'], groups, lines)}"


def _table(head: Sequence[str], groups: Sequence[_Compared], lines: Sequence[Sequence[str]]) -> str:
    cells = [["set", "pairs", "seeds", *head], ["---"] * (3 + len(head))]
    cells += [[*one.start, *line] for one, line in zip(groups, lines, strict=True)]
    return "".join(f"| {' | '.join(row)} |\n" for row in cells)


def _same_samples(rows: Sequence[Row], *recipes: str) -> list[tuple[Row, Row]]:
    """Rows of two recipes on equal samples of pairs."""
    one, other = ({(row["seed"], row["pairs"]): row for row in rows if row["recipe"] == recipe} for recipe in recipes)
    return [(one[key], other[key]) for key in sorted(one.keys() & other.keys())]


def _by_recipe(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    groups: dict[tuple[str, int], list[Row]] = {}
    for row in rows:
        if row["recipe"] != "stock":
            groups.setdefault((row["recipe"], row["pairs"]), []).append(row)
    for (recipe, _), group in groups.items():
        yield recipe, group


def _pooled(group: Sequence[Row], measure: str = RECALL, *, kind: str = "values") -> Values:
    """A value a query: its mean over the rows."""
    found: Values = np.mean([unpack(row[kind][measure]) for row in group], axis=0)
    return found


def _guard(group: Sequence[Row], when: str = "now") -> str:
    """Mean nDCG@10 on the guard, in points; of weights that are no average there is only the figure of now."""
    if "guard" not in group[0]:  # dev
        return ""
    return f"{100 * statistics.mean(row['guard'].get(when, row['guard']['now'])['mean'] for row in group):.1f}"


def _peak_mb(row: Row) -> int:
    """Of the GPU where the training ran on one."""
    found: int = row["train"].get("gpu_mb") or row["train"]["peak_mb"]
    return found


def _spread(ratios: Sequence[float]) -> str:
    return f"{statistics.median(ratios):.1f} [{min(ratios):.1f}, {max(ratios):.1f}]"


def _points(found: Mapping[str, Mapping[str, float]], place: int = 0) -> str:
    return f"{100 * found[str(MEASURES[place])]['mean']:.1f}"


def _mean(group: Sequence[Mapping[str, Mapping[str, float]]], measure: str) -> str:
    return f"{100 * statistics.mean(row[measure]['mean'] for row in group):.1f}"


def in_points(found: object, *, sign: str = "+") -> str:
    mean, low, high = (100 * getattr(found, part) for part in ("mean", "low", "high"))
    return f"{mean:{sign}.1f} [{low:{sign}.1f}, {high:{sign}.1f}]"
