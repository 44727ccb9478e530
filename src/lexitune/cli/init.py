"""lexitune init: a folder to work in."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lexitune.cli.command import Call, Command, Result

if TYPE_CHECKING:
    from lexitune.pipeline.start import Answers

__all__ = ["command"]


def run(call: Call) -> Result:
    """Make this folder a workspace, with every option in one file.

    Looks for data here, asks at most five questions, and writes lexitune.toml: what you answered in force,
    everything else commented out. With --yes, or where nobody is there to ask, the defaults are taken.
    """
    from lexitune.io.workspace import Workspace
    from lexitune.pipeline.start import Answers, find_data, start

    workspace = Workspace(call.state.folder or Path())
    found = find_data(workspace.root) if workspace.root.is_dir() else find_data(Path())
    data, answers = found.data, Answers(corpus=next(iter(found.corpora), None) if found.data in found.pairs else None)
    if not call.params["yes"] and _is_anybody_there():
        data, answers = _ask(data, answers)
    path = start(workspace, answers)
    told = [f"written: {path}"]
    if data is not None:
        told.append(f"data: {data}" + (f", passages: {answers.corpus}" if answers.corpus else ""))
    return Result(told, {"config": str(path), "data": data and str(data)}, f"lexitune check {data or 'DATA'}")


def _is_anybody_there() -> bool:
    return sys.stdin.isatty()


def _ask(data: Path | None, answers: Answers) -> tuple[Path | None, Answers]:
    """The five questions; Enter takes what stands in brackets."""
    from lexitune.pipeline.start import Answers

    def asked(question: str, default: object) -> str:
        return str(click.prompt(question, default="" if default is None else str(default), err=True)).strip()

    data_text = asked("Your pairs or BEIR folder", data)
    corpus = asked("Passages that search must find (JSONL; empty: those of the data)", answers.corpus)
    model = asked("Stock model (auto, minilm, a folder or a Hub id)", answers.model)
    rate = click.prompt("Pounds that this machine costs an hour", default=answers.hourly_rate, type=float, err=True)
    gain = click.prompt(
        "Gain in R@10 that is worth it (0.02 is two points)", default=answers.min_gain, type=float, err=True
    )
    chosen = Answers(Path(corpus) if corpus else None, model, rate, gain)
    return Path(data_text) if data_text else None, chosen


command = Command(
    "init",
    run,
    params=[click.Option(["--yes"], is_flag=True, help="Ask nothing: take what is found, and the defaults")],
    has_json=True,
)
