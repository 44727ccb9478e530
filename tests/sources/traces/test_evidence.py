"""From answers to judgements, by numbers that can be checked by hand."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexitune.sources.traces.evidence import Asked, Weighed, weigh
from lexitune.sources.traces.options import TracesOptions

UP, NONE, DOWN = 1, 0, -1


def asked(voter: str, thumb: int, shown: str, cited: str = "") -> Asked:
    """Passages are letters, in the order shown."""
    return Asked(voter, thumb, list(shown), frozenset(cited), bool(cited))


def said(found: Weighed) -> dict[str, tuple[int | None, float]]:
    return {one.doc_id: (one.relevance, one.weight) for one in found.judgements}


def judge(*traces: Asked, **options: float) -> Weighed:
    return weigh("q", traces, source="trace:x", options=TracesOptions(**options))  # type: ignore[arg-type]


# The prior is one vote: n citations with thumbs up weigh n / (n + 1).
@pytest.mark.parametrize(
    ("case", "traces", "expected"),
    [
        ("cited with thumbs up: 1 / 2", [asked("a", UP, "xy", "x")], {"x": (1, 0.5)}),
        ("cited without thumbs: 0.5 / 2", [asked("a", NONE, "xy", "x")], {"x": (1, 0.25)}),
        (
            "three people: (1 + 1 + 0.5) / 4",
            [asked("a", UP, "x", "x"), asked("b", UP, "x", "x"), asked("c", NONE, "x", "x")],
            {"x": (1, 0.625)},
        ),
        (
            "thumbs down beside thumbs up dilute: 1 / 3",
            [asked("a", UP, "x", "x"), asked("b", DOWN, "x", "x")],
            {"x": (1, 0.3333)},
        ),
        ("thumbs down: 0.1 * 1 / 2", [asked("a", DOWN, "xy", "x")], {"x": (0, 0.05), "y": (0, 0.05)}),
        ("thumbs down, nothing cited", [asked("a", DOWN, "x")], {"x": (0, 0.05)}),
        (
            "passed over twice: 0.2 * 2 / 3",
            [asked("a", UP, "xy", "x"), asked("b", NONE, "yx", "x")],
            {"x": (1, 0.5), "y": (0, 0.1333)},
        ),
        ("passed over once is not enough", [asked("a", UP, "xy", "x")], {"x": (1, 0.5)}),
        (
            "passed over twice, cited once",
            [asked("a", NONE, "xy", "x"), asked("b", NONE, "xy", "x"), asked("c", NONE, "xy", "y")],
            {"x": (1, 0.3333), "y": (1, 0.25)},
        ),
        (
            "passed over twice, cited in an answer with thumbs down: 0.1 * 1 / 2",
            [asked("a", NONE, "xy", "x"), asked("b", NONE, "xy", "x"), asked("c", DOWN, "y", "y")],
            {"x": (1, 0.3333), "y": (0, 0.05)},
        ),
        (
            "an answer that cites nothing passes nothing over",
            [asked("a", NONE, "xy", "x"), asked("b", NONE, "xy")],
            {"x": (1, 0.25)},
        ),
        (
            "an answer with thumbs down may have passed over the right one",
            [asked("a", NONE, "xy", "x"), asked("b", DOWN, "xz", "z")],
            {"x": (1, 0.25), "z": (0, 0.05)},
        ),
        ("nothing at all", [asked("a", NONE, "xy")], {}),
        ("thumbs up without a citation", [asked("a", UP, "xy")], {}),
        ("what the corpus lacks is not judged", [Asked("a", UP, ["", "x"], frozenset(), True)], {}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_answers_say_of_passages(case: str, traces: list[Asked], expected: dict[str, tuple[int, float]]) -> None:
    assert said(judge(*traces)) == expected


@pytest.mark.parametrize(
    ("traces", "refused"),
    [
        ([asked("a", NONE, "xy")], {"no citation and no thumbs in any answer to the question": 2}),
        ([asked("a", UP, "x")], {"thumbs up, and no citation says for which passage": 1}),
        ([asked("a", UP, "xy", "x")], {"passed over in too few answers": 1}),
    ],
)
def test_pairs_without_a_judgement_are_refused_with_the_reason(traces: list[Asked], refused: dict[str, int]) -> None:
    assert judge(*traces).refused == refused


def test_a_voter_counts_once_however_often_the_question_is_asked() -> None:
    once, often = judge(asked("a", UP, "xy", "x")), judge(*[asked("a", UP, "xy", "x")] * 100)

    assert said(once) == said(often) == {"x": (1, 0.5)}


def test_a_voter_who_gives_both_thumbs_gives_none() -> None:
    assert said(judge(asked("a", UP, "x", "x"), asked("a", DOWN, "x", "x"))) == {"x": (1, 0.25)}


def test_evidence_tells_the_votes_and_the_best_rank() -> None:
    found = judge(asked("a", UP, "yx", "x"), asked("b", NONE, "zyx", "x"), asked("c", DOWN, "x", "x"))

    assert [one.evidence for one in found.judgements] == [
        "cited in 3 of 3 answers, 1 with thumbs up, 1 with thumbs down; best rank 1",
        "passed over by 2 of 2 answers that cite others, and cited by none; best rank 1",
    ]
    assert [(one.doc_id, one.count, one.source) for one in found.judgements] == [
        ("x", 2, "trace:x"),
        ("y", 2, "trace:x"),
    ]


def test_what_a_reranker_left_out_is_refused_and_told() -> None:
    found = judge(Asked("a", NONE, ["x"], frozenset("x"), True, ["x", "y", ""]))

    assert said(found) == {"x": (1, 0.25)}
    assert found.refused == {"retrieved, and left out before the model saw it": 1}


def test_what_nearly_equals_a_cited_passage_is_not_called_wrong() -> None:
    texts = {"x": "Rent is payable in advance.", "y": "Rent is payable in advance!", "z": "A deed needs a witness."}
    traces = [asked("a", NONE, "xyz", "x"), asked("b", NONE, "xyz", "x")]

    found = weigh("q", traces, source="trace:x", options=TracesOptions(), text_of=lambda doc_id: texts.get(doc_id, ""))

    assert said(found) == {"x": (1, 0.3333), "z": (0, 0.1333)}
    assert found.refused == {"nearly the text of a passage that is cited": 1}
    assert found.kinds == {"cited": 1, "passed": 1}


def test_a_question_keeps_its_best_passages_only() -> None:  # fault 44
    traces = [asked("a", UP, "xyz", "xyz"), asked("b", UP, "z", "z")]

    found = judge(*traces, most_per_query=2)

    # z has two votes; x and y tie, and the smaller id stays.
    assert said(found) == {"x": (1, 0.5), "z": (1, 0.6667)}
    assert found.refused == {"beyond the 2 best of the question": 1}
    assert found.kinds["cited"] == 2


TRACES = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.sampled_from([UP, NONE, DOWN]),
        st.text("vwxyz", max_size=5),
        st.text("vwxyz", max_size=2),
    ),
    max_size=8,
)


@given(TRACES, st.randoms(use_true_random=False))
def test_the_order_of_traces_changes_nothing(rows: list[tuple[str, int, str, str]], chance: random.Random) -> None:
    traces = [asked(voter, thumb, shown, cited) for voter, thumb, shown, cited in rows]
    shuffled = list(traces)
    chance.shuffle(shuffled)

    assert judge(*traces) == judge(*shuffled)


@given(TRACES)
def test_every_passage_that_was_shown_is_judged_once_or_refused_once(rows: list[tuple[str, int, str, str]]) -> None:
    found = judge(*[asked(voter, thumb, shown, cited) for voter, thumb, shown, cited in rows])

    shown = {doc_id for _, _, shown, _ in rows for doc_id in shown}
    judged = [one.doc_id for one in found.judgements]
    assert len(judged) == len(set(judged))
    assert len(judged) + found.refused.total() == len(shown)
    assert all(0 < one.weight < 1 for one in found.judgements)
