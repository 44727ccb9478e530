"""Mining: what is kept, what is left out, and in which order."""

from collections.abc import Callable, Mapping

import numpy as np
import pytest
from tests.heard import Heard

from lexitune.stages.mine.mining import Mined, tell
from lexitune.stages.mine.negatives import ALIKE, JUDGED, TOO_CLOSE
from lexitune.stages.mine.options import MineOptions

Mine = Callable[..., Mined]


# One query. d1 is right at 0.80, so the margin's line is 0.80 - 0.05 * 0.80 = 0.76; d9 was judged wrong.
QRELS = {"q1": {"d1": 1, "d9": 0}}


def negatives(found: Mined) -> Mapping[str, list[str]]:
    return {example.query_id: list(example.negatives) for example in found.examples()}


@pytest.mark.parametrize(
    ("case", "scores", "kept"),
    [
        ("below the line is kept", {"d1": 0.80, "d2": 0.70, "d9": 0.0}, ["d9", "d2"]),
        ("above the line is an unlabelled right one", {"d1": 0.80, "d2": 0.79, "d9": 0.0}, ["d9"]),
        ("on the line is kept", {"d1": 0.80, "d2": 0.76, "d9": 0.0}, ["d9", "d2"]),
        ("judged wrong is kept however close, and first", {"d1": 0.80, "d2": 0.70, "d9": 0.79}, ["d9", "d2"]),
        ("hardest first", {"d1": 0.80, "d2": 0.10, "d3": 0.70, "d9": 0.0}, ["d9", "d3", "d2"]),
        ("a tie goes to the lower id", {"d1": 0.80, "d3": 0.5, "d2": 0.5, "d9": 0.0}, ["d9", "d2", "d3"]),
        ("below zero the line is below p", {"d1": -0.80, "d2": -0.83, "d3": -0.85, "d9": 0.0}, ["d9", "d3"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_which_candidates_are_kept(case: str, scores: dict[str, float], kept: list[str], mine: Mine) -> None:
    assert negatives(mine({"q1": scores}, QRELS)) == {"q1": kept}


def test_the_weakest_right_passage_draws_the_line_even_where_no_ranking_holds_it(mine: Mine) -> None:
    # Two ranks are looked at; d2, right as well, scores 0.2 far below them, and 0.19 is its line.
    scores = {"q1": {"d1": 0.9, "d2": 0.2, "d3": 0.5, "d4": 0.18, "d5": 0.1}}

    found = mine(scores, {"q1": {"d1": 1, "d2": 2}}, options=MineOptions(last=2, count=2))

    assert negatives(found) == {"q1": ["d4"]}
    assert found.negatives.rank.tolist() == [2]  # d3 has rank 1: right passages take none
    assert found.negatives.positive_score.tolist() == [np.float32(0.2)]
    assert found.negatives.left_out[TOO_CLOSE] == 1


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        (MineOptions(margin=0.0), ["d2", "d3", "d4", "d5"]),
        (MineOptions(margin=0.0, absolute_margin=0.2), ["d4", "d5"]),  # 0.8 - 0.2 = 0.6
        (MineOptions(margin=0.0, max_score=0.5), ["d5"]),
        (MineOptions(margin=0.0, first=2, last=3, count=2), ["d3", "d4"]),
        (MineOptions(margin=0.0, count=1), ["d2"]),
    ],
)
def test_the_options_narrow_it(options: MineOptions, kept: list[str], mine: Mine) -> None:
    scores = {"q1": {"d1": 0.80, "d2": 0.79, "d3": 0.70, "d4": 0.58, "d5": 0.40}}

    assert negatives(mine(scores, {"q1": {"d1": 1}}, options=options)) == {"q1": kept}


def test_a_query_left_without_negatives_is_kept_for_in_batch_training(mine: Mine) -> None:  # fault 39
    found = mine({"q1": {"d1": 0.80, "d2": 0.79}}, {"q1": {"d1": 1}})

    assert [(e.query_id, e.positives, e.negatives, e.grades) for e in found.examples()] == [("q1", ("d1",), (), (1,))]
    assert found.summary()["without"] == 1


def test_what_is_right_for_a_nearly_equal_question_is_no_negative_also_where_that_is_a_dev_query(
    mine: Mine,
) -> None:  # fault 38
    asked = "how long may the tenant of a flat withhold the rent for repairs that the landlord failed to make"
    texts = {"q1": asked, "q2": f"{asked}?", "v1": f"{asked} then", "q3": "who pays for the boiler"}
    row = {"d1": 0.8, "d2": 0.7, "d3": 0.6, "d4": 0.5}
    qrels = {"q1": {"d1": 1}, "q2": {"d2": 1}, "q3": {"d4": 1}}

    found = mine({"q1": row, "q2": row, "q3": {"d4": 0.8, "d3": 0.1}}, qrels, dev={"v1": {"d3": 1}}, texts=texts)

    # d1, d2 and d3 are right for one or another form of the question; q3 is another question.
    assert negatives(found) == {"q1": ["d4"], "q2": ["d4"], "q3": ["d3", "d1", "d2"]}


def test_a_copy_of_a_right_passage_is_right_and_two_copies_of_a_wrong_one_are_one(mine: Mine) -> None:  # fault 38
    texts = {"d1": "the answer", "d2": "the answer", "d4": "something else", "d3": "something else"}

    found = mine({"q1": {"d1": 0.9, "d2": 0.1, "d3": 0.5, "d4": 0.5}}, {"q1": {"d1": 1}}, texts=texts)

    assert negatives(found) == {"q1": ["d3"]}


def test_a_passage_nearly_the_text_of_a_right_one_is_left_out_and_the_next_takes_its_place(mine: Mine) -> None:
    answer = "the tenant may withhold the rent until the landlord has repaired the roof, the windows and the boiler"
    texts = {"d1": answer, "d2": f"{answer}s", "d3": f"{answer} too", "d4": "a boiler"}
    scores = {"q1": {"d1": 0.9, "d2": 0.6, "d3": 0.5, "d4": 0.4}, "q2": {"d4": 0.9, "d2": 0.6}}

    found = mine(scores, {"q1": {"d1": 1}, "q2": {"d4": 1}}, texts=texts, options=MineOptions(count=1))

    assert negatives(found) == {"q1": ["d4"], "q2": ["d2"]}  # it is no answer to q2
    assert found.negatives.left_out[ALIKE] == 2


def test_what_is_kept_out_is_nobodys_negative_judged_or_not_and_neither_are_its_copies(mine: Mine) -> None:
    scores = {"q1": {"d1": 0.9, "d2": 0.6, "d3": 0.5, "d4": 0.4, "d9": 0.3}}

    found = mine(scores, QRELS, texts={"d3": "twin", "d2": "twin"}, kept_out=frozenset({"d3", "d9"}))

    assert negatives(found) == {"q1": ["d4"]}


def test_a_negative_is_something_that_the_query_could_have_found(mine: Mine) -> None:
    tenants = {"q1": "a", "d1": "a", "d2": "b", "d3": "a", "d9": "b"}

    found = mine({"q1": {"d1": 0.9, "d2": 0.6, "d3": 0.5, "d9": 0.1}}, QRELS, tenants=tenants)

    assert negatives(found) == {"q1": ["d3"]}


def test_more_judged_ones_than_there_is_room_for_are_cut(mine: Mine) -> None:
    qrels = {"q1": {"d1": 1, "d2": 0, "d3": 0, "d4": 0}}

    found = mine({"q1": {"d1": 0.9, "d2": 0.1, "d3": 0.2, "d4": 0.3, "d5": 0.4}}, qrels, options=MineOptions(count=2))

    assert negatives(found) == {"q1": ["d2", "d3"]}
    assert found.negatives.rank.tolist() == [JUDGED, JUDGED]
    assert found.negatives.score.tolist() == [np.float32(0.1), np.float32(0.2)]


def test_a_cross_encoders_scores_count_in_place_of_the_models(mine: Mine) -> None:
    # By vectors d2 is close and d3 far; by the cross-encoder it is the other way round. Line: 0.6 - 0.03 = 0.57.
    scores = {"q1": {"d1": 0.80, "d2": 0.79, "d3": 0.10}}
    rescore = {"q1": {"d1": 0.60, "d2": 0.20, "d3": 0.59}}

    found = mine(scores, {"q1": {"d1": 1}}, rescore=rescore)

    assert negatives(found) == {"q1": ["d2"]}
    assert found.negatives.score.tolist() == [np.float32(0.2)]


def test_candidates_of_bm25_must_pass_the_models_margin(mine: Mine) -> None:
    texts = {"q1": "red apple", "d1": "red apple pie", "d2": "red apple tree", "d3": "red door", "d4": "blue sky"}
    scores = {"q1": {"d1": 0.8, "d2": 0.79, "d3": 0.2, "d4": 0.7}}

    lexical = mine(scores, {"q1": {"d1": 1}}, texts=texts, options=MineOptions(candidates="bm25"))
    hybrid = mine(scores, {"q1": {"d1": 1}}, texts=texts, options=MineOptions(candidates="hybrid"))

    # d2 is BM25's first and too close by the model; d4 shares no word with the query.
    assert (negatives(lexical), lexical.negatives.rank.tolist()) == ({"q1": ["d3"]}, [2])
    assert lexical.negatives.score.tolist() == [np.float32(0.2)]
    # Fused: d2 (1st, 1st), d3 (3rd, 2nd), d4 (2nd, none).
    assert negatives(hybrid) == {"q1": ["d3", "d4"]}


def test_a_random_pick_depends_on_the_query_and_the_seed_alone(mine: Mine) -> None:
    row = {f"d{n:02}": 0.5 - n / 100 for n in range(30)} | {"right": 0.9}
    many = MineOptions(pick="random", last=30)

    both = mine({"q1": row, "q2": row}, {"q1": {"right": 1}, "q2": {"right": 1}}, options=many)
    alone = mine({"q2": row}, {"q2": {"right": 1}}, options=many)
    other = mine({"q2": row}, {"q2": {"right": 1}}, options=MineOptions(pick="random", last=30, seed=14))

    assert negatives(both)["q2"] == negatives(alone)["q2"] != negatives(other)["q2"]
    assert negatives(both)["q1"] != negatives(both)["q2"]
    assert negatives(both)["q1"] != ["d00", "d01", "d02", "d03"]
    assert both.negatives.rank[:4].tolist() == sorted(both.negatives.rank[:4].tolist())  # hardest first


def test_a_corpus_smaller_than_the_window_gives_what_it_has_and_says_so(mine: Mine) -> None:  # fault 40
    found = mine({"q1": {"d1": 0.9, "d2": 0.1}}, {"q1": {"d1": 1}}, options=MineOptions(first=2, last=50))
    heard = Heard()

    tell(found, heard)

    assert negatives(found) == {"q1": []}
    assert "mine: the corpus has 2 passages, no more than --last 50: all were candidates" in "\n".join(heard.lines)
    assert not any("a greater --last" in line for line in heard.lines)


@pytest.mark.parametrize(("count", "is_advised"), [(3, False), (2, True)])
def test_many_queries_without_negatives_are_told_with_what_leaves_fewer(
    mine: Mine, count: int, is_advised: bool
) -> None:  # fault 39
    # One query has only a passage too close to its right one, the others one far below: 1 of 4 and 1 of 3.
    scores = {f"q{n}": {f"d{n}": 0.9, f"e{n}": 0.1 if n else 0.89} for n in range(count + 1)}
    docs = [name for row in scores.values() for name in row]
    table = {query: dict.fromkeys(docs, -1.0 if query != "q0" else 0.89) | row for query, row in scores.items()}
    heard = Heard()

    found = mine(table, {f"q{n}": {f"d{n}": 1} for n in range(count + 1)}, options=MineOptions(last=1, count=1))
    tell(found, heard)

    assert found.summary()["without"] == 1
    said = next(line for line in heard.lines if "left without negatives" in line)
    assert ("; a smaller --margin or a greater --last leaves fewer" in said) == is_advised


def test_the_most_suspect_stand_close_to_p_and_high_in_the_ranking(mine: Mine) -> None:
    scores = {"q1": {"d1": 0.80, "d2": 0.75, "d3": 0.74, "d4": 0.10, "d9": 0.79}}

    found = mine(scores, QRELS, options=MineOptions(suspects=2))

    # Gaps of 6, 8 and 88 %; d9 was judged, so nobody needs to look at it.
    rows = found.suspects.tolist()
    assert [found.docs[found.negatives.doc[row]].doc_id for row in rows] == ["d2", "d3"]
