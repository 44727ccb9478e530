"""The models of a workspace: what each gained, what holds on to it, and how much disk it takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lexitune.errors import UsageError
from lexitune.fingerprint import hash_file
from lexitune.io.staged import read_staged
from lexitune.io.workspace import Meta, Workspace, meta_path, read_meta, read_object
from lexitune.settings import did_you_mean
from lexitune.stages.promote.serving import locate, read_serving
from lexitune.stages.promote.switch import events, history

__all__ = [
    "BEFORE",
    "ROLLBACK",
    "SERVES",
    "STAGED",
    "ModelEntry",
    "Use",
    "dev_figures",
    "find_model",
    "list_models",
    "measured_gain",
    "model_vectors",
    "size_bytes",
    "told_verdict",
    "trained_at",
    "uses",
]

SERVES, STAGED, ROLLBACK, BEFORE = "serves", "staged", "rollback goes back to it", "served before"


@dataclass(frozen=True, slots=True)
class Use:
    """What a workspace has a model for.

    Args:
        model: Folder name under `models/`, or what the stock model is called.
        role: One of the four above.
        vectors: Folder of vectors that goes with it, relative to the workspace.
        fingerprint: Of the model, its query side included; empty where that is not known.
        store: Spec of the store that holds its index; empty: the vectors serve.
    """

    model: str
    role: str
    vectors: str
    fingerprint: str = ""
    store: str = ""
    index: str = ""


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One model at a glance.

    Args:
        recipe: Empty of a stock model, and of a folder without a record.
        trained_at: ISO 8601, UTC; empty where nothing says so.
        dev_gain: Recall on dev above the stock model's, as a fraction; None: there was no dev set.
        gain: `{measure, mean, low, high, n}` on test, in fractions; None: not evaluated.
        verdict: The gate's answer, or empty.
        uses: What the workspace has it for; `indexes` in which stores' indexes it is.
        vectors: Folders of vectors of its own.
        size_bytes: On disk: its folder and its own vectors.
    """

    model_id: str
    is_stock: bool
    recipe: str
    trained_at: str
    pairs: int | None
    dev_gain: float | None
    gain: Mapping[str, Any] | None
    verdict: str
    uses: Sequence[str]
    indexes: Sequence[str]
    vectors: Sequence[str]
    size_bytes: int

    def to_json(self) -> dict[str, Any]:
        """A plain dict that `json.dumps` takes."""
        return asdict(self)


def list_models(workspace: Workspace) -> list[ModelEntry]:
    """Every model under `models/`, the newest first, then the stock models that something here names.

    No store is asked and no model loaded.

    Raises:
        DataError: A report, a verdict or what serves cannot be read.
    """
    used = uses(workspace)
    metas = {name: read_meta(workspace.models / name) for name in _names(workspace)}
    tuned = [_entry(workspace, name, meta, used) for name, meta in metas.items()]
    tuned.sort(key=lambda entry: (entry.trained_at, entry.model_id), reverse=True)
    return tuned + [_stock_entry(workspace, name, prints, used) for name, prints in _stock(workspace, metas, used)]


def find_model(workspace: Workspace, given: str) -> str:
    """The id of the model that is meant: the whole of it, or as much of its beginning as no other has.

    Raises:
        UsageError: None or several begin so.
    """
    names, wanted = _names(workspace), given.removeprefix("models/").rstrip("/")
    found = [name for name in names if name == wanted] or [name for name in names if name.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    if not names:
        raise UsageError("E2141", f"no model in {workspace.models}", fix="lexitune train")
    if found:
        raise UsageError("E2141", f"'{given}' begins {len(found)} ids", fix=f"type more of one: {', '.join(found)}")
    raise UsageError("E2141", f"no model '{given}' in {workspace.models}", fix=did_you_mean(wanted, names))


def uses(workspace: Workspace) -> list[Use]:
    """What serves, what is staged, what a rollback goes back to (the nearest first), and what served once.

    Raises:
        DataError: What serves or what is staged cannot be read.
    """
    found = []
    if (serving := read_serving(workspace)) is not None:
        found.append((SERVES, serving))
    found += [(ROLLBACK, line) for line in reversed(history(workspace))]
    found += [(BEFORE, line) for event in events(workspace) for line in (event.before, event.serves)]
    known = [
        Use(_named(workspace, line.model), role, line.vectors, line.fingerprint, line.store, line.index)
        for role, line in found
    ]
    if (staged := read_staged(workspace)) is not None:
        known.append(Use(staged.model_id, STAGED, staged.vectors, staged.fingerprint, staged.store, staged.index))
    needed = {use.model for use in known if use.role in (SERVES, ROLLBACK)}
    return list(dict.fromkeys(use for use in known if use.role != BEFORE or use.model not in needed))


def model_vectors(workspace: Workspace, model_id: str) -> list[Path]:
    """The folders of vectors that this model made and that are its own.

    A query adapter has none: it reads the vectors of the model that it was trained from.
    """
    meta = read_meta(workspace.models / model_id)
    base = meta.inputs.get("model") if meta else None
    return [
        folder
        for folder, manifest in _manifests(workspace)
        if manifest.get("model") == model_id and manifest.get("fingerprint") != base
    ]


def measured_gain(workspace: Workspace, model_id: str, *, measure: str = "") -> dict[str, Any] | None:
    """What the last evaluation found in a measure, by default the primary one; None: there is none."""
    report = read_object(workspace.reports / f"{model_id}.json")
    measure = measure or report.get("primary", "")
    delta = report.get("comparison", {}).get("deltas", {}).get(measure)
    return {"measure": measure, **{key: delta[key] for key in ("mean", "low", "high", "n")}} if delta else None


def told_verdict(workspace: Workspace, model_id: str) -> str:
    """The gate's answer, and whether it is about an earlier evaluation; empty: it was not asked."""
    path, report = workspace.verdicts / f"{model_id}.json", workspace.reports / f"{model_id}.json"
    answer, meta = str(read_object(path).get("answer", "")), read_meta(path)
    judged = meta.inputs.get("evaluation") if meta else None
    stale = answer and judged and report.exists() and judged != hash_file(report)
    return f"{answer} (on an earlier evaluation)" if stale else answer


def dev_figures(meta: Meta) -> tuple[float, float] | None:
    """Recall on dev of the stock model and of what was published; None: there was no dev set."""
    first: Mapping[str, Any] = next(iter(meta.outputs.get("curve") or []), {})
    reached = meta.outputs.get("reached")
    reached = meta.outputs.get("best_dev") if reached is None else reached
    return None if reached is None or "dev" not in first else (float(first["dev"]), float(reached))


def trained_at(folder: Path, meta: Meta) -> str:
    """When a model was finished, ISO 8601 in UTC: as recorded, else when the record was written."""
    written = datetime.fromtimestamp(meta_path(folder).stat().st_mtime, UTC).isoformat(timespec="seconds")
    return str(meta.outputs.get("at") or written)


def size_bytes(path: Path) -> int:
    """Bytes of a file, or of all files in a folder; what a link points at does not count."""
    if path.is_symlink() or not path.is_dir():
        return path.lstat().st_size if path.is_symlink() or path.exists() else 0
    return sum(one.lstat().st_size for one in path.rglob("*") if one.is_symlink() or one.is_file())


def _names(workspace: Workspace) -> list[str]:
    return sorted(folder.name for folder in workspace.models.glob("[!.]*") if folder.is_dir())


def _named(workspace: Workspace, model: str) -> str:
    """The id of a model that a serving line names; of a stock model the name as it stands."""
    path = locate(workspace, model)
    inside = path is not None and path.parent.resolve() == workspace.models.resolve()
    return path.name if path is not None and inside else model


def _manifests(workspace: Workspace) -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in sorted(workspace.vectors.glob("[!.]*/manifest.json")):
        yield path.parent, read_object(path)


def _entry(workspace: Workspace, model_id: str, meta: Meta | None, used: Sequence[Use]) -> ModelEntry:
    folder, vectors = workspace.models / model_id, model_vectors(workspace, model_id)
    mine = [use for use in used if use.model == model_id]
    dev = dev_figures(meta) if meta else None
    return ModelEntry(
        model_id=model_id,
        is_stock=False,
        recipe=str(meta.outputs.get("recipe", "")) if meta else "",
        trained_at=trained_at(folder, meta) if meta else "",
        pairs=meta.outputs.get("pairs") if meta else None,
        dev_gain=None if dev is None else dev[1] - dev[0],
        gain=measured_gain(workspace, model_id),
        verdict=told_verdict(workspace, model_id),
        uses=list(dict.fromkeys(use.role for use in mine)),
        indexes=list(dict.fromkeys(use.index for use in mine if use.index)),
        vectors=[f"vectors/{path.name}" for path in vectors],
        size_bytes=sum(map(size_bytes, [folder, *vectors])),
    )


def _stock(
    workspace: Workspace, metas: Mapping[str, Meta | None], used: Sequence[Use]
) -> Iterator[tuple[str, set[str]]]:
    """Name -> fingerprints of each stock model that a model was trained from, or that serves or served."""
    names: dict[str, set[str]] = {}
    for meta in metas.values():
        base = meta.outputs.get("base", {}) if meta else {}
        # A model of this workspace may have been trained further, and removed since.
        if base and Path(base.get("source", "")).resolve().parent != workspace.models.resolve():
            names.setdefault(base["name"], set()).add(base.get("fingerprint", ""))
    for use in used:
        known = any(use.fingerprint in prints for prints in names.values() if use.fingerprint)
        if use.model not in metas and not known and not use.model.startswith("models/"):
            names.setdefault(use.model, set()).add(use.fingerprint)
    yield from ((name, prints - {""}) for name, prints in sorted(names.items()))


def _stock_entry(workspace: Workspace, name: str, prints: set[str], used: Sequence[Use]) -> ModelEntry:
    mine = [use for use in used if use.model == name or use.fingerprint in prints]
    vectors = [folder for folder, manifest in _manifests(workspace) if manifest.get("fingerprint") in prints]
    return ModelEntry(
        model_id=name,
        is_stock=True,
        recipe="",
        trained_at="",
        pairs=None,
        dev_gain=None,
        gain=None,
        verdict="",
        uses=list(dict.fromkeys(use.role for use in mine)),
        indexes=list(dict.fromkeys(use.index for use in mine if use.index)),
        vectors=[f"vectors/{path.name}" for path in vectors],
        size_bytes=sum(map(size_bytes, vectors)),
    )
