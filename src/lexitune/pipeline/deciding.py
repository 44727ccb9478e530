"""Deciding: the assessment with a pilot, which borrows training's maps, and with what a tune would take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexitune.errors import LexituneError
from lexitune.io.workspace import Workspace
from lexitune.pipeline.outcome import shown_path
from lexitune.pipeline.sections import SECTIONS
from lexitune.settings import build, read_toml
from lexitune.stages.assess import assessment, driver
from lexitune.stages.assess.advice import TUNE
from lexitune.stages.assess.options import AssessOptions
from lexitune.types import Advice, Dataset, Silent, Talk

if TYPE_CHECKING:
    from lexitune.models.embedder import Embedder
    from lexitune.stages.assess.reranking import Rescore
    from lexitune.stages.assess.rivals import Rival

__all__ = ["assess", "assess_workspace"]

PENNY = 0.01  # pounds


def assess(
    data: Dataset,
    *,
    model: Embedder,
    others: Mapping[str, Embedder | Rival] | None = None,
    vectors: Path | None = None,
    reranker: Rescore | None = None,
    log: Mapping[str, int] | None = None,
    options: AssessOptions | None = None,
    talk: Talk | None = None,
) -> Advice:
    """Say whether a tune is worth it: by what stock systems reach on train and dev queries, and what a pilot foretells.

    The test queries are not read: a decision that has seen them would spoil them for the verdict.

    Args:
        data: Train and dev judgements; of the test judgements only their number is used.
        model: The stock model.
        others: Further stock models that could serve in its place, by name, or their vectors: `io.given.open_given`.
        vectors: Folder of the encode cache: later stages find the corpus encoded there. None: nothing is kept.
        reranker: Scores of (query, passage) pairs, in place of the cross-encoder that `options` names.
        log: Searches by query, such as a Counter of all that was searched, in place of the file that `options` names.

    Raises:
        DataError: A query's filter or the log cannot be read, or the model scores everything alike.
        UsageError: No word frequencies for the language of the options.
        StageFailed: A text encodes to NaN.
    """
    from lexitune.pipeline.pilot import run_pilot
    from lexitune.pipeline.short_tune import run_short_tune

    options, talk = options or AssessOptions(), talk or Silent()
    return assessment.assess(
        data,
        model=model,
        others=others,
        vectors=vectors,
        reranker=reranker,
        log=log,
        options=options,
        talk=talk,
        pilot=run_pilot,
        short_tune=partial(run_short_tune, options=options, talk=talk) if options.pilot_minutes else None,
    )


def assess_workspace(
    workspace: Workspace,
    *,
    sections: Mapping[str, Any],
    talk: Talk | None = None,
    may_send: Callable[[str], bool] | None = None,
) -> Advice:
    """Assess the workspace's data, say what a tune would take here, where one is advised, and write `report.html`.

    Args:
        sections: Section name -> options record; those that are missing are as `lexitune.toml` has them.
        may_send: Hears how many texts would go to which service, and answers whether they may; None: they may not.

    Raises:
        DataError: No data in the workspace, or data that cannot be measured.
        UsageError: An unknown model, a `lexitune.toml` that cannot be read, or texts that may not go to a service.
    """
    from lexitune.pipeline.pilot import run_pilot
    from lexitune.pipeline.refresh import refresh_report
    from lexitune.pipeline.short_tune import run_short_tune

    talk = talk or Silent()
    written = read_toml(workspace.config, SECTIONS)
    sections = {name: build(kind, written.get(name, {})) for name, kind in SECTIONS.items()} | dict(sections)
    model, options = sections["model"], sections["assess"]
    advice = driver.run(
        workspace,
        model=model,
        options=options,
        talk=talk,
        pilot=run_pilot,
        short_tune=partial(run_short_tune, options=options, loading=model, root=workspace.root, talk=talk),
        may_send=may_send,
    )
    if advice.answer == TUNE:
        advice = replace(advice, reasons=(*advice.reasons, _cost(workspace, sections)))
    if report := refresh_report(workspace, advice=advice):
        talk.say(f"assess: plots and tables in {shown_path(report)}")
    return advice


def _cost(workspace: Workspace, sections: Mapping[str, Any]) -> str:
    """What the plan says, or why it cannot: no reason to withhold an advice."""
    from lexitune.pipeline.plan import plan

    try:
        found = plan(workspace, None, sections=sections)
    except LexituneError as error:
        return f"what it takes is unknown: {error.problem}: {error.fix}"
    machine = found.bill.machine
    pounds = "less than a penny" if machine.pounds.high < PENNY else f"£{machine.pounds.as_pounds()}"
    return (
        f"training and encoding the corpus again take {machine.seconds.as_time()} on {found.subject.device}, and "
        f"{pounds}: lexitune plan"
    )
