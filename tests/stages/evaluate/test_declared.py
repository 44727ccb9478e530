"""Declared slices: which test queries are in them, and what is told in place of too many."""

import pytest

from lexitune.errors import DataError
from lexitune.stages.evaluate.declared import MOST, declared_slices, refuse_unknown_fields
from lexitune.types import Query

QUERIES = {
    "q1": Query("q1", "", {"language": "de", "filter": {"tenant": ["a", "b"]}}),
    "q2": Query("q2", "", {"language": "de", "filter": {"tenant": "a"}}),
    "q3": Query("q3", "", {"language": "fr", "year": 2024}),
}


def test_each_field_is_cut_once_and_what_a_query_is_filtered_by_counts() -> None:
    found = declared_slices(QUERIES, ["q1", "q2"], " tenant, language,tenant ,year")

    assert [one.members for one in found] == [
        {"tenant=a": {"q1", "q2"}, "tenant=b": {"q1"}},
        {"language=de": {"q1", "q2"}},
        {},
    ]
    assert [one.notes for one in found] == [(), (), ("2 of 2 test queries have no year",)]


def test_a_number_is_a_value_and_a_query_of_its_own_goes_before_its_filter() -> None:
    queries = {"q1": Query("q1", "", {"year": 2024, "filter": {"year": 2023}})}

    assert declared_slices(queries, queries, "year")[0].members == {"year=2024": {"q1"}}


def test_the_largest_values_are_slices_and_the_rest_is_told() -> None:
    queries = {
        f"q{number}": Query(f"q{number}", "", {"user": f"u{min(number, MOST):02}"}) for number in range(MOST + 2)
    }

    (found,) = declared_slices(queries, queries, "user")

    assert len(found.members) == MOST
    assert next(iter(found.members)) == f"user=u{MOST:02}"
    assert f"user=u{MOST - 1:02}" not in found.members
    assert found.notes == (f"slices are the {MOST} largest values of user; 1 more have up to 1 queries",)


@pytest.mark.parametrize(("fields", "fix"), [("langage", "did you mean 'language'?"), ("language,filter", "known:")])
def test_a_field_that_no_query_has_is_refused(fields: str, fix: str) -> None:
    with pytest.raises(DataError, match="a field that no query has") as caught:
        refuse_unknown_fields(QUERIES.values(), fields)

    assert caught.value.code == "E3105"
    assert caught.value.fix.startswith(fix)
