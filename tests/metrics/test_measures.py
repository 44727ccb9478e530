"""Measures: their text, their numbers by hand, ties, holes, missing queries, and rankings that are refused."""

import itertools
import math

import numpy as np
import pytest

from lexitune.errors import DataError, UsageError
from lexitune.io.hits import Hits
from lexitune.metrics.measures import (
    MEASURES,
    Measure,
    measure_hits,
    parse_measure,
    parse_measures,
    refuse_collapsed,
)

ALL = parse_measures("R@10,nDCG@10,RR@10,AP@100,P@10,Success@10,Judged@10")


def ranking(*doc_ids: str) -> Hits:
    """One query, q1, whose docs score 10, 9, 8 and so on."""
    return Hits.from_run({"q1": {doc_id: 10.0 - rank for rank, doc_id in enumerate(doc_ids)}})


def hits_of(index: list[list[int]], score: list[list[float]]) -> Hits:
    """Rankings as they stand, without the sorting of `from_run`."""
    ids = tuple(f"q{row + 1}" for row in range(len(index)))
    return Hits(ids, ("d0", "d1", "d2", "d3"), np.array(index, dtype=np.int32), np.array(score, dtype=np.float32))


@pytest.mark.parametrize("name", MEASURES.names())
def test_a_measure_round_trips_through_its_text(name: str) -> None:
    measure = Measure(name, 10)

    assert parse_measure(str(measure)) == measure


@pytest.mark.parametrize(
    ("text", "code", "advice"),
    [
        ("ndcg@10", "E2003", "did you mean 'nDCG'?"),
        ("MRR@10", "E2003", "did you mean 'RR'?"),
        ("map@100", "E2003", "did you mean 'AP'?"),
        ("zzz@10", "E2003", "known: AP, Judged, P, R, RR, Success, nDCG"),
        ("R", "E2004", "write R@10"),
        ("R@0", "E2004", "write R@10"),
        ("R@010", "E2004", "write R@10"),
        ("R@ten", "E2004", "write R@10"),
    ],
)
def test_a_measure_that_cannot_be_read_is_refused_with_the_nearest(text: str, code: str, advice: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_measure(text)

    assert caught.value.code == code
    assert caught.value.fix.startswith(advice)


def test_a_measure_named_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="twice in 'R@10, R@10'"):
        parse_measures("R@10, R@10")


# Relevant at ranks 2 (grade 1) and 4 (grade 3); one more relevant doc (grade 2) is never found; d1 was judged 0.
BY_HAND = [
    ("R@10", 2 / 3),
    ("R@3", 1 / 3),
    ("P@10", 2 / 10),
    ("P@4", 2 / 4),
    ("Success@1", 0.0),
    ("Success@2", 1.0),
    ("RR@10", 1 / 2),
    ("RR@1", 0.0),
    ("AP@100", (1 / 2 + 2 / 4) / 3),
    ("AP@3", (1 / 2) / 3),
    ("Judged@10", 3 / 4),
    ("Judged@1", 1.0),
    ("nDCG@10", (1 / math.log2(3) + 3 / math.log2(5)) / (3 / 1 + 2 / math.log2(3) + 1 / math.log2(4))),
    ("nDCG@2", (1 / math.log2(3)) / (3 / 1 + 2 / math.log2(3))),
]


@pytest.mark.parametrize(("text", "expected"), BY_HAND)
def test_values_by_hand(text: str, expected: float) -> None:
    qrels = {"q1": {"d1": 0, "d2": 1, "d4": 3, "lost": 2}}

    report = measure_hits(ranking("d1", "d2", "d3", "d4"), qrels, [parse_measure(text)])

    assert report.mean(text) == pytest.approx(expected, abs=1e-12)


def test_a_perfect_ranking_scores_one() -> None:
    report = measure_hits(ranking("d1", "d2"), {"q1": {"d1": 2, "d2": 1}}, ALL)

    assert {name: report.mean(name) for name in report.measures} == {
        "R@10": 1.0,
        "nDCG@10": 1.0,
        "RR@10": 1.0,
        "AP@100": 1.0,
        "P@10": 0.2,
        "Success@10": 1.0,
        "Judged@10": 1.0,
    }


def test_recall_is_not_capped_at_what_the_cutoff_can_hold() -> None:
    docs = [f"d{number:02}" for number in range(20)]

    report = measure_hits(ranking(*docs[:10]), {"q1": dict.fromkeys(docs, 1)}, parse_measures("R@10,nDCG@10"))

    assert report.mean("R@10") == 0.5
    assert report.mean("nDCG@10") == pytest.approx(1.0)


def test_a_query_missing_from_the_run_counts_zero() -> None:
    qrels = {"q1": {"d1": 1}, "q2": {"d1": 1}, "q3": {"d1": 1}}
    hits = Hits.from_run({"q1": {"d1": 1.0}, "q3": {"d1": 1.0}, "q9": {"d1": 1.0}})

    report = measure_hits(hits, qrels, ALL)

    assert report.query_ids == ("q1", "q2", "q3")
    assert report.missing == 1
    for measure in ALL:
        expected = 2 / 3 if measure.name != "P" else 2 / 30
        assert report.mean(measure) == pytest.approx(expected), str(measure)


def test_a_run_without_any_query_scores_zero() -> None:
    report = measure_hits(Hits.from_run({}), {"q1": {"d1": 1}}, ALL)

    assert [report.mean(measure) for measure in ALL] == [0.0] * 7
    assert (report.missing, report.ties, report.unjudged) == (1, 0.0, 0.0)


def test_a_query_without_a_relevant_doc_is_left_out_and_counted() -> None:  # fault 19
    qrels = {"q1": {"d1": 1}, "q2": {"d1": 0}, "q3": {}}

    report = measure_hits(ranking("d1"), qrels, ALL)

    assert report.query_ids == ("q1",)
    assert report.without_relevant == 2


def test_qrels_without_any_relevant_doc_are_refused() -> None:
    with pytest.raises(DataError, match="none of the 2 judged queries"):
        measure_hits(ranking("d1"), {"q1": {"d1": 0}, "q2": {}}, ALL)


@pytest.mark.parametrize("order", list(itertools.permutations(["é", "z", "B", "a"])))
def test_equal_scores_stand_in_code_point_order_whatever_came_first(order: tuple[str, ...]) -> None:
    # By code point: B, a, z, é. So z is at rank 3.
    hits = Hits.from_run({"q1": dict.fromkeys(order, 0.5)})

    report = measure_hits(hits, {"q1": {"z": 1}}, [Measure("RR", 10)])

    assert report.mean("RR@10") == 1 / 3


def test_ties_across_rank_ten_are_told() -> None:
    level = {f"d{rank:02}": 1.0 for rank in range(11)}
    steps = {f"d{rank:02}": -float(rank) for rank in range(11)}
    short = {f"d{rank:02}": 1.0 for rank in range(10)}

    hits = Hits.from_run({"q1": level, "q2": steps, "q3": short, "q4": steps})
    report = measure_hits(hits, {query: {"d00": 1} for query in hits.query_ids}, ALL)

    assert report.ties == 1 / 4


def test_over_one_percent_of_ties_the_expected_values_are_told() -> None:
    # 20 docs score alike and one is relevant: in random order it is in the first ten half of the time,
    # and each rank has it once in 20.
    hits = Hits.from_run({"q1": {f"d{rank:02}": 1.0 for rank in range(20)}})

    report = measure_hits(hits, {"q1": {"d00": 1}}, ALL)

    assert report.mean("R@10") == 1.0
    assert set(report.expected) == {"R@10", "P@10", "nDCG@10"}
    assert report.expected["R@10"] == pytest.approx(0.5)
    assert report.expected["P@10"] == pytest.approx(0.05)
    assert report.expected["nDCG@10"] == pytest.approx(sum(1 / math.log2(rank + 1) for rank in range(1, 11)) / 20)


def test_without_ties_nothing_else_is_expected() -> None:
    assert measure_hits(ranking("d1", "d2"), {"q1": {"d2": 1}}, ALL).expected == {}


def test_unjudged_is_the_share_of_holes_among_the_first_ten() -> None:
    # q1: 4 hits, 1 judged. q2: 1 hit, judged. Rank 11 and beyond do not count. So 3 of 5 are holes.
    hits = Hits.from_run({"q1": {"a": 4.0, "b": 3.0, "c": 2.0, "d": 1.0}, "q2": {"a": 1.0}})

    report = measure_hits(hits, {"q1": {"d": 1}, "q2": {"a": 0, "b": 1}}, ALL)

    assert report.unjudged == pytest.approx(3 / 5)


def test_judgements_of_docs_outside_the_hits_do_not_disturb_the_lookup() -> None:
    qrels = {"q1": {"far": 1, "d1": 1}, "q2": {"d2": 1, "away": 2}}
    hits = Hits.from_run({"q1": {"d2": 2.0, "d1": 1.0}, "q2": {"d1": 1.0}})

    report = measure_hits(hits, qrels, [Measure("R", 10)])

    assert report.values("R@10").tolist() == [0.5, 0.0]


def test_a_corpus_larger_than_all_rankings_together_is_measured_alike() -> None:
    # One query with two hits: d7 at rank 1, d3 at rank 2. The corpus has 10,000 docs.
    ids = tuple(f"d{number}" for number in range(10_000))
    hits = Hits(("q1",), ids, np.array([[7, 3]], dtype=np.int32), np.array([[2.0, 1.0]], dtype=np.float32))

    report = measure_hits(hits, {"q1": {"d3": 1, "d9999": 1, "lost": 0}}, parse_measures("RR@10,R@10,Judged@10"))

    assert [report.mean(name) for name in report.measures] == [1 / 2, 1 / 2, 1 / 2]


def fingerprint(qrels: dict[str, dict[str, int]]) -> str:
    return measure_hits(ranking("d1"), qrels, [Measure("R", 10)]).fingerprints["qrels"]


def test_the_fingerprint_of_judgements_does_not_depend_on_their_order() -> None:
    one = {"q1": {"d1": 1, "d2": 0}, "q2": {"d1": 2}}
    other = {"q2": {"d1": 2}, "q1": {"d2": 0, "d1": 1}}

    assert fingerprint(one) == fingerprint(other)


@pytest.mark.parametrize(
    ("case", "qrels"),
    [
        ("another grade", {"q1": {"d1": 1, "d2": 1}, "q2": {"d1": 2}}),
        ("another doc", {"q1": {"d1": 1, "d3": 0}, "q2": {"d1": 2}}),
        ("another query", {"q1": {"d1": 1, "d2": 0}, "q3": {"d1": 2}}),
        ("a judgement under another query", {"q1": {"d1": 1}, "q2": {"d1": 2, "d2": 0}}),
        ("one more", {"q1": {"d1": 1, "d2": 0, "d3": 0}, "q2": {"d1": 2}}),
    ],
)
def test_other_judgements_have_another_fingerprint(case: str, qrels: dict[str, dict[str, int]]) -> None:
    assert fingerprint(qrels) != fingerprint({"q1": {"d1": 1, "d2": 0}, "q2": {"d1": 2}}), case


@pytest.mark.parametrize(
    ("case", "index", "score", "problem"),
    [
        ("NaN", [[0], [1]], [[1.0], [math.nan]], "a score of query 'q2' is not a finite number"),
        ("infinity", [[0], [1]], [[math.inf], [1.0]], "a score of query 'q1' is not a finite number"),
        ("rising", [[0, 1]], [[1.0, 2.0]], "query 'q1' is not in descending order"),
        ("gap", [[-1, 1]], [[2.0, 1.0]], "query 'q1' is not in descending order"),
        ("twice", [[0, 1, -1, -1], [2, 1, 3, 2]], [[4, 3, 0, 0], [4, 3, 2, 1]], "query 'q2' holds a doc twice"),
    ],
)
def test_rankings_that_are_refused(case: str, index: list[list[int]], score: list[list[float]], problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        measure_hits(hits_of(index, score), {"q1": {"d0": 1}}, ALL)


def test_what_stands_where_there_is_no_hit_does_not_matter() -> None:
    report = measure_hits(hits_of([[0, -1, -1]], [[1.0, math.nan, math.inf]]), {"q1": {"d0": 1}}, ALL)

    assert report.mean("R@10") == 1.0


def flat(*, distinct: int) -> dict[str, float]:
    """Ten docs that share so many scores."""
    return {f"d{rank}": float(rank % distinct) for rank in range(10)}


@pytest.mark.parametrize(
    ("case", "queries", "refused"),
    [
        ("one score for all docs", [flat(distinct=1)] * 3, True),
        ("three scores for ten docs", [flat(distinct=3)] * 3, True),
        ("each doc stored twice is no collapse", [flat(distinct=5)] * 3, False),
        ("two queries may have met copies of a passage", [flat(distinct=1)] * 2, False),
        ("two hits are too few to tell", [{"d1": 1.0, "d2": 1.0}] * 3, False),
        ("half of the queries are not most", [flat(distinct=1), flat(distinct=10)] * 3, False),
        ("most of the queries", [flat(distinct=1), flat(distinct=1), flat(distinct=10)] * 2, True),
        ("a query without hits does not tie", [{}] * 3, False),
    ],
)
def test_a_model_that_scores_everything_alike_is_refused(
    case: str, queries: list[dict[str, float]], refused: bool
) -> None:
    hits = Hits.from_run({f"q{row}": scores for row, scores in enumerate(queries)})

    if refused:
        with pytest.raises(DataError, match="tells hardly any docs apart"):
            refuse_collapsed(hits)
    else:
        refuse_collapsed(hits)
