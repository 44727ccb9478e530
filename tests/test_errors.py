"""Errors: the text a user reads, the exit code, and one table of codes."""

import ast
from pathlib import Path

import pytest

from lexitune.errors import CODES, DataError, GateRefused, StageFailed, Undecided, UsageError

SOURCE = Path(__file__).resolve().parents[1] / "src" / "lexitune"


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


def test_the_table_is_in_order_and_has_each_code_once() -> None:
    tree = ast.parse((SOURCE / "errors.py").read_text(encoding="utf-8"))
    table = next(node.value for node in tree.body if isinstance(node, ast.Assign) and _name(node) == "CODES")
    assert isinstance(table, ast.Dict)
    written = [key.value for key in table.keys if isinstance(key, ast.Constant)]

    assert written == sorted(CODES)


def test_every_code_of_the_table_is_raised_and_every_raised_code_is_in_it() -> None:
    raised = {
        node.value
        for file in SOURCE.rglob("*.py")
        if file.name != "errors.py"
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _is_code(node.value)
    }

    assert raised == set(CODES)


def _name(node: ast.Assign) -> str:
    return node.targets[0].id if isinstance(node.targets[0], ast.Name) else ""


def _is_code(text: str) -> bool:
    return len(text) == 5 and text[0] == "E" and text[1:].isdigit()
