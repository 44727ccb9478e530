"""The benchmark of the adapter, small: a row a set, which a second call reads back."""

from collections.abc import Callable
from pathlib import Path

import pytest
from benchmarks.adapter import measure, summary
from benchmarks.rows import find_row, read_rows
from benchmarks.sample import draw

from benchmarks import adapter
from lexitune.stages.train.options import TrainOptions

SMALL = {"set": "tatqa", "pairs": 16, "docs": 60, "queries": 6, "threads": 1}


def test_a_set_is_measured_with_both_recipes_and_its_row_read_back(
    tmp_path: Path, shared_data: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    shared_data("tatqa")
    monkeypatch.setattr(adapter, "DEFAULT", TrainOptions(blend=1.0))  # spares the sweep over general text

    row = measure(tmp_path, SMALL, rounds=1)

    rows = read_rows(tmp_path / "rows.jsonl")
    assert find_row(rows, SMALL) == row
    assert find_row(rows, SMALL | {"pairs": 17}) is None
    assert (row["train_pairs"], row["corpus"]) == (16, 60)
    assert row["adapter"]["R@10"]["n"] == row["full"]["R@10"]["n"] == row["stock"]["n"] == 6
    assert {"ours", "peer", "ratio", "agreement"} <= summary([row]).keys()


def test_the_share_of_the_gain_is_ours_over_the_fine_tunes() -> None:
    # Stock 0.5; the adapter gains 0.1 in 2 s, the fine-tune 0.2 in 60 s: half the gain, 30 times faster.
    row = {
        "set": "law",
        "stock": {"mean": 0.5},
        "adapter": {"seconds": 2.0, "R@10": {"mean": 0.6}, "gain": {"mean": 0.1}},
        "full": {"seconds": 60.0, "R@10": {"mean": 0.7}, "gain": {"mean": 0.2}},
    }

    found = summary([row])

    assert found["ratio"] == {"median": 30.0, "low": 30.0, "high": 30.0}
    assert found["agreement"] == {"law": 0.5}


@pytest.mark.parametrize(("each_pair", "queries", "pairs"), [(True, None, 2), (False, 2, None)])
def test_pairs_are_drawn_one_by_one_and_queries_whole(each_pair: bool, queries: int | None, pairs: int | None) -> None:
    qrels = {f"q{number}": {"d1": 1, "d2": 2} for number in range(4)}

    found = draw(qrels, 2, each_pair=each_pair)

    assert found == draw(qrels, 2, each_pair=each_pair)
    assert pairs is None or sum(map(len, found.values())) == pairs
    assert queries is None or (len(found) == queries and all(grades == qrels["q0"] for grades in found.values()))
