"""What training may read beside the judgements and their weights: mined negatives, and a teacher's scores."""

from __future__ import annotations

from lexitune.io.examples import examples_path, is_of_other_data, read_examples
from lexitune.io.workspace import Workspace
from lexitune.types import Example, Talk

__all__ = ["mined_examples"]


def mined_examples(workspace: Workspace, *, talk: Talk) -> list[Example]:
    """The workspace's `examples.parquet`; none where there is no such file, or where it was mined from other data."""
    path = examples_path(workspace)
    if not path.exists():
        return []
    if is_of_other_data(workspace):
        talk.say("train: examples.parquet was mined from other data and is not used; lexitune mine makes it anew")
        return []
    return read_examples(path)
