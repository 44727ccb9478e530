"""lexitune assess: is the stock model good enough?"""

from __future__ import annotations

from dataclasses import asdict

import click

from lexitune.cli.command import Call, Command, Result, ask
from lexitune.errors import Undecided
from lexitune.models.options import ModelOptions
from lexitune.stages.assess.options import AssessOptions

__all__ = ["command"]


def run(call: Call) -> Result:
    """Say whether tuning is worth it.

    Measures the stock model and what is cheaper than a tune on train and dev queries, and foretells a tune's gain; test
    stays closed. Exit code 5 where it cannot tell.
    """
    workspace = call.workspace()
    sections = call.sections(workspace)
    from lexitune.pipeline.deciding import assess_workspace
    from lexitune.pipeline.outcome import fold
    from lexitune.stages.assess.advice import CANNOT_TELL

    yes = call.params["yes"]

    def may_send(told: str) -> bool:
        call.talk.say(told)
        question = f"{fold(told)}\nSend them?" if call.state.quiet else "Send them?"
        return ask(question, yes=yes, command="assess", before="texts leave this machine")

    advice = assess_workspace(workspace, sections=sections, talk=call.talk, may_send=may_send)
    lines = [
        f"{advice.answer}: {reason}" if not number else f"  {reason}" for number, reason in enumerate(advice.reasons)
    ]
    if advice.also:
        lines.append(f"worth it without training: {', '.join(advice.also)}")
    code = Undecided.exit_code if advice.answer == CANNOT_TELL else 0
    return Result(list(map(fold, lines)) or [advice.answer], asdict(advice), advice.next_command, exit_code=code)


command = Command(
    "assess",
    run,
    sections=(ModelOptions, AssessOptions),
    params=[
        click.Option(["--yes"], is_flag=True, help="Send texts to the services that openai:MODEL names, and do not ask")
    ],
    has_json=True,
)
