"""The training loop: batches in, trained weights out; it can be stopped anywhere and goes on from there."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from numpy.typing import NDArray

from lexitune.errors import StageFailed, UsageError
from lexitune.io.atomic import replace_text
from lexitune.io.processes import Processes, processes
from lexitune.models.embedder import Embedder
from lexitune.models.tokens import TokenIds
from lexitune.stages.train import checkpoint
from lexitune.stages.train.averaging import ENDS, ROUNDING, USUAL, mean_and_error
from lexitune.stages.train.batches import PairBatch, cut_batches, plan_batch
from lexitune.stages.train.examples import Examples
from lexitune.stages.train.heldout import Encoded, HeldOut, encode_held_out, values_of_vectors
from lexitune.stages.train.interrupt import finishing_step
from lexitune.stages.train.limits import limits_of
from lexitune.stages.train.mixture import Mixture
from lexitune.stages.train.progress import TRACKED, Progress
from lexitune.stages.train.recipe import Recipe
from lexitune.stages.train.step import Stepper
from lexitune.types import Talk

__all__ = ["Work", "cut_work", "plan_step", "run_loop"]

LOG = "training-log.jsonl"

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Work:
    """What a training consumes.

    Attributes:
        tokens: Pool of the distinct texts: the queries of `examples`, then its docs.
        dev: None where there are no dev queries.
        dev_steps: Steps after which dev is measured.
        fingerprints: What the training is made of: a checkpoint of anything else is refused.
        guide: float32 (texts of the pool, dim): the stock model's vectors, where the mask asks for them.
    """

    examples: Examples
    tokens: TokenIds
    dev: HeldOut | None
    dev_steps: frozenset[int]
    fingerprints: Mapping[str, str]
    guide: NDArray[Any] | None = None


def cut_work(work: Work, recipe: Recipe) -> list[Rows]:
    """Numbers of the pairs of each step."""
    return list(
        cut_batches(
            work.examples,
            batch_size=recipe.batch_size,
            seed=recipe.seed,
            epochs=recipe.epochs,
            positives=recipe.positives,
        )
    )


def plan_step(work: Work, recipe: Recipe, chosen: Rows, *, step: int) -> PairBatch:
    """The batch of these pairs in step number `step`."""
    return plan_batch(work.examples, chosen, mask=recipe.mask, negatives=recipe.negatives, seed=recipe.seed + step)


def run_loop(
    model: Embedder,
    mixture: Mixture,
    work: Work,
    *,
    recipe: Recipe,
    folder: Path,
    began: float,
    talk: Talk,
    memory: int | None = None,
) -> tuple[Progress, Encoded | None]:
    """Train the model's weights in place and leave the best ones in it, as they were trained.

    Best is the highest dev recall part of the way back to stock. Of equals the earliest wins: it is the nearest to
    stock. The stock weights are kept where every checkpoint lies one standard error or more behind them.

    Args:
        mixture: Of the model's network; it knows the stock weights.
        folder: Where checkpoints and the log lie; a second call with the same folder resumes.
        began: `time.monotonic()` from which on time and money are spent: preparing counts too.
        memory: Bytes for kept graphs; None: a share of what is free.

    Returns:
        Where it ended, and the stock model's vectors of dev, unless an earlier session measured them.

    Raises:
        StageFailed: NaN, collapse, memory or disk: nothing is published, complete checkpoints stay.
        UsageError: The folder holds checkpoints of another training.
        KeyboardInterrupt: SIGINT or SIGTERM came; the step was finished and a checkpoint written.
    """
    loop = _Loop(model, mixture, work, recipe, folder, began, talk, memory)
    group = loop.group
    with (
        model.network.compute(),
        finishing_step(in_group=group.count > 1) as interrupted,
        ThreadPoolExecutor(1) as ahead,
    ):
        if loop.progress.step == 0 and not loop.progress.curve:
            loop.measure_dev()
            loop.tell()
        waiting = [ahead.submit(loop.plan, loop.progress.step)]
        while loop.goes_on():
            pairs = waiting.pop().result()
            waiting.append(ahead.submit(loop.plan, loop.progress.step + 1))
            loop.advance(pairs)
            stop, over, due = group.any(interrupted(), loop.is_over(), loop.is_due())
            if over and loop.goes_on():
                loop.stop()
            if stop or over or due or not loop.goes_on():
                loop.save()
            if stop:
                raise KeyboardInterrupt
    loop.take_best()
    return loop.progress, loop.dev_by_stock


class _Loop:
    """The moving parts of one run, so that the loop above reads as what it does."""

    def __init__(
        self,
        model: Embedder,
        mixture: Mixture,
        work: Work,
        recipe: Recipe,
        folder: Path,
        began: float,
        talk: Talk,
        memory: int | None,
    ) -> None:
        self.model, self.mixture, self.work, self.recipe = model, mixture, work, recipe
        self.folder, self.talk, self.group = folder, talk, processes()
        self.batches = cut_work(work, recipe)
        self.accelerator = _accelerator(model.network.device, recipe, folder, self.group)
        self.stepper = Stepper(
            model.network,
            work.tokens,
            recipe=recipe,
            steps=len(self.batches),
            guide=work.guide,
            group=self.group,
            memory=memory,
        )
        self.checkpoints = folder / "checkpoints"
        self.limits = limits_of(recipe)
        self.progress = self._resume()
        self.dev_by_stock: Encoded | None = None
        self.started = began - self.progress.seconds
        self.saved = time.monotonic()

    def _resume(self) -> Progress:
        found = checkpoint.newest(self.checkpoints, fingerprints=self.work.fingerprints, talk=self.talk)
        self.group.wait()
        progress, stepper = Progress(), self.stepper
        if found is not None:
            progress = checkpoint.restore(found, parameters=stepper.saved, optimizer=stepper.optimizer)
            self._keep_budget(progress.token_budget or stepper.token_budget)
            if progress.scale:
                stepper.scaler.load_state_dict(progress.scale)
            self.model.network.refresh()
            self.talk.say(f"training goes on after step {progress.step} of {len(self.batches)}")
        progress.token_budget, progress.before_s = stepper.token_budget, progress.seconds
        if self.group.rank == 0:
            # A killed run may have logged steps beyond its last checkpoint: they are done again.
            replace_text(self.folder / LOG, progress.log())
        return progress

    def _keep_budget(self, before: int) -> None:
        """Passes stay as they were, and so do the sums; they shrink where fewer tokens are asked for, or fit, now."""
        if self.stepper.token_budget < before:
            self.talk.say(
                f"passes of {self.stepper.token_budget} tokens, before {before}: figures agree within rounding only"
            )
        self.stepper.token_budget = min(self.stepper.token_budget, before)

    def goes_on(self) -> bool:
        """Whether there is a step to take."""
        return self.progress.step < len(self.batches) and not self.progress.stopped

    def plan(self, step: int) -> PairBatch | None:
        """The batch of a step, by number; None after the last."""
        if step >= len(self.batches):
            return None
        return plan_step(self.work, self.recipe, self.batches[step], step=step)

    def advance(self, pairs: PairBatch | None) -> None:
        """One step, and the dev evaluation that is due after it."""
        assert pairs is not None
        began, budget = time.monotonic(), self.stepper.token_budget
        try:
            done = self.stepper.take(pairs, step=self.progress.step)
        except StageFailed as error:
            raise StageFailed(error.code, self._with_last_good(error.problem), fix=error.fix) from error
        self.progress.step += 1
        seconds = time.monotonic() - began
        row = {"loss": done.loss, "learning_rate": done.learning_rate, "seconds": round(seconds, 4)}
        row["tokens_per_s"] = round(done.tokens / seconds)
        if self.recipe.learn_temperature:
            row["temperature"] = self.stepper.temperature()
        if self.stepper.token_budget < budget:
            row["token_budget"] = self.progress.token_budget = self.stepper.token_budget
            self.talk.say(
                f"memory ran out: passes of {self.stepper.token_budget} tokens from here on, the batch stays "
                f"(--token-budget {self.stepper.token_budget} begins so)"
            )
        self.record(row)
        if self.progress.step in self.work.dev_steps:
            self.measure_dev()
        self.tell()

    def measure_dev(self) -> None:
        """Dev recall part of the way to the trained weights; the best so far are put aside as they were trained."""
        if self.work.dev is None:
            return
        began, progress = time.monotonic(), self.progress
        trained = self.mixture.copy()
        self.mixture.put_share(trained, USUAL if self.recipe.blend is None else self.recipe.blend)
        # In every process, so that all of them stop where it fails; but the first one's figure counts.
        encoded = encode_held_out(self.model, self.work.dev, step=progress.step)
        own = torch.from_numpy(values_of_vectors(*encoded, self.work.dev, step=progress.step))
        counted = (own if self.group.rank == 0 else torch.zeros_like(own)).to(self.model.network.device)
        values = self.group.total(counted).cpu().numpy()
        self.mixture.put(trained)
        dev = float(values.mean())
        highest = max((row["dev"] for row in progress.curve if "dev" in row), default=-1.0)
        self.record({"dev": dev})
        if progress.step == 0:
            progress.stock_dev, self.dev_by_stock = values.tolist(), encoded
        progress.worse = 0 if dev > highest else progress.worse + 1
        if self._is_best(values):
            progress.best_step, progress.best_dev = progress.step, dev
            if self.group.rank == 0:
                checkpoint.save_best(self.checkpoints, self.mixture.parameters, progress=progress)
        if self.recipe.patience is not None and progress.worse >= self.recipe.patience and self.goes_on():
            progress.stopped = "patience"
        progress.dev_s = time.monotonic() - began

    def _is_best(self, values: NDArray[np.float64]) -> bool:
        """Whether weights of these dev values are the best so far.

        Stock's give way to the first that lie less than one standard error behind: most trainings gain, and were the
        higher figure to win, the chance of a query or two would throw some of them away.
        """
        progress = self.progress
        if progress.best_step != 0 or not progress.stock_dev:
            return float(values.mean()) > progress.best_dev
        behind, error = mean_and_error(np.asarray(progress.stock_dev) - values)
        return behind < error - ROUNDING

    def stop(self) -> None:
        """End at a limit, before the last step, with dev measured."""
        if self.progress.step not in self.work.dev_steps:
            self.measure_dev()
        self.progress.stopped = self.limits.option

    def record(self, values: Mapping[str, float]) -> None:
        """Add to the curve, the log and the tracker."""
        row = self.progress.record(values)
        if self.group.rank == 0:
            with (self.folder / LOG).open("a", encoding="utf-8") as log:
                log.write(json.dumps(row) + "\n")
        if self.recipe.tracker:
            self.accelerator.log(dict(values), step=self.progress.step)
        self.progress.seconds = time.monotonic() - self.started

    def tell(self) -> None:
        """Once a step, when all of it is done: the last call ends the line of progress."""
        progress, held_out = self.progress, self.work.dev
        loss, dev, speed = (progress.latest(name) for name in ("loss", "dev", "tokens_per_s"))
        parts = [
            f"loss {loss:.2f}" if loss is not None else "",
            f"dev {held_out.measure} {dev:.2f}" if held_out and dev is not None else "",
            f"{speed / 1000:.1f}k tok/s" if speed is not None else "",  # with loss, dev and time left: 80 columns
            self.limits.cost(progress.seconds),
        ]
        self.talk.progress("train", progress.step, len(self.batches), "  ".join(part for part in parts if part))

    def is_over(self) -> bool:
        """Whether what is left to spend is only enough to end well: by the clock of the first process."""
        # One more step, one more dev evaluation, and, where no share is given, dev and general text at both ends, the
        # latter up to twice as long, and dev at the share that is taken. A session that goes on has to encode dev by
        # stock again.
        evaluations = 1 if self.recipe.blend is not None else 2 + 3 * ENDS
        still_s = (self.progress.latest("seconds") or 0.0) + self.progress.dev_s * evaluations
        return self.group.rank == 0 and self.limits.is_over(time.monotonic() - self.started, still_s=still_s)

    def is_due(self) -> bool:
        """Whether the last checkpoint is old: one takes half a second for each 20 million weights."""
        return self.group.rank == 0 and time.monotonic() - self.saved >= self.recipe.checkpoint_s

    def save(self) -> None:
        if not all(bool(torch.isfinite(parameter).all()) for parameter in self.stepper.parameters):
            problem = self._with_last_good(f"after step {self.progress.step} a weight is not a number")
            raise StageFailed("E1201", problem, fix="train with a lower --learning-rate; nothing was published")
        self.progress.scale = self.stepper.scaler.state_dict()
        if self.group.rank == 0:
            checkpoint.save(
                self.checkpoints,
                parameters=self.stepper.saved,
                optimizer=self.stepper.optimizer,
                progress=self.progress,
                fingerprints=self.work.fingerprints,
            )
        self.group.wait()
        self.saved = time.monotonic()

    def take_best(self) -> None:
        """Put the best weights into the model; without dev queries these are the last ones."""
        if self.recipe.tracker:
            self.accelerator.end_training()
        self.group.wait()
        if self.progress.best_step is not None:
            best = checkpoint.best_weights(self.checkpoints, self.progress)
            checkpoint.load_weights(best, self.mixture.parameters)
            self.model.network.refresh()

    def _with_last_good(self, problem: str) -> str:
        progress = self.progress
        if progress.best_step is None:
            return problem
        name = "the stock weights" if progress.best_step == 0 else f"those of step {progress.best_step}"
        return f"{problem}; the last good weights, {name}, are in {checkpoint.best_weights(self.checkpoints, progress)}"


def _accelerator(device: torch.device, recipe: Recipe, folder: Path, group: Processes) -> Accelerator:
    if group.count == 1:
        # Its state is the process's: an earlier one on another device would be refused, as in transformers' trainer.
        AcceleratorState._reset_state(reset_partial_state=True)
    accelerator = Accelerator(cpu=device.type == "cpu", log_with=recipe.tracker or None, project_dir=folder / TRACKED)
    if recipe.tracker and not accelerator.log_with:
        raise UsageError("E2005", f"tracker '{recipe.tracker}' is not installed", fix=f"pip install {recipe.tracker}")
    if recipe.tracker:
        settings = {name: value for name, value in asdict(recipe).items() if isinstance(value, int | float | str)}
        accelerator.init_trackers("lexitune", config=settings)
    return accelerator
