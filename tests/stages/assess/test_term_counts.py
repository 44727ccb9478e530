"""Term counts: what is counted, and how far apart two counts lie."""

import numpy as np
import pytest

from lexitune.stages.assess.term_counts import apart, count_terms


def test_a_unit_is_counted_over_its_texts_and_keeps_its_row_without_words() -> None:
    counts, names = count_terms([["rent rent", "a lease"], [], ["lease"]])

    assert names == ["rent", "leas"]
    assert counts.toarray().tolist() == [[2, 1], [0, 0], [0, 1]]


def test_nothing_at_all_is_counted_too() -> None:
    counts, names = count_terms([])

    assert (counts.shape, names) == ((0, 0), [])


@pytest.mark.parametrize(
    ("case", "new", "old", "missing", "distance"),
    [
        ("alike", [2, 2], [7, 7], 0.0, 0.0),
        ("nothing in common", [3, 0], [0, 5], 1.0, 1.0),
        ("no words on one side", [3, 0], [0, 0], 1.0, 1.0),
        ("none on the other", [0, 0], [3, 0], 1.0, 1.0),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_how_far_apart(case: str, new: list[int], old: list[int], missing: float, distance: float) -> None:
    assert apart(np.array(new), np.array(old)) == pytest.approx((missing, distance))
