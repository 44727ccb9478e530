"""One step of a training: a batch's gradient, clipped, and what the optimiser makes of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from lexitune.errors import StageFailed
from lexitune.io.processes import ALONE, Processes
from lexitune.models.learning import checkpoint_layers, learning
from lexitune.models.network import Network
from lexitune.models.tokens import TokenIds
from lexitune.stages.train.batches import PairBatch
from lexitune.stages.train.gradients import GraphCost, backpropagate, graph_memory
from lexitune.stages.train.losses.batch import Batch, join_batch
from lexitune.stages.train.losses.matryoshka import matryoshka
from lexitune.stages.train.losses.registry import LOSSES
from lexitune.stages.train.recipe import Recipe
from lexitune.stages.train.schedule import learning_rate_factor

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Stepped", "Stepper"]

WEIGHT_DECAY = 0.01
CLIP = 1.0
TEMPERATURE_RATE = 1e-2  # peak learning rate of the temperature's logarithm: a few hundred steps may halve it
LEAST_TEMPERATURE = 0.01  # where CLIP stops it: once all is learnt, a lower one still lowers the loss, without end
LEAST_SCALE = 1.0  # of what flows back in fp16: below it nothing is left to be gained by halving
COLLAPSED = 1 - 1e-4  # mean cosine of the texts of a batch


@dataclass(frozen=True, slots=True)
class Stepped:
    """What a step tells: loss, norm of the gradient before clipping, the rate it learnt at, and tokens it read."""

    loss: float
    norm: float
    learning_rate: float
    tokens: int


class Stepper:
    """Takes steps. It holds what changes with them beside the weights: optimiser, rate, temperature, sizes.

    Args:
        network: Its learning weights are trained.
        tokens: The pool that batches name rows of.
        steps: Of the whole training, for the schedule.
        guide: float32 (texts of the pool, dim): the stock model's vectors, where the mask asks for them.
        group: The processes that train together.
        memory: Bytes for kept graphs; None: a share of what is free.
    """

    def __init__(
        self,
        network: Network,
        tokens: TokenIds,
        *,
        recipe: Recipe,
        steps: int,
        guide: NDArray[Any] | None = None,
        group: Processes = ALONE,
        memory: int | None = None,
    ) -> None:
        self.network, self.tokens, self.recipe, self.guide, self.group = network, tokens, recipe, guide, group
        if not network.learns:
            network.learns = True
            network.rebuild()
        if recipe.dropout:
            network.use_padded()
            network.set_dropout(recipe.dropout)
        network.train(recipe.dropout > 0)
        loss = LOSSES.get(recipe.loss)
        self.loss: Callable[..., Tensor] = matryoshka(loss, dimensions=recipe.matryoshka) if recipe.matryoshka else loss
        self.log_temperature = torch.nn.Parameter(
            torch.tensor(math.log(recipe.temperature), device=network.device), requires_grad=recipe.learn_temperature
        )
        self.parameters = learning(network)
        self.optimizer = torch.optim.AdamW(self._groups(), fused=True)
        self.scaler = torch.amp.GradScaler(network.device.type, enabled=network.precision == "fp16")
        warmup = math.ceil(steps / 10) if recipe.warmup_steps is None else recipe.warmup_steps
        self.factor = partial(learning_rate_factor, steps=steps, warmup=warmup, shape=recipe.schedule)
        self.memory = graph_memory(network.device) if memory is None else memory
        self.token_budget = self._fit(recipe.token_budget)
        self.spread = 0.0

    @property
    def saved(self) -> list[torch.nn.Parameter]:
        """What a checkpoint has to hold: the learning weights, and the temperature where it learns."""
        return [*self.parameters, self.log_temperature] if self.recipe.learn_temperature else self.parameters

    def take(self, pairs: PairBatch, *, step: int) -> Stepped:
        """Step number `step`, from 0.

        Raises:
            StageFailed: A loss or gradient that is not a number, a collapsed model, or too little memory for one text.
        """
        factor = self.factor(step)
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * factor
        with self._drawing(step):
            value = self.gradient(pairs)
        self.scaler.unscale_(self.optimizer)
        norm = float(torch.nn.utils.clip_grad_norm_(self.parameters, CLIP))
        loss = float(value)
        rate = self.recipe.learning_rate * factor
        self._check(loss, norm, rate, step)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        with torch.no_grad():
            self.log_temperature.clamp_(min=math.log(min(LEAST_TEMPERATURE, self.recipe.temperature)))
        self.network.refresh()
        return Stepped(loss, norm, rate, int(self.tokens.lengths_of(pairs.rows).sum()))

    def temperature(self) -> float:
        """What cosines are divided by now."""
        return float(self.log_temperature.detach().exp())

    def gradient(self, pairs: PairBatch) -> Tensor:
        """Set the gradients of one batch, and nothing else; the loss, detached.

        Raises:
            StageFailed: Too little memory for one text.
        """
        while True:
            budget = self.token_budget
            self.optimizer.zero_grad()
            try:
                value = backpropagate(
                    self.network,
                    self.tokens,
                    pairs.rows,
                    loss=partial(self._loss, pairs),
                    token_budget=budget,
                    memory=self.memory,
                    group=self.group,
                    scaler=self.scaler,
                    halved=self._halve,
                )
            except torch.OutOfMemoryError as error:
                if self.token_budget == budget or self.group.count > 1:
                    raise StageFailed(
                        "E1203",
                        f"the device has too little memory for {self.token_budget} tokens in one pass",
                        fix="shorten the texts with --max-length, or take a smaller model",
                    ) from error
                continue
            if self.log_temperature.grad is not None:  # the loss gave it, not the vectors, which alone are scaled
                self.log_temperature.grad = self.scaler.scale(self.log_temperature.grad)
            return value

    @contextmanager
    def _drawing(self, step: int) -> Iterator[None]:
        """Within the block dropout draws what belongs to step and process: a training that resumes draws it too."""
        if not self.recipe.dropout:
            yield
            return
        device = self.network.device
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            state = np.random.SeedSequence([self.recipe.seed, step, self.group.rank]).generate_state(1)
            torch.manual_seed(int(state[0]))
            yield

    def _loss(self, pairs: PairBatch, vectors: Tensor) -> Tensor:
        unit = torch.nn.functional.normalize(vectors.detach(), dim=1)
        self.spread = float(unit.mean(dim=0).norm() ** 2)
        guide = None if self.guide is None else torch.from_numpy(self.guide[pairs.rows]).to(vectors.device)
        batch: Batch = join_batch(pairs, vectors, guide=guide)
        temperature = self.log_temperature.exp() if self.recipe.learn_temperature else self.recipe.temperature
        return self.loss(batch, temperature=temperature)

    def _halve(self, budget: int) -> None:
        self.token_budget, self.memory = budget, self.memory // 2

    def _check(self, loss: float, norm: float, rate: float, step: int) -> None:
        fp16_overflow = self.scaler.is_enabled() and self.scaler.get_scale() > LEAST_SCALE
        if not math.isfinite(loss) or not (math.isfinite(norm) or fp16_overflow):
            raise StageFailed(
                "E1201",
                f"step {step + 1}: loss {loss}, gradient {norm}, learning rate {rate:g}",
                fix="train with a lower --learning-rate; nothing was published",
            )
        if self.spread > COLLAPSED:
            raise StageFailed(
                "E1202",
                f"step {step + 1}: the model has collapsed, all texts of the batch have nearly the same vector",
                fix="train with a lower --learning-rate; nothing was published",
            )

    def _fit(self, budget: int) -> int:
        """The tokens of a pass whose graph fits; where one long text does not, layers are computed again instead."""
        longest = int(self.tokens.lengths.max(initial=1))
        if GraphCost.of(self.network).bytes(longest) > self.memory:
            checkpoint_layers(self.network)
        token_bytes = GraphCost.of(self.network).bytes(longest) / longest
        return max(longest, min(budget, int(self.memory // token_bytes)))

    def _groups(self) -> list[dict[str, Any]]:
        # Biases and norms are left out of the decay: pulling a scale towards 0 is no regularisation.
        matrices = [parameter for parameter in self.parameters if parameter.ndim > 1]
        vectors = [parameter for parameter in self.parameters if parameter.ndim < 2]
        rate = self.recipe.learning_rate
        groups = [(matrices, rate, WEIGHT_DECAY), (vectors, rate, 0.0)]
        if self.recipe.learn_temperature:
            groups.append(([self.log_temperature], TEMPERATURE_RATE, 0.0))
        return [
            {"params": group, "lr": peak, "peak": peak, "weight_decay": decay} for group, peak, decay in groups if group
        ]
