"""Thresholds of the user: carried over by a promotion, brought back by a rollback, refused where nothing tells."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lexitune.errors import DataError, UsageError
from lexitune.io.atomic import replace_text
from lexitune.io.workspace import Workspace
from lexitune.metrics.score_map import RankedScores, learn_score_map
from lexitune.stages.promote.driver import rollback, run
from lexitune.stages.promote.serving import read_serving
from lexitune.stages.promote.thresholds import between

Evaluate = Callable[..., dict[str, Any]]
Restage = Callable[[Workspace, str, dict[str, Any]], None]


def moved(found: dict[str, Any], *, by: float) -> dict[str, Any]:
    """The evaluation of a model whose scores are the stock model's and `by` more."""
    score = np.linspace(0, 1, 200).reshape(40, 5)
    right = np.zeros(score.shape, dtype=bool)
    out = [bool(number % 2) for number in range(40)]
    found["score_map"] = learn_score_map(
        RankedScores(score, right), RankedScores(score + by, right), held_out=out
    ).to_json()
    return found


@pytest.fixture
def mapped(ready: Workspace, evaluation: Evaluate, restage: Restage) -> Workspace:
    """The challenger m1 scores everything 0.1 lower than stock."""
    restage(ready, "m1", moved(evaluation(won=40, lost=0, wrong=60), by=-0.1))
    return ready


@pytest.fixture
def second(evaluation: Evaluate, restage: Restage) -> Callable[[Workspace], None]:
    """Stages m2, another model that scores everything 0.3 higher than stock."""

    def stage(workspace: Workspace) -> None:
        found = moved(evaluation(won=40, lost=0, wrong=60, model_id="m2"), by=0.3)
        found["sides"]["tuned"] |= {"vectors": "vectors/other", "fingerprint": "f-other"}
        restage(workspace, "m2", found)

    return stage


def thresholds(workspace: Workspace) -> dict[str, float]:
    serving = read_serving(workspace)
    assert serving is not None
    return dict(serving.thresholds)


def test_a_threshold_is_carried_over_beside_what_was_measured(mapped: Workspace) -> None:
    run(mapped, thresholds={"cut": 0.62})

    assert thresholds(mapped) == {"relevant_p05": 0.4, "cut": pytest.approx(0.52, abs=1e-5)}


def test_a_rollback_brings_the_old_threshold_back(mapped: Workspace) -> None:
    run(mapped, thresholds={"cut": 0.62})

    rollback(mapped)

    assert thresholds(mapped) == {"relevant_p05": 0.3, "cut": 0.62}


def test_the_next_promotion_carries_it_on_by_way_of_the_stock_model(
    mapped: Workspace, second: Callable[[Workspace], None]
) -> None:
    run(mapped, thresholds={"cut": 0.62})
    second(mapped)
    run(mapped)

    # 0.52 under m1 is 0.62 under stock, and that is 0.92 under m2.
    assert thresholds(mapped)["cut"] == pytest.approx(0.92, abs=1e-5)
    rollback(mapped)
    assert thresholds(mapped)["cut"] == pytest.approx(0.52, abs=1e-5)


def test_promoting_the_same_again_moves_nothing(mapped: Workspace) -> None:
    run(mapped, thresholds={"cut": 0.62})
    line = mapped.serving.read_text(encoding="utf-8")
    run(mapped)

    assert mapped.serving.read_text(encoding="utf-8") == line


def test_a_threshold_given_where_the_challenger_serves_already_is_refused(mapped: Workspace) -> None:
    run(mapped)

    with pytest.raises(UsageError, match="serves already") as raised:
        run(mapped, thresholds={"cut": 0.62})

    assert (raised.value.code, raised.value.fix) == ("E2012", "lexitune thresholds 0.62")
    assert "cut" not in thresholds(mapped)


def test_a_model_under_another_index_keeps_its_thresholds_as_they_are(
    mapped: Workspace, evaluation: Evaluate, restage: Restage
) -> None:
    run(mapped, thresholds={"cut": 0.62})
    found = evaluation(won=40, lost=0, wrong=60)  # and no map, which is not needed
    found["sides"]["tuned"]["thresholds"] = {"relevant_p05": 0.41}  # measured again
    restage(mapped, "m1", found)
    run(mapped)

    assert thresholds(mapped) == {"relevant_p05": 0.41, "cut": pytest.approx(0.52, abs=1e-5)}


@pytest.mark.parametrize(
    ("case", "change", "fix"),
    [
        ("an older evaluation", lambda found: found.pop("score_map"), "rm "),
        ("too few dev queries", lambda found: found.update(score_map=None), "judge more queries"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " in value else "",
)
def test_without_a_map_nothing_is_switched(
    case: str,
    change: Callable[[dict[str, Any]], Any],
    fix: str,
    mapped: Workspace,
    evaluation: Evaluate,
    restage: Restage,
) -> None:
    found = moved(evaluation(won=40, lost=0, wrong=60), by=-0.1)
    change(found)
    restage(mapped, "m1", found)

    with pytest.raises(DataError) as raised:
        run(mapped, thresholds={"cut": 0.62})

    assert raised.value.code == "E3308"
    assert raised.value.fix.startswith(fix)
    assert read_serving(mapped) is None
    assert run(mapped).answer == "PROMOTE"  # without thresholds none is needed


def test_a_champion_measured_beside_another_stock_model_is_refused(
    mapped: Workspace, second: Callable[[Workspace], None]
) -> None:
    run(mapped, thresholds={"cut": 0.62})
    path = mapped.reports / "m1.json"
    replace_text(path, path.read_text(encoding="utf-8").replace("f-stock", "f-elsewhere"))
    second(mapped)

    with pytest.raises(DataError, match="nothing tells its scores") as raised:
        run(mapped)

    assert raised.value.code == "E3308"
    assert raised.value.fix.startswith(f"lexitune evaluate --model {mapped.models / 'm1'}")
    assert thresholds(mapped)["cut"] == pytest.approx(0.52, abs=1e-5)


@pytest.mark.parametrize(("name", "score"), [("relevant_p05", 0.5), ("cut", float("nan")), ("cut", float("inf"))])
def test_a_threshold_that_can_be_none_is_refused_before_the_gate_is_asked(
    name: str, score: float, mapped: Workspace
) -> None:
    with pytest.raises(UsageError) as raised:
        run(mapped, thresholds={name: score})

    assert raised.value.code == "E2012"
    assert not (mapped.verdicts / "m1.json").exists()


def test_before_and_after_a_promotion_the_same_two_models_are_told_of(mapped: Workspace) -> None:
    before = between(mapped)
    run(mapped)
    after = between(mapped)

    assert [(found.old.model, found.new.model) for found in (before, after)] == [("minilm", "models/m1")] * 2
    assert before.at(0.62).new == after.at(0.62).new == pytest.approx(0.52, abs=1e-5)


def test_the_next_challenger_is_told_of_from_what_serves(
    mapped: Workspace, second: Callable[[Workspace], None]
) -> None:
    run(mapped)
    second(mapped)

    found = between(mapped)

    told = found.at(0.52)
    assert (found.old.model, found.new.model) == ("models/m1", "models/m2")
    assert told.old == 0.52
    assert told.new == pytest.approx(0.92, abs=1e-5)
    assert found.seen == pytest.approx((-0.1, 0.9), abs=1e-5)
    assert found.typical([0.5]) == pytest.approx([0.4], abs=0.01)


def test_nothing_staged_or_not_evaluated_is_said_with_the_command(mapped: Workspace) -> None:
    with pytest.raises(DataError) as missing:
        between(mapped, "m7")
    (mapped.root / "staged.json").unlink()
    with pytest.raises(DataError) as nothing:
        between(mapped)

    assert (missing.value.code, missing.value.fix) == ("E3303", "lexitune evaluate")
    assert (nothing.value.code, nothing.value.fix) == ("E3302", "lexitune reembed")


@pytest.mark.parametrize("broken", ["{", "[]", '{"sides": {}}', json.dumps({"sides": {"stock": 1, "tuned": 2}})])
def test_a_report_that_is_no_evaluation(broken: str, mapped: Workspace) -> None:
    (mapped.reports / "m1.json").write_text(broken, encoding="utf-8")

    with pytest.raises(DataError) as raised:
        between(mapped)

    assert raised.value.code == "E3303"
