"""Deciding: the assessment with a pilot, which borrows training's maps, and with what a tune would take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexitune.io.workspace import Workspace
from lexitune.pipeline.sections import SECTIONS
from lexitune.stages.assess import assessment, driver
from lexitune.stages.assess.advice import TUNE
from lexitune.stages.assess.options import AssessOptions
from lexitune.types import Advice, Dataset, Silent, Talk

if TYPE_CHECKING:
    from lexitune.models.embedder import Embedder
    from lexitune.pipeline.bill import Span

__all__ = ["assess", "assess_workspace"]


def assess(
    data: Dataset,
    *,
    model: Embedder,
    others: Mapping[str, Embedder] | None = None,
    vectors: Path | None = None,
    options: AssessOptions | None = None,
    talk: Talk | None = None,
) -> Advice:
    """Say whether a tune is worth it: by what stock systems reach on train and dev queries, and what a pilot foretells.

    The test queries are not read: a decision that has seen them would spoil them for the verdict.

    Args:
        data: Train and dev judgements; of the test judgements only their number is used.
        model: The stock model.
        others: Further stock models that could serve in its place, by name.
        vectors: Folder of the encode cache: later stages find the corpus encoded there. None: nothing is kept.

    Raises:
        DataError: A query's filter cannot be read, or the model scores everything alike.
        UsageError: No word frequencies for the language of the options.
        StageFailed: A text encodes to NaN.
    """
    from lexitune.pipeline.pilot import run_pilot

    return assessment.assess(
        data,
        model=model,
        others=others,
        vectors=vectors,
        options=options or AssessOptions(),
        talk=talk,
        pilot=run_pilot,
    )


def assess_workspace(workspace: Workspace, *, sections: Mapping[str, Any], talk: Talk | None = None) -> Advice:
    """Assess the workspace's data, and say what a tune would take here, where one is advised.

    Args:
        sections: Section name -> options record; those that are missing are as they come.

    Raises:
        DataError: No data in the workspace, or data that cannot be measured.
        UsageError: An unknown model.
    """
    from lexitune.pipeline.pilot import run_pilot
    from lexitune.pipeline.plan import plan

    sections = {name: kind() for name, kind in SECTIONS.items()} | dict(sections)
    advice = driver.run(
        workspace, model=sections["model"], options=sections["assess"], talk=talk or Silent(), pilot=run_pilot
    )
    if advice.answer != TUNE:
        return advice
    found = plan(workspace, None, sections=sections)
    cost = (
        f"training and encoding the corpus again take {_span(found.bill.machine.seconds, 60)} min here, on "
        f"{found.subject.device}, and £{_span(found.bill.machine.pounds, 1)}: lexitune plan"
    )
    return replace(advice, reasons=(*advice.reasons, cost))


def _span(found: Span, unit: float) -> str:
    low, high = (f"{bound / unit:.2g}" for bound in (found.low, found.high))
    return low if low == high else f"{low} to {high}"
