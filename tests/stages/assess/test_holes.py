"""Holes: what nobody judged in the first ten, and the bounds that it leaves."""

from __future__ import annotations

import pytest

from lexitune.io.hits import Hits
from lexitune.stages.assess.holes import find_holes


def test_what_was_judged_wrong_is_no_hole() -> None:
    holes = find_holes(Hits.from_run({"q": {"d1": 2.0, "d2": 1.0}}), {"q": {"d1": 0, "d2": 0, "d3": 1}})

    assert (holes.judged, holes.lowest, holes.highest) == (1.0, 0.0, 0.0)


def test_all_unjudged_were_right_at_best() -> None:
    holes = find_holes(Hits.from_run({"q": {"d1": 2.0, "d2": 1.0}}), {"q": {"d3": 1}})

    assert (holes.judged, holes.lowest) == (0.0, 0.0)
    assert holes.highest == pytest.approx(2 / 3)  # two of them and of the one that is known


def test_only_the_first_ten_count() -> None:
    run = {f"d{n:02}": 100.0 - n for n in range(20)}
    holes = find_holes(Hits.from_run({"q": run}), {"q": {f"d{n:02}": 1 for n in range(20)}})

    assert (holes.judged, holes.lowest, holes.highest, holes.capped) == (1.0, 0.5, 0.5, 1.0)


def test_a_query_without_hits_counts_as_missed() -> None:
    hits = Hits.from_run({"q": {"d1": 1.0}, "r": {}})

    holes = find_holes(hits, {"q": {"d1": 1}, "r": {"d1": 1}})

    assert (holes.judged, holes.lowest, holes.highest) == (1.0, 0.5, 0.5)
