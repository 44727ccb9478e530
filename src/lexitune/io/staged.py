"""The staged index: which challenger's vectors of the corpus are complete and checked, beside what serves."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from lexitune.errors import DataError
from lexitune.fingerprint import hash_file
from lexitune.io.atomic import replace_text
from lexitune.io.succession import MANIFEST, is_complete
from lexitune.io.workspace import Workspace, meta_path

__all__ = ["Staged", "newest_model", "read_staged", "require_staged", "staged_path", "unstage", "write_staged"]


@dataclass(frozen=True, slots=True)
class Staged:
    """A checked index that may be evaluated and promoted.

    Args:
        model_id: Folder name under `models/`.
        vectors: Folder of the vectors, relative to the workspace.
        fingerprint: Of the model, its query side included.
        corpus: Hash of the corpus file they were made of.
        doc_fingerprint: What the vectors bear. The model's own, unless its query side alone was tuned: then they are
            the stock model's, and the fingerprint tells the two apart.
        store: Spec of the store that the vectors were loaded into; empty: the folder of vectors will serve.
        index: Its index there.
        manifest: Hash of the vectors' manifest: whether they are those that were checked. Empty: not known.
    """

    model_id: str
    vectors: str
    fingerprint: str
    corpus: str
    doc_fingerprint: str
    store: str = ""
    index: str = ""
    manifest: str = ""

    def is_there(self, workspace: Workspace) -> bool:
        """Whether its vectors are the ones that were checked, and not of a corpus that came and went since."""
        path = workspace.root / self.vectors / MANIFEST
        return is_complete(path.parent) and self.manifest in ("", hash_file(path))


def staged_path(workspace: Workspace) -> Path:
    """Where the staged index is named."""
    return workspace.root / "staged.json"


def write_staged(workspace: Workspace, staged: Staged) -> None:
    """Name the staged index; the one named before is no longer staged."""
    path = staged_path(workspace)
    meta_path(path).unlink(missing_ok=True)  # of the one before: it would call this one finished
    replace_text(path, json.dumps(asdict(staged), indent=1) + "\n")


def unstage(workspace: Workspace, vectors: str, *, corpus: str) -> None:
    """Take back that an index is staged, before it is brought to another corpus: it may be cut off half-way.

    Args:
        vectors: Its folder, relative to the workspace.
        corpus: Hash of the corpus file that it is to be made of.
    """
    try:
        staged = read_staged(workspace)
    except DataError:  # nobody takes that for staged
        return
    if staged is not None and staged.vectors == vectors and staged.corpus != corpus:
        meta_path(staged_path(workspace)).unlink(missing_ok=True)
        staged_path(workspace).unlink(missing_ok=True)


def read_staged(workspace: Workspace) -> Staged | None:
    """The staged index, or None where nothing is staged.

    Raises:
        DataError: The file is not what `reembed` writes.
    """
    path = staged_path(workspace)
    if not path.exists():
        return None
    try:
        return Staged(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise DataError(
            "E3302", f"cannot read what is staged: {error}", fix="lexitune reembed", at=str(path)
        ) from error


def require_staged(workspace: Workspace, model_id: str | None) -> Staged:
    """The staged index, of the challenger asked for (None: of any), made of the corpus as it is now.

    Raises:
        DataError: Nothing is staged, another challenger is, or the corpus changed since.
    """
    staged = read_staged(workspace)
    if staged is None:
        raise DataError("E3302", f"nothing is staged in {workspace.root}", fix="lexitune reembed")
    if model_id not in (None, staged.model_id):
        raise DataError("E3302", f"{staged.model_id} is staged, not {model_id}", fix=f"lexitune reembed {model_id}")
    if not workspace.corpus.exists() or staged.corpus != hash_file(workspace.corpus):
        raise DataError("E3304", f"the index of {staged.model_id} was made of another corpus", fix="lexitune reembed")
    if is_complete(workspace.root / staged.vectors) and not staged.is_there(workspace):
        raise DataError("E3304", f"{staged.vectors} was written anew since it was staged", fix="lexitune reembed")
    return staged


def newest_model(workspace: Workspace) -> str | None:
    """The challenger that was finished last; a folder without its meta record is not finished."""
    finished = [meta_path(folder) for folder in workspace.models.glob("[!.]*") if meta_path(folder).is_file()]
    newest = max(finished, key=lambda path: (path.stat().st_mtime_ns, path.parent.name), default=None)
    return newest.parent.name if newest else None
