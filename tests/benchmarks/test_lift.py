"""The lab: a row a run that is not measured again, and tables that say what the rows say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from benchmarks.harness import Side, real_set
from benchmarks.lift import __main__ as lab
from benchmarks.lift import shares, trial
from benchmarks.lift.__main__ import newest, run
from benchmarks.lift.guard import before_averaging, guard_of, guard_set, measure_pool
from benchmarks.lift.tables import lift_object, lift_table, race_table, trials_table
from benchmarks.lift.trial import MEASURES, gain, pack, read_recipe, sample, unpack
from benchmarks.rows import Row, add_row, find_row, read_rows
from benchmarks.sample import cut

from lexitune.errors import UsageError
from lexitune.models.load import load


def test_rows_are_kept_and_the_newest_of_a_key_is_found(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    for minutes in (1.0, 2.0):
        add_row({"set": "law", "seed": 1, "minutes": minutes}, path)

    assert find_row(read_rows(path), {"set": "law", "seed": 1}) == {"set": "law", "seed": 1, "minutes": 2.0}
    assert find_row(read_rows(path), {"set": "law", "seed": 2}) is None
    assert read_rows(tmp_path / "none.jsonl") == []


def test_a_recipe_is_its_name_and_what_differs_from_it() -> None:
    options, extras = read_recipe({"recipe": "default,batch_size=64,learning_rate=4e-4,mined=bm25", "seed": 3})

    assert (options.recipe, options.batch_size, options.learning_rate, options.seed) == ("default", 64, 4e-4, 3)
    assert (extras.mined, extras.curve) == ("bm25", 0)
    with pytest.raises(UsageError, match="batch_siz"):
        read_recipe({"recipe": "default,batch_siz=64", "seed": 3})


def test_values_are_kept_to_a_thousandth() -> None:
    values = np.array([0.0, 1 / 3, 1.0])

    assert pack(values) == "0 333 1000"
    assert unpack("0 333 1000").tolist() == [0.0, 0.333, 1.0]
    assert gain("1000 0 1000 1000", "0 0 1000 0")["mean"] == 0.5


@pytest.fixture
def small_key(tmp_path: Path, shared_data: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Mapping[str, Any]:
    """All of a trial's key but its recipe, on a small part of tatqa."""
    shared_data("tatqa")
    small = cut(real_set("tatqa"), tmp_path, pairs=40, docs=120, queries=12)
    monkeypatch.setattr(trial, "real_set", lambda name: small)
    return {"model": "minilm", "set": "tatqa", "seed": 2, "pairs": 16}


def test_a_trial_trains_and_measures_on_its_sample(tmp_path: Path, small_key: Mapping[str, Any]) -> None:
    key = {**small_key, "split": "dev", "recipe": "mnrl,epochs=1,batch_size=8,learning_rate=1e-3,warmup_steps=1"}

    trained = trial.make_training(key, str(tmp_path))()
    found = trial.make_measuring(key, str(tmp_path), str(tmp_path / "work"))()
    stock = trial.make_measuring(key, "", str(tmp_path / "work"))()

    assert (trained["trained_pairs"], trained["trained_steps"]) == (16, 2)
    assert trained["settled"]["batch_size"] == 8
    assert found["R@10"]["n"] == stock["bm25"]["nDCG@10"]["n"] == len(unpack(found["values"]["R@10"])) == 12
    assert found["values"] != stock["values"]
    assert 0 <= found["hybrid"]["bm25_weight"] <= 1


@pytest.mark.parametrize(("given", "opened"), [(",keep_out=dev+test", True), ("", False)])
def test_a_trial_may_mine_negatives_first(
    tmp_path: Path, small_key: Mapping[str, Any], given: str, opened: bool
) -> None:
    """Only to keep passages out that test queries ask for, test is opened."""
    key, folder = {**small_key, "recipe": f"default,mined=model{given},freeze_layers=5"}, tmp_path / "trial"

    assert trial.make_training(key, str(folder))()["trained_negatives"] > 0
    assert (folder / "openings.jsonl").exists() == opened


@pytest.mark.parametrize(
    ("recipe", "candidates"),
    [
        ("default", ""),
        ("default,negatives=0", ""),
        ("default,negatives=1", "model"),
        ("default,negatives=1,mined=none", ""),
        ("default,mined=bm25", "bm25"),
    ],
)
def test_negatives_are_mined_where_tune_would_or_as_the_recipe_says(recipe: str, candidates: str) -> None:
    options, extras = trial.read_recipe({"recipe": recipe, "seed": 1})

    assert extras.candidates(options) == candidates


def test_one_training_gives_a_row_of_each_split(
    tmp_path: Path, small_key: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The classic recipe's curve is dev's, with the time that it took to look; on test that time does not count."""
    calls: list[str] = []

    def observe(side: Side, threads: int) -> dict[str, Any]:
        calls.append(side.make.__name__)
        value = side.make(**side.given)()
        return {"value": value, "minutes": 0.0, "cpu_minutes": 0.0, "peak_mb": 0, "others": 0.0}

    monkeypatch.setattr(trial, "observe", observe)
    monkeypatch.setattr(trial, "guards", lambda *given: {"now": {"mean": 0.8}})
    key = {**small_key, "recipe": "mnrl,epochs=1,batch_size=8,curve=2"}
    path = tmp_path / "rows.jsonl"
    for _ in range(2):
        run([key], ("dev", "test"), path=path, work=tmp_path / "work", threads=2)

    before, dev, after, test = sorted(read_rows(path), key=lambda row: (row["split"], row["recipe"] != "stock"))
    assert calls.count("make_training") == 1
    assert (dev["recipe"], test["recipe"]) == (key["recipe"], "mnrl,epochs=1,batch_size=8")
    assert before["recipe"] == after["recipe"] == "stock"
    assert "curve" in dev
    assert "curve" not in test
    assert dev["train_minutes"] - test["train_minutes"] == pytest.approx(dev["curve"][-1]["looked"] / 60)
    assert 0 < test["train_minutes"] < dev["train_minutes"]


def test_both_recipes_of_a_seed_get_one_sample(shared_data: Callable[[str], Path]) -> None:
    shared_data("tatqa")
    data = real_set("tatqa")

    def drawn(seed: int) -> Mapping[str, Mapping[str, int]]:
        return sample(data, pairs=50, seed=seed).qrels["train"]

    assert drawn(1) == drawn(1) != drawn(2)
    assert sum(map(len, drawn(1).values())) == 50


def test_the_guard_leaves_the_own_set_out(shared_data: Callable[[str], Path]) -> None:
    shared_data("tatqa")

    queries, docs, qrels = guard_set("medquad")

    assert len(queries) == len(qrels) >= 300
    assert not any(doc.doc_id.startswith("medquad:") for doc in docs)
    assert {doc_id for grades in qrels.values() for doc_id in grades} <= {doc.doc_id for doc in docs}


def test_the_weights_before_averaging_come_back() -> None:
    stock, tuned = (load("minilm") for _ in range(2))
    parameter = next(iter(tuned.network.parameters()))
    start = parameter.detach().clone()
    parameter.data += 0.5  # a quarter of the way to 2

    before_averaging(tuned, stock, share=0.25)

    assert np.allclose(parameter.detach().numpy(), (start + 2).numpy(), atol=1e-6)


def test_shares_lie_between_stock_and_what_was_trained(
    tmp_path: Path, shared_data: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    shared_data("tatqa")
    data = cut(real_set("tatqa"), tmp_path, pairs=40, docs=120, queries=12)
    held = [data.queries[query_id] for query_id in sorted(data.qrels["dev"])], list(data.docs), data.qrels["dev"]
    monkeypatch.setattr(shares, "real_set", lambda name: data)
    monkeypatch.setattr(shares, "guard_set", lambda name: held)
    stock, tuned = load("minilm"), load("minilm")
    draw = torch.Generator().manual_seed(3)
    for parameter in tuned.network.parameters():
        parameter.data += 0.2 * parameter.std() * torch.randn(parameter.shape, generator=draw)
    tuned.network.refresh()
    ends = [
        (measure_pool(one, *held, measure=MEASURES[0]).mean(MEASURES[0]), guard_of(one, held)["mean"])
        for one in (stock, tuned)
    ]

    points = list(shares.along(tuned, {"model": "minilm", "set": "tatqa"}, 0.5))

    assert [points[0], points[shares.SHARES.index(0.5)]] == ends
    assert len({guard for _, guard in points}) > 3


def test_what_a_trial_starts_from_is_fetched_before_processes_that_fetch_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[str] = []
    monkeypatch.setattr(lab, "model_folder", lambda choice, _: fetched.append(choice.location))
    monkeypatch.setattr(lab, "measure_stock", lambda key, **_: {**key, "fetched": list(fetched)})
    monkeypatch.setattr(lab, "run_trial", lambda key, **_: iter(()))
    path = tmp_path / "rows.jsonl"

    keys = lab.plan("acme/bert", sets="law", seeds="1,2", pairs="9", recipes="mnrl")
    run(keys, ("test",), path=path, work=tmp_path, threads=1)

    assert [one["fetched"] for one in read_rows(path)] == [["acme/bert"]]


def row(recipe: str, recall: str, minutes: float = 0.0, **more: Any) -> Row:
    """A row of one set with two queries."""
    values = unpack(recall)
    found = {
        name: {"mean": mean, "low": mean - 0.1, "high": mean + 0.1, "n": len(values)}
        for name, mean in (("R@10", float(values.mean())), ("nDCG@10", 0.5))
    }
    return {
        "set": "law",
        "split": "test",
        "recipe": recipe,
        "values": {"R@10": recall, "nDCG@10": recall},
        **found,
        "bm25": found,
        "hybrid": {**found, "bm25_weight": 0.5},
        "hybrid_values": {"R@10": recall},
        "guard": {"now": {"mean": 0.8}},
        **({} if recipe == "stock" else {"seed": 1, "pairs": 9, "trained_pairs": 9, "train_minutes": minutes}),
        "train": {"peak_mb": 100},
        **more,
    }


def test_the_lift_table_says_what_parts_the_recipes() -> None:
    rows = [
        row("stock", "500 0 500 500"),
        row("mnrl", "500 0 500 1000", 30.0),
        row("default", "1000 0 500 1000", 6.0),
        row("default", "0 0 0 0", 1.0, seed=2),  # no classic row of this sample: it takes no part
    ]

    recall, _, hybrid, hybrid_ndcg, cost = (
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in lift_table(rows).splitlines()
        if line.startswith("| law |")
    )

    # Stock 1.5 of 4, classic 2.0, default 2.5: 25 points, two thirds of stock.
    assert recall[:4] == ["law", "9", "1", "4"]
    assert recall[5].startswith("37.5 [")
    assert recall[6].startswith("50.0 [")
    assert recall[7].startswith("62.5 [")
    assert recall[9].startswith("+25.0 [")
    assert recall[10] == "+67 % (above)"
    assert recall[11].startswith("+12.5 [")
    assert recall[4] == "37.5 [27.5, 47.5]"
    assert hybrid[7].startswith("+25.0 [")
    assert hybrid_ndcg[4:8] == ["50.0", "50.0", "50.0", "-"]  # rows that kept no value a query
    assert cost[3:] == ["30.0 / 6.0", "5.0 [5.0, 5.0]", "100 / 100", "80.0 -> 80.0 -> 80.0", "80.0"]


def test_the_lift_is_an_object_too() -> None:
    rows = [
        row("stock", "500 0"),
        row("mnrl", "500 0", 30.0),
        row("default", "1000 0", 6.0, train={"peak_mb": 100, "gpu_mb": 70}, cpu="a processor"),
    ]

    other_device, found = (
        lift_object([*rows[:1], {**rows[1], **cpu}, rows[2]]) for cpu in ({}, {"cpu": "a processor"})
    )

    assert (found["rounds"], found["ratio"]) == (1, {"median": 5.0, "low": 5.0, "high": 5.0})
    assert (found["ours"], found["peer"]["seconds"]) == ({"seconds": 360.0, "peak_mb": 70}, 1800.0)
    assert found["hardware"] == ["a processor"]
    assert found["agreement"]["law, 9 pairs"]["mean"] == 0.25
    assert (other_device["rounds"], other_device["ratio"]) == (0, None)


def test_each_number_of_pairs_has_a_line_of_its_own() -> None:
    rows = [row("stock", "500 0")]
    for pairs in (9, 90):
        rows += [row("mnrl", "500 0", 8.0, pairs=pairs), row("default", "500 500", 2.0, pairs=pairs)]

    assert lift_table(rows).count("| law |") == 5 * 2


def test_the_newest_row_of_a_trial_counts() -> None:
    rows = [row("stock", "0"), row("default", "0"), row("default", "500", seed=2), row("default", "1000")]

    assert [one["values"]["R@10"] for one in newest(rows)] == ["0", "1000", "500"]


def test_the_table_of_trials_pools_seeds() -> None:
    rows = [row("stock", "0 0"), row("default", "1000 0"), row("default", "1000 1000", seed=2)]

    line = trials_table(rows).splitlines()[-1]

    assert line.startswith("| law | default | 9 | 2 | 75.0 | +75.0 [")
    assert line.endswith("| 80.0 |")  # the guard


def test_dev_has_no_guard() -> None:
    rows = [
        {name: value for name, value in one.items() if name != "guard"}
        for one in (row("stock", "0 0"), row("default", "1000 0"))
    ]

    assert [line.split("|")[-2].strip() for line in trials_table(rows).splitlines()] == ["guard", "---", "", "", ""]


def test_the_table_of_trials_sets_each_recipe_beside_the_default_one() -> None:
    rows = [
        row("stock", "0 0 0"),
        row("default", "500 500 0"),
        row("default", "0 0 0", seed=2),
        row("default", "0 0 0", pairs=90),
        row("fast", "1000 500 0"),
        row("mnrl", "1000 500 0", seed=3),  # the default recipe was not trained on this sample
    ]

    told = [[cell.strip() for cell in line.split("|")[2:-1]] for line in trials_table(rows).splitlines()[4:]]

    assert [(cells[0], cells[5].split(" ")[0]) for cells in told] == [
        ("default", ""),
        ("default", ""),
        ("fast", "+16.7"),
        ("mnrl", ""),
    ]


def test_the_race_is_to_nearly_all_of_the_classic_gain() -> None:
    curve = [{"step": 1.0, "seconds": 60.0, "R@10": 0.2}, {"step": 2.0, "seconds": 600.0, "R@10": 0.5}]
    curve.append({"step": 3.0, "seconds": 900.0, "R@10": 0.5})
    rows = [
        row("stock", "0 0"),
        row("mnrl,curve=3", "1000 0", 15.0, curve=curve),
        row("default", "1000 0", 2.0),  # 0.5: 10 minutes against 2
        row("fast", "500 400", 1.0),  # 0.45 of 0.475
        row("fast", "1000 500", 1.0, seed=2),  # no curve of this sample
    ]

    lines = race_table(rows).splitlines()[2:]

    assert lines == [
        "| law | 9 | 1 | default | 1 of 1 | 10.0 | 2.0 | 5.0 [5.0, 5.0] |",
        "| law | 9 | 1 | fast | 0 of 1 | 10.0 | nan | - |",
    ]


def test_minutes_of_two_processors_make_no_ratio() -> None:
    curve = [{"step": 1.0, "seconds": 600.0, "R@10": 0.5}]
    rows = [
        row("stock", "500 0"),
        row("mnrl", "1000 0", 15.0, cpu="old"),
        row("mnrl,curve=1", "1000 0", 15.0, curve=curve, cpu="old"),
        row("default", "1000 0", 2.0, cpu="new"),
    ]

    assert lift_table(rows).splitlines()[-1].split(" | ")[3:5] == ["15.0 / 2.0", "-"]
    assert not any("default" in line for line in race_table(rows).splitlines())


def test_the_classic_recipe_has_a_curve(tmp_path: Path, small_key: Mapping[str, Any]) -> None:
    recipe = "mnrl,epochs=2,batch_size=8,learning_rate=1e-3,warmup_steps=1,curve=2"
    key = {**small_key, "split": "dev", "recipe": recipe}

    trained = trial.make_training(key, str(tmp_path))()
    found = trial.make_measuring(key, str(tmp_path), str(tmp_path / "work"))()

    assert [point["step"] for point in found["curve"]] == [2.0, 4.0]
    assert 0 < found["curve"][0]["seconds"] < found["curve"][1]["seconds"]
    assert found["curve"][1]["seconds"] == pytest.approx(60 * trained["train_minutes"])
    assert found["curve"][1]["R@10"] == pytest.approx(found["R@10"]["mean"])
