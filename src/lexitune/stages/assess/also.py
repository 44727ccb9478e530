"""What `--also` names: other stock models, and vectors that somebody else's model made, or makes when it is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lexitune.errors import UsageError
from lexitune.io.given import open_given
from lexitune.models.service import open_service
from lexitune.registry import Spec, parse_spec
from lexitune.stages.assess.asked import AskedVectors
from lexitune.stages.assess.ledger import SYSTEMS
from lexitune.stages.assess.rivals import Rival

if TYPE_CHECKING:
    from lexitune.models.embedder import Embedder

__all__ = ["OPENAI", "named_rivals", "refuse_unasked"]

VECTORS, OPENAI = "vectors", "openai"
TARGETS = {VECTORS: "FOLDER", OPENAI: "MODEL"}
CHARACTERS = 4  # of a token, in English prose


def named_rivals(
    also: str, *, load: Callable[[str], Embedder], cache: Path, environ: Mapping[str, str]
) -> dict[str, Embedder | Rival]:
    """The rivals by the names that they have in the ledger.

    Args:
        also: Separated by commas: `vectors:FOLDER`, `openai:MODEL`, or a model as `--model` takes it.
        load: Gives the model of a name.
        cache: Folder of vectors.
        environ: Address and key of a service.

    Raises:
        UsageError: One has the name of a system that is measured anyway, or of another; or a service's address is none.
        DataError: Vectors that cannot be read.
    """
    found: dict[str, Embedder | Rival] = {}
    for text in dict.fromkeys(text.strip() for text in also.split(",") if text.strip()):
        spec = _spec(text)
        kind, target = (spec.name, spec.target) if spec else ("", text)
        name = Path(target).resolve().name if kind == VECTORS else text
        if name in SYSTEMS:
            fix = "rename the folder" if spec else "give a folder as ./NAME"
            raise UsageError("E2002", f"--also {text}: '{name}' is measured anyway", fix=fix)
        if name in found:
            raise UsageError("E2002", f"--also {text}: another is called '{name}' already", fix="rename a folder")
        if kind == OPENAI:
            found[name] = AskedVectors(open_service(target, environ=environ), cache=cache)
        else:
            found[name] = open_given(Path(target)) if kind == VECTORS else load(text)
    return found


def refuse_unasked(
    rivals: Mapping[str, object], texts: Sequence[str], *, may_send: Callable[[str], bool] | None
) -> None:
    """See that nothing leaves this machine without leave.

    Args:
        rivals: By the option that names each, as an error shows it.
        texts: All that vectors are needed of.
        may_send: Hears how much would go where, and answers whether it may; None: nobody is there to answer.

    Raises:
        UsageError: It may not.
    """
    for name, rival in rivals.items():
        missing = rival.missing(texts) if isinstance(rival, AskedVectors) else {}
        if not isinstance(rival, AskedVectors) or not missing:
            continue
        rival.service.check_key()
        size, host = sum(map(len, missing.values())), rival.service.origin
        told = (
            f"{name} sends {len(missing):,} texts, {size:,} characters, to {host}: about "
            f"{size // CHARACTERS:,} tokens at {CHARACTERS} characters each, at the price that its owner asks"
        )
        if may_send is None:
            raise UsageError("E2019", f"{told}; nobody said that they may", fix="lexitune assess --yes")
        if not may_send(told):
            raise UsageError("E2019", f"nothing was sent to {host}", fix=f"leave out {name}")


def _spec(text: str) -> Spec | None:
    """None: the name of a model, which may hold a colon."""
    kind, colon, _ = text.partition(":")
    if not colon or kind not in TARGETS:
        return None
    spec = parse_spec(text)
    if not spec.target:
        fix = f"--also {kind}:{TARGETS[kind]}"
        raise UsageError("E2004", f"--also {text} names no {TARGETS[kind].lower()}", fix=fix)
    return spec
