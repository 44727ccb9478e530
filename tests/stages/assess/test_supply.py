"""Supply: training pairs by source, copies, and whether sources agree."""

from __future__ import annotations

import pytest

from lexitune.stages.assess.supply import is_synthetic, survey_pairs
from lexitune.types import Dataset, Doc, Qrels, Query

DOCS = [Doc(f"d{n}", "x") for n in range(5)]


def data(queries: list[tuple[str, str, str]], train: Qrels) -> Dataset:
    """Queries as id, text, source."""
    made = {key: Query(key, text, {"source": source} if source else {}) for key, text, source in queries}
    return Dataset(DOCS, made, {"train": train, "dev": {"v": {"d4": 1}}})


def test_relevant_pairs_are_counted_by_source_and_dev_is_not() -> None:
    found = survey_pairs(
        data(
            [("a", "one", "log"), ("b", "two", "log"), ("c", "three", "expert")],
            {"a": {"d0": 1, "d1": 2}, "b": {"d0": 1, "d2": 0}, "c": {"d3": 1}},
        )
    )

    assert (found.pairs, found.queries, found.docs, found.copies) == (4, 3, 3, 0)
    assert found.sources == {"log": 3, "expert": 1}
    assert (found.shared, found.agreed) == (0, 0)


def test_the_same_question_and_passage_is_a_copy_however_it_is_written() -> None:
    found = survey_pairs(data([("a", "What is it?", ""), ("b", "what  is it", "")], {"a": {"d0": 1}, "b": {"d0": 1}}))

    assert (found.pairs, found.queries, found.copies) == (2, 1, 1)
    assert found.sources == {"unnamed": 2}
    assert found.shared == 0  # one source cannot agree with itself


def test_sources_agree_where_some_passage_is_right_for_both() -> None:
    found = survey_pairs(
        data(
            [("a", "one", "log"), ("b", "one", "expert"), ("c", "two", "log"), ("d", "two", "expert")],
            {"a": {"d0": 1, "d1": 1}, "b": {"d1": 1}, "c": {"d2": 1}, "d": {"d3": 1}},
        )
    )

    assert (found.shared, found.agreed) == (2, 1)


@pytest.mark.parametrize(
    ("source", "is_one"),
    [("synthetic", True), ("synthetic:llama-3", True), ("synthetics-ltd", False), ("log", False), ("", False)],
)
def test_what_a_model_wrote_says_so(source: str, is_one: bool) -> None:
    assert is_synthetic(Query("q", "x", {"source": source})) is is_one
