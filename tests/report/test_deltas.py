"""Per-query gains: counts, shares and areas are those of the deltas."""

import pytest

from lexitune.report.blocks import DeltaPlot
from lexitune.report.deltas import draw_deltas
from lexitune.report.drawing import Drawing

# 10 queries: 2 won, 7 unchanged, 1 lost. On a canvas of 800 a query is 80 units wide.
TERNARY = [0.0, 1.0, 0.0, 0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0]


def bars(drawing: Drawing) -> list[tuple[str, float | str, float | str]]:
    return [(mark.css, mark.at["x"], mark.at["width"]) for mark in drawing.marks if mark.tag == "rect"]


def test_the_bar_has_the_shares_of_won_unchanged_and_lost() -> None:
    drawing = draw_deltas(DeltaPlot("gains", TERNARY), width=800)

    assert bars(drawing) == [("won", 0.0, 160.0), ("unchanged", 160.0, 560.0), ("lost", 720.0, 80.0)]
    assert drawing.description == "of 10 queries 2 won, 7 unchanged, 1 lost"


def test_counts_and_shares_stand_in_words() -> None:
    drawing = draw_deltas(DeltaPlot("gains", TERNARY), width=800)

    assert [mark.text for mark in drawing.marks if mark.tag == "text"] == [
        "2 won", "20.0\u00a0%", "7 unchanged", "70.0\u00a0%", "1 lost", "10.0\u00a0%",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("case", "deltas", "drawn"),
    [
        ("gains of one size need no second picture", [1.0, 0.0, -1.0], 0),
        ("one size with the noise of a float", [0.3, 0.1 + 0.2, 0.0], 0),
        ("gains of two sizes show their steps", [1.0, 0.5, 0.0, -0.5], 2),
        ("where nothing is lost nothing is drawn below zero", [1.0, 0.5, 0.0], 1),
    ],
)
def test_steps_are_drawn_only_for_graded_gains(case: str, deltas: list[float], drawn: int) -> None:
    drawing = draw_deltas(DeltaPlot("gains", deltas), width=800)

    assert sum(mark.tag == "path" for mark in drawing.marks) == drawn


def test_the_steps_follow_the_sorted_gains() -> None:
    # Between x = 44 and 444 four queries are 100 units each. Gains from -1 to 1 lie from y = 262 up to 92: zero is 177.
    drawing = draw_deltas(DeltaPlot("gains", [0.5, -1.0, 0.0, 1.0]), width=444)

    won, lost = (mark.at["d"] for mark in drawing.marks if mark.tag == "path")
    assert won == "M44 177H44V92H144V134.5H244V177Z"
    assert lost == "M344 177H344V262H444V177Z"


def test_one_small_loss_does_not_hide_the_great_ones_after_it() -> None:
    # 1,000 queries on 306 units: the loss of a half is a quarter of a unit wide, the 99 of one are 30 units.
    drawing = draw_deltas(DeltaPlot("gains", [0.0] * 900 + [-0.5] + [-1.0] * 99), width=350)

    lost = next(str(mark.at["d"]) for mark in drawing.marks if mark.tag == "path")
    assert lost.endswith("V262H350V92Z")  # -1 is at the foot of the plot, 92 + 170


def test_a_hundred_thousand_queries_draw_as_small_as_a_thousand() -> None:
    deltas = [position / 100_000 for position in range(100_000)]
    drawing = draw_deltas(DeltaPlot("gains", deltas), width=800)

    assert sum(len(str(mark.at.get("d", ""))) for mark in drawing.marks) < 30_000


def test_no_queries_are_a_sentence_and_no_bar() -> None:
    drawing = draw_deltas(DeltaPlot("gains", []), width=350)

    assert bars(drawing) == []
    assert [mark.text for mark in drawing.marks] == ["no queries were compared"]


def test_a_bar_without_wins_is_all_unchanged() -> None:
    drawing = draw_deltas(DeltaPlot("gains", [0.0, 0.0]), width=350)

    assert bars(drawing) == [("unchanged", 0.0, 350.0)]
