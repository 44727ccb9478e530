"""Filters: who may see what."""

from __future__ import annotations

from typing import Any

import pytest

from lexitune.errors import DataError
from lexitune.search.filters import allowed_docs
from lexitune.types import Doc, Query

DOCS = [
    Doc("d1", "", metadata={"tenant": "a", "year": 2023}),
    Doc("d2", "", metadata={"tenant": "b", "year": 2024, "access": ["staff", "board"]}),
    Doc("d3", "", metadata={"tenant": "a", "year": 2024, "public": True}),
    Doc("d4", ""),
]


@pytest.mark.parametrize(
    ("case", "wanted", "seen"),
    [
        ("one value", {"tenant": "a"}, ["d1", "d3"]),
        ("one of several values", {"tenant": ["a", "b"]}, ["d1", "d2", "d3"]),
        ("every field must match", {"tenant": "a", "year": 2024}, ["d3"]),
        ("a doc's own list needs one in common", {"access": "board"}, ["d2"]),
        ("a number typed as text", {"year": "2023"}, ["d1"]),
        ("true typed as text", {"public": "true"}, ["d3"]),
        ("a value that no doc has", {"tenant": "z"}, []),
        ("no value at all", {"tenant": []}, []),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_which_docs_are_seen(case: str, wanted: dict[str, Any], seen: list[str]) -> None:
    allowed = allowed_docs([Query("q1", "", {"filter": wanted})], DOCS)

    assert allowed is not None
    mask = allowed.mask(0)
    assert mask is not None
    assert [doc.doc_id for doc, ok in zip(DOCS, mask.tolist(), strict=True) if ok] == seen


def test_equal_filters_share_a_mask_and_a_query_without_one_sees_everything() -> None:
    queries = [
        Query("q1", "", {"filter": {"tenant": "a", "year": 2024}}),
        Query("q2", ""),
        Query("q3", "", {"filter": {"year": [2024], "tenant": ["a"]}}),
        Query("q4", "", {"filter": {}}),
    ]

    allowed = allowed_docs(queries, DOCS)

    assert allowed is not None
    assert allowed.which.tolist() == [0, -1, 0, -1]
    assert len(allowed.masks) == 1
    assert allowed.mask(1) is None


def test_without_filters_there_is_nothing_to_obey() -> None:
    assert allowed_docs([Query("q1", ""), Query("q2", "", {"source": "log"})], DOCS) is None


def test_permissions_follow_ids_into_another_order() -> None:
    allowed = allowed_docs([Query("q1", ""), Query("q2", "", {"filter": {"tenant": "a"}})], DOCS)

    assert allowed is not None
    moved = allowed.aligned(["q2", "q1"], ["d3", "unknown", "d2", "d1"])
    assert moved.which.tolist() == [0, -1]
    assert moved.masks.tolist() == [[True, False, False, True]]


def test_a_query_without_known_permissions_is_refused() -> None:
    allowed = allowed_docs([Query("q1", "", {"filter": {"tenant": "a"}})], DOCS)

    assert allowed is not None
    with pytest.raises(KeyError, match="q2"):
        allowed.aligned(["q2"], ["d1"])


@pytest.mark.parametrize(
    ("case", "wanted", "code", "fix"),
    [
        ("a field that no doc has", {"tenent": "a"}, "E3143", "did you mean 'tenant'?"),
        ("a text for a mapping", "tenant=a", "E3144", "field"),
        ("no value", {"tenant": None}, "E3144", "field"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_refused(case: str, wanted: object, code: str, fix: str) -> None:
    with pytest.raises(DataError, match="q1") as caught:
        allowed_docs([Query("q1", "", {"filter": wanted})], DOCS)

    assert caught.value.code == code
    assert fix in caught.value.fix


def test_docs_without_metadata_are_told() -> None:
    with pytest.raises(DataError) as caught:
        allowed_docs([Query("q1", "", {"filter": {"tenant": "a"}})], [Doc("d1", "")])

    assert caught.value.fix == "give the documents metadata with 'tenant'"
