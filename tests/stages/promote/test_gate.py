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
    assert result.reasons[-2] == (
        "BM25 is ahead of the tuned model and of its hybrid: serve BM25, or train on more pairs"
    )


def test_a_hybrid_that_beats_bm25_is_recommended(evaluation: Evaluate) -> None:
    found = evaluation(won=40, lost=0, wrong=160, bm25_right=120)
    found["against_bm25"]["hybrid_tuned"] = evaluation(won=40, lost=0, wrong=160)["against_bm25"]["tuned"]

    assert gate(found).reasons[-2] == "BM25 is ahead of the tuned model alone: serve them as a hybrid"


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


@pytest.mark.parametrize(
    ("case", "counts", "slices", "answer"),
    [
        # The seen slice is the queries won; those lost come first in the other one.
        ("30 of 100 lost", {"won": 100, "lost": 30, "right": 30, "wrong": 40}, 100, "REFUSE"),
        ("6 of 60 lost, p 0.03 alone and 0.06 of two", {"won": 60, "lost": 6, "right": 54}, 60, "PROMOTE"),
        ("10 of 60 lost", {"won": 60, "lost": 10, "right": 50}, 60, "REFUSE"),
        ("all of 49 lost", {"won": 100, "lost": 49}, 100, "PROMOTE"),
        ("all of 50 lost", {"won": 100, "lost": 50}, 100, "REFUSE"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_slice_of_fifty_that_is_clearly_worse_refuses(
    case: str, counts: dict[str, int], slices: int, answer: str, evaluation: Evaluate
) -> None:
    assert gate(evaluation(**counts, seen=slices)).answer == answer


def test_the_worse_slice_is_named_with_its_loss_first(evaluation: Evaluate) -> None:
    result = gate(evaluation(won=100, lost=50, seen=100))

    # Of 2000 resamples none is as far: p = 1 / 2001, twice that for two slices.
    assert result.reasons[0].startswith("R@10 gains +33.3 points")
    assert result.reasons[1] == (
        "a shown failure on a slice, unseen document: R@10 -100.0 points [-100.0, -100.0], n=50, "
        "p 0.001 after Holm over 2 slices"
    )
    assert result.evidence["slices"]["unseen document"]["p_holm"] == pytest.approx(2 / 2001)


def test_a_slice_may_lose_what_the_whole_may(evaluation: Evaluate) -> None:
    # 10 of 100 lost on the slice is less than the 20 points that are given away knowingly.
    found = evaluation(won=100, lost=10, right=90, seen=100)

    assert gate(found).answer == "REFUSE"
    assert gate(found, options=PromoteOptions(min_gain=-0.2)).answer == "PROMOTE"


def test_too_few_test_queries_carry_no_verdict_on_a_slice_either(evaluation: Evaluate) -> None:
    found = evaluation(won=100, lost=50, seen=100)

    assert gate(found, options=PromoteOptions(min_queries=200)).answer == "CANNOT DECIDE"


# The bound is two points. Of 400 queries, all tied but those lost: 4 lost are one point, [-2.0, -0.0]; 40 are ten.
GUARD = [
    ("nothing lost", (0, 0, 400), "safe", "PROMOTE", "PROMOTE"),
    ("a point, and the interval holds two", (0, 5, 400), "cannot tell", "PROMOTE", "CANNOT DECIDE"),
    ("ten points", (0, 40, 400), "harmed", "REFUSE", "REFUSE"),
    ("not measured", None, "cannot tell", "PROMOTE", "CANNOT DECIDE"),
]


@pytest.mark.parametrize(
    ("case", "guard", "word", "shown", "strict"), GUARD, ids=lambda value: value if isinstance(value, str) else ""
)
def test_the_guard(
    case: str, guard: tuple[int, int, int] | None, word: str, shown: str, strict: str, evaluation: Evaluate
) -> None:
    found = evaluation(won=40, lost=5, wrong=155, guard=guard)
    results = {each: gate(found, options=PromoteOptions(guard=each)) for each in ("shown", "strict", "off")}

    assert {each: result.answer for each, result in results.items()} == {
        "shown": shown,
        "strict": strict,
        "off": "PROMOTE",
    }
    assert all(any(word in reason for reason in result.reasons) for result in results.values())


def test_the_guards_reason_decides_and_stands_first(evaluation: Evaluate) -> None:
    result = gate(evaluation(won=40, lost=5, wrong=155, guard=(0, 40, 400)))

    # 40 of 400: the standard error is 1.50 points.
    assert result.reasons[1] == ("general text is harmed: nDCG@10 -10.0 points [-13.0, -7.0], n=400 (max_loss 2.0)")
    assert result.evidence["guard"]["general text"]["answer"] == "REFUSE"


def test_max_loss_moves_the_guard(evaluation: Evaluate) -> None:
    found = evaluation(won=40, lost=5, wrong=155, guard=(0, 40, 400))

    assert gate(found, options=PromoteOptions(max_loss=0.1)).answer == "PROMOTE"
    assert gate(found, options=PromoteOptions(max_loss=0.1, guard="strict")).answer == "CANNOT DECIDE"


def test_one_harmed_text_is_enough_and_comes_first(evaluation: Evaluate) -> None:
    found = evaluation(won=40, lost=5, wrong=155)
    found["guard"]["own text"] = evaluation(won=1, lost=0, guard=(0, 40, 400))["guard"]["general text"]

    result = gate(found)

    assert result.answer == "REFUSE"
    assert result.reasons[1].startswith("own text is harmed")
    assert any(reason.startswith("general text is safe") for reason in result.reasons)


def test_a_harm_is_shown_however_few_the_test_queries(evaluation: Evaluate) -> None:
    assert gate(evaluation(won=5, lost=0, guard=(0, 40, 400))).answer == "REFUSE"


def test_an_evaluation_from_before_the_guard_is_read_and_that_is_said(evaluation: Evaluate) -> None:
    found = evaluation(won=40, lost=5, wrong=155)
    del found["guard"], found["to_label"]

    result = gate(found)

    assert result.answer == "PROMOTE"
    assert any("nothing outside the field was measured" in reason for reason in result.reasons)


@pytest.mark.parametrize(
    ("case", "counts", "unjudged", "answer"),
    [
        ("a refusal", {"won": 5, "lost": 40, "wrong": 155}, 0.12, "CANNOT DECIDE"),
        ("a refusal, on the bound", {"won": 5, "lost": 40, "wrong": 155}, 0.10, "REFUSE"),
        ("undecided stays so", {"won": 20, "lost": 20, "wrong": 160}, 0.12, "CANNOT DECIDE"),
        ("a worse slice", {"won": 100, "lost": 50, "seen": 100}, 0.12, "CANNOT DECIDE"),
        ("a yes stands", {"won": 40, "lost": 5, "wrong": 155}, 0.12, "PROMOTE"),
        ("harm outside the field has no holes", {"won": 40, "lost": 5, "guard": (0, 40, 400)}, 0.12, "REFUSE"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_many_more_unjudged_hits_are_labelled_before_anything_is_refused(
    case: str, counts: dict[str, Any], unjudged: float, answer: str, evaluation: Evaluate
) -> None:
    result = gate(evaluation(**counts, unjudged=unjudged))

    assert result.answer == answer
    if answer == "CANNOT DECIDE":
        assert result.reasons[1].endswith("label these first: 123 pairs in runs/m1.unjudged.csv")


def test_the_share_of_unjudged_hits_is_an_option(evaluation: Evaluate) -> None:
    found = evaluation(won=5, lost=40, wrong=155, unjudged=0.12)

    assert gate(found, options=PromoteOptions(max_unjudged_more=0.2)).answer == "REFUSE"


def test_what_it_takes_to_serve_is_told_where_it_is_known(evaluation: Evaluate) -> None:
    found = evaluation(won=40, lost=5, wrong=155)
    found["sides"]["stock"] |= {"size": 4_608_000, "query_ms": 2.0}
    found["sides"]["tuned"] |= {"size": 9_216_000, "query_ms": 3.25}

    assert gate(found).reasons[-1] == ("to serve: 9.2 MB of vectors (stock 4.6), 3.2 ms a query in batches (stock 2.0)")


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
