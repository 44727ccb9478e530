"""A training for a measurement: it sees no dev query, and its model is thrown away."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lexitune.io.atomic import TEMPORARY
from lexitune.models.load import load
from lexitune.models.options import ModelOptions
from lexitune.models.sizing import TRAINING_PASSES, forward_flops
from lexitune.stages.train.options import TrainOptions
from lexitune.stages.train.probe import encode_rate, shape_in
from lexitune.stages.train.recipe import settle
from lexitune.stages.train.training import Plan, carry_out
from lexitune.types import Dataset, ProgressAlone, Talk

if TYPE_CHECKING:
    from lexitune.models.embedder import Embedder

__all__ = ["Pace", "measure_pace", "passing_model"]

SAMPLE = 400  # texts whose tokens are counted, of queries and of passages


@contextmanager
def passing_model(
    plan: Plan, model: Embedder, *, loading: ModelOptions, root: Path | None, talk: Talk
) -> Iterator[Embedder]:
    """The tuned model, for the block alone.

    Args:
        plan: Its data should have no dev judgements: a gain is not to be chosen by the queries that it is measured on.
        model: Where training starts.
        loading: How it was loaded, and its offspring is to be.
        root: Folder for work in progress, of a workspace whose lock is held: what a kill leaves there goes with the
            next command. None: the system's.

    Raises:
        LexituneError: As training raises it.
    """
    with tempfile.TemporaryDirectory(prefix=f"{TEMPORARY}passing-", dir=root) as folder:
        out = carry_out(plan, model=model, out=Path(folder) / "tuned", talk=ProgressAlone(talk))
        yield load(str(out), options=replace(loading, max_length=None, revision=None), talk=talk)


@dataclass(frozen=True)
class Pace:
    """How fast this machine is.

    Attributes:
        doc: Seconds that encoding a passage takes, on average; `pair` likewise a query and a passage.
    """

    model: Embedder
    recipe: TrainOptions
    doc: float
    pair: float

    def training(self, pairs: int) -> float:
        """Seconds of a training on so many pairs."""
        network = self.model.network
        sizes = {"parameters": network.weight_count, "layers": network.layer_count}
        recipe = settle(self.recipe, token_budget=self.model.token_budget, pairs=pairs, **sizes)
        return TRAINING_PASSES * recipe.epochs * pairs * self.pair * recipe.work_share(network.layer_count)


def measure_pace(data: Dataset, model: Embedder, recipe: TrainOptions) -> Pace:
    """Encode some of the data's texts, and tell from their time how long others take."""
    draw, shape = np.random.default_rng(0), shape_in(model)
    some = [data.docs[row].full_text for row in draw.permutation(len(data.docs))[:SAMPLE]]
    asked = sorted(data.qrels["train"])
    queries = [data.queries[asked[row]].text for row in draw.permutation(len(asked))[:SAMPLE]]
    docs, asked_tokens = model.tokenise_docs(some), model.tokenise_queries(queries)
    rate = encode_rate(model, docs)
    doc, query = (rate * forward_flops(shape, one.lengths) / len(one) for one in (docs, asked_tokens))
    return Pace(model, recipe, doc, doc + query)
