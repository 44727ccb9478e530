"""Held-out queries over a pool of docs, tokenised once, and what a model reaches on them as it is now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lexitune.errors import DataError, StageFailed
from lexitune.io.vectors import Vectors
from lexitune.metrics.measures import Measure, measure_hits, refuse_collapsed
from lexitune.search.exact import exact_search
from lexitune.types import Qrels

if TYPE_CHECKING:
    from lexitune.models.embedder import Embedder
    from lexitune.models.tokens import TokenIds

__all__ = ["Encoded", "HeldOut", "encode_held_out", "measure_held_out", "values_of_search", "values_of_vectors"]

Matrix = NDArray[np.float32]
Encoded = tuple[Matrix, Matrix]
"""Vectors of the queries and of the docs."""

DEPTH = 11  # hits that show whether a model tells docs apart at all
LOWER = "train with a lower --learning-rate; nothing was published"
OTHER = "that is the stock model: take another with --model"


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Queries and their pool.

    Attributes:
        measure: What they are measured by; its cutoff is at most 11.
    """

    qrels: Qrels
    query_ids: tuple[str, ...]
    doc_ids: tuple[str, ...]
    queries: TokenIds
    docs: TokenIds
    measure: Measure


def measure_held_out(model: Embedder, held_out: HeldOut, *, step: int) -> NDArray[np.float64]:
    """The measure of each query, with the weights as they are now.

    Args:
        step: Steps that were trained so far, for the error.

    Raises:
        StageFailed: Vectors that are not numbers, a model whose scores tie for most queries, or too little memory.
    """
    return values_of_vectors(*encode_held_out(model, held_out, step=step), held_out, step=step)


def encode_held_out(model: Embedder, held_out: HeldOut, *, step: int) -> Encoded:
    """Vectors of the queries and of the docs, with the weights as they are now.

    Raises:
        StageFailed: Vectors that are not numbers, or too little memory.
    """
    try:
        return (
            model.encode_tokens(held_out.queries, names=held_out.query_ids),
            model.encode_tokens(held_out.docs, names=held_out.doc_ids),
        )
    except StageFailed as error:
        if error.code != "E1101":  # memory, say
            raise
        problem = f"after step {step} the model's vectors are not numbers"
        raise StageFailed("E1201", problem, fix=LOWER if step else OTHER) from error


def values_of_vectors(queries: Matrix, docs: Matrix, held_out: HeldOut, *, step: int) -> NDArray[np.float64]:
    """The measure of each query, by exact search among these vectors.

    Raises:
        StageFailed: The scores tie for most queries.
    """
    return values_of_search(
        queries,
        (docs, held_out.doc_ids),
        query_ids=held_out.query_ids,
        qrels=held_out.qrels,
        measure=held_out.measure,
        collapsed=f"after step {step} the model has collapsed",
        fix=LOWER if step else OTHER,
    )


def values_of_search(
    queries: Matrix,
    docs: Vectors | tuple[Matrix, Sequence[str]],
    *,
    query_ids: Sequence[str],
    qrels: Qrels,
    measure: Measure,
    collapsed: str,
    fix: str,
) -> NDArray[np.float64]:
    """The measure of each query, by exact search.

    Args:
        measure: Its cutoff is at most 11.
        collapsed: What the error says before the reason; `fix` is its advice.

    Raises:
        StageFailed: The scores tie for most queries.
    """
    count = len(docs[1] if isinstance(docs, tuple) else docs)
    hits = exact_search(queries, docs, min(DEPTH, count), query_ids=query_ids)
    try:
        refuse_collapsed(hits)
    except DataError as error:
        raise StageFailed("E1202", f"{collapsed}: {error.problem}", fix=fix) from error
    return measure_hits(hits, qrels, [measure]).values(measure)
