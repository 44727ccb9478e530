"""What every command has in common: its call, its result, its global flags, and its grouped help."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lexitune.cli.options import SectionOption, option_flags, read_options
from lexitune.errors import UsageError
from lexitune.io.processes import processes
from lexitune.pipeline.sections import SECTIONS
from lexitune.types import FAULT, LOOK, OK

if TYPE_CHECKING:
    from lexitune.cli.talk import Screen
    from lexitune.io.workspace import Workspace
    from lexitune.types import Silent

__all__ = ["Call", "Command", "Result", "State", "ask", "code_lines", "global_flags", "in_folder", "marked"]

MARKS = {OK: "ok   ", LOOK: "look ", FAULT: "FAULT"}

STEPS = ("assess", "train", "reembed", "evaluate", "promote")
"""The steps of the journey, in order: the talk numbers them."""


@dataclass
class State:
    """Flags that stand before or after the command, and what is known when something fails."""

    folder: Path | None = None
    as_json: bool = False
    debug: bool = False
    quiet: bool = False
    workspace: Path | None = None
    screen: Screen | None = None
    known: Callable[[], Mapping[str, Any]] = dict


@dataclass(frozen=True)
class Result:
    """What a command gives back; `Command` draws it.

    Args:
        lines: For a person, on stdout.
        data: For `--json`: one object, alone on stdout.
        next_command: The last line, on stderr.
    """

    lines: Sequence[str] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    next_command: str = ""
    exit_code: int = 0


@dataclass(frozen=True)
class Call:
    """One call of a command: its own arguments, its options, and where it works."""

    command: str
    params: Mapping[str, Any]
    state: State
    kinds: Sequence[type]

    def workspace(self) -> Workspace:
        """The workspace of `-C`, or the nearest folder upwards that is one.

        Raises:
            UsageError: There is none.
        """
        from lexitune.io.workspace import Workspace, find_workspace

        folder = self.state.folder
        found = Workspace(folder) if folder else find_workspace(Path.cwd())
        if found is None or not (found.config.exists() or found.dataset.exists()):
            where = f"{folder} is no workspace" if folder else f"no workspace in {Path.cwd()} or above it"
            fix = f"lexitune -C {folder} tune DATA" if folder else "lexitune tune DATA makes one"
            raise UsageError("E2013", f"{where}: there is no lexitune.toml", fix=fix)
        self.state.workspace = found.root
        return found

    def workspace_or_new(self) -> Workspace:
        """The same, or a new one in `./lexitune-work`; nothing is made on disk yet.

        Raises:
            UsageError: `-C` names a file.
        """
        from lexitune.io.workspace import NEW_WORKSPACE, Workspace, find_workspace

        folder = self.state.folder
        found = Workspace(folder) if folder else find_workspace(Path.cwd()) or Workspace(Path(NEW_WORKSPACE))
        if found.root.exists() and not found.root.is_dir():
            raise UsageError("E2013", f"{found.root} is a file, not a folder", fix="name another folder with -C")
        self.state.workspace = found.root
        return found

    def beside(self, *words: str) -> str:
        """A command line that works in the folder that this one was told to work in."""
        return shlex.join(["lexitune", *(["-C", str(self.state.folder)] if self.state.folder else []), *words])

    def workspace_if_any(self) -> Workspace | None:
        """The same; None where there is none and `-C` asks for none."""
        from lexitune.io.workspace import find_workspace

        return self.workspace() if self.state.folder or find_workspace(Path.cwd()) else None

    def sections(self, workspace: Workspace | None) -> dict[str, Any]:
        """Section -> options record, from the flags and the workspace's `lexitune.toml`."""
        config = Path("lexitune.toml") if workspace is None else workspace.config
        return read_options(self.params, self.kinds, config=config)

    @cached_property
    def talk(self) -> Screen | Silent:
        """Draws on stderr; silent with `--quiet`."""
        from lexitune.cli.talk import screen_on
        from lexitune.types import Silent

        if self.state.quiet or processes().rank > 0:
            return Silent()
        steps = STEPS if self.command in ("tune", "demo") else ()
        self.state.screen = screen_on(sys.stderr, steps=steps, environ=os.environ)
        return self.state.screen


class Command(click.Command):
    """A command whose flags are made from options records and shown by section.

    Args:
        run: Does the work. What it imports, it imports inside: help stays light.
        sections: Options records it takes.
        params: Arguments and flags of its own.
        has_json: Whether it takes `--json`.
        is_shared: Whether several processes may do it together, as `accelerate launch` starts them.
    """

    def __init__(
        self,
        name: str,
        run: Callable[[Call], Result],
        *,
        sections: Sequence[type] = (),
        params: Sequence[click.Parameter] = (),
        has_json: bool = False,
        is_shared: bool = False,
    ) -> None:
        flags = [*params, *option_flags(name, sections), *global_flags(has_json=has_json)]
        super().__init__(name, help=run.__doc__, params=flags)
        self.run, self.kinds, self.is_shared = run, sections, is_shared

    def invoke(self, ctx: click.Context) -> int:
        """Run, then draw the result. Returns the exit code."""
        state = ctx.ensure_object(State)
        if processes().count > 1 and not self.is_shared:
            raise UsageError(
                "E2016",
                f"{self.name} was started in {processes().count} processes and is built for one",
                fix=f"lexitune {self.name}, without torchrun or accelerate launch",
            )
        # What a library prints on the way is talk; stdout is for the result.
        with redirect_stdout(sys.stderr):
            result = self.run(Call(self.name or "", ctx.params, state, self.kinds))
        if state.screen:
            state.screen.close()
        if processes().rank > 0:  # the first of several tells what all of them did
            return result.exit_code
        if state.as_json:
            click.echo(json.dumps(result.data, default=str))
        else:
            for line in result.lines:
                click.echo(line)
        sys.stdout.flush()
        if result.next_command and not state.quiet:
            click.echo(f"next: {in_folder(result.next_command, state.workspace)}", err=True)
        return result.exit_code

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The command's own flags first, then each section under its name."""
        groups: dict[str, list[tuple[str, str]]] = {"": []}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
            if record:
                groups.setdefault(param.section if isinstance(param, SectionOption) else "", []).append(record)
        for section, rows in groups.items():
            with formatter.section(f"[{section}]" if section else "Options"):
                if section:
                    formatter.write_text(SECTIONS[section].__doc__ or "")
                formatter.write_dl(rows)


def global_flags(*, has_json: bool = False) -> list[click.Option]:
    """Flags that stand before the command as well as after it."""

    def keep(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
        def callback(ctx: click.Context, param: click.Parameter, value: Any) -> None:
            if value:
                setattr(ctx.ensure_object(State), name, value)

        return callback

    flags = [
        click.Option(
            ["-C", "folder"],
            metavar="DIR",
            type=click.Path(path_type=Path),
            callback=keep("folder"),
            expose_value=False,
            help="Work in DIR instead of the nearest folder upwards that holds lexitune.toml",
        ),
        _switch("--quiet", keep("quiet"), "Only the result and errors"),
        _switch("--debug", keep("debug"), "Show the traceback of an error"),
    ]
    return [_switch("--json", keep("as_json"), "One JSON object, alone on stdout"), *flags] if has_json else flags


def _switch(flag: str, callback: Callable[..., None], text: str) -> click.Option:
    return click.Option([flag], is_flag=True, callback=callback, expose_value=False, help=text)


def marked(mark: str, said: str, fix: str) -> list[str]:
    """What was looked at as lines for a person: its mark and what was found, and below it what to do, if anything."""
    return [f"{MARKS[mark]} {said}", *([f"        fix: {fix}"] if fix else [])]


def in_folder(text: str, root: Path | None) -> str:
    """Put `-C DIR` into the lexitune commands of a text, where they would otherwise look elsewhere."""
    from lexitune.io.workspace import find_workspace

    if root is None or " -C " in text:
        return text
    found = find_workspace(Path.cwd())
    if found is not None and found.root == root.resolve():
        return text
    here = os.path.relpath(root) if root.resolve().is_relative_to(Path.cwd()) else str(root)
    names = "assess|collect|export|mine|plan|train|reembed|evaluate|promote|rollback|thresholds|search|status|models"
    return re.sub(rf"\blexitune (?=({names}|indexes)\b)", lambda _: f"lexitune -C {shlex.quote(here)} ", text)


def code_lines(model_id: str, root: Path) -> list[str]:
    """Where the code is that uses a model which serves from now on."""
    shown = in_folder(f"lexitune models show {model_id} --snippet sentence-transformers", root)
    return ["code that uses it, also for langchain, llamaindex and haystack:", f"  {shown}"]


def ask(question: str, *, yes: bool, command: str, before: str = "it changes what serves") -> bool:
    """Whether to go on: `--yes`, or a person who types y.

    Args:
        before: What nobody should come to unawares.

    Raises:
        UsageError: Nobody is there to ask.
    """
    if yes:
        return True
    if not sys.stdin.isatty():
        raise UsageError("E2014", f"{command} asks before {before}", fix=f"lexitune {command} --yes")
    return click.confirm(question, err=True)
