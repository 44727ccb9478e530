"""The gate: yes, a shown failure, and everything between."""

from collections.abc import Callable
from typing import Any

import pytest

from lexitune.errors import DataError
from lexitune.stages.promote.gate import exit_code, gate
from lexitune.stages.promote.options import PromoteOptions
from lexitune.types import GateResult

Evaluate = Callable[..., dict[str, Any]]


@pytest.mark.parametrize(
    ("case", "counts", "options", "answer"),
    [
        ("a clear gain", {"won": 40, "lost": 5, "wrong": 155}, {}, "PROMOTE"),
        ("a clear loss", {"won": 5, "lost": 40, "wrong": 155}, {}, "REFUSE"),
        ("won and lost alike", {"won": 20, "lost": 20, "wrong": 160}, {}, "CANNOT DECIDE"),
        ("a gain that is real but under min_gain", {"won": 6, "lost": 5, "wrong": 989}, {"min_gain": 0.10}, "REFUSE"),
        ("a gain around min_gain", {"won": 30, "lost": 10, "wrong": 160}, {"min_gain": 0.10}, "CANNOT DECIDE"),
        ("49 queries", {"won": 30, "lost": 0, "wrong": 19}, {}, "CANNOT DECIDE"),
        ("50 queries", {"won": 30, "lost": 0, "wrong": 20}, {}, "PROMOTE"),
        ("49 queries that all failed are still too few", {"won": 0, "lost": 49}, {}, "CANNOT DECIDE"),
        ("nothing changed", {"won": 0, "lost": 0, "wrong": 500}, {}, "CANNOT DECIDE"),
        ("nothing changed, under min_gain", {"won": 0, "lost": 0, "wrong": 500}, {"min_gain": 0.02}, "CANNOT DECIDE"),
        # t alone would say yes: mean 0.005, lower bound 0.0006. Of 2^5 ways to flip five signs 2 are as far: p = 0.06.
        ("five of a thousand changed", {"won": 5, "lost": 0, "wrong": 995}, {}, "CANNOT DECIDE"),
        ("five of a thousand lost", {"won": 0, "lost": 5, "right": 995}, {}, "CANNOT DECIDE"),
        (
            "no loss is enough where min_gain allows one",
            {"won": 20, "lost": 20, "wrong": 960},
            {"min_gain": -0.02},
            "PROMOTE",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_answer(
    case: str, counts: dict[str, int], options: dict[str, Any], answer: str, evaluation: Evaluate
) -> None:
    assert gate(evaluation(**counts), options=PromoteOptions(**options)).answer == answer


def test_the_reason_has_the_gain_its_interval_and_the_counts(evaluation: Evaluate) -> None:
    result = gate(evaluation(won=40, lost=5, wrong=155))

    # 35 of 200: 17.5 points; the standard error is sqrt((45/200 - 0.175^2) / 199) = 3.13 points.
    assert result.reasons[0].startswith("R@10 gains +17.5 points [+11.")
    assert result.reasons[0].endswith("n=200: 40 queries won, 5 lost")
    assert result.evidence["gain"]["mean"] == pytest.approx(0.175, abs=1e-12)


def test_a_gain_not_shown_says_how_many_more_queries_would_show_it(evaluation: Evaluate) -> None:
    # d = 40/200 = 0.20, gain 0.05: 621 queries for 80 % power (the table), 421 more; in two figures 430.
    result = gate(evaluation(won=25, lost=15, wrong=160))

    assert result.answer == "CANNOT DECIDE"
    assert result.reasons[2] == "label about 430 more test queries"


def test_no_labels_are_asked_for_where_the_gain_seen_is_not_one(evaluation: Evaluate) -> None:
    result = gate(evaluation(won=20, lost=20, wrong=160))

    assert "more labels alone may not help" in result.reasons[2]


def test_missing_queries_are_counted(evaluation: Evaluate) -> None:
    result = gate(evaluation(won=10, lost=0, wrong=10))

    assert result.reasons[1] == "20 test queries carry no verdict, the least is 50: label 30 more"


def test_bm25_ahead_is_told_and_alone_refuses_nothing(evaluation: Evaluate) -> None:
    result = gate(evaluation(won=40, lost=0, wrong=160, bm25_right=120))

    assert result.answer == "PROMOTE"
    assert result.reasons[-1] == (
        "BM25 is ahead of the tuned model and of its hybrid: serve BM25, or train on more pairs"
    )


def test_a_hybrid_that_beats_bm25_is_recommended(evaluation: Evaluate) -> None:
    found = evaluation(won=40, lost=0, wrong=160, bm25_right=120)
    found["against_bm25"]["hybrid_tuned"] = evaluation(won=40, lost=0, wrong=160)["against_bm25"]["tuned"]

    assert gate(found).reasons[-1] == "BM25 is ahead of the tuned model alone: serve them as a hybrid"


@pytest.mark.parametrize(
    ("case", "bm25_right", "answer"),
    [
        ("BM25 far behind", 0, "PROMOTE"),
        ("BM25 level", 40, "CANNOT DECIDE"),
        ("BM25 far ahead", 160, "REFUSE"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_beat_bm25_demands_an_interval_above_it(case: str, bm25_right: int, answer: str, evaluation: Evaluate) -> None:
    found = evaluation(won=40, lost=0, wrong=160, bm25_right=bm25_right)

    assert gate(found, options=PromoteOptions(beat_bm25=True)).answer == answer


def test_bm25_ahead_on_too_few_queries_refuses_nothing(evaluation: Evaluate) -> None:
    found = evaluation(won=10, lost=0, wrong=30, bm25_right=40)

    assert gate(found, options=PromoteOptions(beat_bm25=True)).answer == "CANNOT DECIDE"


def test_many_more_unjudged_hits_are_noted(evaluation: Evaluate) -> None:
    result = gate(evaluation(won=40, lost=5, wrong=155, unjudged=0.12))

    assert any(reason.startswith("unjudged in the first ten: stock 0 %, tuned 12 %") for reason in result.reasons)


def test_slices_stand_beside_the_verdict(evaluation: Evaluate) -> None:
    result = gate(evaluation(won=40, lost=5, wrong=155, seen=40))

    # The first 40 queries are the ones won: all of the seen slice.
    assert "seen document: R@10 gains +100.0 points [+100.0, +100.0], n=40" in result.reasons


def test_a_slice_that_got_worse_is_called_so(evaluation: Evaluate) -> None:
    result = gate(evaluation(lost=40, won=0, right=160, seen=40))

    assert any(reason.startswith("seen document") and reason.endswith("(it got worse)") for reason in result.reasons)


def test_the_wider_interval_decides(evaluation: Evaluate) -> None:
    # Clustered queries: the bootstrap knows that 40 wins of one family are one piece of evidence.
    found = evaluation(won=40, lost=5, wrong=155)
    found["comparison"]["deltas"]["R@10"]["bootstrap_low"] = -0.01

    assert gate(found).answer == "CANNOT DECIDE"
    assert gate(found).evidence["gain"]["low"] == -0.01


@pytest.mark.parametrize(("answer", "code"), [("PROMOTE", 0), ("REFUSE", 4), ("CANNOT DECIDE", 5)])
def test_exit_codes(answer: str, code: int) -> None:
    assert exit_code(GateResult(answer, ())) == code


def test_something_else_than_an_evaluation_is_a_data_error() -> None:
    with pytest.raises(DataError) as raised:
        gate({"primary": "R@10"})

    assert raised.value.code == "E3303"
