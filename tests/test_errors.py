"""Errors: the text a user reads, the exit code, and the code that fits it."""

import pytest

from lexitune.errors import DataError, GateRefused, StageFailed, Undecided, UsageError


def test_an_error_reads_as_code_place_problem_and_fix() -> None:
    error = UsageError("E2001", "no option 'x'", fix="lexitune --help", at="lexitune.toml:3")

    assert str(error) == "error[E2001]: lexitune.toml:3: no option 'x'\n  fix: lexitune --help"


def test_an_error_without_a_place_starts_with_the_problem() -> None:
    assert str(UsageError("E2001", "no option 'x'", fix="y")) == "error[E2001]: no option 'x'\n  fix: y"


def test_every_kind_has_its_exit_code() -> None:
    kinds = (StageFailed, UsageError, DataError, GateRefused, Undecided)

    assert [kind.exit_code for kind in kinds] == [1, 2, 3, 4, 5]


def test_a_code_fits_its_kind() -> None:
    with pytest.raises(ValueError, match="cannot carry"):
        DataError("E2001", "a usage code", fix="y")
    with pytest.raises(ValueError, match="cannot carry"):
        UsageError("E2999", "a code of no table", fix="y")
