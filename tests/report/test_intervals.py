"""The dot-and-whisker plot: dots and whiskers stand where their numbers say."""

import math

from lexitune.report.blocks import IntervalPlot
from lexitune.report.drawing import Drawing, Mark
from lexitune.report.intervals import draw_intervals

# From 0.50 to 0.70 the axis needs no rounding. On a narrow canvas of 320 it runs from x = 10 to 310: 15 units a point.
ROWS = [("stock", 0.55, 0.50, 0.60, False), ("tuned", 0.65, 0.60, 0.70, True)]


def marks(drawing: Drawing, css: str) -> list[Mark]:
    return [mark for mark in drawing.marks if css in mark.css.split()]


def test_dots_and_whiskers_stand_at_their_values() -> None:
    drawing = draw_intervals(IntervalPlot("recall", ROWS), width=320)

    assert [mark.at["cx"] for mark in marks(drawing, "mean")] == [85.0, 235.0]  # 10 + 15 * 5, 10 + 15 * 15
    assert [(mark.at["x1"], mark.at["x2"]) for mark in marks(drawing, "whisker")] == [(10.0, 160.0), (160.0, 310.0)]


def test_a_wide_canvas_has_the_words_beside_the_whiskers() -> None:
    drawing = draw_intervals(IntervalPlot("recall", ROWS), width=800)

    for row in range(2):
        whisker = marks(drawing, "whisker")[row].at
        assert float(whisker["x1"]) > len("stock") * 8
        assert float(whisker["x2"]) < 800 - len("0.550 [0.500, 0.600]") * 7


def test_only_the_emphasised_row_stands_out() -> None:
    drawing = draw_intervals(IntervalPlot("recall", ROWS), width=800)

    assert [mark.css for mark in marks(drawing, "mean")] == ["mean", "mean emphasis"]


def test_values_stand_in_words_in_the_row_and_in_the_description() -> None:
    drawing = draw_intervals(IntervalPlot("recall", ROWS, "R@10"), width=800)

    assert [mark.text for mark in marks(drawing, "value")] == ["0.550 [0.500, 0.600]", "0.650 [0.600, 0.700]"]
    assert drawing.description == "R@10: stock 0.550 [0.500, 0.600]; tuned 0.650 [0.600, 0.700]"


def test_the_reference_line_widens_the_axis_to_itself() -> None:
    # 0.50 to 0.80 over 300 units: 10 units a point, so 0.80 stands at the end.
    block = IntervalPlot("recall", ROWS, reference=0.80, reference_label="good enough")
    drawing = draw_intervals(block, width=320)

    assert [mark.at["x1"] for mark in marks(drawing, "reference")] == [310.0]
    assert [mark.at["cx"] for mark in marks(drawing, "mean")] == [60.0, 160.0]


def test_an_unknown_interval_leaves_the_dot_and_says_so() -> None:
    drawing = draw_intervals(IntervalPlot("recall", [("one query", 1.0, -math.inf, math.inf, False)]), width=800)

    assert len(marks(drawing, "mean")) == 1
    assert marks(drawing, "whisker") == []
    assert [mark.text for mark in marks(drawing, "value")] == ["1.000 [unknown]"]


def test_an_interval_of_no_width_is_drawn() -> None:
    drawing = draw_intervals(IntervalPlot("recall", [("stock", 0.0, 0.0, 0.0, False)]), width=320)

    assert [mark.at["cx"] for mark in marks(drawing, "mean")] == [10.0]


def test_no_system_is_an_empty_axis() -> None:
    drawing = draw_intervals(IntervalPlot("recall", []), width=800)

    assert marks(drawing, "mean") == []
    assert drawing.description == "recall: nothing was measured"


def test_a_label_that_does_not_fit_ends_in_an_ellipsis() -> None:
    drawing = draw_intervals(IntervalPlot("recall", [("x" * 200, 0.5, 0.4, 0.6, False)]), width=800)

    assert marks(drawing, "label")[0].text.endswith("x\u2026")
    assert len(marks(drawing, "label")[0].text) < 45


def test_words_below_the_axis_are_broken_into_lines_that_stay_on_the_canvas() -> None:
    label = "points of R@10 over stock; 95 % intervals, foretold: 80 % bands"
    wide, narrow = (draw_intervals(IntervalPlot("gain", ROWS, label), width=width) for width in (800, 350))

    assert [mark.text for mark in marks(wide, "axis")] == [label]
    lines = marks(narrow, "axis")
    assert " ".join(mark.text for mark in lines) == label
    assert len(lines) == 2
    assert {mark.at["x"] for mark in lines} == {175.0}
    assert max(float(mark.at["y"]) for mark in lines) < narrow.height
