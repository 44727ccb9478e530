"""promote as typed: every reason within 80 columns, and a gate that is overruled."""

from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result

from lexitune.cli.main import main
from lexitune.io.workspace import Workspace
from lexitune.stages.promote.serving import read_serving


def call(workspace: Workspace, *args: str) -> Result:
    return CliRunner().invoke(main, ["-C", str(workspace.root), "promote", "--yes", *args])


@pytest.fixture
def harmful(
    ready: Workspace,
    evaluation: Callable[..., dict[str, Any]],
    restage: Callable[[Workspace, str, dict[str, Any]], None],
) -> Workspace:
    """The challenger m1 gains in its field and loses ten points outside it."""
    ready.config.write_text("")
    restage(ready, "m1", evaluation(won=60, lost=5, wrong=135, seen=60, unjudged=0.3, guard=(0, 40, 400)))
    return ready


def test_reasons_stand_one_below_the_other_the_deciding_one_first(harmful: Workspace) -> None:
    result = call(harmful)

    lines = result.stdout.splitlines()
    assert result.exit_code == 4
    assert lines[0].startswith("REFUSE: R@10 gains +27.5 points")
    assert lines[1].startswith("- general text is harmed: nDCG@10 -10.0 points")
    assert max(map(len, lines)) <= 80


def test_a_gate_that_is_overruled_says_what_it_said_and_by_whom(
    harmful: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "anna")

    result = call(harmful, "--force", "general text is of no use here")

    assert result.exit_code == 0
    assert result.stdout.startswith("REFUSE: ")
    assert "forced by anna: general text is of no use here\n" in result.stdout
    assert read_serving(harmful) is not None


def test_to_overrule_takes_a_reason(harmful: Workspace) -> None:
    result = call(harmful, "--force", "")

    assert result.exit_code == 2
    assert "error[E2145]: a promotion was forced without a reason" in result.stderr
    assert read_serving(harmful) is None


def test_a_yes_names_the_command_that_shows_the_code(ready: Workspace) -> None:
    ready.config.write_text("")

    lines = call(ready).stdout.splitlines()

    assert lines[-2] == "code that uses it, also for langchain, llamaindex and haystack:"
    assert lines[-1].startswith("  lexitune -C ")
    assert lines[-1].endswith("models show m1 --snippet sentence-transformers")
    assert "--snippet" not in call(ready).stdout  # it serves already: nothing is new


def test_a_no_names_no_code(harmful: Workspace) -> None:
    assert "--snippet" not in call(harmful).stdout
