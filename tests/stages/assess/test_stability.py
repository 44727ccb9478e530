"""Stability: words swapped each week are a change, fixed ones are stable, and chance is no change."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta, timezone

import pytest

from lexitune.stages.assess.stability import measure_stability, number_of

START = datetime(2024, 1, 1, 9, tzinfo=UTC)  # a Monday


def name(number: int) -> str:
    """A word of its own for each number, that no stemmer shortens."""
    return "q" + "".join("bdkmnpqtvz"[int(digit)] for digit in f"{number:04}")


def stream(*, swapped: float, weeks: int = 10, texts: int = 40, kept: int = 60) -> tuple[list[str], list[datetime]]:
    """Texts of five words a week; each week that share of the words in use is replaced by new ones."""
    draw = random.Random(5)
    words, fresh = [name(n) for n in range(kept)], kept
    found, times = [], []
    for week in range(weeks):
        for _ in range(texts):
            found.append(" ".join(draw.sample(words, 5)))
            times.append(START + timedelta(weeks=week, hours=draw.randrange(150)))
        out = draw.sample(words, round(swapped * kept))
        words = [word for word in words if word not in out] + [name(fresh + n) for n in range(len(out))]
        fresh += len(out)
    return found, times


def test_a_fixed_vocabulary_is_stable() -> None:
    found = measure_stability(*stream(swapped=0.0))

    assert found is not None
    assert abs(found.change.mean) < 0.03
    assert (found.answer, found.change.n) == ("stable", 9)


def test_half_of_the_words_swapped_each_week_is_changing() -> None:
    found = measure_stability(*stream(swapped=0.5, texts=100))

    assert found is not None
    assert found.change.mean == pytest.approx(0.5, abs=0.07)
    assert found.distance.low > 0.2
    assert (found.answer, found.change.n) == ("changing", 9)
    assert found.half_life in (1.0, 2.0)  # of 30 new words 15 live on a second week


def test_one_word_in_fifty_swapped_is_stable() -> None:
    found = measure_stability(*stream(swapped=0.02))

    assert found is not None
    assert found.answer == "stable"


@pytest.mark.parametrize("swapped", [0.0, 1.0])
def test_where_texts_are_too_few_to_show_what_is_new_it_cannot_tell(swapped: float) -> None:
    found = measure_stability(*stream(swapped=swapped, texts=3, kept=300))

    assert found is not None
    assert found.churn > 0.5
    assert found.answer == "cannot tell"


def test_few_weeks_cannot_tell() -> None:
    found = measure_stability(*stream(swapped=0.5, weeks=4))

    assert found is not None
    assert (found.change.n, found.answer) == (3, "cannot tell")


def test_words_that_come_back_are_not_new() -> None:
    texts = [" ".join(name(n + 20 * (week % 2)) for n in range(20)) for week in range(10) for _ in range(20)]
    times = [START + timedelta(weeks=week) for week in range(10) for _ in range(20)]

    found = measure_stability(texts, times)

    assert found is not None
    assert found.churn == pytest.approx(1 / 9)  # the second week alone
    assert found.answer != "changing"


def test_the_parts_of_one_document_are_no_change_of_vocabulary() -> None:
    # Four documents a week, each of twelve passages with words of its own and some of all.
    texts, times, families = [], [], []
    for document in range(40):
        for _ in range(12):
            texts.append(" ".join(name(n) for n in [*range(5), *range(100 + 5 * document, 105 + 5 * document)]))
            times.append(START + timedelta(weeks=document // 4))
            families.append(f"document {document}")

    loose, whole = measure_stability(texts, times), measure_stability(texts, times, families=families)

    assert loose is not None
    assert whole is not None
    assert loose.answer == "changing"
    assert whole.change.mean == pytest.approx(0, abs=0.02)
    assert whole.answer == "stable"


def test_one_period_alone_has_nothing_to_be_compared_with() -> None:
    assert measure_stability(["a word", "a word"], [START, START]) is None
    assert measure_stability(["word", ""], [START, START + timedelta(weeks=1)]) is None
    assert measure_stability([], []) is None


@pytest.mark.parametrize(
    ("period", "inside", "outside"),
    [
        ("day", START.replace(hour=23), START.replace(day=2, hour=0)),
        ("week", START.replace(day=7, hour=23), START.replace(day=8, hour=0)),
        ("month", START.replace(day=31), START.replace(month=2)),
        ("day", datetime(2024, 1, 2, 1, tzinfo=timezone(timedelta(hours=2))), datetime(2024, 1, 2, 3, tzinfo=UTC)),
    ],
)
def test_periods_are_those_of_utc_and_weeks_begin_on_monday(period: str, inside: datetime, outside: datetime) -> None:
    assert number_of(inside, period) == number_of(START, period)
    assert number_of(outside, period) == number_of(START, period) + 1


@pytest.mark.parametrize(
    ("period", "first", "last"),
    [("day", "2024-01-01", "2024-01-02"), ("week", "2024-01-01", "2024-01-08"), ("month", "2023-12-01", "2024-01-01")],
)
def test_a_period_is_named_by_its_first_day(period: str, first: str, last: str) -> None:
    later = {"day": timedelta(days=1), "week": timedelta(weeks=1), "month": -timedelta(days=20)}[period]

    found = measure_stability(["one word", "one word"], [START, START + later], period=period)

    assert found is not None
    assert (found.period, found.first, found.last) == (period, first, last)
