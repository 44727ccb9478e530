"""The model card: README.md of a model folder, for people and for the Hub. It quotes no text that was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lexitune.models.record import hub_id
from lexitune.models.snippets import Place, snippet
from lexitune.models.spec import ModelSpec

__all__ = ["model_card", "python_block", "use"]


def model_card(
    name: str,
    spec: ModelSpec,
    base: Mapping[str, str],
    chapters: Sequence[str],
    *,
    metadata: Mapping[str, Any] | None = None,
) -> str:
    """Metadata, what the model is, its prompts, and the chapters.

    Args:
        base: Where the weights come from, as `lexitune.json` has it. A folder is named by its last part alone.
        chapters: Lines of Markdown.
        metadata: Further fields of the Hub's `ModelCardData`.
    """
    from huggingface_hub import ModelCardData

    known = {
        "library_name": "sentence-transformers",
        "pipeline_tag": "sentence-similarity",
        "base_model": hub_id(base),
        "license": spec.licence,
        **(metadata or {}),
    }
    head = ModelCardData(**{key: value for key, value in known.items() if value})
    return "\n".join(
        [
            "---",
            head.to_yaml(),
            "---",
            f"# {name}",
            "",
            f"An embedding model for search, made by lexitune from {hub_id(base) or base.get('name') or spec.name}.",
            f"Vectors of {spec.dimension} numbers; texts of up to {spec.max_length} tokens.",
            f"Prompts, which the code below adds: query {spec.query_prompt!r}, passage {spec.doc_prompt!r}.",
            "",
            *chapters,
            "",
        ]
    )


def use(place: Place, spec: ModelSpec) -> list[str]:
    """How to use a model with sentence-transformers; with a query adapter, also what that means for an index."""
    told = [
        "Passages are encoded by the stock model, so an index that it made stays as it is. Queries go through a matrix",
        "after encoding; without that they are the stock model's queries.",
        "",
    ]
    return [*(told if place.has_map else ()), *python_block(snippet("sentence-transformers", place, spec))]


def python_block(code: str) -> list[str]:
    """Code as lines of Markdown."""
    return ["```python", *code.splitlines(), "```"]
