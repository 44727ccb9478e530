"""Sets of (query, doc): union, difference, and the cells of some rows."""

import numpy as np

from lexitune.stages.mine.cells import Cells, first_of_rows

CELLS = Cells.of(np.array([2, 0, 2, 2]), np.array([1, 3, 0, 1]), 4)  # (0, 3), (2, 0), (2, 1)


def test_a_repeated_cell_is_one() -> None:
    assert (CELLS.rows.tolist(), CELLS.columns.tolist(), len(CELLS)) == ([0, 2, 2], [3, 0, 1], 3)
    assert CELLS.counts(4).tolist() == [1, 0, 2, 0]


def test_no_hit_is_never_held_whatever_the_cell_before_it() -> None:
    # Row 1, column -1 has the number 3, which is that of row 0, column 3.
    assert CELLS.holds(np.array([[0], [1]]), np.array([[3], [-1]])).tolist() == [[True], [False]]


def test_nothing_is_in_an_empty_set() -> None:
    empty = Cells(np.empty(0, dtype=np.int64), 4)

    assert empty.holds(np.array([0]), np.array([0])).tolist() == [False]
    assert empty.plus(CELLS).keys.tolist() == CELLS.keys.tolist()
    assert len(empty.of_rows(np.array([0, 1]))) == 0


def test_some_rows_are_numbered_anew() -> None:
    found = CELLS.of_rows(np.array([1, 2]))

    assert (found.rows.tolist(), found.columns.tolist()) == ([1, 1], [0, 1])


def test_difference_and_the_first_of_each_row() -> None:
    assert CELLS.minus(Cells.of(np.array([2]), np.array([0]), 4)).keys.tolist() == [3, 9]
    assert first_of_rows(CELLS, 1).keys.tolist() == [3, 8]
