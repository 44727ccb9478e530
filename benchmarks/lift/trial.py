"""One trial: a recipe on a set's sample of pairs, trained and measured, each in a process of its own."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch

from benchmarks.harness import Lap, Side, cpu_name, real_set, running
from benchmarks.lift.curve import measure_curve, train_with_curve
from benchmarks.lift.guard import before_averaging, guard_of, guard_set
from benchmarks.rows import Row
from benchmarks.sample import draw, opened
from lexitune.io.hits import Hits
from lexitune.io.workspace import Meta, installed_versions, read_meta
from lexitune.metrics.measures import measure_hits, parse_measures
from lexitune.metrics.report import Report
from lexitune.metrics.statistics import paired_t
from lexitune.models.corpus import encode_corpus
from lexitune.models.embedder import Embedder
from lexitune.models.load import load
from lexitune.models.options import ModelOptions
from lexitune.registry import parse_spec
from lexitune.settings import build
from lexitune.stages.evaluate.systems import Clock, rank
from lexitune.stages.mine.mining import mine
from lexitune.stages.mine.options import MineOptions
from lexitune.stages.train.options import TrainOptions
from lexitune.stages.train.training import train
from lexitune.types import Dataset, Example, Qrels, Silent

__all__ = ["MEASURES", "MODEL", "measure_stock", "run_trial", "split_key", "unpack"]

MEASURES = parse_measures("R@10,nDCG@10")
DEPTH = 100  # of each ranking that a hybrid is made of
NEVER_S = 1e9
MODEL = "minilm"


def run_trial(key: Mapping[str, Any], *, before: Mapping[str, Row], work: Path, threads: int) -> Iterator[Row]:
    """Train once as the key says; then, for each split, encode the corpus anew and measure.

    Args:
        key: `model`, `set`, `seed`, `pairs` and `recipe`: a recipe's name and options, such as
            `default,batch_size=64`, and what `Extras` has: `default,negatives=1,mined=bm25`, `mnrl,curve=12`.
        before: Split -> the set's row of the stock model, for the gain.
        work: Folder for models and vectors; what belongs to this trial is removed.
    """
    folder = work / "trials" / "-".join(str(key[name]) for name in ("set", "seed", "pairs", "recipe"))
    shutil.rmtree(folder, ignore_errors=True)
    made = observe(Side(make_training, {"key": dict(key), "folder": str(folder)}), threads)
    training = made.pop("value")
    for split, start in before.items():
        own = split_key(key, split)
        found = observe(Side(make_measuring, {"key": own, "folder": str(folder), "work": str(work)}), threads)
        measured = found.pop("value")
        looked = 0.0 if own["recipe"] == key["recipe"] else training["looked_minutes"]
        yield {
            **own,
            **training,
            "train_minutes": training["train_minutes"] - looked,
            **measured,
            "gain": {name: gain(measured["values"][name], start["values"][name]) for name in map(str, MEASURES)},
            "train": made,
            "measure": found,
            **circumstances(threads),
        }
    shutil.rmtree(folder)


def split_key(key: Mapping[str, Any], split: str) -> dict[str, Any]:
    """The key of a trial's row for one split. The curve is dev's: on test its recipe is the one without."""
    recipe = key["recipe"] if split == "dev" else re.sub(r",curve=\d+", "", key["recipe"])
    return {**key, "split": split, "recipe": recipe}


def measure_stock(key: Mapping[str, Any], *, work: Path, threads: int) -> Row:
    """The stock model, BM25 and their hybrid on one set and split."""
    found = observe(Side(make_measuring, {"key": dict(key), "folder": "", "work": str(work)}), threads)
    return {**key, **found.pop("value"), "measure": found, **circumstances(threads)}


def observe(side: Side, threads: int) -> dict[str, Any]:
    """One lap of a side, with how busy the processor was with anything else meanwhile: 0 is a quiet machine."""
    busy, start = _busy_s(), time.perf_counter()
    with running(side, threads) as lap:
        done: Lap = lap()
    wall = time.perf_counter() - start
    others = max(0.0, _busy_s() - busy - done.cpu_s) / (wall * (psutil.cpu_count() or 1))
    return {
        "minutes": done.seconds / 60,
        "cpu_minutes": done.cpu_s / 60,
        "peak_mb": round(done.peak_mb),
        **({"gpu_mb": round(done.gpu_mb)} if done.gpu_mb else {}),
        "others": round(others, 2),
        "value": done.value,
    }


def make_training(key: Mapping[str, Any], folder: str) -> Callable[[], Row]:
    """From the texts to the chosen weights in `folder`. Mining is part of it, but for the stock model's vectors of the
    corpus, which any evaluation needs and `tune` has made by then.
    """

    def work() -> Row:
        options, extras = read_recipe(key)
        data = sample(real_set(key["set"]), pairs=key["pairs"], seed=key["seed"])
        model = load(options=stock(key))
        if extras.curve:
            rows, pairs = train_with_curve(
                data, model=model, folder=Path(folder) / "curve", options=options, points=extras.curve
            )
            model.save(Path(folder) / "model")
            minutes, looked = (rows[-1][name] / 60 for name in ("seconds", "looked"))
            return {"trained_pairs": pairs, "train_minutes": minutes, "looked_minutes": looked}
        mined: tuple[Example, ...] = ()
        mine_s = 0.0
        if candidates := extras.candidates(options):
            vectors = Path(folder) / "vectors"
            encode_corpus(model, data.docs, vectors)
            began = time.perf_counter()
            given = MineOptions(candidates=candidates, keep_out=extras.keep_out, seed=key["seed"])
            found = mine(data, model=model, vectors=vectors, openings=Path(folder) / "openings.jsonl", options=given)
            mined, mine_s = tuple(found.examples()), time.perf_counter() - began
        out = train(data, model=model, out=Path(folder) / "model", mined=mined, options=options)
        meta = read_meta(out)
        assert meta is not None
        kept = ("pairs", "steps", "best_step", "stopped", "share", "shares", "negatives")
        return {
            "settled": dict(meta.options),  # a recipe of the same name may be another one later
            **{f"trained_{name}": meta.outputs[name] for name in kept},
            "mine_minutes": mine_s / 60,
            "train_minutes": (mine_s + meta.cost_s) / 60,
        }

    return work


def make_measuring(key: Mapping[str, Any], folder: str, work: str) -> Callable[[], Row]:
    """The model in `folder`, or the stock model, on the set's split, alone and with BM25."""

    def measure() -> Row:
        data = real_set(key["set"])
        judged = data.qrels["dev"] if key["split"] == "dev" else opened(data, Path(work))
        made = Path(folder) / "model"
        model = load(options=replace(stock(key), model=str(made)) if folder else stock(key))
        vectors = encode_corpus(model, data.docs, Path(folder or work) / "vectors")
        queries = [data.queries[query_id] for query_id in sorted(judged)]
        models = {"model": (model, vectors)}
        hits, weights, _ = rank(data, queries, models=models, depth=DEPTH, clock=Clock(), talk=Silent())
        reports = {name: report(hits[name], judged, key["split"]) for name in ("model", "hybrid_model", "bm25")}
        alone = reports["model"]
        found: Row = {
            **intervals(alone),
            "hybrid": {**intervals(reports["hybrid_model"]), "bm25_weight": weights["model"]},
            **({} if folder else {"bm25": intervals(reports["bm25"])}),
            "values": {str(one): pack(alone.values(one)) for one in MEASURES},
            "hybrid_values": {str(one): pack(reports["hybrid_model"].values(one)) for one in MEASURES},
        }
        if key["split"] == "dev" and (Path(folder) / "curve").exists():
            found["curve"] = measure_curve(data, model=model, folder=Path(folder) / "curve")
        if key["split"] == "test":
            found["guard"] = guards(model, key, read_meta(made) if folder else None)
        return found

    return measure


def stock(key: Mapping[str, Any]) -> ModelOptions:
    """Where training starts. The packaged model is on this machine; another comes from the Hub or a folder."""
    return ModelOptions(model=key["model"])


def guards(model: Embedder, key: Mapping[str, Any], meta: Meta | None) -> dict[str, Any]:
    """nDCG@10 on the other sets, and, where the model is an average with stock, what it was before."""
    held = guard_set(key["set"])
    found = {"now": guard_of(model, held)}
    if meta is not None and 0 < (share := meta.outputs["share"]) < 1:
        before_averaging(model, load(options=stock(key)), share=share)
        found["before_averaging"] = guard_of(model, held)
    return found


@dataclass(frozen=True)
class Extras:
    """What a recipe asks of the lab itself.

    Attributes:
        mined: Whose ranking negatives are mined from before the training: `model`, `bm25`, `hybrid`, or `none` are
            mined; `auto`: as `lexitune tune` would, the model's where the recipe asks for negatives.
        keep_out: `dev+test`: what is relevant to their queries is no negative.
        curve: At how many places on its way the classic recipe is measured too.
    """

    mined: str = "auto"
    keep_out: str = "none"
    curve: int = 0

    def candidates(self, options: TrainOptions) -> str:
        """The ranking that negatives come from; an empty text: none are mined."""
        if self.mined == "auto":
            return MineOptions.candidates if options.negatives else ""
        return "" if self.mined == "none" else self.mined


def read_recipe(key: Mapping[str, Any]) -> tuple[TrainOptions, Extras]:
    """The options that a key names, and what is none of training's."""
    spec = parse_spec(key["recipe"])
    values = {name: _literal(value) for name, value in spec.values.items()}
    extras = Extras(**{option.name: values.pop(option.name) for option in fields(Extras) if option.name in values})
    fixed = {"recipe": spec.name, "seed": key["seed"], "checkpoint_s": NEVER_S}
    return build(TrainOptions, fixed, values), extras


def _literal(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def sample(data: Dataset, *, pairs: int, seed: int) -> Dataset:
    """The set with at most `pairs` train pairs, drawn by seed; corpus, dev and test whole."""
    return Dataset(
        data.docs,
        data.queries,
        {"train": draw(data.qrels["train"], pairs, each_pair=True, seed=seed), "dev": data.qrels["dev"]},
        data.test,
    )


def report(hits: Hits, judged: Qrels, split: str) -> Report:
    """One ranking, measured."""
    return measure_hits(hits, judged, MEASURES, split=split)


def intervals(found: Report) -> dict[str, Any]:
    """Measure -> mean with its interval."""
    return {str(one): asdict(found.interval(one)) for one in MEASURES}


def gain(after: str, before: str) -> dict[str, float]:
    """Mean paired difference of two packed lists, with its interval."""
    return {name: float(value) for name, value in asdict(paired_t(unpack(after) - unpack(before))).items()}


def pack(values: np.ndarray[Any, Any]) -> str:
    """Values in [0, 1], one a query in the order of their ids, as thousandths: short enough to be kept with the row."""
    return " ".join(str(round(1000 * float(value))) for value in values)


def unpack(text: str) -> np.ndarray[Any, Any]:
    """The values again, to a thousandth."""
    return np.array(text.split(), dtype=np.float64) / 1000


def circumstances(threads: int) -> Row:
    """On what and when."""
    return {
        "cpu": cpu_name(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "threads": threads,
        "versions": installed_versions(),
        "date": datetime.now(UTC).date().isoformat(),
    }


def _busy_s() -> float:
    times = psutil.cpu_times()
    return float(times.user + times.system + getattr(times, "nice", 0.0))
