"""Status: what is in a workspace, what is stale or unfinished, what serves, and what to type next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from lexitune.errors import LexituneError
from lexitune.fingerprint import hash_file, sha256_file
from lexitune.io.dataset import read_record
from lexitune.io.staged import newest_model, read_staged
from lexitune.io.vectors import GUARD, TOKENS
from lexitune.io.workspace import Workspace, read_meta, read_object
from lexitune.stages.promote.keep import kept
from lexitune.stages.promote.serving import Serving, read_serving
from lexitune.stages.promote.switch import history
from lexitune.stores.store import opened

__all__ = ["ModelStatus", "Status", "status"]

SEARCH = 'lexitune search "your query"'
ELSEWHERE = "lexitune -C NEW_FOLDER tune MORE_DATA"


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """One challenger and how far it got.

    Args:
        best_dev: Recall on dev of the checkpoint that was chosen; None: there was no dev set.
        staged: Its index is complete and the one that evaluate and promote use.
        test: `{"measure", "stock", "tuned"}` with {mean, low, high, n} each; None: not evaluated.
        verdict: The gate's answer, and who overruled it, or empty.
    """

    model_id: str
    best_dev: float | None
    staged: bool
    test: Mapping[str, Any] | None
    verdict: str


@dataclass(frozen=True, slots=True)
class Status:
    """A workspace at a glance.

    Args:
        data: Counts: docs, and queries by split; None: nothing imported.
        advice: Answer of assess, or empty.
        models: The newest last.
        vectors: Folders of complete vectors.
        serving: The model that serves, or empty; `before` is what a rollback goes back to.
        unfinished: Work that was cut off and goes on when its command is called again.
        stale: What was made of something that changed since.
        report: The file for people, relative to the root, or empty.
        kept: What served before, and until when no command drops it.
        can_go: Commands that drop what was kept for long enough.
    """

    root: str
    data: Mapping[str, Any] | None
    advice: str
    models: Sequence[ModelStatus]
    vectors: Sequence[str]
    serving: str
    before: str
    unfinished: Sequence[str]
    stale: Sequence[str]
    next_command: str
    report: str = ""
    index: str = ""
    kept: Sequence[str] = ()
    can_go: Sequence[str] = ()

    def to_json(self) -> dict[str, Any]:
        """A plain dict that `json.dumps` takes."""
        return asdict(self)

    def lines(self) -> list[str]:
        """The same for a person."""
        lines = [f"workspace   {self.root}", f"data        {_data_line(self.data)}"]
        lines.append(f"advice      {self.advice or 'not assessed'}")
        for model in self.models:
            lines += [f"model       {line}" if not number else f"  {line}" for number, line in enumerate(_draw(model))]
        through = f" through index {self.index}" * bool(self.index)
        before = f" (before it: {self.before})" * bool(self.before)
        lines.append(f"serving     {self.serving or 'nothing yet'}{through}{before}")
        lines += [f"before      {line}" for line in self.kept] + [f"can go      {line}" for line in self.can_go]
        if self.report:
            lines.append(f"report      {self.report}")
        lines += [f"unfinished  {line}" for line in self.unfinished]
        return lines + [f"stale       {line}" for line in self.stale]


def _data_line(data: Mapping[str, Any] | None) -> str:
    if data is None:
        return "none imported"
    counts = ", ".join(f"{count:,} {split}" for split, count in data["queries"].items())
    return f"{data['docs']:,} docs; queries: {counts}"


def _draw(model: ModelStatus) -> list[str]:
    dev = f"dev recall {model.best_dev:.2f}" if model.best_dev is not None else "no dev figure"
    lines = [f"{model.model_id}: {dev}{', staged' * model.staged}{f', gate: {model.verdict}' * bool(model.verdict)}"]
    if model.test:
        both = (model.test[name] for name in ("stock", "tuned"))
        stock, tuned = (f"{one['mean']:.2f} [{one['low']:.2f}, {one['high']:.2f}]" for one in both)
        n = model.test["tuned"]["n"]
        lines.append(f"          test {model.test['measure']} {tuned}, stock {stock}, n={n:,}")
    return lines


def status(workspace: Workspace) -> Status:
    """Look into a workspace. Nothing is changed, no model is loaded, and the test judgements stay closed.

    Raises:
        DataError: The line that serves, or the record of the data, cannot be read.
    """
    record = read_record(workspace) if workspace.dataset.exists() else None
    staged, serving, earlier = read_staged(workspace), read_serving(workspace), history(workspace)
    staged_id = staged.model_id if staged else ""
    finished = [folder for folder in workspace.models.glob("[!.]*") if read_meta(folder) is not None]
    finished.sort(key=lambda folder: (folder / "meta.json").stat().st_mtime_ns)
    models = [_model(workspace, folder, staged=folder.name == staged_id) for folder in finished]
    stale = _stale(workspace, record)
    advice, held = read_object(workspace.reports / "assess.json"), kept(workspace)
    needed = {serving.model if serving else "", f"models/{staged_id}"}
    found = Status(
        root=str(workspace.root),
        data=_counts(record),
        advice=str(advice.get("answer", "")),
        models=models,
        vectors=sorted(f"vectors/{path.parent.name}" for path in workspace.vectors.glob("[!.]*/manifest.json")),
        serving=serving.model if serving else "",
        before=earlier[-1].model if serving and earlier else "",
        unfinished=_unfinished(workspace),
        stale=[line for line, _ in stale],
        next_command="",
        index=serving.index if serving else "",
        report="report.html" if (workspace.root / "report.html").exists() else "",
        kept=[f"{one.serving.index or one.serving.model} {one}" for one in held if one.until and not one.is_over],
        can_go=[command for one in held if one.is_over for command in _ways_to_drop(workspace, one.serving, needed)],
    )
    mend = next((command for _, command in stale), "")
    next_command = mend or _next(found, newest_model(workspace), str(advice.get("next_command", "")))
    return replace(found, next_command=next_command)


def _ways_to_drop(workspace: Workspace, served: Serving, needed: AbstractSet[str]) -> list[str]:
    """The command that drops what was kept, where it is still there. A stock model's files are not ours to drop."""
    if served.store:
        try:
            with opened(served.store) as store:
                there = store.stamp(served.index) is not None and store.serving() != served.index
        except LexituneError:  # a store that is away hides nothing else
            there = False
        return [f"lexitune indexes --drop {served.index}"] * there
    here = served.model.startswith("models/") and (workspace.root / served.model).is_dir()
    return [f"lexitune models rm {Path(served.model).name}"] * (here and served.model not in needed)


def _counts(record: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if record is None:
        return None
    splits = {name: split["queries"] for name, split in record["splits"].items()}
    return {"docs": record["counts"]["docs"], "queries": splits, "source": record["source"]["path"]}


def _model(workspace: Workspace, folder: Path, *, staged: bool) -> ModelStatus:
    meta = read_meta(folder)
    report = read_object(workspace.reports / f"{folder.name}.json")
    test = None
    if report:
        measure, systems = report["primary"], report["systems"]
        test = {"measure": measure, **{name: systems[name]["summary"][measure] for name in ("stock", "tuned")}}
    return ModelStatus(
        model_id=folder.name,
        best_dev=meta.outputs.get("best_dev") if meta else None,
        staged=staged,
        test=test,
        verdict=_verdict(read_object(workspace.verdicts / f"{folder.name}.json")),
    )


def _verdict(found: Mapping[str, Any]) -> str:
    forced = found.get("evidence", {}).get("forced")
    return str(found.get("answer", "")) + (f", forced by {forced['who']}" if forced else "")


def _unfinished(workspace: Workspace) -> list[str]:
    lines = []
    if (workspace.root / "switch-intent.json").exists():
        lines.append("a switch was cut off: search, promote and rollback complete it")
    for folder in sorted(workspace.models.glob(".building-*")):
        lines.append(f"training of {folder.name.removeprefix('.building-')} was cut off: lexitune train goes on")
    for folder in sorted(workspace.vectors.glob("[!.]*/")):
        if folder.name not in (GUARD, TOKENS) and not (folder / "manifest.json").exists():
            lines.append(f"vectors/{folder.name} is incomplete: the command that makes it goes on")
    for folder in sorted(workspace.vectors.glob(".next-*/")):
        name = folder.name.removeprefix(".next-")
        lines.append(f"vectors/{name} is being made anew, and serves as it was: the same command goes on")
    return lines


def _stale(workspace: Workspace, record: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """What was made of something that changed since, with the command that mends it; in the order of the journey."""
    if record is None:
        return []
    # Hashing the sealed file reads bytes, not judgements.
    changed = [name for name, sha256 in record["files"].items() if _sha256(workspace.root / name) != sha256]
    lines = [(f"{name} was changed since it was imported", ELSEWHERE) for name in changed]
    data = hash_file(workspace.dataset)
    advice = read_meta(workspace.reports / "assess.json")
    if advice and advice.inputs.get("data") != data:
        lines.append(("the advice was given on other data", "lexitune assess"))
    staged = read_staged(workspace)
    if staged and workspace.corpus.exists() and staged.corpus != hash_file(workspace.corpus):
        lines.append((f"the staged index of {staged.model_id} was made of another corpus", "lexitune reembed"))
    if staged:
        meta = read_meta(workspace.reports / f"{staged.model_id}.json")
        if meta and (meta.inputs.get("data"), meta.inputs.get("vectors")) != (data, staged.vectors):
            why = f"{staged.model_id} was evaluated on other data or through another index"
            lines.append((why, "lexitune evaluate"))
        verdict = read_meta(workspace.verdicts / f"{staged.model_id}.json")
        report = workspace.reports / f"{staged.model_id}.json"
        if verdict and report.exists() and verdict.inputs.get("evaluation") != hash_file(report):
            lines.append((f"the verdict on {staged.model_id} is older than its evaluation", "lexitune promote"))
    return lines


def _next(found: Status, newest: str | None, advised: str) -> str:
    if found.data is None:
        return "lexitune tune DATA"
    if not found.advice:
        return "lexitune assess"
    newest_status = next((model for model in found.models if model.model_id == newest), None)
    if any(line.startswith("training") for line in found.unfinished):
        return "lexitune train"
    if newest_status is None:
        return "lexitune tune --anyway" if advised in ("", "lexitune status") else advised
    if not newest_status.staged:
        return "lexitune reembed"
    if newest_status.test is None:
        return "lexitune evaluate"
    passed = newest_status.verdict == "PROMOTE"
    if not newest_status.verdict or (passed and not found.serving):
        return "lexitune promote"
    serves = found.serving == f"models/{newest}"  # as it may by force, whatever the verdict
    return SEARCH if serves or passed else ELSEWHERE


def _sha256(path: Path) -> str:
    return sha256_file(path) if path.is_file() else ""
