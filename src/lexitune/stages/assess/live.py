"""The index that serves, in the stock model's place: its vectors as they are; only queries are encoded."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lexitune.errors import DataError
from lexitune.fingerprint import hash_json
from lexitune.io.vectors import row_cosines, spread_rows
from lexitune.stages.assess.rivals import LocalModel, Rival
from lexitune.stores.live import LiveIndex
from lexitune.types import Doc, Query, Talk

if TYPE_CHECKING:
    from lexitune.models.embedder import Embedder

__all__ = ["ServingVectors", "have_unit_length", "serving_vectors"]

Matrix = NDArray[np.float32]

SAMPLE = 16  # passages encoded once more, to see that the index is of this model
LEAST_COSINE = 0.98  # half floats and other kernels move a vector by far less; another model, or a lost prompt, by more
UNIT = 0.01  # a length may differ so much from 1


class ServingVectors:
    """A rival whose passages lie in a live index, and whose queries somebody else encodes.

    Args:
        spec: What opened the index.
        asked: Who encodes queries as the index's own application does.
    """

    def __init__(self, live: LiveIndex, *, spec: str, asked: Rival) -> None:
        self.live, self.spec, self.asked = live, spec, asked
        self.encodes_here = asked.encodes_here

    @cached_property
    def fingerprint(self) -> str:
        return hash_json({"live": self.spec, "state": self.live.state(), "queries": self.asked.fingerprint})

    def doc_vectors(self, docs: Sequence[Doc], *, talk: Talk) -> tuple[Matrix, list[str]]:
        """The vectors of these passages; others of the index are left out.

        Raises:
            DataError: A passage is not in the index, or its text there is another, or another model made the vectors.
        """
        wanted = {doc.doc_id: row for row, doc in enumerate(docs)}
        found: Matrix | None = None
        there, others, changed = np.zeros(len(docs), dtype=bool), 0, list[str]()
        for some, vectors in self.live.read():
            if found is None:
                found = np.empty((len(docs), vectors.shape[1]), dtype=np.float32)
            rows = np.array([wanted.get(doc.doc_id, -1) for doc in some], dtype=np.int64)
            known = rows >= 0
            found[rows[known]], there[rows[known]] = vectors[known], True
            others += int((~known).sum())
            changed += [one.doc_id for one, row in zip(some, rows.tolist(), strict=True) if _differs(one, docs, row)]
            talk.progress("assess", min(len(docs), int(there.sum())), len(docs), f"reading {self.live.name}")
        missing = [doc.doc_id for doc, is_there in zip(docs, there.tolist(), strict=True) if not is_there]
        if found is None or missing:
            raise DataError(
                "E3147",
                f"{self.live.name} has no vector of '{missing[0]}', and lacks {len(missing):,} of {len(docs):,}",
                fix="take the passages from the index: lexitune pull SPEC corpus.jsonl",
            )
        self._tell(talk, others, changed)
        self._refuse_other_model(docs, found, talk=talk)
        return found, [doc.doc_id for doc in docs]

    def query_vectors(self, queries: Sequence[Query], *, talk: Talk) -> NDArray[np.floating[Any]]:
        """By whoever encodes queries for the index."""
        return self.asked.query_vectors(queries, talk=talk)

    def _tell(self, talk: Talk, others: int, changed: Sequence[str]) -> None:
        for number, what in (
            (others, "passages that are not in the corpus are left out"),
            (self.live.skipped, "rows without text or vector are left out"),
            (len(changed), f"passages have another text there than in the corpus{': ' * bool(changed)}{changed[:3]}"),
        ):
            if number:
                talk.say(f"assess: {self.live.name}: {number:,} {what}")

    def _refuse_other_model(self, docs: Sequence[Doc], found: Matrix, *, talk: Talk) -> None:
        """A sample must come out as it lies there, where the model is one of ours: scores of two models mean nothing.

        Raises:
            DataError: Another model, or another way of encoding.
        """
        if not isinstance(self.asked, LocalModel):
            return
        rows = spread_rows(len(docs), SAMPLE)
        again = self.asked.model.encode_docs([docs[row].full_text for row in rows])
        name, width = self.asked.model.spec.name, again.shape[1]
        fix = "name the model that made it: --model, or --store-model openai:MODEL"
        if width != found.shape[1]:
            raise DataError("E3142", f"{self.live.name} has {found.shape[1]} dimensions, {name} {width}", fix=fix)
        cosines = row_cosines(found[rows], again)
        if not np.median(cosines) >= LEAST_COSINE:
            raise DataError(
                "E3145",
                f"{self.live.name} was not made by {name}: of {len(rows)} passages encoded again, the median cosine is "
                f"{np.median(cosines):.2f}",
                fix=fix,
            )


def serving_vectors(spec: str, *, asked: Embedder | Rival) -> ServingVectors:
    """The live index of a spec, with who encodes its queries.

    Raises:
        UsageError: A spec that cannot be read, or a package that is missing.
    """
    from lexitune.stores.live import open_live

    rival = asked if isinstance(asked, Rival) else LocalModel(asked, vectors=None)
    return ServingVectors(open_live(spec), spec=spec, asked=rival)


def have_unit_length(vectors: NDArray[np.floating[Any]]) -> bool:
    """Whether inner products are cosines."""
    lengths = np.linalg.norm(np.asarray(vectors, dtype=np.float32), axis=1)
    return bool(np.all(np.abs(lengths - 1) < UNIT))


def _differs(live: Doc, docs: Sequence[Doc], row: int) -> bool:
    return row >= 0 and live.full_text.strip() != docs[row].full_text.strip()
