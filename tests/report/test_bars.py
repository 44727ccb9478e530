"""Bars: as long as their values, with words that stay on the canvas."""

from __future__ import annotations

import pytest

from lexitune.report.bars import draw_bars
from lexitune.report.blocks import BarPlot
from lexitune.report.drawing import Drawing, Mark

ROWS = [("isinstance", 200.0, "is ##ins ##tance"), ("kwargs", 50.0, "kw ##ar ##gs")]


def marks(drawing: Drawing, css: str) -> list[Mark]:
    return [mark for mark in drawing.marks if mark.css == css]


def test_bars_begin_at_one_place_and_are_as_long_as_their_values() -> None:
    for width in (800, 350):
        bars = [mark.at for mark in marks(draw_bars(BarPlot("words", ROWS), width=width), "bar")]

        assert bars[0]["x"] == bars[1]["x"]
        assert float(bars[1]["width"]) == pytest.approx(float(bars[0]["width"]) / 4, abs=0.1)


def test_the_longest_bar_of_a_phone_fills_the_canvas() -> None:
    first = marks(draw_bars(BarPlot("words", ROWS), width=350), "bar")[0].at

    assert (first["x"], first["width"]) == (0.0, 350.0)


def test_values_and_words_stand_in_the_row_and_in_the_description() -> None:
    drawing = draw_bars(BarPlot("words", ROWS, "pieces"), width=800)

    assert [mark.text for mark in marks(drawing, "count-of")] == ["200", "50"]
    assert drawing.description == "pieces: isinstance 200 is ##ins ##tance; kwargs 50 kw ##ar ##gs"


def test_words_that_do_not_fit_are_cut() -> None:
    drawing = draw_bars(BarPlot("words", [("x" * 99, 1.0, "y" * 300)]), width=350)

    assert all(mark.text.endswith("\u2026") for mark in [*marks(drawing, "label"), *marks(drawing, "axis")])


def test_no_rows_are_said_to_be_none() -> None:
    assert draw_bars(BarPlot("words", []), width=800).description == "words: nothing was counted"
