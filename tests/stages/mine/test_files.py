"""What mining writes for training: a teacher's scores where there was a teacher."""

from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq

from lexitune.io.examples import read_examples
from lexitune.stages.mine.files import write_examples
from lexitune.stages.mine.mining import Mined
from lexitune.types import Example

Mine = Callable[..., Mined]

# By the vectors d3 is too close to q1's right passages; by the cross-encoder it is far. d4 has no score there, so 0.
SCORES = {"q1": {"d1": 0.80, "d2": 0.70, "d3": 0.69, "d4": 0.1}, "q2": {"d4": 0.9}}
QRELS = {"q1": {"d2": 1, "d1": 2}, "q2": {"d4": 1}}
RESCORE = {"q1": {"d1": 4.0, "d2": 2.0, "d3": 1.0}, "q2": {"d4": -1.0}}


def test_a_cross_encoder_is_a_teacher_of_positives_then_negatives(mine: Mine, tmp_path: Path) -> None:
    write_examples(tmp_path / "examples.parquet", mine(SCORES, QRELS, rescore=RESCORE))

    assert read_examples(tmp_path / "examples.parquet") == [
        Example("q1", ("d2", "d1"), ("d3", "d4"), teacher_scores=(2.0, 4.0, 1.0, 0.0)),
        Example("q2", ("d4",), (), teacher_scores=(-1.0,)),  # all others have 0, above it
    ]


def test_without_one_there_is_no_such_column(mine: Mine, tmp_path: Path) -> None:
    write_examples(tmp_path / "examples.parquet", mine(SCORES, QRELS))

    assert "teacher_scores" not in pq.read_schema(tmp_path / "examples.parquet").names
    assert {example.teacher_scores for example in read_examples(tmp_path / "examples.parquet")} == {()}
