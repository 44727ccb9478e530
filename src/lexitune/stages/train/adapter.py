"""The recipe `adapter`: one linear map on query vectors. Passages, and so the index, stay as they are.

All vectors are computed once, by the stock model; what is trained is the map alone, from the identity on. So it takes
seconds, and dev recall is measured over the whole corpus after every pass over the pairs. The map is trained twice,
held near the identity and free, for how far it may go is a matter of the field: a catalogue of known passages bears a
free one, passages never seen in training do not. Dev says which is kept, and the identity is among the choices.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from lexitune.errors import StageFailed
from lexitune.fingerprint import hash_text
from lexitune.io.vectors import Vectors
from lexitune.metrics.measures import Measure
from lexitune.models.adapter import Matrix, adapt
from lexitune.models.corpus import encode_corpus
from lexitune.stages.train.dev import answered
from lexitune.stages.train.examples import Examples
from lexitune.stages.train.heldout import values_of_search
from lexitune.stages.train.losses.batch import Batch
from lexitune.stages.train.losses.infonce import infonce
from lexitune.stages.train.progress import Progress
from lexitune.stages.train.recipe import Recipe
from lexitune.types import Dataset, Qrels, Talk

if TYPE_CHECKING:
    from lexitune.models.embedder import Embedder

__all__ = ["DevVectors", "MapTask", "fit_map", "make_task", "run_adapter"]

Rows = NDArray[np.int64]

RIDGES = (100.0, 0.0)  # how strongly the map is pulled to the identity, as if by so many pairs
SAMPLED = 512  # passages drawn from the corpus for a batch: more cost time and gained nothing on dev
RECALL = Measure("R", 10)


@dataclass(frozen=True, eq=False)
class DevVectors:
    """Dev queries over the whole corpus.

    Attributes:
        queries: float32 (len(query_ids), d), by the stock model.
        normalise: Mapped queries have unit length.
    """

    qrels: Qrels
    query_ids: tuple[str, ...]
    queries: Matrix
    corpus: Vectors
    normalise: bool
    measure: Measure = RECALL

    @property
    def doc_ids(self) -> tuple[str, ...]:
        """The pool: all passages."""
        return self.corpus.doc_ids

    def recall(self, weight: Matrix) -> float:
        """Recall@10 with a map, by exact search.

        Raises:
            StageFailed: Scores tie for most queries.
        """
        values = values_of_search(
            adapt(self.queries, weight, normalise=self.normalise),
            self.corpus,
            query_ids=self.query_ids,
            qrels=self.qrels,
            measure=self.measure,
            collapsed="the vectors have collapsed",
            fix="take another stock model with --model",
        )
        return float(values.mean())


@dataclass(frozen=True, eq=False)
class MapTask:
    """What a map is trained on: vectors and pairs of rows, no texts.

    Attributes:
        queries: float32 (q, d): vectors of the train queries.
        docs: Gives the vectors of rows of the corpus, float32 (len(rows), d); equal texts are one row.
        doc_count: Rows that there are.
        pairs: int64 (n, 2): row of the query, row of the doc. What is not a pair is no known answer.
        weights: float32 (n,): how much each pair counts.
        recall: Dev recall of a map; None: there is no dev.
    """

    queries: Matrix
    docs: Callable[[Rows], Matrix]
    doc_count: int
    pairs: Rows
    weights: NDArray[np.float32]
    recall: Callable[[Matrix], float] | None

    @cached_property
    def known(self) -> Rows:
        """The pairs as numbers, query * doc_count + doc, sorted."""
        return np.sort(self.pairs[:, 0] * self.doc_count + self.pairs[:, 1])

    def batch(self, chosen: Rows, delta: torch.Tensor, draw: np.random.Generator) -> Batch:
        """The pairs numbered `chosen`, their queries through the map, and passages drawn from the whole corpus."""
        query, doc = self.pairs[chosen].T
        drawn = np.setdiff1d(draw.integers(self.doc_count, size=min(SAMPLED, self.doc_count)), doc)
        cells = query[:, None] * self.doc_count + np.concatenate([doc, drawn])[None, :]
        found = np.searchsorted(self.known, cells).clip(max=len(self.known) - 1)
        before = torch.from_numpy(self.queries[query])
        return Batch(
            queries=before + before @ delta.T,
            positives=torch.from_numpy(self.docs(doc)),
            negatives=torch.from_numpy(self.docs(drawn)) if len(drawn) else None,
            weights=torch.from_numpy(self.weights[chosen]),
            relevant=torch.from_numpy(self.known[found] == cells),
        )


def fit_map(task: MapTask, *, recipe: Recipe, talk: Talk) -> tuple[Matrix | None, Progress]:
    """Train the map, and keep the one with the best dev recall; of equals the earliest.

    Without dev it is the last one of the training that is held near the identity.

    Args:
        recipe: Its epochs, batch_size, learning_rate, temperature, patience and seed count.

    Returns:
        The map, float32 (d, d), or None where none beats the stock model; and how it went, in steps of both trainings.

    Raises:
        StageFailed: A loss or a map that is not a number.
    """
    began, progress, best = time.monotonic(), Progress(), None
    ridges = RIDGES if task.recall else RIDGES[:1]
    epochs = len(ridges) * recipe.epochs
    if task.recall:
        progress.best_step, progress.best_dev = 0, task.recall(np.eye(task.queries.shape[1], dtype=np.float32))
        progress.record({"dev": progress.best_dev})
    for number, ridge in enumerate(ridges):
        own, progress.worse = progress.curve[0]["dev"] if task.recall else 0.0, 0  # patience is each training's own
        for epoch, weight in enumerate(_descend(task, ridge, recipe, progress), start=1):
            note = f"loss {progress.latest('loss'):.2f}"
            if task.recall is None:
                best = weight
            else:
                reached = task.recall(weight)
                progress.record({"dev": reached, "ridge": ridge})
                own, progress.worse = (reached, 0) if reached > own else (own, progress.worse + 1)
                if reached > progress.best_dev:
                    progress.best_step, progress.best_dev, best = progress.step, reached, weight
                note += f"  dev {RECALL} {reached:.2f}"
            over = recipe.patience is not None and progress.worse >= recipe.patience
            talk.progress("train", number * recipe.epochs + (recipe.epochs if over else epoch), epochs, note)
            if over:
                break
    progress.seconds = time.monotonic() - began
    return best, progress


def _descend(task: MapTask, ridge: float, recipe: Recipe, progress: Progress) -> Iterator[Matrix]:
    """The map after each pass over the pairs."""
    identity = torch.eye(task.queries.shape[1])
    delta = torch.zeros_like(identity, requires_grad=True)
    optimizer = torch.optim.Adam([delta], lr=recipe.learning_rate, betas=(0.9, 0.99))
    batches = -(-len(task.pairs) // recipe.batch_size)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / (recipe.epochs * batches))
    draw = np.random.default_rng(recipe.seed)
    for _ in range(recipe.epochs):
        for chosen in np.array_split(draw.permutation(len(task.pairs)), batches):
            batch = task.batch(chosen, delta, draw)
            loss = infonce(batch, temperature=recipe.temperature)
            optimizer.zero_grad()
            # Over all pairs this sums to one pull; so the more pairs there are, the less it counts.
            (loss + ridge / len(task.pairs) * delta.square().sum()).backward()  # type: ignore[no-untyped-call]
            progress.step += 1
            value, rate = loss.item(), float(schedule.get_last_lr()[0])
            optimizer.step()
            schedule.step()
            if not (math.isfinite(value) and bool(torch.isfinite(delta).all())):
                raise StageFailed(
                    "E1201",
                    f"step {progress.step}: loss {value}, learning rate {rate:g}, or the map holds no numbers",
                    fix="train with a lower --learning-rate; nothing was published",
                )
            progress.record({"loss": value, "learning_rate": rate})
        yield (identity + delta.detach()).numpy()


def make_task(
    model: Embedder, data: Dataset, examples: Examples, *, corpus: Vectors, recipe: Recipe
) -> tuple[MapTask, DevVectors | None]:
    """Encode the train and dev queries, and find the passages' vectors by the hashes of their texts."""
    row: dict[str, int] = {}
    for place, text_hash in enumerate(corpus.text_hashes):
        row.setdefault(text_hash, place)
    distinct = np.fromiter(row.values(), np.int64, len(row))
    number = {text_hash: place for place, text_hash in enumerate(row)}
    docs = np.array([number[hash_text(text)] for text in examples.docs], np.int64)
    dev = _dev(model, data, corpus, recipe)
    task = MapTask(
        model.encode_queries(examples.queries),
        lambda rows: corpus.rows(distinct[rows]),
        len(distinct),
        np.stack([examples.pairs[:, 0], docs[examples.pairs[:, 1]]], axis=1),
        examples.weights,
        dev.recall if dev else None,
    )
    return task, dev


def run_adapter(
    model: Embedder, data: Dataset, examples: Examples, *, recipe: Recipe, vectors: Path, talk: Talk
) -> tuple[Progress, DevVectors | None]:
    """Train a map and set it as the model's; where none beats the stock model, the model stays as it is.

    Args:
        vectors: Folder of vectors of passages: what it holds of this corpus is not encoded again.

    Raises:
        StageFailed: A passage encodes to NaN, a loss that is not a number, or a stock model that has collapsed.
    """
    began = time.monotonic()
    corpus = encode_corpus(model, data.docs, vectors, talk=talk, stage="train")
    task, dev = make_task(model, data, examples, corpus=corpus, recipe=recipe)
    if dev is None:
        talk.say("no dev judgements: the last map is taken, and nothing shows whether it is the best")
    model.query_map, progress = fit_map(task, recipe=recipe, talk=talk)
    progress.seconds = time.monotonic() - began
    return progress, dev


def _dev(model: Embedder, data: Dataset, corpus: Vectors, recipe: Recipe) -> DevVectors | None:
    judged = answered(data)
    if not judged:
        return None
    ids = sorted(judged)
    drawn = np.random.default_rng(recipe.seed).permutation(len(ids))[: recipe.dev_queries]
    query_ids = tuple(ids[place] for place in np.sort(drawn))
    return DevVectors(
        {query_id: judged[query_id] for query_id in query_ids},
        query_ids,
        model.encode_queries([data.queries[query_id].text for query_id in query_ids]),
        corpus,
        model.network.normalise,
    )
