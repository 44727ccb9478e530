"""Parts into a trace."""

from __future__ import annotations

from itertools import permutations

from lexitune.sources.traces.assembly import assemble
from lexitune.sources.traces.trace import MODEL, RERANKER, RETRIEVER, Context, Part

A, B, C = Context("a", "A"), Context("b", "B"), Context("c", "C")
ROOT = Part("t", "root", at="1", question="typed", answer="said", who="ann")
FIRST = Part("t", "first", "root", RETRIEVER, "2", "searched", contexts=[A, B])
MODEL_CALL = Part("t", "model", "root", MODEL, "4", answer="generated")


def test_the_order_in_which_parts_come_changes_nothing() -> None:
    reranked = Part("t", "rerank", "root", RERANKER, "3", contexts=[B])
    found = {repr(assemble(order)) for order in permutations([ROOT, FIRST, reranked, MODEL_CALL])}

    assert len(found) == 1


def test_what_was_searched_is_the_question_unless_the_users_is_asked_for() -> None:
    for wanted, asked in (("search", "searched"), ("user", "typed")):
        found = assemble([ROOT, FIRST], question=wanted)
        assert found is not None
        assert found.question == asked


def test_several_searches_give_way_to_the_users_question() -> None:
    second = Part("t", "second", "root", RETRIEVER, "3", "searched again", contexts=[C])
    both = assemble([ROOT, FIRST, second])

    assert both is not None
    assert (both.question, list(both.contexts), both.is_one_list) == ("typed", [A, B, C], False)
    assert assemble([FIRST, second]) is None


def test_the_reranker_is_the_last_word_and_a_later_search_is_added() -> None:
    reranked = Part("t", "rerank", "root", RERANKER, "3", "searched", contexts=[B])
    later = Part("t", "later", "root", RETRIEVER, "5", "searched", contexts=[C])

    one, two = assemble([ROOT, FIRST, reranked]), assemble([ROOT, FIRST, reranked, later])

    assert one is not None
    assert two is not None
    assert (list(one.contexts), list(one.earlier), one.is_one_list) == ([B], [A, B], True)
    assert (list(two.contexts), two.is_one_list) == ([B, C], False)


def test_a_retriever_inside_another_is_no_list_of_its_own() -> None:
    outer = Part("t", "outer", "root", RETRIEVER, "1", "searched", contexts=[B])
    inner = FIRST._replace(parent_id="outer")
    found = assemble([ROOT, outer, inner])

    assert found is not None
    assert (list(found.contexts), list(found.earlier), found.is_one_list) == ([B], [A, B], True)


def test_the_answer_is_what_came_out_in_the_end_else_what_the_model_said_last() -> None:
    silent = ROOT._replace(answer="")
    first = MODEL_CALL._replace(part_id="model0", at="3", answer="a draft")

    for root, answer in ((ROOT, "said"), (silent, "generated")):
        found = assemble([root, MODEL_CALL, first])
        assert found is not None
        assert found.answer == answer


def test_passages_that_a_program_returns_count_where_it_logs_no_search() -> None:
    bare = ROOT._replace(contexts=[A])

    found, searched = assemble([bare]), assemble([bare, FIRST])

    assert found is not None
    assert searched is not None
    assert (list(found.contexts), list(searched.contexts)) == ([A], [A, B])


def test_parts_that_are_each_others_parents_do_no_harm() -> None:
    one = Part("t", "one", "two", RETRIEVER, "1", "q", contexts=[A])
    two = Part("t", "two", "one", RETRIEVER, "2", "q", contexts=[B])

    assert assemble([ROOT, one, two]) is not None
