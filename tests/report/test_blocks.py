"""Blocks: what they refuse to hold."""

import math

import pytest

from lexitune.report.blocks import BarPlot, DeltaPlot, Table


def test_a_row_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match="2 columns, but a row of 1"):
        Table(["system", "R@10"], [["stock", 0.5], ["tuned"]])


def test_an_alignment_for_too_few_columns_is_refused() -> None:
    with pytest.raises(ValueError, match="2 columns, but a row of 1"):
        Table(["system", "R@10"], [["stock", 0.5]], align=["left"])


def test_a_delta_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="the delta at position 1 is nan"):
        DeltaPlot("gains", [0.0, math.nan])


@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf])
def test_a_bar_of_no_length_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="no bar of"):
        BarPlot("words", [("zorvex", value, "")])
