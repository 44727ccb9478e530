"""Comparison: what a tuned system gains over the stock one, on the same queries, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexitune.errors import DataError
from lexitune.metrics.report import Report, check_known, floats_by_measure
from lexitune.metrics.statistics import clustered_bootstrap, paired_t, randomisation_p

__all__ = ["Comparison", "Delta", "Slice", "compare", "compare_slices"]

Floats = NDArray[np.float64]

SMALL_SLICE = 30  # below about thirty queries no interval is to be trusted
SAME = 1e-9  # differences up to this are rounding: taken as 0, neither a win nor evidence


@dataclass(frozen=True, slots=True)
class Delta:
    """The gain in one measure: tuned minus stock, as a fraction (0.08 is eight points).

    Attributes:
        low: Lower bound of the paired t interval, which decides; `high` the upper one.
        p: Two-sided, from the paired t.
        n: Queries compared.
        won: Queries that rose; `lost` those that fell, `tied` the rest.
        bootstrap_low: Bounds of the clustered bootstrap, as a check on `low` and `high`.
        p_randomisation: From flipping signs, as a check on `p`.
        relative: The gain as a share of the stock system's mean; None where that is 0.
    """

    mean: float
    low: float
    high: float
    p: float
    n: int
    won: int
    lost: int
    tied: int
    bootstrap_low: float
    bootstrap_high: float
    p_randomisation: float
    relative: float | None


@dataclass(frozen=True, slots=True)
class Slice:
    """The gain on some of the queries.

    Args:
        field: Of the queries' metadata, by whose values they were cut; empty where lexitune's own eyes cut them.
    """

    n: int
    deltas: Mapping[str, Delta]
    field: str = ""

    @property
    def too_small(self) -> bool:
        """Under 30 queries: show it, conclude nothing from it."""
        return self.n < SMALL_SLICE


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two reports on the same queries. Measures are named by their text, such as `nDCG@10`.

    Attributes:
        stock: Name of the system compared against; `tuned` of the one that should be better.
        query_ids: In code-point order.
        deltas: Measure to gain.
        per_query: Measure to one difference a query, in the order of `query_ids`.
        stock_per_query: The stock system's values, in the same order.
        clusters: A label a query, equal for queries that are drawn together; None where each stands alone.
        slices: Name to slice: set it with `dataclasses.replace(comparison, slices=compare_slices(...))`.
    """

    stock: str
    tuned: str
    split: str
    query_ids: Sequence[str]
    deltas: Mapping[str, Delta]
    per_query: Mapping[str, Floats]
    stock_per_query: Mapping[str, Floats]
    clusters: Sequence[int] | None = None
    slices: Mapping[str, Slice] = field(default_factory=dict)

    def delta(self, measure: object) -> Delta:
        """The gain in a measure, given as a Measure or its text.

        Raises:
            DataError: That measure was not compared.
        """
        check_known(measure, self.deltas)
        return self.deltas[str(measure)]

    def wins(self, measure: object, *, count: int = 5) -> list[tuple[str, float]]:
        """The queries that rose most, as (query_id, difference), largest first; equal ones by query_id."""
        check_known(measure, self.per_query)
        return self._extremes(self.per_query[str(measure)], count)

    def losses(self, measure: object, *, count: int = 5) -> list[tuple[str, float]]:
        """The queries that fell most, as (query_id, difference), largest fall first; equal ones by query_id."""
        check_known(measure, self.per_query)
        return [(query_id, -fall) for query_id, fall in self._extremes(-self.per_query[str(measure)], count)]

    def _extremes(self, rises: Floats, count: int) -> list[tuple[str, float]]:
        rose = [(query_id, float(rise)) for query_id, rise in zip(self.query_ids, rises, strict=True) if rise > 0]
        return sorted(rose, key=lambda pair: (-pair[1], pair[0]))[:count]

    def to_json(self) -> dict[str, Any]:
        """A plain dict that `json.dumps` takes."""
        return {
            "stock": self.stock,
            "tuned": self.tuned,
            "split": self.split,
            "deltas": {name: asdict(delta) for name, delta in self.deltas.items()},
            "slices": {
                name: {
                    "n": part.n,
                    "too_small": part.too_small,
                    "field": part.field,
                    "deltas": {measure: asdict(delta) for measure, delta in part.deltas.items()},
                }
                for name, part in self.slices.items()
            },
            "query_ids": list(self.query_ids),
            "clusters": None if self.clusters is None else list(self.clusters),
            "per_query": {name: values.tolist() for name, values in self.per_query.items()},
            "stock_per_query": {name: values.tolist() for name, values in self.stock_per_query.items()},
        }

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Comparison:
        """The comparison that `to_json` wrote.

        Raises:
            DataError: A key is missing, or a value is of the wrong kind, length or not a number.
        """
        try:
            n = len(found["query_ids"])
            clusters = found["clusters"]
            if clusters is not None and len(clusters) != n:
                raise ValueError(f"{len(clusters)} cluster labels for {n} queries")
            return cls(
                stock=str(found["stock"]),
                tuned=str(found["tuned"]),
                split=str(found["split"]),
                query_ids=tuple(map(str, found["query_ids"])),
                deltas=_read_deltas(found["deltas"]),
                per_query=floats_by_measure(found["per_query"], n=n),
                stock_per_query=floats_by_measure(found["stock_per_query"], n=n),
                clusters=None if clusters is None else tuple(map(int, clusters)),
                slices={
                    str(name): Slice(int(part["n"]), _read_deltas(part["deltas"]), str(part.get("field", "")))
                    for name, part in found["slices"].items()
                },
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError("E3127", f"not a comparison: {error!r}", fix="measure again: lexitune evaluate") from error


def compare(
    stock: Report,
    tuned: Report,
    *,
    clusters: Mapping[str, str] | None = None,
    resamples: int = 10_000,
    seed: int = 13,
) -> Comparison:
    """Compare two systems query by query.

    Args:
        clusters: query_id to what it shares with others (family, session); a query without one stands alone. The
            bootstrap and the randomisation test keep a cluster together.
        resamples: Of both of them.
        seed: Of both of them. Equal seeds give equal numbers.

    Raises:
        DataError: The reports differ in split, queries, measures or judgements, so their difference means nothing.
    """
    _refuse_strangers(stock, tuned)
    labels = None if clusters is None else _labels(stock.query_ids, clusters)
    per_query = {name: _differences(values, tuned.per_query[name]) for name, values in stock.per_query.items()}
    return Comparison(
        stock=stock.system,
        tuned=tuned.system,
        split=stock.split,
        query_ids=tuple(stock.query_ids),
        deltas={
            name: _delta(values, stock.per_query[name], labels, resamples, seed) for name, values in per_query.items()
        },
        per_query=per_query,
        stock_per_query=dict(stock.per_query),
        clusters=None if labels is None else tuple(labels.tolist()),
    )


def compare_slices(
    comparison: Comparison,
    slices: Mapping[str, AbstractSet[str]],
    *,
    resamples: int = 10_000,
    seed: int = 13,
) -> dict[str, Slice]:
    """The gain within each slice.

    Args:
        slices: Name to query ids. Ids that were not compared are passed over, and slices may overlap.
    """
    labels = None if comparison.clusters is None else np.asarray(comparison.clusters, dtype=np.int64)
    found = {}
    for name, members in slices.items():
        rows = np.array([query_id in members for query_id in comparison.query_ids], dtype=bool)
        part = None if labels is None else labels[rows]
        found[name] = Slice(
            int(rows.sum()),
            {
                measure: _delta(values[rows], comparison.stock_per_query[measure][rows], part, resamples, seed)
                for measure, values in comparison.per_query.items()
            },
        )
    return found


def _differences(stock: Floats, tuned: Floats) -> Floats:
    rises = tuned - stock
    rises[np.abs(rises) <= SAME] = 0.0
    return rises


def _delta(values: Floats, stock: Floats, labels: NDArray[np.int64] | None, resamples: int, seed: int) -> Delta:
    paired = paired_t(values)
    check = clustered_bootstrap(values, clusters=labels, resamples=resamples, seed=seed)
    won, lost = int(np.count_nonzero(values > 0)), int(np.count_nonzero(values < 0))
    before = float(stock.mean()) if len(stock) else 0.0
    return Delta(
        **asdict(paired),
        won=won,
        lost=lost,
        tied=len(values) - won - lost,
        bootstrap_low=check.low,
        bootstrap_high=check.high,
        p_randomisation=randomisation_p(values, clusters=labels, resamples=resamples, seed=seed),
        relative=paired.mean / before if before else None,
    )


def _labels(query_ids: Sequence[str], clusters: Mapping[str, str]) -> NDArray[np.int64]:
    number: dict[tuple[bool, str], int] = {}
    keys = [(query_id in clusters, clusters.get(query_id, query_id)) for query_id in query_ids]
    return np.array([number.setdefault(key, len(number)) for key in keys], dtype=np.int64)


def _read_deltas(found: Mapping[str, Mapping[str, Any]]) -> dict[str, Delta]:
    return {str(name): Delta(**delta) for name, delta in found.items()}


def _refuse_strangers(stock: Report, tuned: Report) -> None:
    names = f"'{stock.system}' and '{tuned.system}'"
    if stock.split != tuned.split:
        problem = f"{names} were measured on different splits: {stock.split} and {tuned.split}"
    elif set(stock.query_ids) != set(tuned.query_ids):
        apart = sorted(set(stock.query_ids) ^ set(tuned.query_ids))
        problem = f"{names} were measured on different queries: {len(apart)} are not in both, such as '{apart[0]}'"
    elif tuple(stock.query_ids) != tuple(tuned.query_ids):
        problem = f"{names} hold their queries in different order"
    elif set(stock.per_query) != set(tuned.per_query):
        apart = sorted(set(stock.per_query) ^ set(tuned.per_query))
        problem = f"{names} were measured by different measures: {', '.join(apart)} not in both"
    elif stock.fingerprints.get("qrels") != tuned.fingerprints.get("qrels"):
        problem = f"{names} were measured against different judgements"
    else:
        return
    raise DataError("E3126", problem, fix="measure both again on the same queries: lexitune evaluate")
