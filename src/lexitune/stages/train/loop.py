"""The training loop: batches in, best weights out; it can be stopped anywhere and goes on from there."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import Tensor

from lexitune.errors import StageFailed, UsageError
from lexitune.io.atomic import replace_text
from lexitune.models.embedder import Embedder
from lexitune.models.tokens import TokenIds
from lexitune.stages.train import checkpoint
from lexitune.stages.train.checkpoint import Progress
from lexitune.stages.train.dev import DevSet, dev_recall
from lexitune.stages.train.examples import Examples, cut_batches, plan_batch
from lexitune.stages.train.gradients import backpropagate, graph_memory
from lexitune.stages.train.interrupt import finishing_step
from lexitune.stages.train.losses.batch import join_batch
from lexitune.stages.train.losses.registry import LOSSES
from lexitune.stages.train.recipe import Recipe
from lexitune.types import Talk

__all__ = ["Work", "learning_rate_factor", "run_loop"]

WEIGHT_DECAY = 0.01
CLIP = 1.0
LOG = "training-log.jsonl"


@dataclass(frozen=True)
class Work:
    """What a training consumes.

    Attributes:
        tokens: Pool of the distinct texts: the queries of `examples`, then its docs.
        dev: None where there are no dev queries.
        dev_steps: Steps after which dev is measured.
        fingerprints: What the training is made of: a checkpoint of anything else is not used.
    """

    examples: Examples
    tokens: TokenIds
    dev: DevSet | None
    dev_steps: frozenset[int]
    fingerprints: Mapping[str, str]


def run_loop(model: Embedder, work: Work, *, recipe: Recipe, folder: Path, talk: Talk) -> Progress:
    """Train the model's weights in place and leave the best ones in it.

    Best is the highest dev recall, the stock model's included. Of equals the earliest wins: it is
    the nearest to stock, and what a tune does not gain it should not pay for in general queries.

    Args:
        folder: Where checkpoints and the log lie; a second call with the same folder resumes.

    Raises:
        StageFailed: NaN, collapse, memory or disk: nothing is published, complete checkpoints stay.
        UsageError: Started in several processes.
        KeyboardInterrupt: SIGINT or SIGTERM came; the step was finished and a checkpoint written.
    """
    loop = _Loop(model, work, recipe, folder, talk)
    # encode and train alike run without dropout: no random numbers, and equal texts are one text
    model.network.train(False)
    with model.network.compute(), finishing_step() as interrupted:
        if loop.progress.step == 0:
            loop.measure_dev()
            loop.tell()
        while loop.progress.step < loop.steps:
            loop.advance()
            stop = interrupted()
            if stop or loop.is_due():
                loop.save()
            if stop and loop.progress.step < loop.steps:
                raise KeyboardInterrupt
    loop.take_best()
    return loop.progress


def learning_rate_factor(step: int, *, steps: int, warmup: int) -> float:
    """Linear rise to 1 over `warmup` steps, then linear fall; the first and the last step still learn.

    Example:
        >>> [round(learning_rate_factor(step, steps=6, warmup=2), 2) for step in range(6)]
        [0.5, 1.0, 1.0, 0.75, 0.5, 0.25]
    """
    if step < warmup:
        return (step + 1) / warmup
    return max(0.0, (steps - step) / max(1, steps - warmup))


class _Loop:
    """The moving parts of one run, so that the loop above reads as what it does."""

    def __init__(self, model: Embedder, work: Work, recipe: Recipe, folder: Path, talk: Talk) -> None:
        self.model, self.work, self.recipe, self.folder, self.talk = model, work, recipe, folder, talk
        self.network = model.network
        self.parameters = list(self.network.parameters())
        self.batches = list(
            cut_batches(len(work.examples), batch_size=recipe.batch_size, seed=recipe.seed, epochs=recipe.epochs)
        )
        self.steps = len(self.batches)
        self.warmup = math.ceil(self.steps / 10) if recipe.warmup_steps is None else recipe.warmup_steps
        self.loss: Callable[..., Tensor] = LOSSES.get(recipe.loss)
        self.accelerator = _accelerator(self.network.device)
        self.optimizer = torch.optim.AdamW(_groups(self.parameters, recipe.learning_rate), fused=True)
        self.checkpoints = folder / "checkpoints"
        self.stock = [parameter.detach().clone() for parameter in self.parameters]
        self.progress = self._resume()
        # LambdaLR counts from the step it is told, and needs the peak rate in the groups to resume.
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer,
            partial(learning_rate_factor, steps=self.steps, warmup=self.warmup),
            last_epoch=self.progress.step - 1,
        )
        self.optimizer, self.schedule = self.accelerator.prepare(self.optimizer, self.schedule)
        self.memory = graph_memory(self.network.device)
        self.started = time.monotonic() - self.progress.seconds
        self.saved = time.monotonic()

    def _resume(self) -> Progress:
        found = checkpoint.newest(self.checkpoints, fingerprints=self.work.fingerprints, talk=self.talk)
        progress = Progress()
        if found is not None:
            progress = checkpoint.restore(found, parameters=self.parameters, optimizer=self.optimizer)
            self.network.refresh()
            self.talk.say(f"training goes on after step {progress.step} of {self.steps}")
        # A killed run may have logged steps beyond its last checkpoint: they are done again.
        replace_text(self.folder / LOG, "".join(json.dumps(row) + "\n" for row in progress.curve))
        return progress

    def advance(self) -> None:
        """One step, and the dev evaluation that is due after it."""
        began = time.monotonic()
        pairs = plan_batch(self.work.examples, self.batches[self.progress.step], mask=self.recipe.mask)
        temperature = self.recipe.temperature
        rate = float(self.schedule.get_last_lr()[0])
        self.optimizer.zero_grad()
        try:
            value = backpropagate(
                self.network,
                self.work.tokens,
                pairs.rows,
                loss=lambda vectors: self.loss(join_batch(pairs, vectors), temperature=temperature),
                token_budget=self.recipe.token_budget,
                memory=self.memory,
            )
        except torch.OutOfMemoryError as error:
            raise StageFailed(
                "E1203",
                f"the device has too little memory for {self.recipe.token_budget} tokens in one pass",
                fix=f"--token-budget {max(64, self.recipe.token_budget // 2)}",
            ) from error
        norm = float(self.accelerator.clip_grad_norm_(self.parameters, CLIP))
        loss = float(value)
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise StageFailed(
                "E1201",
                f"step {self.progress.step + 1}: loss {loss}, gradient {norm}, learning rate {rate:g}",
                fix="train with a lower --learning-rate; nothing was published",
            )
        self.optimizer.step()
        self.schedule.step()
        self.network.refresh()
        self.progress.step += 1
        self.record({"loss": loss, "learning_rate": rate, "seconds": round(time.monotonic() - began, 4)})
        if self.progress.step in self.work.dev_steps:
            self.measure_dev()
        self.tell()

    def measure_dev(self) -> None:
        """Dev recall of the weights as they would be published; the best so far are put aside."""
        if self.work.dev is None:
            return
        trained = [parameter.detach().clone() for parameter in self.parameters]
        self.blend()
        value = dev_recall(self.model, self.work.dev, step=self.progress.step)
        self.record({"dev": value})
        if value > self.progress.best_dev:
            self.progress.best_step, self.progress.best_dev = self.progress.step, value
            checkpoint.save_best(self.checkpoints, self.parameters, progress=self.progress)
        self.put(trained)

    def blend(self) -> None:
        """Go back part of the way to the stock weights: what is measured on dev, and what is published."""
        share = self.recipe.blend
        if share < 1:
            pairs = zip(self.stock, self.parameters, strict=True)
            self.put([torch.lerp(stock, own.detach(), share) for stock, own in pairs])

    def put(self, weights: Sequence[Tensor]) -> None:
        """Give the network these weights."""
        with torch.no_grad():
            for parameter, value in zip(self.parameters, weights, strict=True):
                parameter.copy_(value)
        self.network.refresh()

    def record(self, values: Mapping[str, float]) -> None:
        """Add to the curve and the log."""
        row = {"step": float(self.progress.step), **values}
        self.progress.curve.append(row)
        with (self.folder / LOG).open("a", encoding="utf-8") as log:
            log.write(json.dumps(row) + "\n")
        self.progress.seconds = time.monotonic() - self.started

    def tell(self) -> None:
        """Once a step, when all of it is done: the last call ends the line of progress."""
        self.talk.progress("train", self.progress.step, self.steps, _note(self.progress, self.work.dev))

    def is_due(self) -> bool:
        """Whether a checkpoint is due: after a dev evaluation, and when the last one is old."""
        old = time.monotonic() - self.saved >= self.recipe.checkpoint_s
        return old or self.progress.step in self.work.dev_steps

    def save(self) -> None:
        if not all(bool(torch.isfinite(parameter).all()) for parameter in self.parameters):
            raise StageFailed(
                "E1201",
                f"after step {self.progress.step} a weight is not a number",
                fix="train with a lower --learning-rate; nothing was published",
            )
        checkpoint.save(
            self.checkpoints,
            parameters=self.parameters,
            optimizer=self.optimizer,
            progress=self.progress,
            fingerprints=self.work.fingerprints,
        )
        self.saved = time.monotonic()

    def take_best(self) -> None:
        """Put the best weights into the model; without dev queries these are the last ones, blended."""
        if self.progress.best_step is None:
            self.blend()
            return
        checkpoint.load_weights(checkpoint.best_weights(self.checkpoints, self.progress), self.parameters)
        self.network.refresh()


def _accelerator(device: torch.device) -> Accelerator:
    # Its state is the process's: an earlier one on another device would be refused, as in transformers' own trainer.
    AcceleratorState._reset_state(reset_partial_state=True)
    accelerator = Accelerator(cpu=device.type == "cpu")
    if accelerator.num_processes > 1:
        raise UsageError(
            "E2121",
            f"train was started in {accelerator.num_processes} processes and is built for one",
            fix="start it without torchrun or accelerate launch",
        )
    return accelerator


def _groups(parameters: list[torch.nn.Parameter], rate: float) -> list[dict[str, object]]:
    # Biases and norms are left out of the decay: pulling a scale towards 0 is no regularisation.
    matrices = [parameter for parameter in parameters if parameter.ndim > 1]
    vectors = [parameter for parameter in parameters if parameter.ndim < 2]
    return [
        {"params": group, "lr": rate, "initial_lr": rate, "weight_decay": decay}
        for group, decay in ((matrices, WEIGHT_DECAY), (vectors, 0.0))
    ]


def _note(progress: Progress, held_out: DevSet | None) -> str:
    loss = next((row["loss"] for row in reversed(progress.curve) if "loss" in row), None)
    dev = next((row["dev"] for row in reversed(progress.curve) if "dev" in row), None)
    parts = [
        f"loss {loss:.2f}" if loss is not None else "",
        f"dev {held_out.measure} {dev:.2f}" if held_out and dev is not None else "",
    ]
    return "  ".join(part for part in parts if part)
