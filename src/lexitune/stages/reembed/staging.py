"""Re-embed: the corpus in the challenger's vectors, beside what serves, and checked before it counts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lexitune.errors import StageFailed, UsageError
from lexitune.fingerprint import hash_text
from lexitune.io.processes import processes
from lexitune.io.vectors import Vectors, row_cosines, spread_rows
from lexitune.stages.reembed.options import ReembedOptions
from lexitune.types import Doc, Silent, Talk

if TYPE_CHECKING:
    from lexitune.models.corpus import CorpusWork, Engine
    from lexitune.models.embedder import Embedder

__all__ = ["reembed", "verify"]

LEAST_COSINE = 0.999  # in bf16 another batch moves a vector by 1e-4 or so; another model by far more
DEFAULT = ReembedOptions()


def reembed(
    docs: Sequence[Doc],
    *,
    model: Embedder,
    out: Path,
    options: ReembedOptions = DEFAULT,
    work: CorpusWork | None = None,
    talk: Talk | None = None,
) -> Vectors:
    """Encode `docs` into a folder of its own under `out`, resuming one that was cut off, and check it.

    Args:
        work: What `find_work` found of these docs, model and folder; None: it is looked for.

    Raises:
        UsageError: Ray is asked for, and cannot be had.
        StageFailed: The check failed, a passage encodes to NaN, the disk is full, or Ray's workers fail.
    """
    from lexitune.models.corpus import carry_out, find_work

    talk = talk or Silent()
    engine = None if options.engine == "local" else _ray(model, options, talk)
    vectors = carry_out(work or find_work(model, docs, out), model, talk=talk, stage="reembed", engine=engine)
    verify(vectors, docs, model=model, options=options)
    return vectors


def verify(vectors: Vectors, docs: Sequence[Doc], *, model: Embedder, options: ReembedOptions = DEFAULT) -> None:
    """Check that these are the vectors of these docs under this model.

    Every id and text hash is compared, every number must be finite, and a sample, evenly spread and so the same each
    time, is encoded once more: a part that came from elsewhere has the right shape and the wrong directions.

    Raises:
        StageFailed: Anything of this does not hold; the message names the first doc concerned.
    """
    if vectors.manifest.get("fingerprint") != model.doc_fingerprint:
        raise _failed(vectors, "was made by another model")
    if len(vectors) != len(docs):
        raise _failed(vectors, f"holds {len(vectors):,} vectors for {len(docs):,} passages")
    by_id = {doc.doc_id: doc for doc in docs}
    for doc_id, text_hash in zip(vectors.doc_ids, vectors.text_hashes, strict=True):
        if doc_id not in by_id or text_hash != hash_text(by_id[doc_id].full_text):
            raise _failed(vectors, f"holds '{doc_id}', which is not in the corpus, or has another text there")
    for start, block in vectors.blocks():
        bad = np.flatnonzero(~np.isfinite(block).all(axis=1))
        if len(bad):
            raise _failed(vectors, f"holds NaN or infinity for '{vectors.doc_ids[start + int(bad[0])]}'")
    sample = spread_rows(len(docs), options.verify_sample)
    ids = [vectors.doc_ids[row] for row in sample]
    stored, again = vectors.rows(sample), model.encode_docs([by_id[doc_id].full_text for doc_id in ids])
    cosines = row_cosines(stored, again)
    worst = int(cosines.argmin())
    if not cosines[worst] >= LEAST_COSINE:
        found = f"(cosine {cosines[worst]:.3f})"
        raise _failed(vectors, f"gives '{ids[worst]}' another vector than the model does now {found}")


def _ray(model: Embedder, options: ReembedOptions, talk: Talk) -> Engine:
    from lexitune.models.cluster import encode_on_ray

    if (count := processes().count) > 1:
        raise UsageError(
            "E2016",
            f"--engine ray was started in {count} processes and shares the work out itself",
            fix="lexitune reembed --engine ray, without torchrun or accelerate launch",
        )
    return partial(encode_on_ray, embedder=model, workers=options.workers, talk=talk)


def _failed(vectors: Vectors, what: str) -> StageFailed:
    return StageFailed("E1301", f"{vectors.folder} {what}", fix=f"rm -r {vectors.folder} && lexitune reembed")
