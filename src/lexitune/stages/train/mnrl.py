"""The recipe `mnrl`: sentence-transformers' own trainer, as most tutorials use it.

It is the yardstick that our own loop is compared with. Its sampler, padding, dropout, attention and
fp32 are its own; we build its two columns, watch it, and keep its checkpoints honest.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from datasets import Dataset as Table
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from sentence_transformers.sentence_transformer.trainer import SentenceTransformerTrainer
from sentence_transformers.sentence_transformer.training_args import SentenceTransformerTrainingArguments
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import PrinterCallback

from lexitune.errors import StageFailed
from lexitune.models.embedder import Embedder
from lexitune.models.load import open_model
from lexitune.models.quiet import quiet
from lexitune.stages.train.checkpoint import newest, of_training, read_progress, seal
from lexitune.stages.train.examples import Examples
from lexitune.stages.train.gradients import tell_room
from lexitune.stages.train.interrupt import finishing_step
from lexitune.stages.train.progress import Progress
from lexitune.stages.train.recipe import Recipe
from lexitune.types import Talk

__all__ = ["run_mnrl"]

COPIES = 3  # of the weights beside those of the copy that is trained: its gradient and AdamW's two moments
WEIGHT_DECAY = 0.01  # what `SentenceTransformer.fit` takes, the form in most tutorials


def run_mnrl(
    model: Embedder,
    examples: Examples,
    *,
    recipe: Recipe,
    folder: Path,
    fingerprints: Mapping[str, str],
    talk: Talk,
    callbacks: Sequence[TrainerCallback] = (),
) -> Progress:
    """Train a copy of the model and put its last weights into `model`.

    Args:
        folder: Where the copy and the trainer's checkpoints lie; a second call with the same folder resumes.
        callbacks: More of the trainer's callbacks.

    Raises:
        StageFailed: The loss or the gradient is not a number. Left alone the trainer would go on and succeed.
        KeyboardInterrupt: SIGINT or SIGTERM came; the step was finished and a checkpoint written.
    """
    copy = _copy_of(model, of_training(folder, "start", fingerprints=fingerprints))
    tell_room(model.network, copies=COPIES, talk=talk)
    checkpoints = folder / "checkpoints"
    found = newest(checkpoints, fingerprints=fingerprints, talk=talk)
    progress = read_progress(found) if found is not None else Progress()
    progress.before_s = progress.seconds
    table = Table.from_dict(
        {
            "anchor": [examples.queries[row] for row in examples.pairs[:, 0]],
            "positive": [examples.docs[row] for row in examples.pairs[:, 1]],
        }
    )
    with quiet(), finishing_step() as interrupted:
        watch = _Watch(progress, recipe.checkpoint_s, fingerprints, talk, interrupted)
        trainer = SentenceTransformerTrainer(
            model=copy,
            args=_arguments(model, recipe, checkpoints),
            train_dataset=table,
            loss=MultipleNegativesRankingLoss(copy, scale=1 / recipe.temperature),
            callbacks=[watch, *callbacks],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train(resume_from_checkpoint=str(found) if found is not None else None)
        if interrupted() and progress.step < trainer.state.max_steps:
            raise KeyboardInterrupt
    model.model.load_state_dict(copy.state_dict())
    model.network.refresh()
    return progress


def _copy_of(model: Embedder, folder: Path) -> SentenceTransformer:
    # Through a folder rather than by deepcopy: the copy then has sentence-transformers' own attention and
    # dropout, where ours is set for speed.
    if not folder.exists():
        model.save(folder)
    copy = open_model(folder, device=model.network.device)
    copy.max_seq_length = model.spec.max_length
    return copy


def _arguments(model: Embedder, recipe: Recipe, folder: Path) -> SentenceTransformerTrainingArguments:
    spec = model.spec
    prompts = {"anchor": spec.query_prompt, "positive": spec.doc_prompt}
    return SentenceTransformerTrainingArguments(
        output_dir=str(folder),
        num_train_epochs=recipe.epochs,
        per_device_train_batch_size=recipe.batch_size,
        learning_rate=recipe.learning_rate,
        warmup_steps=recipe.warmup_steps or 0,
        weight_decay=WEIGHT_DECAY,
        seed=recipe.seed,
        prompts={column: prompt for column, prompt in prompts.items() if prompt} or None,
        use_cpu=model.network.device.type == "cpu",
        report_to="none",
        disable_tqdm=True,
        logging_steps=1,
        logging_nan_inf_filter=False,  # else a NaN is shown as a loss of 0
        save_strategy="no",  # the callback asks, by the clock
        save_total_limit=2,
    )


class _Watch(TrainerCallback):
    """Tells of progress, asks for checkpoints by the clock, seals them, and stops on NaN or a signal."""

    def __init__(
        self,
        progress: Progress,
        checkpoint_s: float,
        fingerprints: Mapping[str, str],
        talk: Talk,
        interrupted: Callable[[], bool],
    ) -> None:
        self.progress, self.checkpoint_s, self.fingerprints = progress, checkpoint_s, fingerprints
        self.talk, self.interrupted = talk, interrupted
        self.started = time.monotonic() - progress.seconds
        self.saved = time.monotonic()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> TrainerControl:
        stop = self.interrupted()
        control.should_training_stop = control.should_training_stop or stop
        control.should_save = stop or time.monotonic() - self.saved >= self.checkpoint_s
        return control

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: object,
    ) -> None:
        if not logs or "loss" not in logs:
            return  # the summary at the end
        loss, norm = float(logs["loss"]), float(logs.get("grad_norm", 0.0))
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise StageFailed(
                "E1201",
                f"step {state.global_step}: loss {loss}, gradient {norm}",
                fix="train with a lower --learning-rate; nothing was published",
            )
        self.progress.step = state.global_step
        self.progress.seconds = time.monotonic() - self.started
        row = {"step": float(state.global_step), "loss": loss, "learning_rate": float(logs["learning_rate"])}
        self.progress.curve.append(row)
        self.talk.progress("train", state.global_step, state.max_steps, f"loss {loss:.2f}")

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        # transformers' checkpoints are not atomic: without our seal one is not used again.
        folder = Path(str(args.output_dir)) / f"checkpoint-{state.global_step}"
        seal(folder, progress=self.progress, fingerprints=self.fingerprints)
        self.saved = time.monotonic()
