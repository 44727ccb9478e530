"""What `lexitune plan --probe` predicts against what `lexitune train` and `lexitune reembed` then take.

    python -m benchmarks.plan [--json] [--sets nl2bash,tatqa,pycode] [--pairs 2000] [--docs 2000] [--recipe default]

Each set is cut to so many training pairs and passages and imported into a workspace of its own. Prediction, training
and re-embedding each run in a process of their own, on equal data, with the same settings; the clock stands while
libraries are imported. Wall time is what is predicted, so the machine should have nothing else to do.

`ours` is the predicted seconds of training, `peer` the real ones, `ratio` the real over the predicted ones over the
sets; a row for each set has both stages and the parts of the prediction. A training that patience ends early is told,
with the steps it took: only one that goes to its last step can confirm the prediction.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.encode import in_child
from benchmarks.harness import SETS, Side, arguments, hardware, minilm_folder, real_set, show
from benchmarks.rows import Row
from benchmarks.sample import cut
from lexitune.io.options import DataOptions
from lexitune.io.workspace import Workspace, read_meta
from lexitune.models.options import ModelOptions
from lexitune.pipeline.data import import_data
from lexitune.pipeline.sections import SECTIONS
from lexitune.stages.train.options import TrainOptions
from lexitune.types import Silent


def make_prediction(root: Path, options: TrainOptions) -> Callable[[], Any]:
    """The prediction, as JSON."""
    from lexitune.models.load import load  # noqa: F401  imported before the clock runs
    from lexitune.pipeline.probe import predict

    sections = {name: kind() for name, kind in SECTIONS.items()} | {"model": stock(), "train": options}
    return lambda: predict(Workspace(root), None, sections=sections, talk=Silent()).to_json()


def make_training(root: Path, options: TrainOptions) -> Callable[[], Any]:
    """A real training: its wall seconds, and how far it went."""
    from lexitune.models.load import load  # noqa: F401
    from lexitune.stages.train.driver import run

    def work() -> Row:
        began = time.perf_counter()
        folder = run(Workspace(root), model=stock(), options=options)
        seconds = time.perf_counter() - began
        meta = read_meta(folder)
        assert meta is not None
        return {"seconds": seconds, "steps": meta.outputs["steps"], "stopped": meta.outputs["stopped"]}

    return work


def make_reembedding(root: Path) -> Callable[[], Any]:
    """A real re-embedding: its wall seconds."""
    from lexitune.models.load import load  # noqa: F401
    from lexitune.stages.reembed.driver import run

    def work() -> Row:
        began = time.perf_counter()
        run(Workspace(root), model=ModelOptions(device="cpu"))
        return {"seconds": time.perf_counter() - began}

    return work


def stock() -> ModelOptions:
    """The stock model."""
    return ModelOptions(model=str(minilm_folder()), device="cpu")


def measure(root: Path, name: str, *, pairs: int, docs: int, options: TrainOptions, threads: int | None) -> Row:
    """One set: predicted, then done."""
    workspace = Workspace(root / "work")
    data = cut(real_set(name), root, pairs=pairs, docs=docs, queries=300)
    import_data(workspace, data, options=DataOptions(allow_leaks=True))
    given = {"root": workspace.root, "options": options}
    predicted = in_child(Side(make_prediction, given), threads)
    trained = in_child(Side(make_training, given), threads)
    encoded = in_child(Side(make_reembedding, {"root": workspace.root}), threads)
    return {
        "pairs": sum(map(len, data.qrels["train"].values())),
        "docs": len(data.docs),
        "train": compared(predicted["train_s"], trained["seconds"]),
        "reembed": compared(predicted["reembed_s"], encoded["seconds"]),
        "parts": predicted["train"]["seconds"],
        "probed_steps": predicted["train"]["steps"],
        "steps": predicted["train"]["of"],
        "steps_taken": trained["steps"],
        "stopped": trained["stopped"],
    }


def compared(predicted: float, real: float) -> Row:
    """Seconds, predicted and real, and the real ones over the predicted."""
    return {"predicted_s": predicted, "real_s": real, "ratio": real / predicted}


def summary(rows: Sequence[Mapping[str, Any]]) -> Row:
    """The keys that every benchmark has."""
    ratios = [row["train"]["ratio"] for row in rows]
    return {
        "ours": {"seconds": statistics.median(row["train"]["predicted_s"] for row in rows)},
        "peer": {"seconds": statistics.median(row["train"]["real_s"] for row in rows)},
        "ratio": {"median": statistics.median(ratios), "low": min(ratios), "high": max(ratios)},
        "rounds": 1,
        "agreement": {"largest_error": max(abs(ratio - 1) for ratio in ratios)},
    }


def main() -> None:
    """The command."""
    parser = arguments("What lexitune plan --probe predicts, against real runs")
    parser.add_argument("--sets", default="nl2bash,tatqa,pycode", help=f"of {', '.join(SETS)}")
    parser.add_argument("--pairs", type=int, default=2000, help="most training pairs of a set (default 2,000)")
    parser.add_argument("--docs", type=int, default=2000, help="most passages of a set, but for the answers")
    parser.add_argument("--recipe", default="default", choices=("default", "fast", "mnrl"))
    parser.add_argument("--batch-size", type=int, help="pairs in a batch (default: the recipe's)")
    parser.add_argument("--epochs", type=int, help="passes over the pairs (default: the recipe's)")
    given = parser.parse_args()
    options = TrainOptions(recipe=given.recipe, batch_size=given.batch_size, epochs=given.epochs)
    rows = {}
    for name in given.sets.split(","):
        with tempfile.TemporaryDirectory() as root:
            size = {"pairs": given.pairs, "docs": given.docs}
            rows[name] = measure(Path(root), name, **size, options=options, threads=given.threads)
    found = {**summary(list(rows.values())), "recipe": given.recipe, "sets": rows}
    show({**found, "hardware": hardware(given.threads)}, as_json=given.json)


if __name__ == "__main__":
    main()
