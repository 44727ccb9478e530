"""A cross-encoder that reads query and passage together: slower than vectors, and a better judge of what is close."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import CrossEncoder

from lexitune.errors import DataError
from lexitune.models.quiet import quiet

__all__ = ["Reranker", "load_reranker"]

HEADS = ("ForSequenceClassification", "ForCausalLM")
BATCH = {"cpu": 32, "cuda": 256}


class Reranker:
    """Scores of (query, passage) pairs; called with both texts of every pair."""

    def __init__(self, model: CrossEncoder) -> None:
        self.model = model

    @property
    def fingerprint(self) -> str:
        """Hash of the weights as they are now."""
        from lexitune.models.embedder import hash_weights

        return hash_weights(self.model)  # type: ignore[arg-type]  # any torch module has what it reads

    def __call__(self, queries: Sequence[str], passages: Sequence[str]) -> NDArray[np.float32]:
        """Float32 (n,): higher is more relevant.

        Pairs of all queries are sorted by length together, so that a batch holds pairs of one length: one call
        for each query would pad within every query anew and leave most batches half empty.

        Raises:
            DataError: A score is NaN or infinite.
        """
        lengths = np.array([len(query) + len(text) for query, text in zip(queries, passages, strict=True)])
        order = np.argsort(-lengths, kind="stable")
        pairs = [(queries[row], passages[row]) for row in order]
        with quiet():
            batch = BATCH.get(self.model.device.type, BATCH["cpu"])
            found = self.model.predict(pairs, batch_size=batch, show_progress_bar=False)
        scores = np.empty(len(pairs), dtype=np.float32)
        scores[order] = np.asarray(found, dtype=np.float32).reshape(len(pairs))
        if not np.isfinite(scores).all():
            bad = queries[int(np.flatnonzero(~np.isfinite(scores))[0])]
            raise DataError(
                "E3122",
                f"the cross-encoder gives a score that is no number, for the query {bad[:60]!r}",
                fix="take another --reranker, or leave it out",
            )
        return scores


def load_reranker(name: str, *, device: str) -> Reranker:
    """Load a cross-encoder with one score from a folder, or from the local cache of the Hub; nothing is downloaded.

    Args:
        device: "auto", or a name of torch.

    Raises:
        DataError: It cannot be loaded, or gives more than one score.
    """
    known = Path(name).is_dir()
    try:
        with quiet():
            where = None if device == "auto" else device
            model = CrossEncoder(name, device=where, local_files_only=True, model_kwargs={"dtype": torch.float32})
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        reason = str(error).strip().partition("\n")[0]
        problem = f"the cross-encoder {name} cannot be loaded: {reason}" if known else f"no cross-encoder '{name}' here"
        fix = "give the folder of a cross-encoder, or leave --reranker out"
        raise DataError("E3201" if known else "E3001", problem, fix=fix) from error
    # Any transformer would load: its missing head is then filled with random numbers, and its scores are noise.
    kinds = getattr(model.config, "architectures", None) or []
    wrong = "" if any(kind.endswith(HEADS) for kind in kinds) else f"is a {', '.join(kinds) or 'model'} without a head"
    if model.num_labels != 1:
        wrong = f"gives {model.num_labels} scores for a pair, and one is needed"
    if wrong:
        raise DataError("E3203", f"{name} is no cross-encoder: it {wrong}", fix="take one that was made for reranking")
    return Reranker(model)
