"""Curves: points stand at their steps, panels share one x axis, and no peak is lost to thinning."""

import math

import pytest

from lexitune.report.blocks import CurvePlot, Panel
from lexitune.report.curves import draw_curves, thin
from lexitune.report.drawing import Drawing

# On a canvas of 862 the one panel's x axis runs from 48 to 848; the y axis from 212 (low) up to 42 (high).
LOSS = ("loss", [(0.0, 2.0), (100.0, 1.0), (200.0, 0.0)])


def curves(drawing: Drawing) -> list[float | str]:
    return [mark.at["d"] for mark in drawing.marks if mark.tag == "path"]


def dots(drawing: Drawing) -> list[tuple[float | str, float | str]]:
    return [(mark.at["cx"], mark.at["cy"]) for mark in drawing.marks if mark.tag == "circle"]


def test_points_stand_at_their_steps_and_values() -> None:
    drawing = draw_curves(CurvePlot("training", [LOSS]), width=862)

    assert curves(drawing) == ["M48 42L448 127L848 212"]
    assert dots(drawing) == [(48.0, 42.0), (448.0, 127.0), (848.0, 212.0)]


def test_a_second_panel_shares_the_steps() -> None:
    # Two panels of (862 - 36) / 2 = 413: x from 48 to 399, and from 497 to 848. Step 100 of 200 is the middle.
    recall = Panel([("dev", [(100.0, 0.5)])], "R@10")
    drawing = draw_curves(CurvePlot("training", [LOSS], second=recall), width=862)

    assert [x for x, _ in dots(drawing)] == [48.0, 223.5, 399.0, 672.5]


def test_panels_stand_one_above_the_other_where_there_is_no_room() -> None:
    recall = Panel([("dev", [(100.0, 0.5)])], "R@10")
    drawing = draw_curves(CurvePlot("training", [LOSS], second=recall), width=350)

    loss, dev = dots(drawing)[1], dots(drawing)[3]
    assert loss[0] == dev[0]
    assert float(dev[1]) > float(loss[1]) + 100


def test_the_kept_step_is_marked_in_every_panel() -> None:
    recall = Panel([("dev", [(100.0, 0.5)])], "R@10")
    drawing = draw_curves(CurvePlot("training", [LOSS], second=recall, mark=100.0), width=862)

    assert [mark.at["x1"] for mark in drawing.marks if mark.css == "reference"] == [223.5, 672.5]


def test_a_value_that_is_no_number_leaves_a_gap() -> None:
    points = [(0.0, 2.0), (50.0, math.nan), (100.0, 1.0), (200.0, 0.0)]
    drawing = draw_curves(CurvePlot("training", [("loss", points)]), width=862)

    assert curves(drawing) == ["M48 42M448 127L848 212"]


@pytest.mark.parametrize(
    ("case", "points"),
    [("no point", []), ("one point", [(5.0, 0.5)]), ("only unknown values", [(0.0, math.nan), (1.0, math.inf)])],
)
def test_few_points_draw_an_axis_all_the_same(case: str, points: list[tuple[float, float]]) -> None:
    drawing = draw_curves(CurvePlot("training", [("loss", points)]), width=800)

    assert len(dots(drawing)) == sum(math.isfinite(y) for _, y in points)
    assert sum(mark.css == "grid" for mark in drawing.marks) > 1


def test_several_lines_have_a_legend() -> None:
    drawing = draw_curves(CurvePlot("training", [LOSS, ("smooth", [(0.0, 1.0), (200.0, 1.0)])]), width=862)

    assert {"loss", "smooth"} <= {mark.text for mark in drawing.marks}


def test_the_first_and_last_values_stand_in_the_description() -> None:
    drawing = draw_curves(CurvePlot("training", [LOSS]), width=862)

    assert drawing.description == "loss: 2 at 0, 0 at 200"


def test_thinning_keeps_the_ends_and_the_peaks() -> None:
    points = [(float(step), 0.0) for step in range(10_000)]
    points[5_003] = (5_003.0, 9.0)
    points[5_007] = (5_007.0, -9.0)

    thinned = thin(points, columns=100)

    assert len(thinned) <= 400
    assert {(0.0, 0.0), (5_003.0, 9.0), (5_007.0, -9.0), (9_999.0, 0.0)} <= set(thinned)
    assert thinned == sorted(thinned)


def test_the_last_value_is_told_unless_it_means_nothing() -> None:
    for last, told in ((True, ["last 0.500"]), (False, [])):
        drawing = draw_curves(CurvePlot("loss", [("loss", [(0, 1.0), (1, 0.5)])], last=last), width=800)

        assert [mark.text for mark in drawing.marks if mark.text.startswith("last")] == told
