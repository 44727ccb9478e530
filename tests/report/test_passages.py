"""Passages: what is open, what is folded, and what counts as code."""

import pytest

from lexitune.report.passages import LETTERS, MOST, Passage, clip


@pytest.mark.parametrize(
    ("case", "text", "code"),
    [
        ("an indented line is code", "def f():\n    return 1", True),
        ("a tab indents as well", "if true; then\n\techo\nfi", True),
        ("prose with paragraphs is prose", "One.\n\nTwo.", False),
        ("one line is prose", "find . -name '*.py'", False),
        ("an indent before the first line alone is prose", "   One.\nTwo.", False),
    ],
)
def test_what_counts_as_code(case: str, text: str, code: bool) -> None:
    assert clip(text).code == code


def test_a_method_loses_the_indent_of_its_class() -> None:
    assert clip("    def f():\n        return 1\n").head == "def f():\n    return 1"


def test_long_code_is_folded_after_ten_lines() -> None:
    lines = ["def f():", *(f"    x = {number}" for number in range(1, 30))]

    passage = clip("\n".join(lines))

    assert passage == Passage("\n".join(lines[:10]), "\n".join(lines[10:]), "20 more lines", code=True)


def test_two_lines_too_many_are_not_worth_a_fold() -> None:
    assert clip("def f():\n" + "    x = 1\n" * 11).rest == ""


def test_long_prose_is_folded_between_words() -> None:
    words = "word " * 200

    passage = clip(words)

    assert f"{passage.head} {passage.rest}" == words.strip()
    assert len(passage.head) <= LETTERS
    assert passage.more == f"{len(passage.rest)} more letters"


def test_a_book_is_cut_and_the_loss_is_told() -> None:
    passage = clip("x" * (MOST + 1234))

    assert passage.rest.endswith("x\u2026")
    assert passage.more.endswith("(1,234 letters are left out)")


def test_an_empty_passage_stays_empty() -> None:
    assert clip("") == Passage("")
