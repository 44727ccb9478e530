"""What stands beside a gain: the queries that training had not seen, other seeds, and what needs no training."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest

from lexitune.io.atomic import replace_text
from lexitune.io.workspace import Meta, Workspace, write_meta
from lexitune.metrics.comparison import Comparison, Delta
from lexitune.stages.promote.beside import other_seeds, without_training
from lexitune.stages.promote.driver import run
from lexitune.stages.promote.gate import gate
from lexitune.stages.promote.options import PromoteOptions

Evaluate = Callable[..., dict[str, Any]]
Restage = Callable[[Workspace, str, dict[str, Any]], None]


def gain(found: dict[str, Any]) -> Delta:
    return Comparison.from_json(found["comparison"]).delta("R@10")


@pytest.mark.parametrize(
    ("case", "unseen", "answer", "said"),
    [
        ("they gain, too", {"won": 30, "lost": 0, "wrong": 70}, "PROMOTE", ""),
        ("all the gain was in what training had seen", {"won": 6, "lost": 6, "wrong": 88}, "CANNOT DECIDE", "+0.0"),
        ("they lose", {"won": 0, "lost": 30, "right": 70}, "REFUSE", "-30.0"),
        ("none of them changed", {"won": 0, "lost": 0, "wrong": 60}, "CANNOT DECIDE", "the other 60 gain +0.0"),
        # t alone would refuse: 4 of 60 lost is [-13.2, -0.2]. Of 2^4 ways to flip four signs 2 are as far: p = 0.12.
        ("four of sixty lost", {"won": 0, "lost": 4, "right": 56}, "CANNOT DECIDE", "the other 60 gain -6.7"),
        ("too few to tell", {"won": 30, "lost": 0, "wrong": 10}, "CANNOT DECIDE", "the other 40 gain +75.0"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_gain_has_to_stand_without_the_queries_that_training_had(
    case: str, unseen: dict[str, int], answer: str, said: str, evaluation: Evaluate
) -> None:
    found = evaluation(won=80, lost=0, wrong=70) | {"unseen": asdict(gain(evaluation(**unseen)))}

    result = gate(found)

    assert result.answer == answer
    asked = [reason for reason in result.reasons if "ask what a train or dev query asks" in reason]
    assert bool(asked) == bool(said)
    assert all(said in reason for reason in asked)


def test_queries_that_did_not_change_show_no_failure_under_min_gain_either(evaluation: Evaluate) -> None:
    found = evaluation(won=80, lost=0, wrong=70) | {"unseen": asdict(gain(evaluation(won=0, lost=0, wrong=60)))}

    assert gate(found, options=PromoteOptions(min_gain=0.02)).answer == "CANNOT DECIDE"


def test_what_all_queries_do_not_show_is_not_asked_of_some(evaluation: Evaluate) -> None:
    found = evaluation(won=5, lost=5, wrong=140) | {"unseen": asdict(gain(evaluation(won=4, lost=5, wrong=100)))}

    assert not any("ask what a train" in reason for reason in gate(found).reasons)


@pytest.mark.parametrize(
    ("others", "answer", "said"),
    [
        ({}, "PROMOTE", ""),
        ({"m2": {"won": 30, "lost": 0, "wrong": 170}}, "PROMOTE", "with other seeds: +15.0"),
        (
            {"m2": {"won": 30, "lost": 0, "wrong": 170}, "m3": {"won": 10, "lost": 14, "right": 176}},
            "CANNOT DECIDE",
            "another seed says otherwise: m3 -2.0 points",
        ),
    ],
)
def test_seeds_have_to_agree_in_sign(
    others: dict[str, dict[str, int]], answer: str, said: str, evaluation: Evaluate
) -> None:
    seeds = {name: gain(evaluation(**counts)) for name, counts in others.items()}

    result = gate(evaluation(won=40, lost=5, wrong=155), seeds=seeds)

    assert result.answer == answer
    assert bool(said) == any("seed" in reason for reason in result.reasons)
    assert said in " ".join(result.reasons)


def test_what_gains_more_without_training_is_named_and_decides_nothing(evaluation: Evaluate) -> None:
    found = evaluation(won=40, lost=5, wrong=155)

    better = gate(found, untrained={"the hybrid of stock and BM25": 0.10, "a larger model": 0.25})
    worse = gate(found, untrained={"the hybrid of stock and BM25": 0.10})

    assert better.answer == worse.answer == "PROMOTE"
    assert any(reason.startswith("a larger model gains +25.0 points over stock") for reason in better.reasons)
    assert not any("without training" in reason for reason in worse.reasons)


def trained(workspace: Workspace, model_id: str, *, seed: int, epochs: int = 1, pairs: str = "p1") -> None:
    write_meta(workspace.models / model_id, Meta("train", {"epochs": epochs, "seed": seed}, {"train": pairs}))


def test_the_same_training_with_another_seed_is_found_among_what_was_evaluated(
    ready: Workspace, restage: Restage, evaluation: Evaluate
) -> None:
    for name, counts, made in (
        ("m2", {"won": 2, "lost": 6, "right": 92}, {"seed": 2}),
        ("m3", {"won": 9, "lost": 0, "wrong": 91}, {"seed": 3, "epochs": 2}),
        ("m4", {"won": 9, "lost": 0, "wrong": 91}, {"seed": 4, "pairs": "p2"}),
        ("m1", {"won": 40, "lost": 0, "wrong": 60}, {"seed": 1}),  # staged last
    ):
        restage(ready, name, evaluation(**counts, model_id=name))
        trained(ready, name, **made)

    assert other_seeds(ready, "m1", evaluation(won=40, lost=0, wrong=60)).keys() == {"m2"}
    result = run(ready)

    assert result.answer == "CANNOT DECIDE"
    assert any("another seed says otherwise: m2 -4.0 points" in reason for reason in result.reasons)


@pytest.mark.parametrize("damage", ["{", "{}", "comparison"])
def test_an_evaluation_that_cannot_be_read_says_nothing_of_another(
    damage: str, ready: Workspace, restage: Restage, evaluation: Evaluate
) -> None:
    other, found = evaluation(won=2, lost=6, right=92, model_id="m2"), evaluation(won=40, lost=0, wrong=60)
    restage(ready, "m2", other)
    restage(ready, "m1", found)
    trained(ready, "m2", seed=2)
    trained(ready, "m1", seed=1)
    assert other_seeds(ready, "m1", found).keys() == {"m2"}

    text = json.dumps(other | {"comparison": {}}) if damage == "comparison" else damage
    replace_text(ready.reports / "m2.json", text)

    assert other_seeds(ready, "m1", found) == {}


def test_what_an_assessment_measured_is_read_from_it(ready: Workspace, evaluation: Evaluate) -> None:
    lifts = {name: {"mean": mean} for name, mean in (("hybrid", 0.1), ("known", 0.6), ("bm25", 0.9), ("e5", -0.1))}
    found = evaluation(won=40, lost=0, wrong=60)

    assert without_training(ready, found) == {}
    replace_text(ready.reports / "assess.json", json.dumps({"evidence": {"lifts": lifts}}))

    known = "stock with known queries in its index"
    assert without_training(ready, found) == {"the hybrid of stock and BM25": 0.1, known: 0.6, "e5": -0.1}
    assert without_training(ready, found | {"primary": "nDCG@10"}) == {}
    assert any(reason.startswith(f"{known} gains +60.0 points") for reason in run(ready).reasons)
