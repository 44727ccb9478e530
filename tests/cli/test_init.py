"""`lexitune init`: with and without somebody to ask."""

from __future__ import annotations

import tomllib
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from lexitune.cli.main import main


def call(*args: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(main, ["init", *args], input=typed)


@pytest.fixture
def pairs(empty: Path) -> Path:
    (empty / "pairs.csv").write_text("query,passage\nwhat is a tort,a tort is a wrong\n")
    (empty / "docs.jsonl").write_text('{"text": "a tort is a wrong"}\n')
    return empty


def test_with_yes_it_takes_what_it_finds(pairs: Path) -> None:
    result = call("--yes")

    assert result.exit_code == 0, result.stderr
    assert result.stdout == "written: lexitune.toml\ndata: pairs.csv, passages: docs.jsonl\n"
    assert result.stderr == "next: lexitune check pairs.csv\n"
    assert tomllib.loads((pairs / "lexitune.toml").read_text())["data"] == {"corpus": "docs.jsonl"}


def test_somebody_who_is_there_is_asked_five_times(pairs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    answers = iter(["other.csv", "", "minilm", 0.5, 0.02])

    def prompt(question: str, **_: object) -> object:
        asked.append(question)
        return next(answers)

    monkeypatch.setattr(click, "prompt", prompt)
    monkeypatch.setattr("lexitune.cli.init._is_anybody_there", lambda: True)

    result = call()

    in_force = tomllib.loads((pairs / "lexitune.toml").read_text())
    assert len(asked) == 5
    assert (in_force["data"], in_force["model"], in_force["train"], in_force["promote"]) == (
        {},
        {"model": "minilm"},
        {"hourly_rate": 0.5},
        {"min_gain": 0.02},
    )
    assert result.stderr.endswith("next: lexitune check other.csv\n")


def test_twice_is_refused(empty: Path) -> None:
    assert call("--yes").exit_code == 0
    again = call("--yes")

    assert again.exit_code == 2
    assert "error[E2122]: lexitune.toml exists already" in again.stderr


def test_another_folder_is_named_by_c(empty: Path) -> None:
    result = call("--yes", "-C", "work")

    assert result.exit_code == 0, result.stderr
    assert (empty / "work" / "lexitune.toml").exists()
