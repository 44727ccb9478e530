"""From votes to judgements: what is right, what was passed over, and what a log cannot tell."""

from collections.abc import Sequence

import numpy as np
import pytest

from lexitune.errors import UsageError
from lexitune.sources.clicks.counts import Counts
from lexitune.sources.clicks.judging import Votes, examine, judge
from lexitune.sources.clicks.options import LogsOptions
from lexitune.sources.clicks.propensity import assume_curve
from lexitune.sources.clicks.relevance import (
    click_rates,
    clicks_over_expected,
    examined_rates,
    inverse_propensity,
)

Row = tuple[int, int, int, int, int]  # query, doc, rank, shown, clicked


def votes_of(rows: Sequence[Row], *, has_shown: bool = True, sessions: int = 100, **more: object) -> Votes:
    query, doc, rank, shown, clicked = np.array(sorted(rows), dtype=np.int64).T
    _, first, pair = np.unique(np.stack([query, doc]), axis=1, return_index=True, return_inverse=True)
    counts = Counts(query, pair.ravel(), rank, shown, clicked)
    names = [f"q{number}" for number in range(int(query.max()) + 1)], [f"d{number}" for number in range(10)]
    asked = np.full(len(names[0]), sessions)
    given = {"skipped": [], "reformulated": [], **more}
    return Votes(counts, query[first], doc[first], *names, asked, has_shown=has_shown, **given)  # type: ignore[arg-type]


# One query, three passages that stay where they are: clicks fall with the rank, but the third gets far more than that.
FIXED = [
    (0, 0, 1, 100, 40),
    (0, 1, 2, 100, 20),
    (0, 2, 3, 100, 30),
    (1, 3, 1, 100, 60),
    (1, 4, 2, 100, 40),
    (1, 5, 3, 100, 2),
]


def test_clicks_over_expected_are_those_of_the_rank() -> None:
    counts = votes_of(FIXED).counts

    assert click_rates(counts) == pytest.approx([0.5, 0.3, 0.16, 0.5, 0.3, 0.16])
    found = clicks_over_expected(counts, click_rates(counts), prior=1e-9)
    assert found.mean == pytest.approx([0.8, 0.2 / 0.3, 0.3 / 0.16, 1.2, 0.4 / 0.3, 0.02 / 0.16], rel=1e-6)


def test_the_prior_draws_what_was_hardly_shown_towards_1() -> None:
    few, many = votes_of([(0, 0, 1, 2, 2), (0, 1, 1, 200, 200), (0, 2, 1, 200, 0)]), LogsOptions().prior
    found = clicks_over_expected(few.counts, click_rates(few.counts), prior=many)

    rate = 202 / 402
    assert found.mean[0] == pytest.approx((2 + 10 * rate) / 12 / rate)
    assert found.low[0] < 1 < found.low[1]
    assert found.reliability == pytest.approx([2 / 12, 200 / 210, 200 / 210])


def test_examined_rates_are_the_average_attraction_at_each_rank() -> None:
    counts = votes_of([(0, 0, 1, 100, 50), (0, 1, 2, 100, 25)]).counts

    # 75 clicks in 100 * 1 + 100 * 0.5 examinations: an average passage is clicked half the time.
    assert examined_rates(counts, np.array([1.0, 0.5])) == pytest.approx([0.5, 0.25])


def test_inverse_propensity_divides_each_click_by_its_examination_and_clips() -> None:
    counts = votes_of([(0, 0, 1, 100, 50), (0, 1, 2, 100, 25), (0, 2, 3, 100, 5)]).counts
    found = inverse_propensity(counts, assume_curve(3, 1.0), clip=0.5, prior=1e-9)

    # 50 / 1, 25 / 0.5 and 5 / 0.5 (clipped from a third): 110 in 300 sessions.
    assert found.mean == pytest.approx([0.5 / (110 / 300), 0.5 / (110 / 300), 0.1 / (110 / 300)], rel=1e-6)
    assert np.all(found.low < found.mean)


def test_a_passage_is_right_that_is_clicked_more_than_its_rank_brings() -> None:
    found = judge(votes_of(FIXED), source="click:shop", options=LogsOptions())

    right = {(one.query_id, one.doc_id): one for one in found.judgements}
    assert set(right) == {("q0", "d2"), ("q1", "d3"), ("q1", "d4")}
    one = right["q0", "d2"]
    assert (one.relevance, one.source, one.count, one.weight) == (1, "click:shop", 30, round(100 / 110, 3))
    assert one.evidence.startswith("30 of 100 sessions clicked: ")
    assert found.counts == {"clicked": 3, "skipped": 0, "reformulated": 0}


@pytest.mark.parametrize(
    ("case", "options", "left"),
    [
        ("shown in too few sessions", LogsOptions(least_shown=101), 0),
        ("asked in too few sessions", LogsOptions(least_sessions=101), 0),
        ("one a query, the surest", LogsOptions(most_per_query=1), 2),
        ("without correction the first rank alone wins", LogsOptions(correction="none"), 1),
    ],
)
def test_what_keeps_a_passage_from_being_right(case: str, options: LogsOptions, left: int) -> None:  # fault 44
    assert len(judge(votes_of(FIXED), source="click:a", options=options).judgements) == left


def test_a_passage_far_below_the_best_of_its_query_is_not_right() -> None:
    # At each rank half of what is shown is clicked at 1 %, so that 30 % of d1 is more than its rank brings.
    clicks = [(0, 0, 1, 1000, 700), (0, 1, 2, 1000, 300), *((1, 9 + rank, rank, 1000, 10) for rank in (1, 2))]

    def right(least: float) -> set[str]:
        options = LogsOptions(least_of_best=least, correction="position", examination="curve", curve_power=0.0)
        return {one.doc_id for one in judge(votes_of(clicks), source="click:a", options=options).judgements}

    assert right(0.5) == {"d0"}
    assert right(0.4) == {"d0", "d1"}


def test_what_was_passed_over_and_what_followed_are_weak_opinions() -> None:
    votes = votes_of(FIXED, skipped=[(0, 1, 7), (0, 2, 3)], reformulated=[(0, 5, 4), (1, 3, 9)])

    found = judge(votes, source="click:a", options=LogsOptions())

    weak = [one for one in found.judgements if one.weight < 0.5]
    assert [(one.query_id, one.doc_id, one.relevance, one.weight, one.count) for one in weak] == [
        ("q0", "d1", 0, 0.2, 7),
        ("q0", "d5", 1, 0.3, 4),
    ]
    assert found.counts == {"clicked": 3, "skipped": 1, "reformulated": 1}


def test_clicks_alone_are_taken_as_they_are_and_it_is_told() -> None:  # fault 34
    votes = votes_of([(0, 0, 1, 8, 8), (0, 1, 1, 1, 1)], has_shown=False)

    found = judge(votes, source="click:a", options=LogsOptions())

    assert [(one.doc_id, one.weight) for one in found.judgements] == [("d0", round(0.5 * 8 / 18, 3))]
    assert "does not tell what was shown" in found.notes[0]


@pytest.mark.parametrize("model", ["position", "ips"])
def test_a_correction_by_position_needs_what_was_shown(model: str) -> None:  # fault 34
    with pytest.raises(UsageError) as raised:
        judge(votes_of(FIXED, has_shown=False), source="click:a", options=LogsOptions(correction=model))

    assert raised.value.code == "E2129"
    assert "--correction none" in raised.value.fix


def test_one_fixed_ranking_falls_back_to_the_stated_curve_with_the_reason() -> None:
    found, notes = examine(votes_of(FIXED).counts, LogsOptions(curve_power=0.5))

    assert found.how == "curve"
    assert found.share == pytest.approx([1.0, 2**-0.5, 3**-0.5])
    assert notes == [
        "examination is taken to fall as 1 / rank ** 0.5 "
        "(0 clicked passages were shown at two ranks or more, 200 are needed)"
    ]


def test_one_fixed_ranking_cannot_be_harvested() -> None:
    with pytest.raises(UsageError) as raised:
        examine(votes_of(FIXED).counts, LogsOptions(examination="harvest"))

    assert raised.value.code == "E2129"


def test_a_harvest_is_taken_where_enough_passages_moved() -> None:
    rows = [(q, 0, rank, 200, round(200 * 0.5 / rank)) for q in range(250) for rank in (1, 2, 3)]

    found, notes = examine(votes_of(rows).counts, LogsOptions())

    assert (found.how, found.pairs, notes) == ("harvest", 250, [])
    assert found.share == pytest.approx([1, 0.5, 1 / 3], rel=0.02)
