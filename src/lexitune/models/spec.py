"""What is known of a model beside its weights: prompts, pooling, length, licence."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from lexitune.models.families import FAMILIES, Family

__all__ = ["KNOWN", "ModelSpec", "card_head", "is_non_commercial", "known_spec", "licence_of"]


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """Everything that must travel with a model for its vectors to be the same elsewhere.

    Args:
        name: What people call it: a built-in name, the folder's name, or the Hub id.
        source: Folder or Hub id it was loaded from.
        revision: Commit of a Hub model; empty for a folder.
        query_prompt: Stands before every query, its blank included.
        doc_prompt: Stands before every passage.
        pooling: How token vectors become one: `mean`, `cls`, `lasttoken` or a name of sentence-transformers. Among
            published facts: empty where not known.
        normalise: Vectors have unit length.
        max_length: Longest text in tokens, special tokens counted; longer ones lose their end.
        dimension: Numbers in a vector.
        licence: SPDX identifier in lower case where known, or empty.
        remote_code: The model runs code of its own.
    """

    name: str
    source: str
    revision: str = ""
    query_prompt: str = ""
    doc_prompt: str = ""
    pooling: str = "mean"
    normalise: bool = True
    max_length: int = 512
    dimension: int = 0
    licence: str = ""
    remote_code: bool = False


def _spec_of(name: str, family: Family) -> ModelSpec:
    return ModelSpec(
        name,
        name,
        query_prompt=family.query_prompt,
        doc_prompt=family.doc_prompt,
        pooling=family.pooling,
        normalise=family.normalise,
        max_length=family.max_length,
        dimension=family.models[name],
        licence=family.licence,
        remote_code=family.remote_code,
    )


KNOWN = {name: _spec_of(name, family) for family in FAMILIES for name in family.models}
"""Published facts by Hub id."""

BY_SHORT_NAME = {name.rpartition("/")[2].lower(): spec for name, spec in KNOWN.items()}
BY_SHORT_NAME["minilm"] = KNOWN["sentence-transformers/all-MiniLM-L6-v2"]  # its built-in name


def known_spec(name: str, folder: Path | None = None) -> ModelSpec | None:
    """Published facts of the model called `name` or lying in `folder`, by exact name; None: not one we know.

    Only names are looked at, never the origin noted in a folder's configuration: somebody's
    fine-tune of a known model may well have been trained with other prompts.

    Example:
        >>> known_spec("intfloat/multilingual-e5-small").doc_prompt
        'passage: '
        >>> known_spec("intfloat/e5-small-unsupervised") is None
        True
    """
    names = [name]
    if folder is not None:
        names.append(folder.name)
        # A copy in the Hub's cache lies in models--ORGANISATION--NAME/snapshots/COMMIT.
        names += [part.replace("--", "/") for part in folder.parts if part.startswith("models--")]
    for candidate in names:
        if found := BY_SHORT_NAME.get(candidate.rpartition("/")[2].lower()):
            return found
    return None


def licence_of(folder: Path) -> str:
    """The licence that a model folder's README names in its head, in lower case; empty where it names none."""
    line = re.search(r"^licen[sc]e:\s*['\"]?([\w.-]+)", card_head(folder), re.MULTILINE)
    return line[1].lower() if line else ""


def card_head(folder: Path) -> str:
    """The lines of YAML at the head of a model folder's README.md; empty where there are none."""
    readme = folder / "README.md"
    if not readme.is_file():
        return ""
    head = re.match(r"---\s*\n(.*?)\n---", readme.read_text(encoding="utf-8", errors="replace"), re.DOTALL)
    return head[1] if head else ""


def is_non_commercial(licence: str) -> bool:
    """A Creative Commons licence whose NC part forbids commercial use.

    Example:
        >>> is_non_commercial("cc-by-nc-4.0"), is_non_commercial("mit")
        (True, False)
    """
    return "nc" in licence.lower().split("-")
