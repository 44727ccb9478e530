"""Thumbs and scores, on whatever scale."""

from __future__ import annotations

import pytest

from lexitune.sources.traces.feedback import Scale, fit_scale, read_thumb


@pytest.mark.parametrize(
    ("least", "most", "scale"),
    [
        (0, 1, Scale(0, 1)),
        (1, 1, Scale(0, 1)),
        (0.2, 0.9, Scale(0, 1)),
        (-1, 1, Scale(-1, 1)),
        (1, 5, Scale(1, 5)),
        (2, 4, Scale(1, 5)),
        (0, 4, Scale(0, 5)),
        (3, 9, Scale(1, 10)),
        (20, 80, Scale(0, 100)),
        (0, 250, Scale(0, 250)),
    ],
)
def test_a_scale_is_the_smallest_usual_one_that_holds_all_values(least: float, most: float, scale: Scale) -> None:
    assert fit_scale(least, most) == scale


@pytest.mark.parametrize(
    ("value", "scale", "thumb"),
    [
        ("👍", None, 1),
        ("Thumbs-Down", None, -1),
        ("not_helpful", None, -1),
        ("perhaps", None, 0),
        (1.0, Scale(0, 1), 1),
        (0.0, Scale(0, 1), -1),
        (0.5, Scale(0, 1), 0),
        (-1.0, Scale(-1, 1), -1),
        (0.0, Scale(-1, 1), 0),
        (1.0, Scale(1, 5), -1),
        (3.0, Scale(1, 5), 0),
        (4.0, Scale(1, 5), 1),
        (1.0, None, 0),
        (0.0, Scale(0, 0), 0),
    ],
)
def test_a_score_is_up_down_or_neither(value: float | str, scale: Scale | None, thumb: int) -> None:
    assert read_thumb(value, scale) == thumb
