"""Prompts: words that a model wants before a text. They are lost with a copied folder, or stand there twice."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from lexitune.io.dataset import Raw
from lexitune.models.families import FAMILIES
from lexitune.models.spec import ModelSpec, card_head, known_spec
from lexitune.stages.check.findings import SHOWN, Finding
from lexitune.types import FAULT, LOOK, OK

if TYPE_CHECKING:
    from lexitune.models.embedder import Embedder

__all__ = ["find_lost_prompt", "find_prompts"]

# A prompt that ends in no colon could be anybody's words.
PROMPTS = tuple(
    sorted(
        {one for family in FAMILIES for one in (family.query_prompt, family.doc_prompt) if one.strip().endswith(":")}
    )
)


def find_prompts(raw: Raw) -> Finding:
    """Texts that bring a model's prompt along: lexitune puts it there itself, so the model would read it twice."""
    texts = chain(
        ((query.query_id, query.text) for query in raw.queries.values()),
        ((doc.doc_id, doc.full_text) for doc in raw.docs),
    )
    found = [(key, prompt) for key, text in texts if (prompt := _brought(text))]
    if not found:
        return Finding("prompts", OK, 0, "no text begins with a model's prompt")
    told = ", ".join(f"'{prompt.strip()}'" for prompt in dict.fromkeys(prompt for _, prompt in found[:SHOWN]))
    said = f"{len(found):,} texts begin with a model's prompt ({told}), which would stand there twice"
    examples = tuple(key for key, _ in found[:SHOWN])
    return Finding("prompts", FAULT, len(found), said, examples, "take it out of the texts: each model brings its own")


def _brought(text: str) -> str:
    return next((prompt for prompt in PROMPTS if text.startswith(prompt)), "")


def find_lost_prompt(model: Embedder) -> Finding:
    """Whether a folder without prompts says that it comes from a model that wants some."""
    spec, folder = model.spec, Path(model.spec.source)
    has_none = not spec.query_prompt and not spec.doc_prompt
    origin = next(filter(None, map(_that_wants_prompts, _origins(folder))), None) if has_none else None
    if origin is None:
        told = f"'{spec.query_prompt.strip()}' before queries" if spec.query_prompt else "none"
        return Finding("model's prompts", OK, 0, f"{told}, as the model's folder has it")
    wanted = [f"'{one.strip()}'" for one in (origin.query_prompt, origin.doc_prompt) if one]
    said = f"{spec.name} has no prompts, and it comes from {origin.name}, which wants {' and '.join(wanted)}"
    prompts = json.dumps({"query": origin.query_prompt, "document": origin.doc_prompt}, ensure_ascii=False)
    fix = f'unless it was trained without: "prompts": {prompts} in config_sentence_transformers.json'
    return Finding("model's prompts", LOOK, 1, said, (origin.name,), fix)


def _that_wants_prompts(name: str) -> ModelSpec | None:
    found = known_spec(name)
    return found if found is not None and (found.query_prompt or found.doc_prompt) else None


def _origins(folder: Path) -> Iterable[str]:
    """The models that a folder says it comes from."""
    config = folder / "config.json"
    if config.is_file():
        yield str(json.loads(config.read_text(encoding="utf-8")).get("_name_or_path") or "")
    if line := re.search(r"^base_model:[ \t]*(?:\n\s*-\s*)?['\"]?([\w./-]+)", card_head(folder), re.MULTILINE):
        yield line[1]
