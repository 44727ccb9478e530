"""What is known before mining: nearly equal questions, and what is kept out without telling the test judgements."""

import json
from pathlib import Path

import pytest

from lexitune.errors import DataError, UsageError
from lexitune.models.load import load
from lexitune.models.options import ModelOptions
from lexitune.stages.mine.known import PURPOSE, gather_known, held_out, mined_queries
from lexitune.stages.mine.mining import mine
from lexitune.stages.mine.options import MineOptions
from lexitune.types import Dataset, Doc, Query, SealedQrels

DOCS = [Doc(f"d{n}", f"text {n}") for n in range(1, 6)]
ROW_OF = {doc.doc_id: row for row, doc in enumerate(DOCS)}
QUERIES = {i: Query(i, i) for i in ("q1", "q2", "v1", "t1")}
SEALED = SealedQrels(None, 1, {"t1": {"d3": 1, "d4": 0}})


def data(train: dict[str, dict[str, int]]) -> Dataset:
    return Dataset(DOCS, QUERIES, {"train": train, "dev": {"v1": {"d2": 1, "d5": 0}}}, SEALED)


def test_dev_and_test_passages_are_kept_out_and_the_opening_is_recorded(tmp_path: Path) -> None:
    journal = tmp_path / "openings.jsonl"

    kept_out = held_out(data({}), options=MineOptions(), openings=journal, sealed=None)

    assert kept_out == {"d2", "d3"}
    assert [json.loads(line)["purpose"] for line in journal.read_text().splitlines()] == [PURPOSE]


def test_nothing_is_opened_where_nothing_is_kept_out(tmp_path: Path) -> None:
    options = MineOptions(keep_out="none")

    assert held_out(data({}), options=options, openings=tmp_path / "openings.jsonl", sealed=None) == frozenset()
    assert not (tmp_path / "openings.jsonl").exists()


def test_a_test_set_is_not_opened_without_a_journal() -> None:
    with pytest.raises(UsageError) as caught:
        held_out(data({}), options=MineOptions(), openings=None, sealed=None)

    assert caught.value.code == "E2012"


def test_only_train_queries_with_a_right_passage_are_mined_for() -> None:
    assert mined_queries(data({"q2": {"d1": 0, "d2": 1}, "q1": {"d3": 0}})) == ["q2"]

    with pytest.raises(DataError) as caught:
        mined_queries(data({"q1": {"d3": 0}}))

    assert caught.value.code == "E3321"


def test_a_judgement_of_something_without_a_text_is_named() -> None:
    with pytest.raises(DataError, match="doc 'd77'") as caught:
        gather_known(data({"q1": {"d77": 1}}), ["q1"], ROW_OF, near=0.8)

    assert caught.value.code == "E3322"


def test_two_judges_of_one_question_who_disagree_leave_the_passage_out_of_the_wrong_ones() -> None:
    queries = {"q1": Query("q1", "what is tort"), "q2": Query("q2", "What is tort?")}
    split = {"train": {"q1": {"d1": 1, "d2": 0, "d3": 0}, "q2": {"d2": 1}}}

    known = gather_known(Dataset(DOCS, queries, split), ["q1", "q2"], ROW_OF, near=0.8)

    assert list(zip(known.near.rows.tolist(), known.near.columns.tolist(), strict=True)) == [(0, 1), (1, 0)]
    assert list(zip(known.wrong.rows.tolist(), known.wrong.columns.tolist(), strict=True)) == [(0, 2)]


@pytest.mark.parametrize(
    ("train", "named"), [({"q9": {"d1": 1}}, "query 'q9'"), ({"q1": {"d77": 1}}, "doc 'd77'")], ids=["query", "doc"]
)
def test_what_has_no_text_is_named_before_anything_is_encoded_or_opened(
    train: dict[str, dict[str, int]], named: str, tiny_model_folder: Path, tmp_path: Path
) -> None:
    model = load(str(tiny_model_folder), options=ModelOptions(precision="fp32", device="cpu"))

    with pytest.raises(DataError, match=named) as caught:
        mine(data(train), model=model, vectors=tmp_path / "vectors", openings=tmp_path / "openings.jsonl")

    assert caught.value.code == "E3322"
    assert list(tmp_path.iterdir()) == []
