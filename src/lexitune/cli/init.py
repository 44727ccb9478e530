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

NONE = "-"


def run(call: Call) -> Result:
    """Make this folder a workspace, with every option in one file.

    Looks for data here, asks at most five questions, and writes lexitune.toml: what you answered in force,
    everything else commented out. With --yes, or where nobody is there to ask, the defaults are taken.
    """
    from lexitune.pipeline.start import Answers, choose_workspace, find_data, start

    folder = call.state.folder or Path()
    found = find_data(folder if folder.is_dir() else Path())
    data, answers = found.data, Answers(corpus=next(iter(found.corpora), None) if found.data in found.pairs else None)
    if not call.params["yes"] and _is_anybody_there():
        data, answers = _ask(data, answers)
    path = start(choose_workspace(folder), answers)
    told = [f"written: {path}"]
    if data is not None:
        told.append(f"data: {data}" + (f", passages: {answers.corpus}" if answers.corpus else ""))
    following = call.beside("check", str(data) if data else "DATA")
    return Result(told, {"config": str(path), "data": data and str(data)}, following)


def _is_anybody_there() -> bool:
    return sys.stdin.isatty()


def _ask(data: Path | None, answers: Answers) -> tuple[Path | None, Answers]:
    """The five questions; Enter takes what stands in brackets, and a dash means none."""
    from lexitune.pipeline.start import Answers

    def asked(question: str, default: object) -> str:
        return str(click.prompt(question, default=str(default or NONE), err=True)).strip()

    def number(question: str, default: float) -> float:
        return float(click.prompt(question, default=default, type=click.FloatRange(min=0), err=True))

    source = asked("Your pairs or BEIR folder", data)
    corpus = asked("JSONL file of the passages that search must find", answers.corpus)
    model = asked("Stock model: auto, minilm, a folder or a Hub id", answers.model)
    rate = number("Pounds that this machine costs an hour", answers.hourly_rate)
    gain = number("Gain in R@10 that is worth it (0.02 is two points)", answers.min_gain)
    chosen = Answers(None if corpus == NONE else Path(corpus), model, rate, gain)
    return (None if source == NONE else Path(source)), chosen


command = Command(
    "init",
    run,
    params=[click.Option(["--yes"], is_flag=True, help="Ask nothing: take what is found, and the defaults")],
    has_json=True,
)
