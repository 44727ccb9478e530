"""lexitune demo: the journey on Python's own library."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from lexitune.cli.command import Call, Command, Result
from lexitune.cli.tune import so_far

__all__ = ["command"]

FOLDER = Path("lexitune-demo")


def run(call: Call) -> Result:
    """See the journey on your Python's own functions.

    It takes minutes, and nothing leaves this machine.
    Works in ./lexitune-demo, or in the folder of -C.
    """
    folder = call.state.folder or FOLDER
    call.state.workspace, call.state.known = folder, partial(so_far, folder)
    from lexitune.demo import run as demo

    outcome = demo(folder, talk=call.talk, model=call.params["model"])
    return Result(outcome.lines, outcome.to_json(), outcome.next_command, outcome.exit_code)


command = Command(
    "demo",
    run,
    params=[
        click.Option(
            ["--model"],
            default="minilm",
            show_default=True,
            metavar="TEXT",
            help="Stock model: minilm, a folder, or a Hub id such as BAAI/bge-small-en-v1.5",
        )
    ],
    has_json=True,
)
