"""The estimate of false negatives: what is hidden, what comes back, and when nothing can be said."""

from collections.abc import Callable

import numpy as np
import pytest

from lexitune.metrics.statistics import wilson
from lexitune.stages.mine.cells import Cells
from lexitune.stages.mine.holdout import choose_hidden
from lexitune.stages.mine.known import Known
from lexitune.stages.mine.mining import Mined
from lexitune.stages.mine.options import MineOptions

Mine = Callable[..., Mined]
N = 40
NOTHING = Cells(np.empty(0, dtype=np.int64), 3)


def cells(*pairs: tuple[int, int]) -> Cells:
    rows, columns = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return Cells.of(rows, columns, 3)


def test_hidden_passages_that_come_back_are_counted(mine: Mine) -> None:
    # Each query has two right passages of its own. In the first ten they score 0.9 and 0.5: hide the one at 0.5, and
    # it lies below the other's line and is taken; hide the one at 0.9, and it is above the line. In the others both
    # score 0.9, and whichever is hidden is too close. One more passage, at 0.1, is taken.
    scores = {f"q{n:02}": {f"a{n:02}": 0.9, f"b{n:02}": 0.5 if n < 10 else 0.9, "wrong": 0.1} for n in range(N)}
    qrels = {f"q{n:02}": {f"a{n:02}": 1, f"b{n:02}": 1} for n in range(N)}

    found = mine(scores, qrels, options=MineOptions(last=2, count=2)).false_negatives

    assert (found.hidden, found.kind) == (N, "second right passages of their queries")
    assert 0 < found.found <= 10
    # Two ranks: the hidden one and the wrong one. So a query has one negative, and two where the hidden one came back.
    rate = wilson(found.found, N)
    assert found.share is not None
    scale = N / (N + found.found)
    assert found.share.n == N + found.found
    assert (found.share.mean, found.share.low) == pytest.approx((rate.mean * scale, rate.low * scale))
    assert str(found).startswith(f"false negatives: about {found.share.mean:.1%} [")


def test_where_labels_are_single_and_no_two_questions_are_alike_it_cannot_be_estimated(mine: Mine) -> None:
    found = mine({"q1": {"d1": 0.9, "d2": 0.1}}, {"q1": {"d1": 1}}).false_negatives

    assert found.share is None
    assert str(found) == (
        "false negatives: cannot estimate: only 0 queries have a second right passage, their own or a nearly equal "
        "query's; 30 are needed"
    )


def test_a_query_hides_one_of_its_passages_and_keeps_one() -> None:
    own = cells(
        *((row, column) for row in range(0, 80, 2) for column in (0, 1)), *((row, 0) for row in range(1, 80, 2))
    )

    rows, docs, kind = choose_hidden(Known(own, NOTHING, NOTHING), seed=1)

    assert rows.tolist() == list(range(0, 80, 2))
    assert set(docs.tolist()) == {0, 1}  # by lot
    assert kind == "second right passages of their queries"


def test_without_second_passages_those_of_nearly_equal_queries_are_hidden() -> None:
    own, near = cells(*((row, 0) for row in range(60))), cells(*((row, 1 + row % 2) for row in range(60)))

    rows, docs, kind = choose_hidden(Known(own, near, NOTHING), seed=1)

    assert (rows.tolist(), docs.tolist()) == (list(range(60)), [1, 2] * 30)
    assert kind == "right passages of nearly equal queries"


def test_no_more_than_500_queries_hide_one() -> None:
    own = cells(*((row, column) for row in range(900) for column in (0, 1)))

    rows = choose_hidden(Known(own, NOTHING, NOTHING), seed=1)[0]

    assert len(np.unique(rows)) == len(rows) == 500
    assert rows.tolist() == sorted(rows.tolist())
