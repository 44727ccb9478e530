"""Token ids on disk: texts that were tokenised once need not be again, whichever model of the same tokenizer asks.

A stock model and its tuned descendants share tokenizer, prompt and maximum length, so assess tokenises a corpus and
re-embed reads it back. Each list of texts is one safetensors file, named by its content.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from lexitune.fingerprint import hash_texts
from lexitune.io.atomic import replacing
from lexitune.models.tokens import TokenIds

__all__ = ["TokenCache"]


class TokenCache:
    """Tokenised lists of texts under one folder.

    Args:
        folder: Of one tokenizer with one prompt and maximum length; made when absent.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, texts: Sequence[str], tokenise: Callable[[Sequence[str]], TokenIds]) -> TokenIds:
        """The token ids of `texts`, read back or made by `tokenise` and kept.

        A file that cannot be read is made again.

        Raises:
            StageFailed: The disk is full.
        """
        path = self.folder / f"{hash_texts(texts)}.safetensors"
        try:
            with safe_open(path, framework="numpy") as file:
                truncated = int(file.metadata()["truncated"])
                ids, offsets = file.get_tensor("ids"), file.get_tensor("offsets")
            return TokenIds(ids.astype(np.int32, copy=False), offsets, truncated)
        except (OSError, SafetensorError, KeyError, TypeError, ValueError):
            tokens = tokenise(texts)
        # Most vocabularies fit 16 bits: half the bytes.
        small = not len(tokens.ids) or int(tokens.ids.max()) < 2**16
        ids = tokens.ids.astype(np.uint16) if small else tokens.ids
        with replacing(path) as temporary:
            save_file({"ids": ids, "offsets": tokens.offsets}, temporary, {"truncated": str(tokens.truncated)})
        return tokens
