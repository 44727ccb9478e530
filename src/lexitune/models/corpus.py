"""The vectors of a corpus on disk: encoded once, resumed where a run was cut off, reused where texts stayed."""

from __future__ import annotations

from collections.abc import Container, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexitune.fingerprint import hash_json, hash_text, sha256_file
from lexitune.io.vectors import Part, Vectors, VectorWriter
from lexitune.models.embedder import Embedder
from lexitune.types import Doc, Silent, Talk

__all__ = ["corpus_key", "encode_corpus"]

Rows = dict[str, tuple[NDArray[Any], int]]  # text hash -> where its vector lies

PART = 2048  # docs: what a cut-off run can lose, what is sorted by length together, and what memory holds


def corpus_key(embedder: Embedder) -> str:
    """Name of the folder that holds this embedder's vectors of passages: another model never shares it."""
    return _key(embedder.fingerprint)


def encode_corpus(
    embedder: Embedder, docs: Sequence[Doc], vectors_root: Path, *, talk: Talk | None = None, stage: str = ""
) -> Vectors:
    """Vectors of `docs`, in their order, in `vectors_root/<key>`.

    Whatever that folder holds already is used: whole parts of a run that was cut off, and single rows
    of an earlier corpus whose text is the same. Equal texts are encoded once.

    Args:
        docs: At least one, ids unique.
        talk: Hears of progress, in characters, under the name `stage`.

    Raises:
        StageFailed: A passage encodes to NaN or infinity, two docs share an id, or the disk is full.
    """
    talk = talk or Silent()
    fingerprint = embedder.fingerprint
    key = _key(fingerprint)
    writer = VectorWriter(vectors_root / key, dim=embedder.dimension)
    texts = [doc.full_text for doc in docs]
    hashes = [hash_text(text) for text in texts]
    sound = [part for part in writer.parts_done() if sha256_file(part.path) == part.sha256]
    rows: Rows = {}
    for part in sound:
        _remember(part, rows)
    kept = _equal_parts(writer.parts_done(), {part.path for part in sound}, docs, hashes)
    writer.keep(kept)

    total = sum(map(len, texts))
    done = sum(map(len, texts[: kept * PART]))
    truncated = 0
    for start in range(kept * PART, len(docs), PART):
        piece = slice(start, start + PART)
        size = sum(map(len, texts[piece]))
        ids = [doc.doc_id for doc in docs[piece]]
        fresh = {text_hash: row for row, text_hash in enumerate(hashes[piece]) if text_hash not in rows}
        tokens = embedder.tokenise_docs([texts[start + row] for row in fresh.values()])
        truncated += tokens.truncated
        share = _Share(talk, done, size, total)
        names = [repr(ids[row]) for row in fresh.values()]
        encoded = embedder.encode_tokens(tokens, names=names, talk=share, stage=stage)
        new = {text_hash: (encoded, row) for row, text_hash in enumerate(fresh)}
        found = [new.get(text_hash) or rows[text_hash] for text_hash in hashes[piece]]
        writer.append(ids, hashes[piece], np.stack([array[row] for array, row in found]))
        _remember(writer.parts_done()[-1], rows)
        done += size
    talk.progress(stage, total, total)
    if truncated:
        talk.say(f"{truncated:,} passages are longer than {embedder.spec.max_length} tokens: their end was not encoded")
    # The fingerprint says whether a model is the one; precision and length say how to load it so that it is.
    how = {"precision": embedder.precision, "max_length": embedder.spec.max_length}
    return writer.finish({"key": key, "fingerprint": fingerprint, "side": "docs", "model": embedder.spec.name, **how})


def _key(fingerprint: str) -> str:
    return hash_json({"embedding": fingerprint, "side": "docs"})


def _remember(part: Part, rows: Rows) -> None:
    # The memory map keeps the old file readable even after a new part has taken its name.
    array = part.load()
    for row, text_hash in enumerate(part.text_hashes):
        rows.setdefault(text_hash, (array, row))


def _equal_parts(done: Sequence[Part], sound: Container[Path], docs: Sequence[Doc], hashes: Sequence[str]) -> int:
    """How many leading parts hold exactly these docs and lie on disk unharmed."""
    for number, part in enumerate(done):
        piece = slice(number * PART, (number + 1) * PART)
        ids = tuple(doc.doc_id for doc in docs[piece])
        if not ids or part.path not in sound or part.doc_ids != ids or part.text_hashes != tuple(hashes[piece]):
            return number
    return len(done)


class _Share:
    """Progress within one part, told as progress over the corpus."""

    def __init__(self, talk: Talk, start: int, size: int, total: int) -> None:
        self.talk, self.start, self.size, self.total = talk, start, size, total

    def say(self, line: str) -> None:
        self.talk.say(line)

    def progress(self, stage: str, done: float, total: float, note: str = "") -> None:
        reached = self.start + self.size * done / max(total, 1)
        if reached < self.total:
            self.talk.progress(stage, reached, self.total, note)
