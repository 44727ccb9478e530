"""Scales: where a value stands, which ticks are drawn, how a number is written."""

import math

import pytest

from lexitune.report.scale import Scale, format_number, nice_domain, text_width, tick_labels, ticks


@pytest.mark.parametrize(
    ("case", "scale", "value", "place"),
    [
        ("the low end stands at the start", Scale(0.0, 1.0, start=100, end=300), 0.0, 100.0),
        ("a quarter of the way is a quarter of the room", Scale(0.0, 1.0, start=100, end=300), 0.25, 150.0),
        ("an upright axis grows upwards", Scale(0.0, 2.0, start=200, end=0), 0.5, 150.0),
        ("a domain need not begin at zero", Scale(-1.0, 1.0, start=0, end=10), 0.0, 5.0),
    ],
)
def test_where_a_value_stands(case: str, scale: Scale, value: float, place: float) -> None:
    assert scale(value) == place


def test_a_scale_of_no_width_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no scale from 0\.5 to 0\.5"):
        Scale(0.5, 0.5, start=0, end=1)


@pytest.mark.parametrize(
    ("case", "values", "domain"),
    [
        ("ends lie on ticks", [0.46, 0.66], (0.45, 0.7)),
        ("values on ticks stay", [0.5, 0.7], (0.5, 0.7)),
        ("a share never exceeds 1", [1.0, 1.0], (0.9, 1.0)),
        ("a share never falls below 0", [0.0], (0.0, 0.06)),
        ("signed values keep both sides", [-1.0, 1.0], (-1.0, 1.0)),
        ("unknown values do not count", [math.nan, math.inf, 0.46, 0.66], (0.45, 0.7)),
        ("nothing known is any share", [], (0.0, 1.0)),
    ],
)
def test_the_stretch_an_axis_covers(case: str, values: list[float], domain: tuple[float, float]) -> None:
    assert nice_domain(values) == domain


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (0.0, 1.0, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (0.5, 0.7, ["0.50", "0.55", "0.60", "0.65", "0.70"]),
        (-1.0, 1.0, ["\u22121.0", "\u22120.5", "0.0", "0.5", "1.0"]),
        (0.0, 2500.0, ["0", "500", "1,000", "1,500", "2,000", "2,500"]),
        (0.0, 329.0, ["0", "50", "100", "150", "200", "250", "300"]),
    ],
)
def test_ticks_are_round_and_labelled_alike(low: float, high: float, labels: list[str]) -> None:
    assert tick_labels(ticks(low, high)) == labels


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (0.6316, ".3f", "0.632"),
        (-0.02, "+.2f", "\u22120.02"),
        (0.02, "+.2f", "+0.02"),
        (-0.0001, "+.2f", "0.00"),
        (1234, ",d", "1,234"),
        (None, ".3f", "\u2013"),
        (math.nan, ".3f", "\u2013"),
        (-math.inf, ".3f", "\u2013"),
    ],
)
def test_how_a_number_is_written(value: float | None, form: str, text: str) -> None:
    assert format_number(value, form) == text


def test_wide_letters_take_more_room() -> None:
    assert text_width("##ar") > text_width("char")
    assert text_width("\u4e2d") > text_width("x")
