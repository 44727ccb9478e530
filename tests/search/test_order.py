"""The floor that a block of scores sets: reached by enough of each row, and never too high."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lexitune.search.order import reached_by


@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(9, 400), st.sampled_from([1, 3, 1000]))
def test_what_is_reached_is_reached_by_enough_and_not_above_the_last_wanted(
    seed: int, width: int, columns: int, values: int
) -> None:
    scores = np.random.default_rng(seed).integers(0, values, (3, columns)).astype(np.float32)
    scores[0, ::2] = -np.inf

    found = reached_by(scores, width)

    assert np.all((scores >= found[:, None]).sum(axis=1) >= width)
    assert np.all(found <= np.sort(scores, axis=1)[:, -width])
