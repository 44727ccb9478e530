"""Promote and roll back: what is asked for, what is written, what serves."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from lexitune.errors import DataError, UsageError
from lexitune.fingerprint import hash_file
from lexitune.io.atomic import replace_text
from lexitune.io.staged import Staged, staged_path, write_staged
from lexitune.io.workspace import Meta, Workspace, read_meta, write_meta
from lexitune.stages.promote.driver import recover, rollback, run
from lexitune.stages.promote.gate import exit_code
from lexitune.stages.promote.options import PromoteOptions
from lexitune.stages.promote.serving import Serving, read_serving
from lexitune.stages.promote.switch import events, history

Evaluate = Callable[..., dict[str, Any]]
Restage = Callable[[Workspace, str, dict[str, Any]], None]


def serves(workspace: Workspace) -> str | None:
    serving = read_serving(workspace)
    return serving.model if serving else None


def test_a_yes_makes_model_vectors_and_thresholds_serve_together(ready: Workspace) -> None:
    result = run(ready)

    serving = read_serving(ready)
    assert (result.answer, result.next_command) == ("PROMOTE", 'lexitune search "your query"')
    assert serving is not None
    assert replace(serving, at="") == Serving(
        "models/m1", "vectors/tuned", {"relevant_p05": 0.4}, fingerprint="f-tuned"
    )
    assert ready.serving.read_text(encoding="utf-8").count("\n") == 1
    assert not (ready.root / "switch-intent.json").exists()


@pytest.mark.parametrize(
    ("won", "lost", "answer"), [(0, 40, "REFUSE"), (20, 20, "CANNOT DECIDE")], ids=["refused", "undecided"]
)
def test_anything_but_a_yes_leaves_what_serves_alone(
    won: int, lost: int, answer: str, ready: Workspace, evaluation: Evaluate, restage: Restage
) -> None:
    restage(ready, "m1", evaluation(won=won, lost=lost, wrong=60))

    result = run(ready)

    assert result.answer == answer
    assert serves(ready) is None
    assert json.loads((ready.verdicts / "m1.json").read_text(encoding="utf-8"))["answer"] == answer


def test_the_verdict_says_what_it_was_made_of(ready: Workspace) -> None:
    run(ready, options=PromoteOptions(min_gain=0.02))

    meta = read_meta(ready.verdicts / "m1.json")
    assert meta is not None
    assert meta.options["min_gain"] == 0.02
    assert meta.inputs == {"evaluation": hash_file(ready.reports / "m1.json")}


def test_promoting_twice_is_promoting_once(ready: Workspace) -> None:
    run(ready)
    line = ready.serving.read_text(encoding="utf-8")
    run(ready)

    assert ready.serving.read_text(encoding="utf-8") == line
    assert len(history(ready)) == 1


def test_rollback_goes_back_one_promotion_at_a_time_down_to_the_stock_model(
    ready: Workspace, evaluation: Evaluate, restage: Restage
) -> None:
    run(ready)
    restage(ready, "m2", evaluation(won=40, lost=0, wrong=60, model_id="m2"))
    run(ready)

    served = [serves(ready)]
    for _ in range(2):
        rollback(ready)
        served.append(serves(ready))

    assert served == ["models/m2", "models/m1", "minilm"]
    with pytest.raises(UsageError) as raised:
        rollback(ready)
    assert (raised.value.code, raised.value.fix) == ("E2142", "lexitune status")


def test_rollback_brings_back_the_thresholds_as_well(ready: Workspace) -> None:
    run(ready)

    back = rollback(ready)

    assert (back.vectors, back.thresholds) == ("vectors/stock", {"relevant_p05": 0.3})


def test_the_log_keeps_why_each_switch_was_made(ready: Workspace) -> None:
    told = run(ready)
    rollback(ready, reason="complaints")

    found = [(event.action, event.serves.model, event.before.model, event.reason) for event in events(ready)]
    assert found == [
        ("promote", "models/m1", "minilm", told.reasons[0]),
        ("rollback", "minilm", "models/m1", "complaints"),
    ]


def test_a_log_of_an_older_lexitune_has_no_reasons(ready: Workspace) -> None:
    run(ready)
    log = ready.root / "serving-log.jsonl"
    entry = json.loads(log.read_text())
    del entry["reason"]
    log.write_text(json.dumps(entry) + "\n")

    assert [event.reason for event in events(ready)] == [""]


def test_a_promotion_after_a_rollback_can_be_rolled_back_again(ready: Workspace) -> None:
    run(ready)
    rollback(ready)
    run(ready)
    again = serves(ready)
    rollback(ready)

    assert (again, serves(ready)) == ("models/m1", "minilm")


def test_nothing_to_roll_back_to_before_the_first_promotion(ready: Workspace) -> None:
    with pytest.raises(UsageError, match="nothing was promoted"):
        rollback(ready)


def test_rollback_to_an_index_that_is_gone_changes_nothing(ready: Workspace) -> None:
    run(ready)
    (ready.vectors / "stock" / "manifest.json").unlink()

    with pytest.raises(DataError, match="vectors/stock gone or incomplete") as raised:
        rollback(ready)

    assert raised.value.code == "E3305"
    assert serves(ready) == "models/m1"


def test_nothing_staged(ready: Workspace) -> None:
    staged_path(ready).unlink()

    with pytest.raises(DataError) as raised:
        run(ready)

    assert (raised.value.code, raised.value.fix) == ("E3302", "lexitune reembed")


def test_another_challenger_is_staged(ready: Workspace) -> None:
    with pytest.raises(DataError) as raised:
        run(ready, model_id="m2")

    assert (raised.value.code, raised.value.fix) == ("E3302", "lexitune reembed m2")


def test_not_evaluated(ready: Workspace) -> None:
    (ready.reports / "m1.json").unlink()

    with pytest.raises(DataError) as raised:
        run(ready)

    assert (raised.value.code, raised.value.fix) == ("E3303", "lexitune evaluate")


@pytest.mark.parametrize("text", ["{", "[]", '{"sides": {}}'])
def test_a_report_that_is_no_evaluation(text: str, ready: Workspace) -> None:
    (ready.reports / "m1.json").write_text(text, encoding="utf-8")

    with pytest.raises(DataError) as raised:
        run(ready)

    assert raised.value.code == "E3303"


def test_an_index_staged_after_the_evaluation_was_not_evaluated(ready: Workspace) -> None:
    write_staged(ready, Staged("m1", "vectors/stock", "f-stock", hash_file(ready.corpus), "f-stock"))

    with pytest.raises(DataError) as raised:
        run(ready)

    assert (raised.value.code, raised.value.fix) == ("E3304", "lexitune evaluate")


def test_an_incomplete_index(ready: Workspace) -> None:
    (ready.vectors / "tuned" / "manifest.json").unlink()

    with pytest.raises(DataError) as raised:
        run(ready)

    assert (raised.value.code, raised.value.fix) == ("E3012", "lexitune reembed")
    assert serves(ready) is None


def test_vectors_of_another_model_under_the_staged_name(ready: Workspace) -> None:
    manifest = ready.vectors / "tuned" / "manifest.json"
    manifest.write_text(manifest.read_text(encoding="utf-8").replace("f-tuned", "f-other"), encoding="utf-8")

    with pytest.raises(DataError) as raised:
        run(ready)

    assert (raised.value.code, raised.value.fix) == ("E3304", "lexitune reembed")


def test_a_corpus_that_changed_since(ready: Workspace) -> None:
    ready.corpus.write_text('{"_id": "d1", "text": "y"}\n', encoding="utf-8")

    with pytest.raises(DataError, match="another corpus"):
        run(ready)


def test_an_evaluation_on_other_data_is_not_promoted(ready: Workspace) -> None:
    replace_text(ready.dataset, "{}")
    write_meta(ready.reports / "m1.json", Meta("evaluate", {}, {"data": "h-other"}))

    with pytest.raises(DataError, match="m1 was measured on other data") as raised:
        run(ready)
    served = serves(ready)
    write_meta(ready.reports / "m1.json", Meta("evaluate", {}, {"data": hash_file(ready.dataset)}))

    assert (raised.value.code, raised.value.fix, served) == ("E3304", "lexitune evaluate", None)
    assert run(ready).answer == "PROMOTE"


def test_a_model_that_is_gone_is_not_promoted(ready: Workspace) -> None:
    (ready.models / "m1").rmdir()

    with pytest.raises(DataError) as raised:
        run(ready)

    assert raised.value.code == "E3305"
    assert serves(ready) is None


def test_a_serving_line_that_somebody_edited_is_refused(ready: Workspace) -> None:
    ready.serving.write_text("models/m1\n", encoding="utf-8")

    with pytest.raises(DataError) as raised:
        read_serving(ready)

    assert raised.value.code == "E3306"


def test_recover_with_nothing_to_recover_makes_no_file(ready: Workspace) -> None:
    before = sorted(ready.root.iterdir())

    assert recover(ready) == ""
    assert sorted(ready.root.iterdir()) == before


def verdict(workspace: Workspace, model_id: str = "m1") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((workspace.verdicts / f"{model_id}.json").read_text(encoding="utf-8"))
    return found


def log(workspace: Workspace) -> list[dict[str, Any]]:
    lines = (workspace.root / "serving-log.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_the_verdict_holds_every_rule_with_its_figures_and_the_hashes(ready: Workspace) -> None:
    write_meta(ready.reports / "m1.json", Meta("evaluate", {}, {"data": "h-data", "general text": "h-text"}))

    run(ready)

    evidence = verdict(ready)["evidence"]
    assert evidence["gain"]["n"] == 100
    assert evidence["guard"]["general text"]["n"] == 400
    assert evidence["against_bm25"].keys() == {"tuned", "hybrid_tuned"}
    assert evidence["unjudged"] == {"stock": 0.0, "tuned": 0.0}
    assert evidence["options"]["max_loss"] == 0.02
    assert evidence["forced"] is None
    assert evidence["hashes"] == {
        "data": "h-data",
        "general text": "h-text",
        "stock": "f-stock",
        "tuned": "f-tuned",
        "qrels": "h-qrels",
        "evaluation": hash_file(ready.reports / "m1.json"),
    }


def test_force_makes_a_refused_challenger_serve_and_records_who_and_why(
    ready: Workspace, evaluation: Evaluate, restage: Restage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "anna")
    restage(ready, "m1", evaluation(won=0, lost=40, wrong=60))

    result = run(ready, force=" the old index is broken ")

    forced = verdict(ready)["evidence"]["forced"]
    assert (result.answer, exit_code(result), serves(ready)) == ("REFUSE", 0, "models/m1")
    assert (forced["who"], forced["why"], forced["gate"]) == ("anna", "the old index is broken", "REFUSE")
    assert log(ready)[-1]["forced"] == forced
    assert forced["at"]


def test_a_forced_promotion_is_rolled_back_like_any_other(
    ready: Workspace, evaluation: Evaluate, restage: Restage
) -> None:
    restage(ready, "m1", evaluation(won=0, lost=40, wrong=60))
    run(ready, force="a test")

    rollback(ready)

    assert serves(ready) == "minilm"
    assert ["forced" in entry for entry in log(ready)] == [True, False]


def test_what_the_gate_agrees_with_is_not_forced(ready: Workspace) -> None:
    run(ready, force="to be sure")

    assert verdict(ready)["evidence"]["forced"] is None
    assert "forced" not in log(ready)[-1]


@pytest.mark.parametrize("why", ["", "  "])
def test_force_demands_a_reason(why: str, ready: Workspace) -> None:
    with pytest.raises(UsageError) as raised:
        run(ready, force=why)

    assert raised.value.code == "E2145"
    assert not ready.verdicts.exists()


def test_force_does_not_stand_in_for_an_evaluation(ready: Workspace) -> None:
    (ready.reports / "m1.json").unlink()

    with pytest.raises(DataError) as raised:
        run(ready, force="no time")

    assert (raised.value.code, serves(ready)) == ("E3303", None)


def test_somebody_without_a_name_is_recorded_too(
    ready: Workspace, evaluation: Evaluate, restage: Restage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody() -> str:
        raise KeyError("uid not found: 1000")

    monkeypatch.setattr("getpass.getuser", nobody)
    restage(ready, "m1", evaluation(won=0, lost=40, wrong=60))

    run(ready, force="a test")

    assert verdict(ready)["evidence"]["forced"]["who"] == "unknown"
