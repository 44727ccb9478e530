"""The command line as a user types it: help, mistakes, folders, exit codes, and one JSON object whatever happens."""

import json
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import click
import pytest
from click.testing import CliRunner, Result

from lexitune import __version__
from lexitune.cli.command import Call, Command
from lexitune.cli.main import COMMANDS, Lexitune, main


def call(*args: str) -> Result:
    return CliRunner().invoke(main, args)


@pytest.fixture
def workspace(empty: Path) -> Path:
    """A workspace below the current folder, with settings and no data."""
    folder = empty / "work"
    folder.mkdir()
    (folder / "lexitune.toml").write_text("[train]\n")
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_within_80_columns(command: str) -> None:
    result = call(command, "--help")

    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: lexitune {command}")
    assert max(map(len, result.stdout.splitlines())) <= 80


@pytest.mark.parametrize("command", COMMANDS)
def test_no_two_flags_of_a_command_are_equal(command: str) -> None:
    found = main.get_command(click.Context(main), command)
    assert found is not None
    flags = [flag for param in found.params for flag in (*param.opts, *param.secondary_opts)]

    assert sorted(set(flags)) == sorted(flags)


def test_only_encoding_and_training_are_shared_among_processes(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)

    result = call("-C", str(workspace), "evaluate")

    assert result.exit_code == 2
    assert "error[E2016]: evaluate was started in 2 processes" in result.stderr


def test_help_shows_each_section_with_defaults() -> None:
    text = " ".join(call("tune", "--help").stdout.split())

    for section in ("tune", "data", "model", "assess", "train", "reembed", "evaluate", "promote"):
        assert f"[{section}]:" in text
    assert "--train-seed N" in text
    assert "[default: 0.05]" in text


def test_the_version_is_told() -> None:
    assert call("--version").stdout == f"lexitune {__version__}\n"


def test_no_command_at_all_shows_the_help_and_is_a_mistake() -> None:
    result = call()

    assert result.exit_code == 2
    assert "Usage: lexitune" in result.stderr


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (
            ("tuen", "pairs.csv"),
            "error[E2011]: no command is called 'tuen'\n  fix: did you mean 'lexitune tune'?\n",
        ),
        (
            ("tune", "--epoch", "2"),
            "error[E2001]: lexitune tune has no option '--epoch'\n  fix: did you mean --epochs?\n",
        ),
        (
            ("tune", "--seed", "2"),
            "error[E2001]: lexitune tune has no option '--seed'\n"
            "  fix: did you mean --split-seed or --assess-seed or --mine-seed or --train-seed or --evaluate-seed?\n",
        ),
        (("search",), "error[E2012]: missing argument 'TEXT'\n  fix: lexitune search --help\n"),
        (
            ("tune", "a", "b"),
            "error[E2012]: got unexpected extra argument (b)\n  fix: lexitune tune --help\n",
        ),
        (
            ("tune", "--epochs"),
            "error[E2012]: option '--epochs' requires an argument\n  fix: lexitune tune --help\n",
        ),
        (
            ("search", "x", "--filter", "tenant"),
            "error[E2012]: --filter 'tenant' names no field and value\n  fix: --filter field=value\n",
        ),
        (("search", " "), 'error[E2012]: the query is empty\n  fix: lexitune search "your query"\n'),
    ],
)
def test_a_mistyped_command_line_is_told_with_the_fix(empty: Path, args: tuple[str, ...], error: str) -> None:
    result = call(*args)

    assert result.exit_code == 2
    assert result.stderr == error
    assert result.stdout == ""


def test_a_wrong_value_names_its_flag(empty: Path) -> None:
    result = call("tune", "pairs.csv", "--epochs", "0")

    assert result.exit_code == 2
    assert result.stderr == "error[E2002]: --epochs: 0 is out of range\n  fix: give a whole number of 1 or more\n"


def test_a_wrong_line_of_the_settings_is_named_before_anything_starts(workspace: Path) -> None:
    (workspace / "lexitune.toml").write_text("[train]\nepohcs = 2\n")

    result = call("-C", "work", "tune", "no-such.csv")

    assert result.exit_code == 2
    assert result.stderr.startswith("error[E2001]: work/lexitune.toml:2: [train] has no option 'epohcs'\n")
    assert [path.name for path in workspace.iterdir()] == ["lexitune.toml"]


def test_a_missing_file_is_bad_input_and_leaves_nothing_behind(empty: Path) -> None:
    result = call("tune", "no-such.csv")

    assert result.exit_code == 3
    assert "no-such.csv" in result.stderr
    assert not (empty / "lexitune-work" / "lexitune.toml").exists()


def test_tune_without_data_needs_a_workspace_that_has_some(empty: Path) -> None:
    result = call("tune")

    assert result.exit_code == 2
    assert result.stderr == "error[E2012]: no DATA given, and none in lexitune-work\n  fix: lexitune tune pairs.csv\n"


@pytest.mark.parametrize("command", ["assess", "train", "reembed", "evaluate", "promote", "rollback", "status"])
def test_outside_a_workspace_a_command_says_so(empty: Path, command: str) -> None:
    result = call(command)

    assert result.exit_code == 2
    assert result.stderr == (
        f"error[E2013]: no workspace in {empty} or above it: there is no lexitune.toml\n"
        "  fix: lexitune tune DATA makes one\n"
    )


def test_a_workspace_that_tune_made_here_is_found(empty: Path) -> None:
    (empty / "lexitune-work").mkdir()
    (empty / "lexitune-work" / "lexitune.toml").write_text("")

    assert "lexitune-work" in call("status").stdout


@pytest.mark.parametrize("args", [("-C", "work", "status"), ("status", "-C", "work"), ("status", "-Cwork")])
def test_the_folder_stands_before_or_after_the_command(workspace: Path, args: tuple[str, ...]) -> None:
    result = call(*args)

    assert result.exit_code == 0
    assert "workspace   work\n" in result.stdout


def test_the_nearest_workspace_upwards_is_found(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (workspace / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(workspace / "a" / "b")

    assert f"workspace   {workspace}\n" in call("status").stdout


def test_a_folder_that_is_no_workspace_is_refused(empty: Path) -> None:
    result = call("-C", "elsewhere", "status")

    assert result.exit_code == 2
    assert "elsewhere is no workspace" in result.stderr
    assert "fix: lexitune -C elsewhere tune DATA\n" in result.stderr


def test_a_fix_names_the_folder_where_it_is_not_found_by_itself(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere, inside = call("-C", "work", "search", "x"), None
    monkeypatch.chdir(workspace)
    inside = call("search", "x")

    assert elsewhere.exit_code == inside.exit_code == 2
    assert "fix: lexitune -C work status" in elsewhere.stderr
    assert "fix: lexitune status" in inside.stderr


def test_the_next_command_is_the_last_line_unless_quiet(workspace: Path) -> None:
    assert call("-C", "work", "status").stderr == "next: lexitune tune DATA\n"
    assert call("-C", "work", "status", "--quiet").stderr == ""


def test_json_is_one_object_alone_on_stdout(workspace: Path) -> None:
    result = call("-C", "work", "status", "--json")

    assert result.exit_code == 0
    assert json.loads(result.stdout)["next_command"] == "lexitune tune DATA"


@pytest.mark.parametrize(
    ("args", "code", "exit_code"),
    [
        (("tune", "no-such.csv", "--json"), "E3001", 3),
        (("tune", "--json"), "E2012", 2),
        (("tune", "--json", "--epoch", "2"), "E2001", 2),
        (("assess", "--json"), "E2013", 2),
        (("search", "--json"), "E2012", 2),
    ],
)
def test_json_is_one_object_also_for_an_error(empty: Path, args: tuple[str, ...], code: str, exit_code: int) -> None:
    result = call(*args)

    assert result.exit_code == exit_code
    error = json.loads(result.stdout)["error"]
    assert error["code"] == code
    assert error["problem"]
    assert error["fix"]
    assert f"error[{code}]" in result.stderr


def test_the_json_of_a_failed_tune_has_the_keys_of_a_finished_one(empty: Path) -> None:
    found = json.loads(call("tune", "no-such.csv", "--json").stdout)

    assert (found["advice"], found["gate"], found["systems"], found["gain"]) == (None, None, {}, {})
    assert found["peak_rss_mb"] > 0
    assert found["workspace"] == "lexitune-work"


def test_a_fault_of_ours_goes_to_the_log_with_its_traceback(workspace: Path) -> None:
    (workspace / "dataset.json").write_text("{}")  # a record without its counts: nobody writes that

    result = call("-C", "work", "status")

    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "error[E1000]: a fault in lexitune itself: KeyError: 'files'",
        "  fix: run it again with --debug and report what it shows",
        "  log: work/lexitune.log",
    ]
    assert "Traceback" in (workspace / "lexitune.log").read_text()


def test_debug_shows_the_traceback_instead(workspace: Path) -> None:
    (workspace / "dataset.json").write_text("{}")

    result = call("-C", "work", "status", "--debug")

    assert "Traceback" in result.stderr
    assert not (workspace / "lexitune.log").exists()


def test_what_the_system_refuses_is_no_fault_of_ours(workspace: Path) -> None:
    (workspace / "lexitune.toml").unlink()
    (workspace / "lexitune.toml").mkdir()

    result = call("-C", "work", "assess")

    assert result.exit_code == 1
    assert result.stderr.startswith("error[E1004]: Is a directory: work/lexitune.toml\n  fix: check the disk")


@pytest.mark.parametrize("command", ["promote", "rollback"])
def test_what_changes_what_serves_is_refused_where_there_is_nothing_to_change(workspace: Path, command: str) -> None:
    result = call("-C", "work", command, "--yes")

    assert result.exit_code in (2, 3)
    assert "error[E" in result.stderr


def test_python_m_is_the_command(empty: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "lexitune", "tuen"], capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert done.stderr == "error[E2011]: no command is called 'tuen'\n  fix: did you mean 'lexitune tune'?\n"


class Interrupted(Lexitune):
    """The command line with one command, during which Ctrl-C is pressed."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        def run(call: Call) -> NoReturn:
            call.talk.progress("train", 1, 2)
            raise KeyboardInterrupt

        return Command("train", run, params=[click.Argument(["data"])], has_json=True)


def test_an_interrupt_ends_with_130_and_the_command_that_goes_on() -> None:
    result = CliRunner().invoke(Interrupted(), ["train", "my pairs.csv", "--json"])

    assert result.exit_code == 130
    assert result.stderr.endswith("interrupted; what was done is kept\nnext: lexitune train 'my pairs.csv' --json\n")
    assert json.loads(result.stdout)["error"]["code"] == "interrupted"
