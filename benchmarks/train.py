"""Training against sentence-transformers' trainer, both with MultipleNegativesRankingLoss: pairs a second.

    python -m benchmarks.train [--json] [--race default|exact|best|cached] [--sets tldr,tatqa] [--pairs 64]
    python -m benchmarks.train --memory          one step of a large batch under a budget, and the peer's of 256
    python -m benchmarks.train --device cuda [--model FOLDER] --race best --pairs 4096

`default`: the peer as called in its guide, batch 32, fp32, against ours in what the processor computes in natively.
`exact`: the same peer, ours in fp32. `best`: the peer with bf16 where that is native, and the batch size, loader
workers and, on a GPU, attention that a probe finds fastest. `cached`: its CachedMultipleNegativesRankingLoss at batch
256.

Pairs are drawn from each set with their own mix of lengths. A round goes once over them, from texts to changed weights:
tokenising, loading, gradients and the optimiser are in it on both sides. Beside the ratio stand real tokens a second,
the share of the machine's measured matmul rate, and how far the two sides' gradients of one batch agree.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from benchmarks.encode import flops, in_child
from benchmarks.flash import offer_flash_attention
from benchmarks.harness import SETS, Race, Side, arguments, hardware, model_folder, race, real_set, running, show
from lexitune.models.load import load
from lexitune.models.network import set_dropout
from lexitune.models.options import ModelOptions
from lexitune.models.sizing import TRAINING_PASSES
from lexitune.models.tokens import join_tokens
from lexitune.stages.train.batches import cut_batches, plan_batch
from lexitune.stages.train.examples import gather_examples
from lexitune.stages.train.options import TrainOptions
from lexitune.stages.train.recipe import settle
from lexitune.stages.train.step import Stepper
from lexitune.types import Dataset, Doc, Query

Pairs = Sequence[tuple[str, str]]

RACES = ("default", "exact", "best", "cached")
BATCH, CACHED_BATCH, MEMORY_BATCH = 32, 256, 4096
PEER_BATCHES = {"cpu": (16, 32, 64), "cuda": (32, 128)}
PEER_WORKERS = {"cpu": (0, 1), "cuda": (0,)}  # on a GPU machine starting four took a minute
PEER_ATTENTION = {"cpu": (None,), "cuda": (None, "flash_attention_2")}
PROBED = {"cpu": 64, "cuda": 512}  # pairs that the peer's settings are chosen on
MB = 2**20


def make_ours(
    pairs: Pairs,
    batch_size: int,
    precision: str,
    memory_gb: float | None = None,
    device: str = "cpu",
    model: str = "minilm",
) -> Callable[[], Any]:
    """One epoch of our steps; gives the losses."""
    embedder = load(model, options=ModelOptions(device=device, precision=precision))
    data = dataset_of(pairs)
    options = TrainOptions(batch_size=batch_size, learning_rate=2e-5, loss="infonce", mask="none", warmup_steps=0)
    recipe = settle(options, token_budget=embedder.token_budget)

    def work() -> list[float]:
        examples = gather_examples(data, data.qrels["train"])
        tokens = join_tokens([embedder.tokenise_queries(examples.queries), embedder.tokenise_docs(examples.docs)])
        batches = list(cut_batches(examples, batch_size=batch_size, seed=1, epochs=1))
        memory = None if memory_gb is None else int(memory_gb * 1e9)
        stepper = Stepper(embedder.network, tokens, recipe=recipe, steps=len(batches), memory=memory)
        with embedder.network.compute(keep_memory=memory_gb is None):
            return [
                stepper.take(plan_batch(examples, batch, mask=recipe.mask), step=step).loss
                for step, batch in enumerate(batches)
            ]

    return work


def make_peer(
    pairs: Pairs,
    batch_size: int,
    *,
    cached: bool = False,
    bf16: bool = False,
    workers: int = 0,
    attention: str | None = None,
    device: str = "cpu",
    model: str = "minilm",
) -> Callable[[], Any]:
    """One epoch of sentence-transformers' trainer; what is not named here is its default."""
    from datasets import Dataset as Table
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import losses
    from sentence_transformers.sentence_transformer.trainer import SentenceTransformerTrainer
    from sentence_transformers.sentence_transformer.training_args import SentenceTransformerTrainingArguments

    if attention == "flash_attention_2":
        offer_flash_attention()
    kwargs = {"attn_implementation": attention} if attention else {}
    network = SentenceTransformer(str(model_folder(model)), device=device, model_kwargs=kwargs)
    if attention:
        set_dropout(network, 0.0)  # the kernel at hand has none: less work for the peer, not more
    table = Table.from_dict({"anchor": [query for query, _ in pairs], "positive": [doc for _, doc in pairs]})
    kind = losses.CachedMultipleNegativesRankingLoss if cached else losses.MultipleNegativesRankingLoss
    folder = tempfile.mkdtemp()

    def work() -> None:
        arguments = SentenceTransformerTrainingArguments(
            output_dir=folder,
            num_train_epochs=1,
            per_device_train_batch_size=batch_size,
            learning_rate=2e-5,
            bf16=bf16,
            dataloader_num_workers=workers,
            use_cpu=device == "cpu",
            report_to="none",
            save_strategy="no",
            disable_tqdm=True,
        )
        SentenceTransformerTrainer(model=network, args=arguments, train_dataset=table, loss=kind(network)).train()

    return work


def make_probe(pairs: Pairs, bf16: bool, device: str, model: str) -> Callable[[], dict[str, Any]]:
    """The peer's fastest batch size, number of workers and attention, by the clock; what does not fit is left out."""

    def work() -> dict[str, Any]:
        import torch

        tried = []
        ways = product(PEER_ATTENTION[device], PEER_BATCHES[device], PEER_WORKERS[device])
        for attention, batch_size, workers in ways:
            way: dict[str, Any] = {"batch_size": batch_size, "workers": workers, "attention": attention, "bf16": bf16}
            try:
                epoch = make_peer(pairs, **way, device=device, model=model)
                start = time.perf_counter()
                epoch()
            except torch.OutOfMemoryError:
                torch.cuda.empty_cache()
                continue
            tried.append((time.perf_counter() - start, way))
        return {**min(tried, key=lambda one: one[0])[1], "tried": [(s, *way.values()) for s, way in tried]}

    return work


def make_gradients(pairs: Pairs, precision: str, device: str, model: str) -> Callable[[], dict[str, float]]:
    """How near our gradient of one batch is to the peer's, taken through its own padded pass with dropout off."""

    def work() -> dict[str, float]:
        import torch
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
        from sentence_transformers.util import batch_to_device

        peer = SentenceTransformer(str(model_folder(model)), device=device).eval()
        features = [batch_to_device(peer.preprocess([pair[side] for pair in pairs]), peer.device) for side in (0, 1)]
        value = MultipleNegativesRankingLoss(peer)(features, torch.empty(0))
        value.backward()
        ours = load(model, options=ModelOptions(device=device, precision=precision))
        data = dataset_of(pairs)
        examples = gather_examples(data, data.qrels["train"])
        recipe = settle(TrainOptions(loss="infonce", mask="none"), token_budget=ours.token_budget)
        tokens = join_tokens([ours.tokenise_queries(examples.queries), ours.tokenise_docs(examples.docs)])
        stepper = Stepper(ours.network, tokens, recipe=recipe, steps=1)
        batch = plan_batch(examples, np.arange(len(examples)), mask="none")
        with ours.network.compute():
            loss = float(stepper.gradient(batch))
        right, found = (
            torch.cat([one.grad.double().flatten() for one in parameters if one.grad is not None])
            for parameters in (peer.parameters(), ours.network.parameters())
        )
        cosine = torch.nn.functional.cosine_similarity(right, found, dim=0)
        return {
            "one_less_gradient_cosine": 1 - float(cosine),
            "norm_ratio": float(found.norm() / right.norm()),
            "loss_difference": abs(loss - value.item()),
        }

    return work


def make_lengths(pairs: Pairs, model: str) -> Callable[[], Any]:
    """Tokens of every text, as both sides cut it."""
    ours = load(model, options=ModelOptions(device="cpu", precision="fp32"))
    queries, docs = [query for query, _ in pairs], [doc for _, doc in pairs]
    return lambda: np.concatenate([ours.tokenise_queries(queries).lengths, ours.tokenise_docs(docs).lengths])


def dataset_of(pairs: Pairs) -> Dataset:
    """The pairs as judgements, each with a query and a doc of its own."""
    docs = [Doc(f"d{number}", doc) for number, (_, doc) in enumerate(pairs)]
    queries = {f"q{number}": Query(f"q{number}", query) for number, (query, _) in enumerate(pairs)}
    return Dataset(docs, queries, {"train": {f"q{number}": {f"d{number}": 1} for number in range(len(pairs))}})


def draw_pairs(names: Sequence[str], count: int) -> list[tuple[str, str]]:
    """`count` train pairs, as many from each set, each query and each passage once, in a seeded order."""
    draw, found = np.random.default_rng(17), []
    for name in names:
        data = real_set(name)
        docs = {doc.doc_id: doc.full_text for doc in data.docs}
        chosen: dict[str, str] = {}
        for query_id in draw.permutation(sorted(data.qrels["train"])):
            doc_id = max(data.qrels["train"][query_id].items(), key=lambda item: (item[1], item[0]))[0]
            if len(chosen) == -(-count // len(names)):
                break
            if docs[doc_id] not in chosen.values():
                chosen.setdefault(data.queries[query_id].text, docs[doc_id])
        found += list(chosen.items())
    return [found[row] for row in draw.permutation(len(found))][:count]


def run_race(
    kind: str, pairs: Pairs, on: Mapping[str, str], *, native: bool, rounds: int, threads: int | None
) -> dict[str, Any]:
    """One race by its name; `on` is the device and the model of both sides."""
    batch = CACHED_BATCH if kind == "cached" else BATCH
    peer: dict[str, Any] = {"pairs": pairs, "batch_size": batch, "cached": kind == "cached", **on}
    tried = []
    if kind == "best":
        found = in_child(Side(make_probe, {"pairs": pairs[: PROBED[on["device"]]], "bf16": native, **on}), threads)
        tried = found.pop("tried")
        peer |= found
    precision = "fp32" if kind == "exact" else "auto"
    ours = {"pairs": pairs, "batch_size": peer["batch_size"], "precision": precision, **on}
    laps = race(Side(make_ours, ours), Side(make_peer, peer), rounds=rounds, threads=threads)
    settings = {name: value for name, value in peer.items() if name != "pairs"}
    return {
        **laps.to_json(),
        "pairs": len(pairs),
        "peer_settings": settings,
        "tried": tried,
        **rates(laps, pairs, on["model"], threads),
    }


def rates(laps: Race, pairs: Pairs, model: str, threads: int | None) -> dict[str, float]:
    """What our side reached, by the median round."""
    lengths = in_child(Side(make_lengths, {"pairs": pairs, "model": model}), threads)
    seconds = float(np.median([lap.seconds for lap in laps.ours]))
    return {
        "pairs_per_s": len(pairs) / seconds,
        "tokens_per_s": float(lengths.sum()) / seconds,
        # What gradient caching encodes again is not counted.
        "gflops": TRAINING_PASSES * flops(lengths, model) / seconds / 1e9,
    }


def run_memory(pairs: Pairs, *, budget_gb: float, threads: int | None) -> dict[str, Any]:
    """Memory of one step above the model and the optimiser's state: ours of all pairs, the peer's of 256."""
    weights = in_child(Side(make_weights, {}), threads)
    peaks = {}
    for name, side in {
        "ours": Side(
            make_ours, {"pairs": pairs, "batch_size": len(pairs), "precision": "auto", "memory_gb": budget_gb}
        ),
        "peer": Side(make_peer, {"pairs": pairs[:CACHED_BATCH], "batch_size": CACHED_BATCH, "cached": True}),
    }.items():
        with running(side, threads) as lap:
            done = lap()
        peaks[name] = {
            "batch": len(side.given["pairs"]),
            "peak_mb": done.peak_mb - 2 * weights,
            "seconds": done.seconds,
        }
    share = peaks["ours"]["peak_mb"] / peaks["peer"]["peak_mb"]
    return {
        **peaks,
        "ratio": {"median": 1 / share, "low": 1 / share, "high": 1 / share},
        "rounds": 1,
        "budget_gb": budget_gb,
    }


def make_weights() -> Callable[[], float]:
    """Megabytes of the model's weights, in fp32."""
    model = load("minilm", options=ModelOptions(device="cpu", precision="fp32"))
    return lambda: sum(parameter.nbytes for parameter in model.network.parameters()) / MB


def main() -> None:
    """The command."""
    parser = arguments(__doc__ or "", devices=True)
    parser.add_argument("--race", default="default", choices=RACES)
    parser.add_argument("--sets", default=",".join(SETS), help="retrieval sets, separated by commas (default all nine)")
    parser.add_argument("--pairs", type=int, help="pairs of a round (default two batches; cached: one of 256)")
    parser.add_argument("--memory", action="store_true", help="memory of one large step")
    parser.add_argument("--budget-gb", type=float, default=0.25, help="for graphs, with --memory (default 0.25)")
    given = parser.parse_args()
    if given.memory and (given.device, given.model) != ("cpu", "minilm"):
        parser.error("--memory is measured with minilm on the processor")
    machine, on = hardware(given.threads, given.device), {"device": given.device, "model": given.model}
    native = machine["bf16_gflops"] is not None
    default = MEMORY_BATCH if given.memory else CACHED_BATCH if given.race == "cached" else 2 * BATCH
    pairs = draw_pairs(given.sets.split(","), given.pairs or default)
    if given.memory:
        found = run_memory(pairs, budget_gb=given.budget_gb, threads=given.threads)
    else:
        found = run_race(given.race, pairs, on, native=native, rounds=given.rounds, threads=given.threads)
        peak = machine["bf16_gflops"] if native and given.race != "exact" else machine["fp32_gflops"]
        found["share_of_matmul"] = found["gflops"] / peak
    agreement = {
        precision: in_child(Side(make_gradients, {"pairs": pairs[:BATCH], "precision": precision, **on}), given.threads)
        for precision in ("fp32", "bf16")[: 2 if native else 1]
    }
    show(
        {"race": "memory" if given.memory else given.race, **found, "agreement": agreement, "hardware": machine},
        as_json=given.json,
    )


if __name__ == "__main__":
    main()
