"""Mine in a workspace: reads the data and a model, writes examples.parquet, negatives.parquet and the suspects."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexitune.errors import UsageError
from lexitune.fingerprint import hash_file, hash_json
from lexitune.io.atomic import replace_text
from lexitune.io.dataset import open_data, read_record
from lexitune.io.examples import examples_path
from lexitune.io.workspace import Meta, Workspace, is_finished, read_meta, write_meta
from lexitune.models.options import ModelOptions
from lexitune.settings import did_you_mean
from lexitune.stages.mine.options import MineOptions
from lexitune.types import Silent, Talk

if TYPE_CHECKING:
    from lexitune.models.embedder import Embedder
    from lexitune.models.reranker import Reranker

__all__ = ["MineReport", "negatives_path", "report_path", "run"]


@dataclass(frozen=True, slots=True)
class MineReport:
    """What a mining left behind.

    Args:
        examples: One row a train query.
        negatives: One row a negative, with its origin.
        suspects: For an expert, the most suspect first.
        model: What it was mined with.
        summary: Counts, and the share of false negatives.
    """

    examples: Path
    negatives: Path
    suspects: Path
    model: str
    summary: dict[str, Any]


def run(
    workspace: Workspace,
    *,
    model: ModelOptions | None = None,
    options: MineOptions | None = None,
    by_tune: bool = False,
    talk: Talk | None = None,
) -> MineReport:
    """Mine negatives for the workspace's train queries; equal data, model and options are not mined twice.

    Args:
        model: The stock model, or `models/<id>` for one that was trained here: its own mistakes, with its own length.
        by_tune: `tune` mines on its way, and may replace what it leaves.

    Raises:
        DataError: No data in the workspace, no train judgements, or a cross-encoder that cannot be loaded.
        UsageError: An unknown model, or options that contradict each other.
        StageFailed: A text encodes to NaN, or the disk is full.
    """
    from lexitune.models.load import load
    from lexitune.stages.mine.mining import mine, refuse_contradictions

    model, options, talk = model or ModelOptions(), options or MineOptions(), talk or Silent()
    options = replace(options, keep_out=options.keep_out or "dev+test")
    refuse_contradictions(options)
    start = time.monotonic()
    with workspace.lock():
        data = open_data(workspace)
        embedder = load(options=_in_workspace(workspace, model), talk=talk)
        reranker = _reranker(options, embedder)
        inputs = {"data": hash_file(workspace.dataset), "model": embedder.fingerprint}
        inputs |= {"reranker": reranker.fingerprint} if reranker else {}
        paths = [examples_path(workspace), negatives_path(workspace), _suspects_path(workspace, inputs, options)]
        report = report_path(workspace)
        if is_finished(report, stage="mine", inputs=inputs, options=options) and _sound(report, paths):
            talk.say("mine: skipped, same data, same model, same options")
            return _read(report, paths)
        found = mine(
            data,
            model=embedder,
            vectors=workspace.vectors,
            openings=workspace.openings,
            sealed=read_record(workspace)["files"].get("qrels/test.tsv"),
            reranker=reranker,
            options=options,
            talk=talk,
        )
        from lexitune.stages.mine.files import write_examples, write_negatives, write_suspects

        if not paths[2].exists():  # the suspects may hold an expert's labels by now
            write_suspects(paths[2], found)
        write_negatives(paths[1], found)
        replace_text(report, json.dumps({"model": embedder.spec.name, **found.summary()}, indent=1) + "\n")
        write_examples(paths[0], found)  # last: without a record beside them they pass for the user's own
        outputs = {path.name: hash_file(path) for path in paths[:2]} | {"by_tune": by_tune}
        cost_s = time.monotonic() - start
        write_meta(report, Meta("mine", asdict(options), inputs, seed=options.seed, cost_s=cost_s, outputs=outputs))
    if len(found.suspects):
        talk.say(f"mine: suspects for an expert to label, the most suspect first: {paths[2]}")
    return _read(report, paths)


def negatives_path(workspace: Workspace) -> Path:
    """Where each negative lies with its origin."""
    return workspace.root / "negatives.parquet"


def report_path(workspace: Workspace) -> Path:
    """Where the counts and the estimate lie; its meta record marks the mining as finished."""
    return workspace.reports / "mine.json"


def _suspects_path(workspace: Workspace, inputs: dict[str, str], options: MineOptions) -> Path:
    # A name of its own for each mining: another one must not replace a queue that an expert has begun to label.
    digits = hash_json({"inputs": inputs, "options": options})[:8]
    return workspace.reports / f"suspects-{digits}.csv"


def _in_workspace(workspace: Workspace, model: ModelOptions) -> ModelOptions:
    """A model that was trained here is named as everywhere in the workspace, and its length is its own."""
    folder = workspace.root / model.model
    if folder.parent != workspace.models or Path(model.model).is_dir():
        return model
    if not folder.is_dir():
        names = [f"models/{path.name}" for path in workspace.models.glob("[!.]*")]
        fix = did_you_mean(model.model, names) if names else "lexitune train"
        raise UsageError("E2141", f"no model '{folder.name}' in {workspace.models}", fix=fix)
    return replace(model, model=str(folder), max_length=None, revision=None)


def _reranker(options: MineOptions, embedder: Embedder) -> Reranker | None:
    if options.reranker is None:
        return None
    from lexitune.models.reranker import load_reranker

    return load_reranker(options.reranker, device=str(embedder.network.device))


def _sound(report: Path, paths: list[Path]) -> bool:
    """Whether the files are those that were written; the suspects are there to be changed."""
    meta = read_meta(report)
    written = meta.outputs if meta else {}
    return all(path.exists() for path in paths) and all(written.get(p.name) == hash_file(p) for p in paths[:2])


def _read(report: Path, paths: list[Path]) -> MineReport:
    summary = json.loads(report.read_text(encoding="utf-8"))
    examples, negatives, suspects = paths
    return MineReport(examples, negatives, suspects, model=summary.pop("model"), summary=summary)
