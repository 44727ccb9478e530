"""The journey: import, assess, mine where negatives are asked for, train, re-embed, evaluate, promote, report.

Each stage skips what it finds finished with equal inputs, so a journey that was killed goes on where it was.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from lexitune.io.examples import is_users
from lexitune.io.workspace import NEW_WORKSPACE, Workspace, read_meta
from lexitune.pipeline.data import import_data, open_data
from lexitune.pipeline.outcome import TuneOutcome, fold, shown_path, table_lines
from lexitune.pipeline.sections import SECTIONS
from lexitune.settings import section_of, write_toml
from lexitune.types import Advice, Dataset, GateResult, Silent, Talk

__all__ = ["gate_line", "run", "tune"]

T = TypeVar("T")


def tune(
    data: Dataset | Path | str,
    *,
    workspace: Path | str = NEW_WORKSPACE,
    options: Sequence[object] = (),
    talk: Talk | None = None,
) -> TuneOutcome:
    """Walk the whole journey: is it worth it, train, re-embed, evaluate, decide, switch, report.

    Args:
        data: What `lexitune.read` gave, a BEIR folder, or a file of pairs.
        workspace: Folder of all results; the same call again goes on where the first one was cut off.
        options: Options records of any stage, such as `[ModelOptions(model="minilm"), TrainOptions(epochs=2)]`.

    Raises:
        LexituneError: With a code, the problem, and a fix.

    Returns:
        The advice and, unless it stopped the journey, the evaluation and what the gate said.
    """
    given = {section_of(type(one)): one for one in options}
    sections = {name: given.get(name, kind()) for name, kind in SECTIONS.items()}
    source = Path(data) if isinstance(data, str) else data
    return run(Workspace(Path(workspace)), source, sections=sections, talk=talk or Silent())


def run(workspace: Workspace, source: Dataset | Path | None, *, sections: Mapping[str, Any], talk: Talk) -> TuneOutcome:
    """The journey in a workspace.

    Args:
        source: None: the data that the workspace holds already.
        sections: Section name -> options record, one for each of `SECTIONS`.
    """
    from lexitune.pipeline.deciding import assess_workspace
    from lexitune.pipeline.plan import hourly_rate
    from lexitune.stages.assess.advice import TUNE
    from lexitune.stages.evaluate.driver import run as evaluate
    from lexitune.stages.promote.driver import recover
    from lexitune.stages.reembed.driver import run as reembed
    from lexitune.stages.train.driver import run as train

    seconds: dict[str, float] = {}

    def timed(name: str, stage: Callable[[], T]) -> T:
        start = time.monotonic()
        result = stage()
        seconds[name] = time.monotonic() - start
        return result

    model = sections["model"]
    with workspace.lock():
        recover(workspace, talk=talk)
        if source is not None:
            # Later commands find the model and the recipe of this journey in its lexitune.toml.
            config = write_toml(SECTIONS, {k: v for k, v in sections.items() if k not in ("tune", "data")})
            options = sections["data"]
            timed("import", lambda: import_data(workspace, source, options=options, talk=talk, config=config))
        advice = timed("assess", lambda: assess_workspace(workspace, sections=sections, talk=talk))
        for reason in advice.reasons:
            talk.say(f"    {reason}")
        if advice.answer != TUNE and not sections["tune"].anyway:
            return _stopped(workspace, advice, seconds)
        if _mines(workspace, sections):
            timed("mine", lambda: _mine(workspace, sections, talk))
        folder = timed("train", lambda: train(workspace, model=model, options=sections["train"], talk=talk))
        meta = read_meta(folder)
        seconds["train"] = meta.cost_s if meta else seconds["train"]
        name, own = folder.name, sections["reembed"]
        rate = hourly_rate(workspace, sections)
        timed(
            "reembed",
            lambda: reembed(workspace, model_id=name, model=model, options=own, pounds_per_hour=rate, talk=talk),
        )
        found = timed(
            "evaluate",
            lambda: evaluate(workspace, model_id=name, model=model, options=sections["evaluate"], talk=talk),
        )
        gate = timed("promote", lambda: _decide(workspace, found, sections, talk))
        return _arrived(workspace, advice, gate, found, seconds)


def _mines(workspace: Workspace, sections: Mapping[str, Any]) -> bool:
    """Whether the journey mines before it trains: where negatives are asked for, and the user has not mined."""
    return bool(sections["train"].negatives) and not is_users(workspace)


def _mine(workspace: Workspace, sections: Mapping[str, Any], talk: Talk) -> None:
    """Mine without keeping passages of dev and test queries out: test stays sealed, and no figure is flattered."""
    from lexitune.stages.mine.driver import run as mine

    options = replace(sections["mine"], keep_out=sections["mine"].keep_out or "none")
    mine(workspace, model=sections["model"], options=options, by_tune=True, talk=talk)


def _decide(workspace: Workspace, found: Any, sections: Mapping[str, Any], talk: Talk) -> GateResult:
    from lexitune.stages.promote.beside import judged
    from lexitune.stages.promote.driver import run as promote

    model_id, options = found.model_id, sections["promote"]
    if sections["tune"].promote:
        return promote(workspace, model_id=model_id, options=options, talk=talk)
    return judged(workspace, found.to_json(), model_id=model_id, options=options)


def _stopped(workspace: Workspace, advice: Advice, seconds: Mapping[str, float]) -> TuneOutcome:
    from lexitune.pipeline.journey_report import write_advice_report

    report = write_advice_report(workspace, advice)
    said = {"NO": "Not worth it", "CANNOT TELL": "Cannot tell yet whether it is worth it"}[advice.answer]
    lines = [fold(f"{said}: {advice.reasons[0]}"), f"No training was done. Report: {shown_path(report)}"]
    if advice.also:
        lines.append(fold(f"Worth it without training: {', '.join(advice.also)}"))
    return TuneOutcome(
        advice=advice,
        gate=None,
        evaluation=None,
        model=None,
        report=report,
        seconds=seconds,
        peak_rss_mb=peak_rss_mb(),
        lines=lines,
        exit_code=0,
        next_command=f"lexitune -C {shown_path(workspace.root)} tune --anyway",
    )


def _arrived(
    workspace: Workspace, advice: Advice, gate: GateResult, found: Any, seconds: Mapping[str, float]
) -> TuneOutcome:
    from lexitune.pipeline.journey_report import write_report
    from lexitune.stages.promote.gate import exit_code

    folder = workspace.models / found.model_id
    report = write_report(workspace, open_data(workspace), advice=advice, evaluation=found, gate=gate)
    lines = [*table_lines(found), gate_line(gate), f"Report: {shown_path(report)}"]
    return TuneOutcome(
        advice=advice,
        gate=gate,
        evaluation=found,
        model=folder,
        report=report,
        seconds=seconds,
        peak_rss_mb=peak_rss_mb(),
        lines=lines,
        exit_code=exit_code(gate),
        next_command=gate.next_command,
    )


def gate_line(gate: GateResult) -> str:
    """What the gate says, and the reason that decided."""
    decided = gate.reasons[1]
    return fold(f"Gate: {gate.answer}. {decided[:1].upper()}{decided[1:].removesuffix('.')}.")


def peak_rss_mb() -> float:
    """The most memory this process has held, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024 / (1024 if sys.platform == "darwin" else 1)  # bytes there, KiB elsewhere
