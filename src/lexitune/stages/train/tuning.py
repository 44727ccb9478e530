"""Our own recipes from set-up to chosen weights: what learns, what is held out, the loop, and the way back."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lexitune.errors import StageFailed, UsageError
from lexitune.io.atomic import replacing
from lexitune.io.processes import processes
from lexitune.metrics.grades import count_pairs
from lexitune.models.learning import add_lora, freeze, learning, merge_lora, thaw
from lexitune.models.lower import LowerLayers, state_bytes, write_states
from lexitune.models.memory import GB, SHARE_OF_PASS, anonymous_bytes
from lexitune.models.tokens import TokenIds, join_tokens
from lexitune.stages.train.averaging import USUAL, Point, choose, general_tokens, only_collapse, sweep
from lexitune.stages.train.checkpoint import of_training
from lexitune.stages.train.dev import answered, evaluation_steps, make_dev_set, plan_dev
from lexitune.stages.train.examples import Examples
from lexitune.stages.train.general import make_general_set
from lexitune.stages.train.gradients import tell_room, telling_memory
from lexitune.stages.train.heldout import Encoded, HeldOut, measure_held_out
from lexitune.stages.train.loop import Work, run_loop
from lexitune.stages.train.mixture import Mixture
from lexitune.stages.train.progress import Progress
from lexitune.stages.train.recipe import Recipe
from lexitune.types import Dataset, Talk

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from lexitune.models.embedder import Embedder
    from lexitune.stages.train.adapter import DevVectors

__all__ = [
    "Gathered",
    "Tuned",
    "count_steps",
    "gather_work",
    "graph_room",
    "run_tuning",
    "set_learning",
]

CHECKPOINT_WEIGHTS = 4  # weights that lie on disk while training: a checkpoint's, its two moments, and the best ones
WEIGHTS_AGAIN = 4  # still to come: two moments, the gradient, and the trained weights while dev is measured


@dataclass(frozen=True)
class Tuned:
    """How a training went.

    Attributes:
        share: Of the trained weights in those that the model has now.
        points: What each share reaches by estimate; empty where none was tried.
        reached: Dev recall with the weights that the model has now; None where it was not measured.
    """

    progress: Progress
    dev: HeldOut | DevVectors | None
    share: float
    points: list[Point] = field(default_factory=list)
    reached: float | None = None


@dataclass(frozen=True)
class Gathered:
    """What a training consumes, how many steps it takes, and the tokens that would be as much work if every weight
    learnt from each.
    """

    work: Work
    steps: int
    learnt: float


def run_tuning(
    model: Embedder,
    data: Dataset,
    examples: Examples,
    *,
    recipe: Recipe,
    folder: Path,
    fingerprints: Mapping[str, str],
    began: float,
    talk: Talk,
) -> Tuned:
    """Train the model's weights in place and leave the chosen ones in it.

    Args:
        folder: Where work in progress lies; a second call with the same folder resumes.
        began: `time.monotonic()` from which on time and money are spent.

    Raises:
        StageFailed: NaN, collapse, memory or disk; complete checkpoints stay.
        UsageError: An option that the model cannot honour, or checkpoints of another training.
        KeyboardInterrupt: Interrupted; a checkpoint was written first.
    """
    ready = gather_work(model, data, examples, recipe=recipe, folder=folder, fingerprints=fingerprints, talk=talk)
    work = ready.work
    with telling_memory(), set_learning(model, work, recipe=recipe, folder=folder, talk=talk):
        mixture = Mixture(model.network)
        progress, dev_by_stock = run_loop(
            model, mixture, work, recipe=recipe, folder=folder, began=began, talk=talk, memory=graph_room(model)
        )
        _tell_stopped(progress, ready.steps, talk)
        tuned = _go_back(model, mixture, progress, work.dev, recipe, ready.learnt, talk, dev_by_stock)
        merge_lora(model.network)
    return tuned


def gather_work(
    model: Embedder,
    data: Dataset,
    examples: Examples,
    *,
    recipe: Recipe,
    folder: Path,
    fingerprints: Mapping[str, str],
    talk: Talk,
) -> Gathered:
    """Tokenise the texts, draw the dev set, and let the stock model be the guide where the mask asks for one."""
    queries, docs = model.tokenise_queries(examples.queries), model.tokenise_docs(examples.docs)
    _tell_truncated(docs, model.spec.max_length, talk)
    steps, passed = count_steps(examples, recipe)
    pair = float(np.mean(queries.lengths)) + (1 + recipe.negatives) * float(np.mean(docs.lengths))
    learnt = passed * pair * recipe.work_share(model.network.layer_count)
    dev, evaluations = _dev_set(data, model, recipe, queries, docs, learnt, talk)
    tokens = join_tokens([queries, docs])
    guide = of_training(folder, "guide", fingerprints=fingerprints).with_suffix(".npy")
    work = Work(
        examples,
        tokens,
        dev,
        evaluation_steps(steps, evaluations),
        fingerprints,
        _guide(model, tokens, guide, talk) if recipe.mask == "guide" else None,
    )
    return Gathered(work, steps, learnt)


def count_steps(examples: Examples, recipe: Recipe) -> tuple[int, int]:
    """Steps of a training, and the pairs that pass in them."""
    drawn = len(examples.queries) if recipe.positives == "sample" else len(examples)
    return recipe.epochs * -(-drawn // recipe.batch_size), recipe.epochs * drawn


@contextmanager
def set_learning(model: Embedder, work: Work, *, recipe: Recipe, folder: Path, talk: Talk) -> Iterator[None]:
    """Within the block only what the recipe says learns.

    Args:
        folder: Where the outputs of frozen layers are kept.
    """
    network, tokens = model.network, work.tokens
    states = of_training(folder, "lower", fingerprints=work.fingerprints).with_suffix(".npy")
    try:
        if recipe.freeze_layers or recipe.freeze_table:
            freeze(network, layers=recipe.freeze_layers, table=recipe.freeze_table)
        if recipe.lora:
            add_lora(network, rank=recipe.lora, seed=recipe.seed, layers=recipe.freeze_layers)
        if recipe.freeze_layers or recipe.freeze_table or recipe.lora:
            count, whole = (sum(one.numel() for one in some) for some in (learning(network), network.parameters()))
            talk.say(f"{count:,} of {whole:,} weights learn")
        if recipe.keeps_states and _keep_states(model, tokens, recipe.freeze_layers, states, talk):
            network.lower = LowerLayers(network, tokens, count=recipe.freeze_layers, path=states)
        tell_room(network, copies=WEIGHTS_AGAIN + 1, talk=talk)
        yield
    finally:
        network.lower = None
        thaw(network)


def _go_back(
    model: Embedder,
    mixture: Mixture,
    progress: Progress,
    dev: HeldOut | None,
    recipe: Recipe,
    learnt: float,
    talk: Talk,
    dev_by_stock: Encoded | None,
) -> Tuned:
    """Put the chosen share of the trained weights into the model."""
    if progress.best_step == 0:
        return Tuned(progress, dev, 0.0, reached=progress.best_dev)
    share = USUAL if recipe.blend is None else recipe.blend
    if recipe.blend is not None or dev is None:
        mixture.put_share(mixture.copy(), share)
        return Tuned(progress, dev, share, reached=None if dev is None else progress.best_dev)
    general = make_general_set(
        model,
        folder=Path(recipe.general) if recipe.general else None,
        tokens=general_tokens(learnt),
        seed=recipe.seed,
    )
    points = sweep(model, mixture, dev=dev, general=general, step=progress.step, talk=talk, dev_by_stock=dev_by_stock)
    trained, share, reached = mixture.copy(), choose(points).share, progress.best_dev
    if share != USUAL:
        mixture.put_share(trained, share)
        found = _measure_uncollapsed(model, dev, progress.step)
        # An estimate can be wrong; the usual share was measured.
        if found is None or found < min(points[0].dev, progress.best_dev):
            share = USUAL
        else:
            reached = found
    mixture.put_share(trained, share)
    _tell_points(points, share, reached, dev, general, talk)
    return Tuned(progress, dev, share, points, reached)


def _measure_uncollapsed(model: Embedder, dev: HeldOut, step: int) -> float | None:
    try:
        return float(measure_held_out(model, dev, step=step).mean())
    except StageFailed as error:
        only_collapse(error)
        return None


def _dev_set(
    data: Dataset, model: Embedder, recipe: Recipe, queries: TokenIds, docs: TokenIds, learnt: float, talk: Talk
) -> tuple[HeldOut | None, int]:
    judged = answered(data)
    if not judged:
        talk.say("no dev judgements: the last weights are taken, and nothing shows whether they are the best")
        return None, 2
    answers = count_pairs(judged) / len(judged)
    sizes = plan_dev(
        queries=len(judged),
        answers=answers,
        query_tokens=float(np.mean(queries.lengths)),
        doc_tokens=float(np.mean(docs.lengths)),
        train_tokens=learnt,
        most_queries=recipe.dev_queries,
    )
    dev = make_dev_set(data, model=model, plan=sizes, seed=recipe.seed)
    talk.say(
        f"dev {dev.measure} over {len(dev.query_ids)} queries and {len(dev.doc_ids)} passages "
        "stands for R@10 of the corpus"
    )
    return dev, sizes.evaluations


def _guide(model: Embedder, tokens: TokenIds, path: Path, talk: Talk) -> NDArray[Any]:
    """The stock model's vectors of the pool; the weights are the stock model's now."""
    group = processes()
    if group.rank == 0 and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        vectors = model.encode_tokens(tokens, talk=talk, stage="guide")
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.save(file, vectors)
    group.wait()
    found: NDArray[Any] = np.load(path, mmap_mode="r")
    return found


def graph_room(model: Embedder) -> int | None:
    """Bytes for kept graphs under `--max-memory`; None: no limit was set, or they lie on a GPU: it bounds the host."""
    if model.max_memory is None or model.network.device.type == "cuda":
        return None
    weights = sum(parameter.nbytes for parameter in learning(model.network))
    room = model.max_memory * GB - anonymous_bytes() - WEIGHTS_AGAIN * weights
    if room <= 0:
        least = (anonymous_bytes() + WEIGHTS_AGAIN * weights) / GB
        raise UsageError(
            "E2106",
            f"--max-memory {model.max_memory:g} leaves no room to train: weights, optimiser and gradients take "
            f"{least:.1f} GB",
            fix=f"--max-memory {least + 1:.1f}, or --lora 16, which needs less",
        )
    return int(room * SHARE_OF_PASS)


def _keep_states(model: Embedder, tokens: TokenIds, count: int, path: Path, talk: Talk) -> bool:
    """Compute what the frozen layers make of each text, unless an earlier session did; False: the disk is too full.

    A session that goes on does as the first one did: figures agree to the last bit only then.
    """
    group, full = processes(), path.with_suffix(".full")
    path.parent.mkdir(parents=True, exist_ok=True)
    checkpoint = CHECKPOINT_WEIGHTS * sum(one.nbytes for one in model.network.parameters())
    needed, free = state_bytes(model.network, tokens) + checkpoint, shutil.disk_usage(path.parent).free
    if group.any(group.rank == 0 and not path.exists() and (full.exists() or free < needed))[0]:
        talk.say(
            f"the frozen layers' states take {needed / GB:.1f} GB of disk with a checkpoint: there is less, so they "
            "are computed again in every epoch"
        )
        if group.rank == 0:
            full.touch()
        return False
    if group.rank == 0 and not path.exists():
        with model.network.compute():
            write_states(model.network, tokens, count=count, path=path, token_budget=model.token_budget, talk=talk)
    group.wait()
    return True


def _tell_truncated(docs: TokenIds, max_length: int, talk: Talk) -> None:
    share = docs.truncated / len(docs)
    if share > 0.01:
        talk.say(f"{100 * share:.0f} % of the training passages are longer than {max_length} tokens and lose their end")


def _tell_stopped(progress: Progress, steps: int, talk: Talk) -> None:
    if progress.stopped == "patience":
        worse = "1 dev evaluation" if progress.worse == 1 else f"{progress.worse} dev evaluations"
        talk.say(f"stopped after step {progress.step} of {steps}: {worse} brought nothing better")
    elif progress.stopped:
        limit = progress.stopped.replace("_", "-")
        talk.say(f"stopped after step {progress.step} of {steps}: --{limit} is reached")


def _tell_points(points: list[Point], share: float, reached: float, dev: HeldOut, general: HeldOut, talk: Talk) -> None:
    def told(point: Point) -> str:
        chosen = "*" if point.share == share else ""
        general = "-" if point.general is None else f"{point.general:.3f}"
        return f"{point.share:g}{chosen}: {point.dev:.3f} / {general}"

    talk.say(
        f"share of the trained weights, estimated: dev {dev.measure} / general {general.measure}  "
        + "  ".join(told(point) for point in points)
    )
    talk.say(f"share {share:g} is taken: dev {dev.measure} {reached:.3f}, measured")
