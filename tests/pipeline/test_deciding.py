"""Deciding: the assessment with its pilot, and what a tune takes, which is no reason to withhold an advice."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from lexitune.errors import UsageError
from lexitune.io.workspace import Workspace
from lexitune.pipeline import deciding, plan
from lexitune.stages.assess import driver
from lexitune.types import Advice


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """One whose assessment says TUNE, and notes the options that it got."""
    monkeypatch.setattr(
        driver,
        "run",
        lambda workspace, options, **_: Advice("TUNE", ("it gains",), {"options": asdict(options)}),
    )
    return Workspace(tmp_path / "work")


def test_options_that_are_not_given_are_those_of_the_file(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace.root.mkdir()
    workspace.config.write_text('[train]\nrecipe = "adapter"\n[assess]\nmin_pairs = 7\n', encoding="utf-8")
    seen: dict[str, Any] = {}

    def stop(*_: object, sections: dict[str, Any]) -> None:
        seen.update(sections)
        raise UsageError("E2104", "no row for 'RTX 3060'", fix="lexitune plan --gpu 3090")

    monkeypatch.setattr(plan, "plan", stop)
    advice = deciding.assess_workspace(workspace, sections={})

    assert (seen["train"].recipe, seen["assess"].min_pairs) == ("adapter", 7)
    assert advice.evidence["options"]["min_pairs"] == 7
    # A device that the table does not know stops no advice.
    assert (advice.answer, advice.reasons[-1]) == (
        "TUNE",
        "what it takes is unknown: no row for 'RTX 3060': lexitune plan --gpu 3090",
    )


def test_only_a_tune_is_priced(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "run", lambda workspace, **given: Advice("NO", ("it is good",)))

    assert deciding.assess_workspace(workspace, sections={}).reasons == ("it is good",)


def test_an_assessment_leaves_its_report_with_what_a_tune_takes(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deciding, "_cost", lambda *_: "a tune takes a minute")

    deciding.assess_workspace(workspace, sections={})

    text = (workspace.root / "report.html").read_text(encoding="utf-8")
    assert "WORTH A TUNE" in text
    assert "A tune takes a minute." in text
