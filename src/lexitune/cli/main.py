"""The command line: finds the command, runs it, and turns whatever goes wrong into a code, a problem and a fix."""

from __future__ import annotations

import difflib
import json
import shlex
import sys
import tempfile
import traceback
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from lexitune import __version__
from lexitune.cli.command import State, global_flags, in_folder
from lexitune.errors import LexituneError, StageFailed, UsageError
from lexitune.io.processes import processes

__all__ = ["COMMANDS", "Lexitune", "main"]

COMMANDS = (
    "demo",
    "init",
    "tune",
    "check",
    "collect",
    "export",
    "plan",
    "assess",
    "pull",
    "mine",
    "train",
    "reembed",
    "evaluate",
    "promote",
    "rollback",
    "thresholds",
    "search",
    "models",
    "indexes",
    "status",
    "doctor",
)
"""Every command, in the order of the help. `cli/NAME.py` defines it as `command`."""

INTERRUPTED = 130


class Lexitune(click.Group):
    """The group of all commands; a command's module is imported when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        found: click.Command = import_module(f"lexitune.cli.{cmd_name}").command
        return found

    def main(self, args: Sequence[str] | None = None, *rest: Any, **extra: Any) -> Any:
        """Run one command line and exit with its code."""
        given = list(sys.argv[1:] if args is None else args)
        # The flag may stand after the very thing that cannot be parsed.
        state = State(as_json="--json" in given, debug="--debug" in given)
        extra |= {"standalone_mode": False, "obj": state, "prog_name": "lexitune"}
        try:
            code = super().main(given, *rest, **extra)
        except (click.Abort, KeyboardInterrupt):
            code = _interrupted(given, state)
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            code = error.exit_code
        except click.ClickException as error:
            code = _fail(_restyled(error, given), state)
        except LexituneError as error:
            code = _fail(error, state)
        except Exception as error:  # the outermost place, where a fault gets its text
            code = _fail(_fault(error), state)
        sys.exit(code or 0)


def _interrupted(args: Sequence[str], state: State) -> int:
    if processes().rank > 0:  # the first of several tells it
        return INTERRUPTED
    again = shlex.join(["lexitune", *args])
    if state.screen:
        state.screen.close()
    if state.as_json:
        _echo_error({"code": "interrupted", "problem": "interrupted; what was done is kept", "fix": again}, state)
    click.echo(f"interrupted; what was done is kept\nnext: {again}", err=True)
    return INTERRUPTED


def _fail(error: LexituneError, state: State) -> int:
    """Tell the error, keep its traceback where the work itself failed, and return the exit code."""
    if state.screen:
        state.screen.close()
    fix = in_folder(error.fix, state.workspace)
    if state.as_json:
        _echo_error({"code": error.code, "problem": error.args[0], "fix": fix}, state)
    if state.debug:
        click.echo("".join(traceback.format_exception(error)), err=True, nl=False)
    click.echo(f"error[{error.code}]: {error.args[0]}\n  fix: {fix}", err=True)
    if isinstance(error, StageFailed) and not state.debug and (log := _write_log(error, state)):
        click.echo(f"  log: {log}", err=True)
    return error.exit_code or StageFailed.exit_code


def _echo_error(error: dict[str, str], state: State) -> None:
    """One JSON object with the error and what the command knew before it."""
    found: dict[str, Any] = {"error": error}
    if state.workspace is not None:
        found["workspace"] = str(state.workspace)
    with suppress(Exception):  # the error is the message; what else is known must not stand in its way
        found |= state.known()
    click.echo(json.dumps(found))


def _write_log(error: BaseException, state: State) -> Path | None:
    """Append the traceback to the workspace's log, or to one in the temporary folder where there is no workspace."""
    root = state.workspace if state.workspace and state.workspace.is_dir() else Path(tempfile.gettempdir())
    path = root / "lexitune.log"
    head = f"{datetime.now(UTC).isoformat(timespec='seconds')} lexitune {__version__} {shlex.join(sys.argv[1:])}"
    try:
        with path.open("a", encoding="utf-8") as log:
            log.write(f"{head}\n{''.join(traceback.format_exception(error))}\n")
    except OSError:
        return None
    return path


def _fault(error: Exception) -> LexituneError:
    """An exception that nobody foresaw, as an error with a text."""
    if isinstance(error, OSError) and error.strerror:
        place = f": {error.filename}" if error.filename else ""
        fix = "check the disk's space and the file's permissions, then run the same command again: it resumes"
        fault = StageFailed("E1004", f"{error.strerror}{place}", fix=fix)
    elif isinstance(error, MemoryError):
        fault = StageFailed("E1005", "out of memory", fix="close other programs, or give a smaller --token-budget")
    else:
        problem = f"a fault in lexitune itself: {type(error).__name__}: {error}"
        fault = StageFailed("E1000", problem, fix="run it again with --debug and report what it shows")
    fault.__cause__ = error
    return fault


def _restyled(error: click.ClickException, args: Sequence[str]) -> UsageError:
    """Click's complaint about the command line in our words, with the nearest name that exists."""
    context = getattr(error, "ctx", None)
    called = next((arg for arg in args if arg in COMMANDS), "")
    path = context.command_path if context else f"lexitune {called}".strip()
    if isinstance(error, click.exceptions.NoSuchCommand):
        near = difflib.get_close_matches(error.command_name, COMMANDS, n=1)
        fix = f"did you mean 'lexitune {near[0]}'?" if near else "lexitune --help"
        return UsageError("E2011", f"no command is called '{error.command_name}'", fix=fix)
    if isinstance(error, click.NoSuchOption):
        known = [flag for param in context.command.get_params(context) for flag in param.opts] if context else []
        # `--seed`, where several sections have one, is asked for more often than mistyped.
        near = [flag for flag in known if flag.endswith(error.option_name.removeprefix("-"))]
        near = near or difflib.get_close_matches(error.option_name, known, n=1)
        fix = f"did you mean {' or '.join(near)}?" if near else f"{path} --help"
        return UsageError("E2001", f"{path} has no option '{error.option_name}'", fix=fix)
    message = error.format_message().rstrip(".")
    return UsageError("E2012", message[:1].lower() + message[1:], fix=f"{path} --help")


main = Lexitune(
    name="lexitune",
    help="Teach an embedding model one field's language, and prove that retrieval got better.",
    epilog="Start with: lexitune demo. Every option can also stand in lexitune.toml.",
    params=[*global_flags()],
    no_args_is_help=True,
)
click.version_option(__version__, prog_name="lexitune", message="%(prog)s %(version)s")(main)
