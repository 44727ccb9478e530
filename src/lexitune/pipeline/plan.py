"""`lexitune plan`: finds what is to be planned in options, a workspace or data, and hands it to the arithmetic."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lexitune.errors import UsageError
from lexitune.io.dataset import open_data
from lexitune.io.staged import newest_model
from lexitune.io.workspace import Workspace, read_meta
from lexitune.models.catalog import BUILT_IN, Choice, choose_auto, resolve
from lexitune.models.hardware import CPU, Hardware, choose_hardware, device_here, known_hardware, measured
from lexitune.models.options import ModelOptions
from lexitune.models.shape import shape_of
from lexitune.models.spec import ModelSpec, known_spec
from lexitune.pipeline.bill import Gain, Plan, Subject
from lexitune.pipeline.models import measured_gain
from lexitune.pipeline.options import PlanOptions
from lexitune.pipeline.reckon import make_plan
from lexitune.pipeline.sections import SECTIONS
from lexitune.pipeline.workload import Workload, count_data, count_file, told
from lexitune.settings import build, read_toml
from lexitune.stages.assess.driver import read_advice, report_path
from lexitune.stages.train.options import TrainOptions

__all__ = ["hourly_rate", "plan"]

RECALL = "R@10"
TABLE = "hardware.toml"
LONGEST = 512  # tokens, where nothing is known of the model


def plan(workspace: Workspace | None, source: Path | None, *, sections: Mapping[str, Any]) -> Plan:
    """Plan a training: of `source`, else of the workspace's data, else of as many pairs as the options say.

    Args:
        workspace: None: there is none.
        sections: Section name -> options record: model, data, train, plan.

    Raises:
        UsageError: An unknown device or model, a bad row in the table of hardware, or nothing to plan for.
        DataError: Data that cannot be read.
    """
    options: PlanOptions = sections["plan"]
    rows = known_hardware(_tables(workspace, options))
    device = options.gpu or device_here(rows, sections["model"].device)
    row = choose_hardware(device, rows)
    if not options.gpu or device == CPU:
        here = CPU if device == CPU else sections["model"].device
        row = measured(row, here, max_memory=sections["model"].max_memory)
    if rate := sections["train"].hourly_rate:
        row = replace(row, pounds_per_hour=rate, rate_source="as told by --hourly-rate", rate_date="")
    choice = _model(sections["model"], row, device)
    folder = _folder(choice, sections["model"])
    spec = _spec(choice, sections["model"], folder)
    work = _workload(workspace, source, sections, folder=folder, spec=spec)
    shape = shape_of(choice)
    half = sections["model"].precision != "fp32" and row.bf16_tflops > row.fp32_tflops
    dimension = spec.dimension or shape.width
    subject = Subject(choice.name, shape, spec.max_length, dimension, device, row, half, work)
    mined = workspace is not None and source is None and (workspace.root / "examples.parquet").exists()
    return make_plan(
        subject,
        train=sections["train"],
        options=options,
        mined=mined,
        gain=_gain(workspace, source, options, choice.name),
    )


def hourly_rate(workspace: Workspace, sections: Mapping[str, Any]) -> float:
    """Pounds that an hour here costs, as told, else by the table of hardware; 0: nothing says so.

    Args:
        sections: Section name -> options record: model, and train and plan where they differ from the workspace's own.

    Raises:
        UsageError: A bad file of options, or a bad row in the table of hardware.
    """
    written = read_toml(workspace.config, SECTIONS)
    train = sections.get("train") or build(TrainOptions, written.get("train", {}))
    if train.hourly_rate:
        return float(train.hourly_rate)
    own = sections.get("plan") or build(PlanOptions, written.get("plan", {}))
    rows = known_hardware(_tables(workspace, own))
    try:
        return rows[device_here(rows, sections["model"].device)].pounds_per_hour
    except UsageError:  # a GPU that no row describes
        return 0.0


def _tables(workspace: Workspace | None, options: PlanOptions) -> list[Path]:
    """The user's own tables of hardware."""
    if options.hardware:
        return [Path(options.hardware)]
    own = None if workspace is None else workspace.root / TABLE
    return [own] if own is not None and own.exists() else []


def _model(options: ModelOptions, row: Hardware, device: str) -> Choice:
    """The model that a name means; `auto` is what it would be on the planned device, with the Hub at hand."""
    if options.model != "auto":
        return resolve(options)
    gpu_gb = 0.0 if device == CPU else row.memory_gb
    chosen = choose_auto(gpu_gb=gpu_gb, offline=False, cached=lambda _: True, answers=lambda: True)
    return resolve(replace(options, model=chosen.name))


def _folder(choice: Choice, options: ModelOptions) -> Path | None:
    """Where the model lies, if it is on this machine."""
    from lexitune.models.hub import cached_folder

    here = choice.location
    return here if isinstance(here, Path) else cached_folder(here, revision=options.revision)


def _spec(choice: Choice, options: ModelOptions, folder: Path | None) -> ModelSpec:
    """What is known of the model without loading it."""
    found = known_spec(BUILT_IN[choice.name].published if choice.name in BUILT_IN else choice.name, folder)
    spec = found or ModelSpec(choice.name, str(choice.location), max_length=_positions(folder))
    return replace(spec, max_length=options.max_length or spec.max_length or LONGEST)


def _positions(folder: Path | None) -> int:
    """The longest text of a model folder, in tokens."""
    if folder is None or not (folder / "sentence_bert_config.json").is_file():
        return LONGEST
    found = json.loads((folder / "sentence_bert_config.json").read_text(encoding="utf-8")).get("max_seq_length")
    return int(found or LONGEST)


def _workload(
    workspace: Workspace | None,
    source: Path | None,
    sections: Mapping[str, Any],
    *,
    folder: Path | None,
    spec: ModelSpec,
) -> Workload:
    options: PlanOptions = sections["plan"]
    if source is not None:
        return count_file(source, data=sections["data"], options=options, spec=spec, folder=folder)
    if workspace is not None and workspace.dataset.exists():
        return count_data(open_data(workspace), options=options, spec=spec, folder=folder)
    if options.pairs is None:
        raise UsageError(
            "E2012", "nothing to plan for: no DATA, and none in a workspace", fix="lexitune plan --pairs 5000"
        )
    return told(options, data=sections["data"], max_length=spec.max_length)


def _gain(workspace: Workspace | None, source: Path | None, options: PlanOptions, model: str) -> Gain | None:
    """Points of R@10: as told, as measured in this workspace on this model, or as foretold there."""
    if options.gain is not None:
        return Gain(options.gain, "as told by --gain")
    if workspace is None or source is not None:
        return None
    return _measured(workspace, model) or _foretold(workspace, model)


def _measured(workspace: Workspace, model: str) -> Gain | None:
    """What the last evaluation of the newest challenger measured, if that began as this model."""
    model_id = newest_model(workspace)
    meta = read_meta(workspace.models / model_id) if model_id else None
    if model_id is None or meta is None or meta.outputs.get("base", {}).get("name") != model:
        return None
    found = measured_gain(workspace, model_id, measure=RECALL)
    return Gain(100 * found["mean"], f"measured on test with {model_id}") if found else None


def _foretold(workspace: Workspace, model: str) -> Gain | None:
    """What the last assessment of this model expects of a tune, where a gain is shown."""
    if not report_path(workspace).exists():
        return None
    evidence = read_advice(report_path(workspace)).evidence
    expected, pilot = evidence.get("expected"), evidence.get("pilot")
    if not expected or not pilot or evidence.get("model") != model:
        return None
    if min(expected["alone"]["low"], pilot["lifts"][-1]["low"]) <= 0:
        return None
    return Gain(100 * expected["alone"]["mean"], "foretold by lexitune assess")
