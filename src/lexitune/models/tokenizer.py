"""A model's tokenizer alone: where the tokens of a text stand, without loading any weights."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lexitune.errors import DataError
from lexitune.models.options import ModelOptions
from lexitune.types import Talk

__all__ = ["TextTokens", "load_tokens"]

DEFAULT = ModelOptions()


@dataclass(frozen=True)
class TextTokens:
    """Counts texts as a model does.

    Attributes:
        name: The model's, as people call it.
        folder: Where it lies.
        max_length: Longest text in tokens, special tokens counted; None where the folder does not say.
        special: Tokens that stand around every text.
    """

    name: str
    folder: Path
    backend: Any
    max_length: int | None
    special: int

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where each token begins and ends, in characters; special tokens are left out."""
        found: list[tuple[int, int]] = self.backend.encode(text, add_special_tokens=False).offsets
        return found


def load_tokens(name: str = "auto", *, options: ModelOptions = DEFAULT, talk: Talk | None = None) -> TextTokens:
    """The tokenizer of the model that `lexitune.load` would load.

    Raises:
        UsageError: An unknown name.
        DataError: The model cannot be had, or has no tokenizer that says where its tokens stand.
    """
    from lexitune.models.catalog import resolve
    from lexitune.models.load import model_folder

    choice = resolve(options if name == "auto" else replace(options, model=name))
    if choice.reason and talk:
        talk.say(f"model: {choice.name} ({choice.reason})")
    folder = model_folder(choice, options, talk)
    backend = _backend(_first_module(folder), folder)
    # The folder's file may bear the limits of its last use, which would hide what is beyond them.
    backend.no_truncation()
    backend.no_padding()
    special = backend.num_special_tokens_to_add(False)
    return TextTokens(choice.name, folder, backend, options.max_length or _max_length(folder), special)


def _first_module(folder: Path) -> Path:
    try:
        first = json.loads((folder / "modules.json").read_text(encoding="utf-8"))[0]["path"]
    except (OSError, ValueError, LookupError, TypeError):
        return folder
    return folder / str(first)


def _backend(place: Path, folder: Path) -> Any:
    from transformers import AutoTokenizer

    from lexitune.models.quiet import quiet

    try:
        with quiet():
            found = AutoTokenizer.from_pretrained(
                str(place if (place / "tokenizer_config.json").exists() else folder), local_files_only=True
            )
    except (OSError, ValueError, KeyError, ImportError) as error:
        reason = str(error).strip().partition("\n")[0]
        fix = "take a model folder with a tokenizer.json, or --model minilm"
        raise DataError("E3201", f"{folder} has no tokenizer that can be loaded: {reason}", fix=fix) from error
    if not getattr(found, "is_fast", False):
        fix = "take a model with a tokenizer.json, or --model minilm"
        raise DataError("E3201", f"the tokenizer of {folder} does not say where its tokens stand", fix=fix)
    return found.backend_tokenizer


def _max_length(folder: Path) -> int | None:
    try:
        found = json.loads((folder / "sentence_bert_config.json").read_text(encoding="utf-8"))["max_seq_length"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return found if isinstance(found, int) else None
