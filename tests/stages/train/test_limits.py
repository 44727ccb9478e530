"""Limits: the nearer one holds, and it is reached when what is left is needed to end well."""

import math

import pytest

from lexitune.stages.train.limits import Limits, limits_of
from lexitune.stages.train.options import TrainOptions
from lexitune.stages.train.recipe import settle


@pytest.mark.parametrize(
    ("options", "limit_s", "option"),
    [
        (TrainOptions(), math.inf, None),
        (TrainOptions(max_minutes=2), 120.0, "max_minutes"),
        (TrainOptions(max_cost=1.0, hourly_rate=2.0), 1800.0, "max_cost"),
        (TrainOptions(max_cost=1.0, hourly_rate=2.0, max_minutes=31), 1800.0, "max_cost"),
        (TrainOptions(max_cost=1.0, hourly_rate=2.0, max_minutes=29), 1740.0, "max_minutes"),
        (TrainOptions(max_cost=0.0, hourly_rate=2.0), 0.0, "max_cost"),
    ],
    ids=str,
)
def test_the_nearer_limit_holds(options: TrainOptions, limit_s: float, option: str | None) -> None:
    found = limits_of(settle(options, token_budget=4096))

    assert found.limit_s == limit_s
    assert option in (None, found.option)


@pytest.mark.parametrize(("spent_s", "over"), [(89.9, False), (90.0, True), (90.1, True)])
def test_it_is_over_when_only_the_end_is_left(spent_s: float, over: bool) -> None:
    assert Limits(100.0, "max_minutes", 0.0).is_over(spent_s, still_s=10.0) == over


def test_what_was_spent_is_told_where_the_rate_is_known() -> None:
    assert Limits(math.inf, "max_minutes", 0.5).cost(1800.0) == "£0.25"
    assert Limits(math.inf, "max_minutes", 0.0).cost(1800.0) == ""
