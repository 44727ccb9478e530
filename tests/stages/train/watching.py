"""Hearing a training, stopping it at a step, and reading what it left."""

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lexitune.io.workspace import read_meta
from lexitune.models.options import ModelOptions
from lexitune.stages.train.options import TrainOptions
from lexitune.types import Dataset, Doc, Query

FP32 = ModelOptions(precision="fp32", device="cpu")
# 12 steps of 4 pairs; all layers learn, as they do by default where pairs are many
QUICK = TrainOptions(epochs=3, batch_size=4, learning_rate=2e-3, checkpoint_s=0.0, freeze_layers=0)


WORDS = [f"w{number}" for number in range(40)]
LAUNCH = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


def make_small_data() -> Dataset:
    """24 docs of three words; each is asked for by one word of its own. q00 to q15 train, q16 to q23 are dev."""
    docs = [Doc(f"d{n:02}", f"{WORDS[n]} {WORDS[(7 * n + 3) % 40]} {WORDS[(11 * n + 5) % 40]}") for n in range(24)]
    queries = {f"q{n:02}": Query(f"q{n:02}", f"{WORDS[n]} {WORDS[(5 * n + 1) % 40]}") for n in range(24)}
    pairs = [(f"q{n:02}", {f"d{n:02}": 1}) for n in range(24)]
    return Dataset(docs, queries, {"train": dict(pairs[:16]), "dev": dict(pairs[16:])})


class Stop(Exception):
    """Stands for a kill: nothing catches it, nothing is tidied."""


class At:
    """Does something at one step of training, and hears the rest."""

    def __init__(self, step: int, act: Callable[[], None]) -> None:
        self.step, self.act = step, act
        self.lines: list[str] = []
        self.steps: list[float] = []
        self.notes: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)

    def progress(self, stage: str, done: float, total: float, note: str = "") -> None:
        if stage != "train":
            return
        self.steps.append(done)
        self.notes.append(note)
        if done == self.step:
            self.act()


def kill() -> None:
    raise Stop


def interrupt() -> None:
    signal.raise_signal(signal.SIGINT)


def listen() -> At:
    """Only hears."""
    return At(-1, kill)


def outputs(out: Path) -> dict[str, Any]:
    """What the record of a training says of it."""
    meta = read_meta(out)
    assert meta is not None
    return dict(meta.outputs)


def column(out: Path, name: str) -> list[float]:
    """One column of the curve, where it has a value."""
    return [row[name] for row in outputs(out)["curve"] if name in row]


def losses(out: Path) -> list[float]:
    return column(out, "loss")


def weights(out: Path) -> bytes:
    return (out / "model.safetensors").read_bytes()
