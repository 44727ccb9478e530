"""The audit: what is tested was not trained on, and it is never the test set that gives way."""

import pytest

from lexitune.splits.audit import find_leaks, repair
from lexitune.types import Query

# Texts by id: t is tested; a, b, c, d stand elsewhere.
QUERIES = {
    query_id: Query(query_id, text)
    for query_id, text in {"t": "What is tort?", "a": "what is  TORT", "b": "who", "c": "Who?!", "d": "why"}.items()
}


def split(ids: str) -> dict[str, dict[str, int]]:
    return {query_id: {"x": 1} for query_id in ids}


@pytest.mark.parametrize(
    ("case", "train", "dev", "test", "kept_train", "kept_dev", "dropped"),
    [
        ("nothing in common", "b", "d", "t", "b", "d", 0),
        ("train equals test", "ab", "d", "t", "b", "d", 1),
        ("dev equals test", "b", "ad", "t", "b", "d", 1),
        ("train equals dev: train goes", "bd", "c", "t", "d", "c", 1),
        ("one id in train and test", "tb", "d", "t", "b", "d", 1),
        ("dev went, so train need not", "a", "a", "t", "", "", 2),
        ("equal texts within train stay", "bc", "d", "t", "bc", "d", 0),
    ],
)
def test_what_is_dropped(
    case: str, train: str, dev: str, test: str, kept_train: str, kept_dev: str, dropped: int
) -> None:
    given = {"train": split(train), "dev": split(dev), "test": split(test)}

    kept, count = repair(given, QUERIES)

    assert kept == {"train": split(kept_train), "dev": split(kept_dev), "test": split(test)}, case
    assert count == dropped


def test_what_was_given_is_not_changed() -> None:
    given = {"train": split("ab"), "test": split("t")}

    repair(given, QUERIES)

    assert given == {"train": split("ab"), "test": split("t")}


def test_leaks_are_named_in_pairs() -> None:
    learnt = [QUERIES["b"], QUERIES["a"]]

    assert find_leaks(learnt, [QUERIES["t"], QUERIES["d"]]) == [("a", "t")]
    assert find_leaks(learnt, []) == []
