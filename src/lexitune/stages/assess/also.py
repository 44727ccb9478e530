"""What `--also` names: other stock models, and vectors that somebody else's model made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from lexitune.errors import UsageError
from lexitune.io.given import open_given
from lexitune.registry import Spec, parse_spec
from lexitune.stages.assess.ledger import SYSTEMS
from lexitune.stages.assess.rivals import Rival

if TYPE_CHECKING:
    from lexitune.models.embedder import Embedder

__all__ = ["named_rivals"]

VECTORS = "vectors"


def named_rivals(also: str, *, load: Callable[[str], Embedder]) -> dict[str, Embedder | Rival]:
    """The rivals by the names that they have in the ledger.

    Args:
        also: Separated by commas: `vectors:FOLDER`, or a model as `--model` takes it.
        load: Gives the model of a name.

    Raises:
        UsageError: One has the name of a system that is measured anyway, or of another.
        DataError: Vectors that cannot be read.
    """
    found: dict[str, Embedder | Rival] = {}
    texts = dict.fromkeys(text.strip() for text in also.split(",") if text.strip())
    for text in texts:
        spec = _spec(text)
        name = Path(spec.target).resolve().name if spec else text
        if name in SYSTEMS:
            fix = "rename the folder" if spec else "give a folder as ./NAME"
            raise UsageError("E2002", f"--also {text}: '{name}' is measured anyway", fix=fix)
        if name in found:
            raise UsageError("E2002", f"--also {text}: another is called '{name}' already", fix="rename a folder")
        found[name] = open_given(Path(spec.target)) if spec else load(text)
    return found


def _spec(text: str) -> Spec | None:
    """None: the name of a model, which may hold a colon."""
    kind = text.partition(":")[0].strip()
    if kind == text or kind != VECTORS:
        return None
    spec = parse_spec(text)
    if not spec.target:
        raise UsageError("E2004", f"--also {text} names no folder", fix=f"--also {VECTORS}:FOLDER")
    return spec
