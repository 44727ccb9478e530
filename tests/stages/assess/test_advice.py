"""The advice: which answer the figures give, and what is missing."""

from dataclasses import replace

import pytest

from lexitune.metrics.statistics import Interval
from lexitune.stages.assess.advice import advise
from lexitune.stages.assess.expected import Expected, Pilot, ShortTune
from lexitune.stages.assess.figures import Figures, Reranked
from lexitune.stages.assess.gap import Gap
from lexitune.stages.assess.options import AssessOptions
from lexitune.stages.assess.stability import Stability
from lexitune.stages.assess.supply import Supply
from lexitune.stages.assess.vocabulary import Term, Vocabulary


def figures(stock: Interval, *, hybrid: float = 0.5, pairs: int = 1000, tests: int = 300) -> Figures:
    other = {"R@10": Interval(hybrid, hybrid - 0.05, hybrid + 0.05, 300)}
    return Figures({"stock": {"R@10": stock}, "bm25": other, "hybrid": other}, 300, pairs, tests, 0.15)


@pytest.mark.parametrize(
    ("case", "given", "answer"),
    [
        ("all of the interval is below", figures(Interval(0.50, 0.45, 0.55, 300)), "TUNE"),
        ("the upper bound touches the threshold", figures(Interval(0.65, 0.60, 0.70, 300)), "CANNOT TELL"),
        ("the lower bound touches the threshold", figures(Interval(0.75, 0.70, 0.80, 300)), "NO"),
        ("the interval spans it", figures(Interval(0.68, 0.62, 0.74, 300)), "CANNOT TELL"),
        ("499 pairs", figures(Interval(0.50, 0.45, 0.55, 300), pairs=499), "CANNOT TELL"),
        ("500 pairs", figures(Interval(0.50, 0.45, 0.55, 300), pairs=500), "TUNE"),
        ("20 test queries", figures(Interval(0.50, 0.45, 0.55, 300), tests=20), "CANNOT TELL"),
        ("no test queries", figures(Interval(0.50, 0.45, 0.55, 300), tests=0), "CANNOT TELL"),
        ("good enough needs no pairs", figures(Interval(0.80, 0.75, 0.85, 300), pairs=0, tests=0), "NO"),
        ("a good hybrid alone forbids nothing", figures(Interval(0.50, 0.45, 0.55, 300), hybrid=0.9), "TUNE"),
        ("nothing to measure on", Figures({}, 0, 1000, 300, 0.3), "CANNOT TELL"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_answer(case: str, given: Figures, answer: str) -> None:
    assert advise(given).answer == answer


def test_twenty_test_queries_are_named_with_what_is_missing() -> None:
    advice = advise(figures(Interval(0.50, 0.45, 0.55, 300), tests=20))

    assert "20 test queries only; a verdict needs at least 50: label 30 more" in advice.reasons


def test_missing_pairs_are_counted() -> None:
    advice = advise(figures(Interval(0.50, 0.45, 0.55, 300), pairs=120))

    assert "120 training pairs only; a tune needs about 500: collect 380 more" in advice.reasons


def test_an_interval_that_spans_the_threshold_says_how_many_queries_settle_it() -> None:
    # Half-width 0.06 must shrink to the distance 0.02, a third: nine times 300 queries, 2,400 more.
    advice = advise(figures(Interval(0.68, 0.62, 0.74, 300)))

    assert advice.reasons[0] == (
        "stock R@10 0.68 [0.62, 0.74], n=300: the interval spans 0.70; label about 2400 more queries"
    )


def test_queries_that_are_there_and_were_not_sampled_need_no_labels() -> None:
    given = replace(figures(Interval(0.68, 0.62, 0.74, 300)), available=5000)

    assert advise(given).reasons[0].endswith("measure on about 2400 more queries: --max-queries 2700")


def test_a_mean_on_the_threshold_is_settled_by_no_number_of_queries() -> None:
    assert "decide by cost" in advise(figures(Interval(0.70, 0.65, 0.75, 300))).reasons[0]


def test_a_hybrid_over_the_threshold_is_told_as_the_cheaper_fix() -> None:
    advice = advise(figures(Interval(0.50, 0.45, 0.55, 300), hybrid=0.75))

    assert advice.reasons[1].startswith("the hybrid of stock and BM25 reaches R@10 0.75 [0.70, 0.80]")
    assert "the cheaper fix" in advice.reasons[1]


def test_what_was_asked_for_by_name_is_told_also_where_stock_is_good_enough() -> None:
    given = figures(Interval(0.80, 0.75, 0.85, 300))
    named = replace(given, systems={**given.systems, "ada": given.systems["stock"]})

    about = [reason for reason in advise(named).reasons if reason.startswith("asked for beside it: ")]
    assert about == ["asked for beside it: the stock model ada 0.80 [0.75, 0.85], n=300"]
    assert not any(reason.startswith("asked for beside it: ") for reason in advise(given).reasons)


def test_systems_that_need_no_training_are_told_also_below_the_threshold() -> None:
    advice = advise(figures(Interval(0.50, 0.45, 0.55, 300), hybrid=0.60))

    assert advice.reasons[1] == (
        "without training, best first: the hybrid of stock and BM25 0.60 [0.55, 0.65], n=300; "
        "BM25 alone 0.60 [0.55, 0.65], n=300"
    )


def test_the_gain_that_the_test_queries_can_show_is_told() -> None:
    # The table of detectable gains: 300 queries, 15 % changing: 6.2 points.
    advice = advise(figures(Interval(0.50, 0.45, 0.55, 300)))

    assert advice.reasons[-1] == (
        "300 test queries can show a gain of +6.2 points or more "
        "(80 % power, 15 % of queries changing: as between stock and BM25); 470 would show +5, 1,400 would show +3"
    )


def test_a_share_of_changes_that_was_capped_is_called_a_guess() -> None:
    given = replace(figures(Interval(0.50, 0.45, 0.55, 300)), discordance=0.45)

    assert "30 % of queries changing: a guess" in advise(given).reasons[-1]
    assert advise(given).evidence["discordance_measured"] == 0.45


def test_where_nothing_was_measured_no_measurement_is_told() -> None:
    advice = advise(Figures({}, 0, 1000, 300, 0.3))

    assert "30 % of queries changing: a guess; nothing was measured" in advice.reasons[-1]
    assert advice.evidence["discordance_measured"] is None


def test_a_ceiling_below_one_is_shown() -> None:
    given = replace(figures(Interval(0.50, 0.45, 0.55, 300)), ceiling=0.62)

    assert any(reason.startswith("no system can pass R@10 0.62") for reason in advise(given).reasons)


def term(text: str) -> Term:
    return Term(text, ("a", "b", "c"), 3, 1, None, f"what is {text}")


def vocabulary(*texts: str, shattered: int) -> Vocabulary:
    return Vocabulary(1.4, 1.1, 0.2, 0.2, 0.0, shattered, tuple(map(term, texts)), (0, 1))


def gap(chosen: float, others: float, *, half: float = 0.05) -> Gap:
    one, other = (Interval(mean, mean - half, mean + half, 100) for mean in (chosen, others))
    difference = chosen - others
    return Gap(one, other, Interval(difference, difference - 1.5 * half, difference + 1.5 * half, 200))


BELOW = figures(Interval(0.50, 0.45, 0.55, 300))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (replace(BELOW, vocabulary=vocabulary("ritux", "abat", shattered=2)), "shattered here (ritux, abat)"),
        (replace(BELOW, vocabulary=vocabulary(*"abcdef", shattered=60)), "60 terms are rare elsewhere and shattered"),
        (replace(BELOW, vocabulary=vocabulary(*"abcdef", shattered=60)), "(a, b, c, d, e, ...)"),
        (replace(BELOW, vocabulary=vocabulary(shattered=0)), "0 terms are rare elsewhere and shattered here"),
        (BELOW, "most words of the passages are not in general 'en'"),
    ],
    ids=["few", "many", "five are named", "none", "another language"],
)
def test_the_fields_own_words_are_told(given: Figures, told: str) -> None:
    assert any(told in reason for reason in advise(given).reasons)


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (gap(0.4, 0.6), "-20.0 points [-27.5, -12.5], a tune can teach what they mean"),
        (gap(0.6, 0.4), "they are not what the stock model lacks"),
        (gap(0.48, 0.5), "no more than chance"),
    ],
    ids=["lower", "higher", "chance"],
)
def test_what_broken_words_cost_is_told(found: Gap, told: str) -> None:
    given = replace(BELOW, vocabulary=vocabulary("a", shattered=1), gaps={"stock": found})

    assert any(
        reason.startswith("stock R@10 on queries with such a term") and told in reason
        for reason in advise(given).reasons
    )


@pytest.mark.parametrize(
    ("share", "found", "told"),
    [
        (0.005, gap(0.3, 0.6), ""),
        (0.2, None, "20 % of the relevant passages fill the model's 256 tokens and lose what follows: try a larger"),
        (0.2, gap(0.3, 0.6), "-30.0 points [-37.5, -22.5], it shows: try a larger --max-length, or shorter passages"),
        (0.2, gap(0.6, 0.3), "+30.0 points [+22.5, +37.5], no harm"),
        (0.2, gap(0.58, 0.6), "no more than chance"),
    ],
    ids=["few", "nothing to compare", "lower", "higher", "chance"],
)
def test_passages_that_lose_their_end_are_told(share: float, found: Gap | None, told: str) -> None:
    reasons = advise(replace(BELOW, max_length=256, cut_off=share, truncation=found)).reasons

    about = [reason for reason in reasons if "tokens and lose what follows" in reason]
    assert told in about[0] if told else not about


def test_what_a_reranker_could_gain_at_most_is_told() -> None:
    deep = {"R@10": Interval(0.6, 0.55, 0.65, 300), "R@100": Interval(0.9, 0.87, 0.93, 300)}
    given = replace(BELOW, systems={**BELOW.systems, "hybrid": deep})

    assert any(
        reason.startswith("the hybrid of stock and BM25 has R@100 0.90") and reason.endswith("gain 30 points at most")
        for reason in advise(given).reasons
    )


def test_what_is_gained_without_training_is_told_beside_stock() -> None:
    given = replace(BELOW, lifts={"hybrid": Interval(0.1, 0.08, 0.12, 300)})

    assert any("n=300, +10.0 points [+8.0, +12.0] to stock; BM25 alone" in reason for reason in advise(given).reasons)


def stability(change: tuple[float, float, float], period: str = "week") -> Stability:
    return Stability(
        period, "2024-01-01", "2024-04-01", 900, 0.4, 0.1, Interval(*change, 9), Interval(0, 0, 0, 9), None
    )


@pytest.mark.parametrize(
    ("found", "answer", "told"),
    [
        (stability((0.33, 0.2, 0.4)), "NO", "changing, so a tuned model would soon be behind"),
        (stability((0.33, 0.2, 0.4), "month"), "TUNE", "over 9 months: changing"),
        (stability((0.03, 0.0, 0.06)), "TUNE", "over 9 weeks: stable"),
        (stability((0.09, 0.0, 0.2)), "TUNE", "over 9 weeks: cannot tell"),
    ],
    ids=["each week", "each month", "stable", "unsure"],
)
def test_words_that_change_each_week_forbid_a_tune(found: Stability, answer: str, told: str) -> None:
    advice = advise(replace(BELOW, stability=found, timed="queries", newest=gap(0.4, 0.6)))

    assert advice.answer == answer
    assert any(told in reason for reason in advice.reasons)
    assert any(reason.startswith(f"stock R@10 on the newest {found.period} 0.40") for reason in advice.reasons)


def test_what_gains_without_training_is_named_by_its_gain() -> None:
    recall = {"R@10": Interval(0.5, 0.45, 0.55, 300), "R@100": Interval(0.72, 0.7, 0.75, 300)}
    lifts = {
        "hybrid": Interval(0.05, 0.02, 0.08, 300),
        "bm25": Interval(0.03, 0.01, 0.05, 300),  # part of the hybrid, and no better
        "known": Interval(0.01, -0.01, 0.03, 300),  # not shown
        "models/large": Interval(0.09, 0.05, 0.13, 300),
    }
    given = replace(BELOW, systems=dict.fromkeys(["stock", *lifts], recall), lifts=lifts)

    assert advise(given).also == ("USE models/large", "USE HYBRID", "TRY A RERANKER")


def reranked(lift: Interval, over_hybrid: Interval) -> Figures:
    reached = {"R@10": Interval(0.7, 0.66, 0.74, 300), "nDCG@10": Interval(0.55, 0.5, 0.6, 300)}
    found = Reranked(50, dict.fromkeys(["stock", "hybrid", "reranked"], reached), lift, over_hybrid, 184.4)
    recall = {"R@10": Interval(0.5, 0.45, 0.55, 300), "R@100": Interval(0.72, 0.7, 0.75, 300)}
    lifts = {"hybrid": Interval(0.05, 0.02, 0.08, 300), "bm25": Interval(0.01, -0.02, 0.04, 300)}
    systems = dict.fromkeys(["stock", *lifts], recall)
    return replace(BELOW, systems=systems, lifts=lifts, query_ms={"hybrid": 2.51}, reranked=found)


@pytest.mark.parametrize(
    ("lift", "over_hybrid", "also"),
    [
        ((0.1, 0.06, 0.14), (0.05, 0.02, 0.08), ("RERANK", "USE HYBRID")),
        ((0.1, 0.06, 0.14), (0.001, -0.03, 0.03), ("RERANK", "USE HYBRID")),
        ((0.05, 0.01, 0.09), (0.0, -0.03, 0.03), ("USE HYBRID",)),
        ((0.04, 0.0, 0.08), (0.01, -0.03, 0.05), ("USE HYBRID",)),
    ],
    ids=["it gains", "a little on top of the hybrid", "no better than the hybrid", "not shown"],
)
def test_a_reranker_is_a_fix_where_it_is_shown_to_gain_and_beats_the_hybrid_it_reorders(
    lift: tuple[float, float, float], over_hybrid: tuple[float, float, float], also: tuple[str, ...]
) -> None:
    given = reranked(Interval(*lift, 300), Interval(*over_hybrid, 300))

    assert advise(given).also == also  # and none is to be tried: one was


@pytest.mark.parametrize(("n", "also"), [(9, ()), (10, ("RERANK", "USE HYBRID", "FIX PROMPT"))])
def test_what_a_handful_of_queries_gain_or_lose_is_not_shown(n: int, also: tuple[str, ...]) -> None:
    # All changed alike, so that the intervals have no width.
    gain, loss = Interval(0.1, 0.1, 0.1, n), Interval(-0.1, -0.1, -0.1, n)
    given = replace(reranked(gain, gain), lifts={"hybrid": gain}, prompt="query: ", prompt_lift=loss)

    advice = advise(given)

    assert advice.also == also
    assert any(reason.endswith("it does harm here") for reason in advice.reasons) == (n == 10)


def test_what_a_reranker_costs_is_not_told_where_queries_are_encoded_elsewhere() -> None:
    given = reranked(Interval(0.1, 0.06, 0.14, 300), Interval(0.05, 0.02, 0.08, 300))
    assert given.reranked is not None

    reasons = advise(replace(given, query_ms={}, reranked=replace(given.reranked, query_ms=None))).reasons

    (told,) = [reason for reason in reasons if reason.startswith("the reranker, given the hybrid's first 50")]
    assert told.endswith("to the hybrid, on the same 300 queries")


def test_what_a_reranker_reaches_and_costs_is_told() -> None:
    reasons = advise(reranked(Interval(0.1, 0.06, 0.14, 300), Interval(0.05, 0.02, 0.08, 300))).reasons

    assert (
        "the reranker, given the hybrid's first 50, reaches R@10 0.70 [0.66, 0.74], n=300, nDCG@10 0.55 [0.50, 0.60]: "
        "+10.0 points [+6.0, +14.0] to stock, +5.0 points [+2.0, +8.0] to the hybrid, on the same 300 queries; "
        "a query takes 184 ms here, in the hybrid 2.5 ms"
    ) in reasons


def test_bm25_is_a_fix_where_it_beats_the_hybrid() -> None:
    lifts = {"hybrid": Interval(0.05, 0.02, 0.08, 300), "bm25": Interval(0.06, 0.03, 0.09, 300)}

    assert advise(replace(BELOW, lifts=lifts)).also == ("USE BM25", "USE HYBRID")


def foretold(
    low: float, high: float, *, stock: float = 0.6, hybrid: float = 0.65, beside: float = 0.05, gained: float = 0.02
) -> Figures:
    """Stock's interval spans 0.70, so the rule of thumb cannot tell."""
    mean = (low + high) / 2
    lifts = tuple(Interval(lift, lift - 0.01, lift + 0.01, 300) for lift in (0.005, gained, gained))
    pilot = Pilot((250, 500, 1000), lifts, Interval(0.015, 0.005, 0.025, 300), Interval(0.01, 0.0, 0.02, 300), 2.4)
    expected = Expected(2000, Interval(mean, low, high, 9), Interval(beside, beside - 0.03, beside + 0.03, 9), 0.01)
    given = figures(Interval(stock, stock - 0.11, stock + 0.11, 300), hybrid=hybrid, pairs=9000)
    return replace(given, pilot=pilot, expected=expected)


@pytest.mark.parametrize(
    ("case", "given", "answer"),
    [
        ("all of the band gains", foretold(0.02, 0.10), "TUNE"),
        ("also where stock is good enough", foretold(0.01, 0.09, stock=0.85), "TUNE"),
        ("all of it lies below two points", foretold(-0.03, 0.019), "NO"),
        ("stock leaves less than two points", foretold(0.0, 0.01, stock=0.985, gained=0.001), "NO"),
        ("the middle lies below two points", foretold(0.001, 0.03, hybrid=0.5), "CANNOT TELL"),
        ("the same below the rule", foretold(0.001, 0.03, stock=0.5, hybrid=0.5, beside=0.01), "CANNOT TELL"),
        ("a loss is possible: the rule decides", foretold(-0.01, 0.08, stock=0.5, hybrid=0.5), "TUNE"),
        ("the same above the rule", foretold(-0.01, 0.08, stock=0.85), "NO"),
        (
            "the rule may not overlook what needs no training",
            foretold(-0.01, 0.09, stock=0.5, beside=0.0),
            "CANNOT TELL",
        ),
        ("the pilot itself gains nothing", foretold(0.02, 0.10, gained=0.005), "CANNOT TELL"),
        ("the same below the rule", foretold(0.02, 0.10, gained=0.005, stock=0.5), "TUNE"),
        ("what needs no training is out of reach", foretold(0.01, 0.05, hybrid=0.9, beside=-0.02), "NO"),
        ("it may be passed beside BM25", foretold(0.01, 0.05, hybrid=0.9, beside=0.01), "CANNOT TELL"),
        ("it is passed beside BM25", foretold(0.01, 0.05, hybrid=0.9, beside=0.04), "TUNE"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_a_pilot_foretells_decides(case: str, given: Figures, answer: str) -> None:
    assert advise(given).answer == answer


def test_what_is_foretold_comes_first_with_its_band_and_what_more_pairs_would_buy() -> None:
    first, second, third, *_ = advise(foretold(0.02, 0.10)).reasons

    assert first == (
        "a tune on 2,000 pairs is expected to gain +6.0 points [+2.0, +10.0] over stock (band of 80 %), and "
        "+5.0 points [+2.0, +8.0] beside BM25: maps trained on 1,000 pairs of vectors gain +2.0 points [+1.0, +3.0], "
        "found in 2 s"
    )
    assert second == (
        "each doubling of the pairs adds 1.0 points by the map's own curve: about +7 with 5,000, by extrapolation"
    )
    # The rule's own verdict would contradict the pilot's.
    assert third == "stock R@10 0.60 [0.49, 0.71], n=300; the rule of thumb draws its line at 0.70"


def tuned(*, lift: Interval, hybrid: Interval, pairs: int = 400) -> ShortTune:
    return ShortTune(pairs, 1000, 3000, 5000, lift, hybrid, 4.2)


SHOWN, UNSURE, NOTHING = (
    Interval(0.06, 0.03, 0.09, 200),
    Interval(0.03, -0.01, 0.07, 200),
    Interval(0, -0.01, 0.01, 200),
)


@pytest.mark.parametrize(
    ("case", "given", "answer"),
    [
        ("a gain that is shown", tuned(lift=SHOWN, hybrid=NOTHING), "TUNE"),
        ("one that may be chance leaves it to the rest", tuned(lift=UNSURE, hybrid=UNSURE), "CANNOT TELL"),
        ("some of the pairs gained nothing", tuned(lift=NOTHING, hybrid=NOTHING), "CANNOT TELL"),
        ("all of the pairs gained nothing", tuned(lift=NOTHING, hybrid=NOTHING, pairs=1000), "NO"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_a_short_tune_gained_comes_before_forecast_and_rule(case: str, given: ShortTune, answer: str) -> None:
    spans = figures(Interval(0.68, 0.62, 0.74, 300))

    advice = advise(replace(spans, short_tune=given))

    assert advice.answer == answer
    assert advice.reasons[0].startswith(f"a tune on {given.pairs:,} of 1,000 pairs, done in 4.2 minutes, gains ")
    assert "on 200 dev queries among 3,000 of 5,000 passages" in advice.reasons[0]


def test_a_short_tune_that_stays_behind_the_hybrid_decides_nothing() -> None:
    ahead = figures(Interval(0.68, 0.62, 0.74, 300), hybrid=0.75)

    assert advise(replace(ahead, short_tune=tuned(lift=SHOWN, hybrid=NOTHING))).answer == "CANNOT TELL"
    assert advise(replace(ahead, short_tune=tuned(lift=SHOWN, hybrid=SHOWN))).answer == "TUNE"


def test_who_cannot_tell_is_sent_to_a_short_tune_once() -> None:
    spans = figures(Interval(0.68, 0.62, 0.74, 300))

    assert advise(spans).next_command == "lexitune assess --pilot-minutes 10"
    assert advise(replace(spans, short_tune=tuned(lift=UNSURE, hybrid=UNSURE))).next_command == "lexitune tune --anyway"
    assert advise(replace(spans, test_queries=20)).next_command == "lexitune tune --anyway"


def test_where_the_pilot_decides_nothing_the_rule_is_told_in_full() -> None:
    first, _, third, *_ = advise(foretold(-0.01, 0.08)).reasons

    assert first.endswith("too unsure to decide anything")
    assert third.startswith("stock R@10 0.60 [0.49, 0.71], n=300: the interval spans 0.70; label about")


def test_a_small_gain_names_what_was_asked_for() -> None:
    given = foretold(-0.03, 0.01, hybrid=0.5)

    assert advise(given).reasons[0].endswith(": less than the 2 points that are worth it (--least-gain)")
    assert advise(given, options=AssessOptions(least_gain=0.0)).answer == "CANNOT TELL"


def test_another_stock_model_is_no_reason_against_a_tune() -> None:
    given = foretold(0.02, 0.10)
    better = {"R@10": Interval(0.9, 0.85, 0.95, 300)}

    assert advise(replace(given, systems={**given.systems, "models/large": better})).answer == "TUNE"


def test_what_the_pilot_decided_is_not_contradicted() -> None:
    told = " ".join(advise(foretold(0.01, 0.05, hybrid=0.9, beside=-0.02)).reasons)

    assert "a tune may still come on top" not in told
    assert "without training, best first: the hybrid" in told


def test_missing_pairs_still_stop_a_promising_tune() -> None:
    advice = advise(replace(foretold(0.02, 0.10), pairs=120))

    assert advice.answer == "CANNOT TELL"
    assert advice.reasons[0].startswith("120 training pairs only")


def test_a_curve_that_does_not_rise_is_told() -> None:
    flat = foretold(0.02, 0.10)
    assert flat.expected is not None
    flat = replace(flat, expected=replace(flat.expected, doubling=0.0))

    assert "the map is not shown to gain more by more pairs" in advise(flat).reasons


def test_what_a_prompt_is_worth_is_told() -> None:
    given = replace(BELOW, prompt="query: ", prompt_lift=Interval(0.031, 0.01, 0.052, 300))

    told = "the prompt 'query:' before each query is worth +3.1 points [+1.0, +5.2] to stock: does your live search"
    assert any(reason.startswith(told) for reason in advise(given).reasons)


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [
        (-0.08, -0.02, "-5.0 points [-8.0, -2.0] to stock: it does harm here"),
        (-0.08, 0.02, "to stock, no more than chance"),
    ],
)
def test_a_prompt_that_helps_nothing_is_not_asked_for(low: float, high: float, told: str) -> None:
    lift = Interval((low + high) / 2, low, high, 300)
    given = replace(BELOW, prompt="Instruct: find\nQuery: ", prompt_lift=lift)

    (said,) = [reason for reason in advise(given).reasons if reason.startswith("the prompt 'Instruct: find Query:'")]
    assert said.endswith(told)


def test_passages_whose_lost_ends_cost_recall_are_to_be_mended() -> None:
    few, many = Interval(0.4, 0.3, 0.5, 90), Interval(0.6, 0.55, 0.65, 210)
    shown = Gap(few, many, Interval(-0.2, -0.3, -0.1, 300))

    assert "FIX LENGTH" in advise(replace(BELOW, truncation=shown)).also


def test_recall_by_document_stands_beside_that_by_passage() -> None:
    given = replace(BELOW, documents=Interval(0.62, 0.56, 0.68, 300))

    told = "stock R@10 by document, each by its best passage, 0.62 [0.56, 0.68], n=300: +12 points to that by passage"
    assert told in advise(given).reasons


def test_what_a_program_wrote_never_decides_alone() -> None:
    poor = figures(Interval(0.50, 0.45, 0.55, 300))

    alone, beside = (advise(replace(poor, asked=asked, synthetic=250)) for asked in (12, 50))

    assert (alone.answer, beside.answer) == ("CANNOT TELL", "TUNE")
    assert alone.reasons[0] == (
        "people asked 12 of the train and dev queries only, and a program wrote 250: these never decide alone; "
        "label 38 more that people asked"
    )
    assert "COLLECT MORE" in alone.also
    told = "a program wrote 250 of the train and dev queries: they are trained on, and not measured on"
    assert told in beside.reasons
    assert told not in alone.reasons


def test_pairs_are_told_by_source() -> None:
    supply = Supply(1000, 900, 700, 20, {"log": 800, "expert": 200}, 40, 38)

    advice = advise(replace(figures(Interval(0.50, 0.45, 0.55, 300)), supply=supply))

    assert (
        "1,000 training pairs of 900 queries and 700 passages (log 800, expert 200); 20 of them are copies; of 40 "
        "queries that two sources have they agree on 38"
    ) in advice.reasons


def test_a_length_that_gains_is_a_remedy_by_its_name() -> None:
    found = figures(Interval(0.50, 0.45, 0.55, 300))
    longer = {"R@10": Interval(0.60, 0.55, 0.65, 300)}
    gains = {"hybrid": Interval(0.0, -0.1, 0.1, 300), "at 512 tokens": Interval(0.1, 0.05, 0.15, 300)}

    advice = advise(replace(found, systems={**found.systems, "at 512 tokens": longer}, lifts=gains))

    assert advice.also[0] == "FIX LENGTH"
    assert any("the stock model at 512 tokens 0.60" in reason for reason in advice.reasons)


def test_a_prompt_that_harms_is_to_be_fixed() -> None:
    harmed = replace(
        figures(Interval(0.50, 0.45, 0.55, 300)), prompt="query: ", prompt_lift=Interval(-0.1, -0.2, -0.05, 90)
    )

    assert "FIX PROMPT" in advise(harmed).also
