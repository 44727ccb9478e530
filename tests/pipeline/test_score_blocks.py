"""The score map in the report: old threshold, new threshold, and the share that passes."""

from dataclasses import replace

import numpy as np

from lexitune.metrics.score_map import RankedScores, ScoreMap, learn_score_map
from lexitune.pipeline.score_blocks import score_table
from lexitune.report.blocks import Estimate, Number
from lexitune.report.html import render


def found() -> ScoreMap:
    """40 queries of ten hits: the old scores are 0.0, 0.1, ... 0.9 in each, the new ones a tenth of them more."""
    old = np.tile(np.arange(10) / 10, (40, 1))
    nobody = np.zeros(old.shape, dtype=bool)
    return learn_score_map(RankedScores(old, nobody), RankedScores(old + 0.1, nobody), held_out=np.arange(40) < 20)


def test_a_threshold_stands_beside_its_image_and_what_passes() -> None:
    first, _, third = score_table(found(), "m1").rows[:3]

    # Half of the hits lie above 0.4, and a tenth above 0.8; the images are one tenth higher.
    assert [round(cell.value, 6) for cell in first[:3] if isinstance(cell, Number)] == [0.4, 0.5, 50.0]
    assert [round(cell.value, 6) for cell in third[:3] if isinstance(cell, Number)] == [0.8, 0.9, 10.0]
    assert isinstance(first[3], Estimate)
    assert first[3].mean == 0.0


def test_no_threshold_stands_twice_where_there_are_few() -> None:
    one = found()

    assert len(score_table(replace(one, rows=one.rows[:1]), "m1").rows) == 1


def test_the_page_names_the_command_and_the_file() -> None:
    page = render("title", [score_table(found(), "m1")])

    assert "lexitune thresholds 0.62" in page
    assert "reports/m1.scores.tsv" in page
    assert "by 40 dev queries" in page
