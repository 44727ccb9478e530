"""Who learnt from a document: yes, no, and not known are three answers."""

from pathlib import Path

from tests.pipeline.shelf import put_model

from lexitune.io.learnt import Learnt
from lexitune.io.workspace import Workspace
from lexitune.pipeline.data import import_data
from lexitune.pipeline.lineage import is_here, models_trained_on
from lexitune.types import Dataset, Doc, Query, SealedQrels


def test_yes_no_and_not_known(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    put_model(workspace, "a-pair", learnt=[Learnt("doc", "d1", "pair"), Learnt("doc", "d1", "negative", "first")])
    put_model(workspace, "b-other", learnt=[Learnt("doc", "d2", "pair")])
    put_model(workspace, "c-older", learnt=None)
    put_model(workspace, "d-from-older", learnt=[Learnt("model", "d1", "unknown", "d1")])
    (workspace.models / ".building-e").mkdir()
    (workspace.models / ".lexitune-tmp-1f").mkdir()

    found = {one.model_id: (one.answer, one.how) for one in models_trained_on(workspace, "d1")}

    assert found == {
        "a-pair": ("yes", "doc, in a training pair; doc, as a mined negative, by first"),
        "b-other": ("no", ""),
        "c-older": ("not known", "it has no record of what it learnt from: an older lexitune made it"),
        "d-from-older": ("not known", "it was trained from d1, which has no record"),
        "e": ("not known", "its training is not finished"),
    }


def test_an_id_that_nothing_here_has_is_told_from_one_that_nobody_learnt_from(tmp_path: Path) -> None:
    docs = [Doc(f"d{number}", f"passage {number}") for number in range(3)]
    queries = {f"q{number}": Query(f"q{number}", f"query {number}?") for number in range(3)}
    split = {"train": {"q0": {"d0": 1}}, "dev": {"q1": {"d1": 1}}}
    data = Dataset(docs, queries, split, SealedQrels(None, 1, {"q2": {"d2": 1}}))
    workspace = Workspace(tmp_path / "work")

    assert is_here(workspace, "d1") is None
    import_data(workspace, data)

    assert [is_here(workspace, wanted) for wanted in ("d1", "q1", "d3")] == [True, True, False]
