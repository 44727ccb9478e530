"""The audit: what is tested was not learnt, and it is never the test set that gives way."""

import numpy as np
import pytest

from lexitune.splits.audit import Leak, find_alike, find_leaks, repair, tell, that_stop
from lexitune.types import Doc, Query

# Texts by id: t is tested; a, b, c, d, n stand elsewhere. t has 19 shingles, n one more.
TEXTS = {
    "t": "What is the law of tort?",
    "a": "what is  the LAW of tort",
    "n": "what is the law of torts",
    "b": "who",
    "c": "Who?!",
    "d": "why",
}
QUERIES = {query_id: Query(query_id, text) for query_id, text in TEXTS.items()}


def split(ids: str) -> dict[str, dict[str, int]]:
    return {query_id: {"x": 1} for query_id in ids}


@pytest.mark.parametrize(
    ("case", "train", "dev", "test", "kept_train", "kept_dev", "dropped"),
    [
        ("nothing in common", "b", "d", "t", "b", "d", ""),
        ("train equals test", "ab", "d", "t", "b", "d", "at"),
        ("train nearly equals test", "nb", "d", "t", "b", "d", "nt"),
        ("dev equals test", "b", "ad", "t", "b", "d", "at"),
        ("train equals dev: train goes", "bd", "c", "t", "d", "c", "bc"),
        ("one id in train and test", "tb", "d", "t", "b", "d", "tt"),
        ("dev went, so train need not", "a", "n", "t", "", "", "nt at"),
        ("equal texts within train stay", "bc", "d", "t", "bc", "d", ""),
        ("equal texts within test stay", "d", "", "bc", "d", "", ""),
        ("every copy goes", "an", "d", "t", "", "d", "at nt"),
    ],
)
def test_what_is_dropped(
    case: str, train: str, dev: str, test: str, kept_train: str, kept_dev: str, dropped: str
) -> None:  # fault 35
    given = {"train": split(train), "dev": split(dev), "test": split(test)}

    kept, found = repair(given, QUERIES)

    assert kept == {"train": split(kept_train), "dev": split(kept_dev), "test": split(test)}, case
    assert [leak.other_id + leak.query_id for leak in found] == dropped.split()


def test_what_was_given_is_not_changed() -> None:
    given = {"train": split("ab"), "test": split("t")}

    repair(given, QUERIES)

    assert given == {"train": split("ab"), "test": split("t")}


def test_equal_and_near_queries_are_named_with_their_split_and_likeness() -> None:
    leaks = find_leaks({"train": split("nbd"), "dev": split("a"), "test": split("t")}, QUERIES)

    assert leaks == [Leak("t", "a", "dev", "equal", 1.0), Leak("t", "n", "train", "near", 19 / 20)]


def test_without_a_test_split_nothing_leaks() -> None:
    assert find_leaks({"train": split("an")}, QUERIES) == []
    assert find_leaks({"test": split("t")}, QUERIES) == []


def test_every_copy_is_named_on_both_sides() -> None:
    queries = {query_id: Query(query_id, "Who?") for query_id in ("t1", "t2", "a1", "a2", "a3")}
    splits = {"train": {q: {"d": 1} for q in ("a1", "a2", "a3")}, "test": {q: {"e": 1} for q in ("t1", "t2")}}

    leaks = find_leaks(splits, queries)

    assert {leak.query_id for leak in leaks} == {"t1", "t2"}
    assert {leak.other_id for leak in leaks} == {"a1", "a2", "a3"}


# Passages of the family f, of g, and of none.
DOCS = [
    Doc("f1", "", metadata={"family": "f"}),
    Doc("f2", "", metadata={"family": "f"}),
    Doc("g1", "", metadata={"family": "g"}),
    Doc("none", "", metadata={"family": ""}),
]


@pytest.mark.parametrize(
    ("case", "learnt", "tested", "own", "leaks"),
    [
        ("docs of one family", {"f1": 1}, {"f2": 1}, "", True),
        ("one doc with a family", {"f1": 1}, {"f1": 1}, "", True),
        ("two families", {"f1": 1}, {"g1": 1}, "", False),
        ("a doc judged 0", {"f1": 0}, {"f2": 1}, "", False),
        ("a query of a doc's family", {"f1": 1}, {"none": 1}, "f", True),
        ("an empty family is none", {"none": 1}, {"none": 1}, "", False),
        ("a shared passage is no leak", {"x": 1}, {"x": 1}, "", False),
    ],
)
def test_one_family_on_two_sides_is_a_leak(
    case: str, learnt: dict[str, int], tested: dict[str, int], own: str, leaks: bool
) -> None:
    queries = {"a": Query("a", "who"), "t": Query("t", "why", {"family": own})}

    found = find_leaks({"train": {"a": learnt}, "test": {"t": tested}}, queries, docs=DOCS)

    assert found == ([Leak("t", "a", "train", "family", 1.0)] if leaks else []), case


@pytest.mark.parametrize(
    ("case", "query", "title", "text", "copied"),
    [
        ("a sentence", "Delete an empty S3 bucket?", "", "delete an  empty s3 bucket. aws s3 rb", True),
        ("in the middle", "the law of all torts", "", "This is the law of all torts, in short", True),
        ("the title", "the law of all torts", "The law of all torts", "Nothing", True),
        ("four words", "the law of torts", "", "This is the law of torts", False),
        ("five words in another order", "torts and the law of all", "", "the law of all torts", False),
        ("five words, one more than the passage has", "the law of all our torts", "", "the law of all torts", False),
        ("its end is inside a word", "what is the law of tort", "", "What is the law of torts?", False),
        ("its start is inside a word", "law of all the torts", "", "The bylaw of all the torts", False),
        ("once inside a word, once not", "the law of all tort", "", "the law of all torts: the law of all tort", True),
        ("signs mean themselves", "what does a.b*(c) match here", "", "Ask what does a.b*(c) match here, twice", True),
    ],
)
def test_a_query_that_stands_in_its_passage_is_copied(
    case: str, query: str, title: str, text: str, copied: bool
) -> None:
    docs = [Doc("d", text, title), Doc("e", "the law of all torts")]

    found = find_leaks({"test": {"t": {"d": 1, "e": 0}}}, {"t": Query("t", query)}, docs=docs)

    assert found == ([Leak("t", "d", "corpus", "copied", 1.0)] if copied else []), case


def test_vectors_close_together_are_named_with_the_nearest() -> None:
    # Cosines with a and b: t1 0.96 and 1, t2 0.28 and 0, t3 0.936 and 0.8.
    test = np.array([[1.0, 0.0], [0.0, 1.0], [0.8, 0.6]], dtype=np.float32)
    learnt = np.array([[0.96, 0.28], [1.0, 0.0]], dtype=np.float32)

    assert find_alike((["t1", "t2", "t3"], test), (["a", "b"], learnt), split="train") == [
        Leak("t1", "b", "train", "cosine", 1.0)
    ]
    assert find_alike((["t1", "t2", "t3"], test), ([], learnt[:0]), split="train") == []


def test_which_leaks_stop_a_run() -> None:
    near, alike = Leak("t1", "a", "train", "near", 0.9), Leak("t2", "a", "train", "cosine", 0.97)
    copies = [Leak(f"t{n}", "d", "corpus", "copied", 1.0) for n in range(3)]

    assert that_stop([near, alike, *copies], 60) == [near]  # 3 of 60 is one in twenty
    assert that_stop([near, alike, *copies], 59) == [near, *copies]


def test_leaks_are_told_by_kind_with_the_first_pairs() -> None:
    near = [Leak(f"t{n}", f"a{n}", ("train", "dev")[n % 2], "near", 0.875) for n in range(4)]
    equal = Leak("t9", "a9", "dev", "equal", 1.0)

    assert tell([equal, *near], 1000) == [
        "1 of 1,000 test queries ask what a dev query asks: t9 ~ a9",
        "4 of 1,000 test queries ask nearly what a train or dev query asks: "
        "t0 ~ a0 (0.88), t1 ~ a1 (0.88), t2 ~ a2 (0.88), ...",
    ]
    assert tell([], 1000) == []
