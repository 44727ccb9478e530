"""Report: means over all queries, the interval that fits, and a round trip through JSON."""

import json
from typing import Any

import numpy as np
import pytest

from lexitune.errors import DataError
from lexitune.metrics.measures import parse_measure
from lexitune.metrics.report import Report
from lexitune.metrics.statistics import t_interval, wilson


def report() -> Report:
    """Three queries, measured by hand."""
    return Report(
        system="stock",
        split="dev",
        query_ids=("q1", "q2", "q3"),
        per_query={"R@10": np.array([1.0, 0.0, 1.0]), "nDCG@10": np.array([0.1, 0.2, 0.6])},
        unjudged=0.25,
        ties=0.5,
        fingerprints={"qrels": "abc", "model": "def"},
        expected={"R@10": 0.5},
        missing=1,
        without_relevant=2,
    )


@pytest.mark.parametrize("measure", ["R@10", parse_measure("R@10")])
def test_a_measure_is_named_by_value_or_text(measure: object) -> None:
    assert report().mean(measure) == 2 / 3


def test_the_interval_fits_the_values() -> None:
    assert report().interval("R@10") == wilson(2, 3)
    assert report().interval("nDCG@10", confidence=0.5) == t_interval([0.1, 0.2, 0.6], confidence=0.5)


def test_the_summary_is_what_people_read() -> None:
    found = report().summary()

    assert list(found) == report().measures == ["R@10", "nDCG@10"]
    assert set(found["R@10"]) == {"mean", "low", "high", "n"}
    assert (found["R@10"]["mean"], found["R@10"]["n"]) == (2 / 3, 3)


def test_a_measure_that_was_not_measured_is_an_error_with_the_nearest() -> None:
    with pytest.raises(DataError) as caught:
        report().mean("nDCG@100")

    assert caught.value.fix == "did you mean 'nDCG@10'? known: R@10, nDCG@10"


def test_a_report_round_trips_through_json() -> None:
    written = json.dumps(report().to_json(), allow_nan=False)

    read = Report.from_json(json.loads(written))

    assert json.dumps(read.to_json()) == written
    assert read.values("nDCG@10").tolist() == [0.1, 0.2, 0.6]
    assert read.query_ids == ("q1", "q2", "q3")


@pytest.mark.parametrize(
    ("case", "change"),
    [
        ("a key is missing", {"query_ids": None}),
        ("a value too few", {"per_query": {"R@10": [1.0, 0.0]}}),
        ("not a number", {"per_query": {"R@10": [1.0, 0.0, float("nan")]}}),
        ("text", {"ties": "many"}),
        ("a list", {"per_query": [1.0]}),
    ],
)
def test_a_broken_report_is_refused(case: str, change: dict[str, Any]) -> None:
    with pytest.raises(DataError) as caught:
        Report.from_json({**report().to_json(), **change})

    assert caught.value.code == "E3127"
