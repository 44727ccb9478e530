"""Questions, answers and passages in the shapes that programs log."""

from __future__ import annotations

from typing import Any

import pytest

from lexitune.sources.traces.texts import answer_of, contexts_of, parsed, question_of, who_of

RENT = "What is rent?"


@pytest.mark.parametrize(
    "value",
    [
        RENT,
        {"question": RENT},
        {"query": RENT, "k": 5},
        {"input": {"question": RENT}},
        '{"query": "What is rent?"}',
        [{"role": "system", "content": "Be brief."}, {"role": "user", "content": RENT}],
        {"messages": [{"role": "user", "content": "Hello"}, {"role": "user", "content": RENT}]},
        {"messages": [{"type": "human", "content": RENT}, {"type": "ai", "content": "Money."}]},
        {"messages": [[{"lc": 1, "id": ["langchain", "HumanMessage"], "kwargs": {"content": RENT}}]]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": RENT}]}]},
        {"args": [RENT], "kwargs": {}},
        {"args": [], "kwargs": {"question": RENT}},
        [{"message": {"role": "user", "content": RENT}}],
    ],
)
def test_a_question_is_found(value: Any) -> None:
    assert question_of(value) == RENT


@pytest.mark.parametrize("value", [None, 3, {}, [], {"k": 5}, [{"role": "assistant", "content": "Money."}]])
def test_what_holds_no_question_gives_none(value: Any) -> None:
    assert question_of(value) == ""


@pytest.mark.parametrize(
    "value",
    [
        "Money.",
        {"answer": "Money.", "source_documents": []},
        {"output": "Money."},
        {"choices": [{"index": 0, "message": {"role": "assistant", "content": "Money."}}]},
        {"generations": [[{"text": "Money."}]]},
        {"generations": [[{"message": {"id": ["x", "AIMessage"], "kwargs": {"content": "Money."}}}]]},
        {"messages": [{"role": "user", "content": RENT}, {"role": "assistant", "content": "Money."}]},
        {"role": "assistant", "content": "Money."},
        [{"message": {"role": "assistant", "content": "Money."}}],
    ],
)
def test_an_answer_is_found(value: Any) -> None:
    assert answer_of(value) == "Money."


@pytest.mark.parametrize(
    "value",
    [
        [{"page_content": "Rent.", "metadata": {"id": "d1"}}],
        {"documents": [{"page_content": "Rent.", "metadata": {"doc_id": "d1"}}]},
        {"output": [{"id": "d1", "text": "Rent."}]},
        [{"document": {"id": "d1", "content": "Rent."}, "score": 0.5}],
        [{"node": {"id_": "d1", "text": "Rent."}, "score": 0.5}],
        [{"lc": 1, "id": ["x", "Document"], "kwargs": {"page_content": "Rent.", "metadata": {"id": "d1"}}}],
        [{"content": "Rent.", "metadata": '{"id": "d1"}'}],
        [{"id": "d1", "payload": {"text": "Rent."}}],
    ],
)
def test_passages_are_found(value: Any) -> None:
    assert [(one.doc_id, one.text) for one in contexts_of(value)] == [("d1", "Rent.")]


def test_a_passage_may_be_a_bare_text_and_a_conversation_is_none() -> None:
    assert [(one.doc_id, one.text) for one in contexts_of({"contexts": ["Rent."]})] == [("", "Rent.")]
    assert contexts_of([{"role": "user", "content": RENT}]) == []


def test_the_key_of_ids_is_where_the_user_says() -> None:
    documents = [{"id": "row-1", "text": "Rent.", "metadata": {"slug": "lease", "source": "lease.pdf"}}]

    (found,) = contexts_of(documents, "slug")

    assert found.doc_id == "lease"
    assert set(found.names) == {"lease", "row-1", "lease.pdf"}


def test_a_user_counts_before_a_session_and_neither_stands_in_the_hash() -> None:
    assert who_of({"session_id": "s1"}) != who_of({"session_id": "s1", "user_id": "ann"})
    assert "ann" not in who_of({"user_id": "ann"})
    assert who_of(None, {}, {"user_id": ""}) == ""


@pytest.mark.parametrize("text", ["[1] is a citation", "{not json", '{"a": "\\ud800"}', "[" * 100_000])
def test_a_text_that_is_no_json_stays_a_text(text: str) -> None:
    assert parsed(text) == text
