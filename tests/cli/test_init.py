"""`lexitune init`: with and without somebody to ask."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lexitune.cli.main import main


def call(*args: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(main, ["init", *args], input=typed)


@pytest.fixture
def pairs(empty: Path) -> Path:
    (empty / "pairs.csv").write_text("query,passage\nwhat is a tort,a tort is a wrong\n")
    (empty / "docs.jsonl").write_text('{"text": "a tort is a wrong"}\n{"text": "a will is a testament"}\n')
    return empty


def test_with_yes_it_takes_what_it_finds(pairs: Path) -> None:
    result = call("--yes")

    assert result.exit_code == 0, result.stderr
    assert result.stdout == "written: lexitune.toml\ndata: pairs.csv, passages: docs.jsonl\n"
    assert result.stderr == "next: lexitune check pairs.csv\n"
    assert tomllib.loads((pairs / "lexitune.toml").read_text())["data"] == {"corpus": str(pairs / "docs.jsonl")}


def test_somebody_who_is_there_is_asked_five_times(pairs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lexitune.cli.init._is_anybody_there", lambda: True)

    result = call(typed="other pairs.csv\n-\nminilm\n-3\n0.5\n\n")  # what costs less than nothing is asked again

    in_force = tomllib.loads((pairs / "lexitune.toml").read_text())
    assert result.exit_code == 0, result.stderr
    assert (in_force["data"], in_force["model"], in_force["train"], in_force["promote"]) == (
        {},
        {"model": "minilm"},
        {"hourly_rate": 0.5},
        {},
    )
    assert result.stderr.endswith("next: lexitune check 'other pairs.csv'\n")


def test_what_it_says_next_looks_at_the_passages_that_it_found(pairs: Path) -> None:
    call("--yes")

    result = CliRunner().invoke(main, ["check", "pairs.csv"])

    assert "ok    2 passages" in result.stdout


def test_twice_is_refused(empty: Path) -> None:
    assert call("--yes").exit_code == 0
    again = call("--yes")

    assert again.exit_code == 2
    assert "error[E2122]: lexitune.toml exists already" in again.stderr


def test_another_folder_is_named_by_c(empty: Path) -> None:
    result = call("--yes", "-C", "work")

    assert result.exit_code == 0, result.stderr
    assert (empty / "work" / "lexitune.toml").exists()
    assert result.stderr == "next: lexitune -C work check DATA\n"
