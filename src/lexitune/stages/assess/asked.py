"""Vectors that a service makes: each text is asked for once, and what came is kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lexitune.errors import DataError
from lexitune.fingerprint import hash_json, hash_text
from lexitune.io.vectors import Vectors, VectorWriter, open_vectors
from lexitune.models.service import Service
from lexitune.types import Doc, Query, Talk

__all__ = ["AskedVectors"]

Matrix = NDArray[np.float32]

BATCH = 128  # texts in a request; it is also a part on disk, so that nothing paid for is lost
BATCH_CHARS = 200_000  # OpenAI takes 300,000 tokens in a request, and a character may be one


class AskedVectors:
    """A rival behind a service.

    Its vectors have the project's form on disk, under the hashes of their texts: one text is one vector, whether it is
    a passage, a query or both, and a corpus that grew is asked for in its new texts alone.

    Args:
        cache: Folder of vectors, in which this service and model get a folder of their own.
    """

    encodes_here = False

    def __init__(self, service: Service, *, cache: Path) -> None:
        self.service, self.folder = service, cache / hash_json(_identity(service))

    @property
    def fingerprint(self) -> str:
        return hash_json(_identity(self.service))

    def doc_vectors(self, docs: Sequence[Doc], *, talk: Talk) -> tuple[Matrix, list[str]]:
        """All passages; those that were never asked for leave this machine."""
        return self._of([doc.full_text for doc in docs], talk), [doc.doc_id for doc in docs]

    def query_vectors(self, queries: Sequence[Query], *, talk: Talk) -> Matrix:
        """In the order of the queries; those that were never asked for leave this machine."""
        return self._of([query.text for query in queries], talk)

    def missing(self, texts: Iterable[str]) -> dict[str, str]:
        """By its hash, each text that has no vector yet."""
        writer = self._writer()
        done = {one for part in writer.parts_done() for one in part.doc_ids} if writer else set()
        return {one: text for text in texts if (one := hash_text(text)) not in done}

    def _of(self, texts: Sequence[str], talk: Talk) -> Matrix:
        missing = self.missing(texts)
        if missing or not (self.folder / "manifest.json").exists():
            self._fetch(missing, talk)
        row = self._rows
        return self._stored.rows(np.fromiter((row[hash_text(text)] for text in texts), np.int64, len(texts)))

    def _fetch(self, texts: dict[str, str], talk: Talk) -> None:
        """Ask for texts, by their hashes, and write vectors as they come; the manifest last."""
        for known in ("_stored", "_rows"):
            self.__dict__.pop(known, None)
        writer, done, total = self._writer(), 0, sum(map(len, texts.values()))
        for batch in _batches(texts):
            talk.progress("assess", done, total, self.service.model)
            found = self.service.embed(
                [texts[one] for one in batch], tell=partial(talk.progress, "assess", done, total)
            )
            writer = writer or VectorWriter(self.folder, dim=found.shape[1])
            if writer.dim != found.shape[1]:
                raise DataError(
                    "E3142",
                    f"{self.service.origin} gives {found.shape[1]} dimensions, {self.folder} holds {writer.dim}",
                    fix=f"rm -r {self.folder}: the model changed, and all texts are asked for again",
                )
            writer.append(batch, batch, found)
            done += sum(len(texts[one]) for one in batch)
        talk.progress("assess", total, total, self.service.model)
        assert writer is not None  # something was asked for, or was there
        made_by = {"key": self.folder.name, "fingerprint": self.fingerprint, "side": "texts"}
        writer.finish(made_by | {"model": self.service.model, "service": self.service.origin})

    def _writer(self) -> VectorWriter | None:
        """What finds the parts that are on disk, which say how wide they are; None: there are none."""
        first = next(iter(sorted(self.folder.glob("part-*.npy"))), None)
        if first is None:
            return None
        return VectorWriter(self.folder, dim=int(np.load(first, mmap_mode="r", allow_pickle=False).shape[1]))

    @cached_property
    def _stored(self) -> Vectors:
        try:
            return open_vectors(self.folder)
        except DataError as error:
            fix = f"rm -r {self.folder}: its texts are then asked for again"
            raise DataError(error.code, error.problem, fix=fix) from error

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {one: row for row, one in enumerate(self._stored.doc_ids)}


def _identity(service: Service) -> dict[str, str]:
    return {"service": service.url, "model": service.model, "side": "texts"}


def _batches(texts: dict[str, str]) -> Iterator[list[str]]:
    """Hashes of texts that go together."""
    batch: list[str] = []
    size = 0
    for one, text in texts.items():
        if batch and (len(batch) == BATCH or size + len(text) > BATCH_CHARS):
            yield batch
            batch, size = [], 0
        batch.append(one)
        size += len(text)
    if batch:
        yield batch
