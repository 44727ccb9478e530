"""A training timed on a part of it: some real steps, one saved checkpoint, a sample of encoding; nothing is kept.

Cost is counted in operations, so that twenty batches stand for all of them although their texts differ in length. What
is predicted is the whole training: patience or a limit may end it sooner.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lexitune.errors import UsageError
from lexitune.models.shape import Shape, config_shape
from lexitune.models.sizing import forward_flops, padded_flops
from lexitune.stages.train.averaging import AFTER, ENDS, general_tokens
from lexitune.stages.train.examples import Examples
from lexitune.stages.train.general import make_general_set
from lexitune.stages.train.progress import Progress
from lexitune.stages.train.recipe import Recipe
from lexitune.stages.train.training import Plan
from lexitune.types import Silent, Talk

if TYPE_CHECKING:
    from lexitune.models.embedder import Embedder
    from lexitune.models.tokens import TokenIds
    from lexitune.stages.train.loop import Work
    from lexitune.stages.train.tuning import Gathered

__all__ = ["STEPS", "Probe", "all_steps", "encode_rate", "few_steps", "probe_training", "shape_in"]

STEPS = 20
ENCODED = 40_000  # tokens of the sample that is encoded


@dataclass(frozen=True)
class Probe:
    """Seconds of a whole training by part, from `steps` of its `of` steps; `rate` is as `encode_rate` tells it."""

    steps: int
    of: int
    rate: float
    seconds: Mapping[str, float]

    @property
    def total(self) -> float:
        """Of all parts."""
        return sum(self.seconds.values())


def probe_training(model: Embedder, plan: Plan, *, sample: TokenIds, folder: Path, talk: Talk) -> Probe:
    """Take the first steps of a planned training, and reckon what all of it takes.

    The model's weights are not its own afterwards.

    Args:
        plan: Its time since `plan.began` counts as preparation.
        sample: Passages to time encoding with.
        folder: For checkpoints, which are left there.

    Raises:
        UsageError: The recipe has no steps to time.
        StageFailed: As in a training.
    """
    prepared = time.monotonic() - plan.began
    if plan.recipe.recipe == "adapter":
        raise UsageError(
            "E2123",
            "the recipe 'adapter' takes seconds once passages are encoded, and --probe times steps",
            fix="lexitune plan --recipe adapter, without --probe",
        )
    if plan.recipe.recipe == "mnrl":
        probe = _probe_mnrl(model, plan.examples, sample, recipe=plan.recipe, folder=folder, talk=talk)
    else:
        probe = _probe_tuning(model, plan, sample, folder=folder, talk=talk)
    began = time.monotonic()
    model.save(folder / "model")
    saved = time.monotonic() - began
    seconds = {"prepare": prepared + probe.seconds["prepare"], "save": saved + probe.seconds.get("save", 0.0)}
    return replace(probe, seconds={**probe.seconds, **seconds})


def encode_rate(model: Embedder, tokens: TokenIds) -> float:
    """Seconds that one operation of encoding takes, on as many texts as make a fair sample."""
    shape = shape_in(model)
    count = int(np.searchsorted(np.cumsum(tokens.lengths), ENCODED)) + 1
    model.encode_tokens(tokens.take(np.arange(min(8, len(tokens)))))  # the first pass of a process is slow
    sample = tokens.take(np.arange(min(count, len(tokens))))
    began = time.monotonic()
    model.encode_tokens(sample)
    return (time.monotonic() - began) / forward_flops(shape, sample.lengths)


def shape_in(model: Embedder) -> Shape:
    """The shape of a loaded model. Where its configuration does not say it, a layer of one number stands for it: all
    texts then cost by their length alone.
    """
    parameters = model.network.weight_count
    try:
        return config_shape(model.network.trunk.config.to_dict(), parameters=parameters)
    except KeyError:
        return Shape(1, 1, 1, 1, 0, 0, False, parameters)


def _probe_tuning(model: Embedder, plan: Plan, sample: TokenIds, *, folder: Path, talk: Talk) -> Probe:
    from lexitune.models.learning import learning
    from lexitune.stages.train import checkpoint
    from lexitune.stages.train.loop import cut_work, plan_step
    from lexitune.stages.train.step import Stepper
    from lexitune.stages.train.tuning import gather_work, graph_room, set_learning

    recipe, shape, began = plan.recipe, shape_in(model), time.monotonic()
    ready = gather_work(model, plan.data, plan.examples, recipe=recipe, folder=folder, fingerprints={}, talk=Silent())
    work = ready.work
    with set_learning(model, work, recipe=recipe, folder=folder, talk=talk):
        batches = cut_work(work, recipe)
        stepper = Stepper(
            model.network,
            work.tokens,
            recipe=recipe,
            steps=len(batches),
            guide=work.guide,
            memory=graph_room(model),
        )
        gathered = time.monotonic() - began
        planned = (plan_step(work, recipe, chosen, step=step) for step, chosen in enumerate(batches))
        costs = np.array([forward_flops(shape, work.tokens.lengths_of(one.rows)) for one in planned])
        count = few_steps(len(batches))
        seconds = []
        with model.network.compute():
            for step in range(count):
                began = time.monotonic()
                stepper.take(plan_step(work, recipe, batches[step], step=step), step=step)
                seconds.append(time.monotonic() - began)
                talk.progress("probe", step + 1, count)
        began = time.monotonic()
        progress = Progress(step=count, best_step=count)
        checkpoint.save_best(folder / "checkpoints", learning(model.network), progress=progress)
        best_s = time.monotonic() - began
        checkpoint.save(
            folder / "checkpoints",
            parameters=stepper.saved,
            optimizer=stepper.optimizer,
            progress=progress,
            fingerprints={},
        )
        each_s = time.monotonic() - began - best_s
    steps_s, rate = all_steps(seconds, costs), encode_rate(model, sample)
    dev_s, average_s, evaluations = _evaluations(model, ready, recipe, rate)
    # A checkpoint is written when the last one is old, and at the end.
    saves = 1.0 + steps_s // max(recipe.checkpoint_s, steps_s / len(batches))
    parts = {"prepare": gathered, "steps": steps_s, "dev": dev_s, "average": average_s}
    return Probe(count, len(batches), rate, {**parts, "save": evaluations * best_s + saves * each_s})


def few_steps(steps: int) -> int:
    """How many steps are timed: twenty, or half of a training of fewer than forty."""
    return max(1, min(STEPS, steps // 2))


def all_steps(seconds: list[float], costs: NDArray[np.float64]) -> float:
    """Seconds of all steps, from those of the first ones. The very first sets things up, and stands for itself."""
    if len(seconds) == 1:
        return float(seconds[0] * costs.sum() / costs[0])
    pace = sum(seconds[1:]) / costs[1 : len(seconds)].sum()
    return float(seconds[0] + pace * costs[1:].sum())


def _evaluations(model: Embedder, ready: Gathered, recipe: Recipe, rate: float) -> tuple[float, float, int]:
    """Seconds of dev while training, of what chooses the share of the weights, and how often dev is measured."""
    work: Work = ready.work
    if work.dev is None:
        return 0.0, 0.0, 0
    shape = shape_in(model)
    count = len(work.dev_steps | {0})
    each = rate * sum(forward_flops(shape, one.lengths) for one in (work.dev.queries, work.dev.docs))
    if recipe.blend is not None:
        return count * each, 0.0, count
    folder = Path(recipe.general) if recipe.general else None
    began = time.monotonic()
    general = make_general_set(model, folder=folder, tokens=general_tokens(ready.learnt), seed=recipe.seed)
    made = time.monotonic() - began
    other = rate * sum(forward_flops(shape, one.lengths) for one in (general.queries, general.docs))
    return count * each, made + AFTER * each + ENDS * other, count


class _Clock:
    """A Talk that notes when each step was done."""

    def __init__(self, talk: Talk, count: int) -> None:
        self.talk, self.count = talk, count
        self.at: list[float] = []

    def say(self, line: str) -> None:
        self.talk.say(line)

    def progress(self, stage: str, done: float, total: float, note: str = "") -> None:
        self.at.append(time.monotonic())
        self.talk.progress("probe", done, self.count)


def _probe_mnrl(
    model: Embedder, examples: Examples, sample: TokenIds, *, recipe: Recipe, folder: Path, talk: Talk
) -> Probe:
    """The trainer's own steps on a sample of the pairs; what it makes of their order is not known, so padding is
    reckoned over many orders of the sample and of all pairs.
    """
    from lexitune.stages.train.mnrl import run_mnrl

    epoch = -(-len(examples) // recipe.batch_size)
    count = min(few_steps(recipe.epochs * epoch), epoch)
    chosen = np.random.default_rng(recipe.seed).permutation(len(examples))[: count * recipe.batch_size]
    few = replace(examples, pairs=examples.pairs[chosen])
    clock, began = _Clock(talk, count), time.monotonic()
    run_mnrl(model, few, recipe=replace(recipe, epochs=1), folder=folder / "mnrl", fingerprints={}, talk=clock)
    over = time.monotonic() - began
    shape = shape_in(model)
    queries, docs = (
        some.lengths for some in (model.tokenise_queries(examples.queries), model.tokenise_docs(examples.docs))
    )

    def padded(some: Examples) -> float:
        columns = queries[some.pairs[:, 0]], docs[some.pairs[:, 1]]
        return padded_flops(shape, *columns, batch_size=recipe.batch_size) / len(some)

    steps = np.diff(clock.at).tolist()
    each = (statistics.mean(steps) if steps else clock.at[0] - began) * padded(examples) / padded(few)
    around = over - (clock.at[-1] - clock.at[0])  # setting up with the first step, and taking the weights over
    seconds = {"prepare": around, "steps": each * (recipe.epochs * epoch - 1)}
    # Encoding comes last: it tunes this process's allocator, which the trainer does not.
    return Probe(count, recipe.epochs * epoch, encode_rate(model, sample), seconds)
