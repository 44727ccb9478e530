"""What each share of the way from stock to the trained weights reaches: the curve that a training only estimates.

    python -m benchmarks.lift.shares [--sets tldr,pycode] [--recipe default] [--seed 1]

One training a set; then the real weights at each share are measured on all dev queries and the whole corpus, and on the
guard, nDCG@10 over dev queries of the other sets. A line a set is written as it is measured, in points.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.harness import SETS, real_set
from benchmarks.lift.curve import RECALL, recall_on_dev
from benchmarks.lift.guard import guard_of, guard_set
from benchmarks.lift.trial import MODEL, read_recipe, sample, stock
from lexitune.io.workspace import read_meta
from lexitune.models.embedder import Embedder
from lexitune.models.load import load
from lexitune.stages.train.mixture import Mixture
from lexitune.stages.train.training import train

__all__ = ["along"]

SHARES = (0.0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0)


def main() -> None:
    """Train and measure each set."""
    parser = argparse.ArgumentParser(description="What each share of the trained weights reaches on dev")
    parser.add_argument("--threads", type=int, help="of the processor (default: all cores)")
    parser.add_argument("--sets", default=",".join(SETS), help="separated by commas (default all nine)")
    parser.add_argument("--recipe", default="default", help="as in the lab (default default)")
    parser.add_argument("--seed", type=int, default=1, help="of sample and training (default 1)")
    parser.add_argument("--pairs", type=int, default=2000, help="most train pairs of a set (default 2000)")
    given = parser.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    heads = "".join(f" {share:g} |" for share in SHARES)
    sys.stdout.write(f"| set | of |{heads} chosen |\n|---|---|{'---|' * len(SHARES)}---|\n")
    for name in given.sets.split(","):
        key = {"model": MODEL, "set": name, "seed": given.seed, "pairs": given.pairs, "recipe": given.recipe}
        chosen, points = measure(key)
        for place, what in enumerate((f"{RECALL}, dev", "guard")):
            cells = "".join(f" {100 * point[place]:.1f} |" for point in points)
            sys.stdout.write(f"| {name} | {what} |{cells} {chosen:g} |\n")
        sys.stdout.flush()


def measure(key: Mapping[str, Any]) -> tuple[float, list[tuple[float, float]]]:
    """The share that the training chose, and R@10 on dev and nDCG@10 on the guard at each of `SHARES`."""
    data = sample(real_set(key["set"]), pairs=key["pairs"], seed=key["seed"])
    options, _ = read_recipe(key)
    with tempfile.TemporaryDirectory() as folder:
        out = train(data, model=load(options=stock(key)), out=Path(folder) / "model", options=options)
        meta = read_meta(out)
        assert meta is not None
        chosen = float(meta.outputs["share"])
        if not chosen:
            return chosen, []
        tuned = load(options=replace(stock(key), model=str(out)))
    return chosen, list(along(tuned, key, chosen))


def along(tuned: Embedder, key: Mapping[str, Any], chosen: float) -> Iterator[tuple[float, float]]:
    """The points of the line on which `tuned` lies `chosen` of the way from stock to the trained weights."""
    data, held, model = real_set(key["set"]), guard_set(key["set"]), load(options=stock(key))
    mixture, weights = Mixture(model.network), Mixture(tuned.network).copy()
    for share in SHARES:
        mixture.put_share(weights, share / chosen)
        yield recall_on_dev(model, data), float(guard_of(model, held)["mean"])


if __name__ == "__main__":
    main()
