"""Encoding against `SentenceTransformer.encode`: as people call it, and tuned in good faith at the same number format.

    python -m benchmarks.encode [--json] [--sets scifact,tatqa] [--texts 300] [--precision auto] [--device cuda]

Texts are drawn from each set with their own mix of lengths; both sides cut them at the model's own maximum. Besides
the ratios it tells whether both gave the same vectors, what was padded, and which share of the machine's measured
matmul rate was reached on passages of about 200 tokens.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.flash import offer_flash_attention
from benchmarks.harness import SETS, Race, Side, arguments, hardware, model_folder, race, real_set, running, show
from lexitune.models.load import load
from lexitune.models.memory import UNLIMITED
from lexitune.models.options import ModelOptions
from lexitune.models.shape import read_shape
from lexitune.models.sizing import forward_flops
from lexitune.models.tokens import TokenIds, cheapest_batches

Matrix = NDArray[np.float32]
PEER_BATCHES = {"cpu": (8, 16, 32, 64, 128), "cuda": (32, 128, 512)}
PEER_ATTENTION = {"cpu": ("sdpa", "eager"), "cuda": ("sdpa", "flash_attention_2")}
PROBED = {"cpu": 200, "cuda": 2000}  # texts that the peer's settings are chosen on
LONG = (180, 220)  # tokens: "passages of 200 tokens"


def make_ours(texts: Sequence[str], precision: str, device: str = "cpu", model: str = "minilm") -> Callable[[], Matrix]:
    """`encode_docs` of a loaded model."""
    embedder = load(model, options=ModelOptions(device=device, precision=precision))
    return lambda: embedder.encode_docs(texts)


def make_peer(
    texts: Sequence[str],
    batch_size: int = 32,
    attention: str | None = None,
    dtype: str = "float32",
    device: str = "cpu",
    model: str = "minilm",
) -> Callable[[], Matrix]:
    """`SentenceTransformer.encode`; the defaults are its own."""
    import torch
    from sentence_transformers import SentenceTransformer

    kwargs: dict[str, Any] = {"dtype": getattr(torch, dtype)} if dtype != "float32" else {}
    if attention:
        kwargs["attn_implementation"] = attention
    if attention == "flash_attention_2":
        offer_flash_attention()
    network = SentenceTransformer(str(model_folder(model)), device=device, model_kwargs=kwargs)

    def work() -> Matrix:
        # bfloat16 has no numpy type, so such a model's vectors come as a tensor.
        found = network.encode(list(texts), batch_size=batch_size, convert_to_tensor=True, show_progress_bar=False)
        return found.float().cpu().numpy()

    return work


def make_probe(texts: Sequence[str], dtype: str, device: str, model: str) -> Callable[[], dict[str, Any]]:
    """The peer's best batch size and attention on a sample, by the clock."""

    def work() -> dict[str, Any]:
        tried = []
        for attention in PEER_ATTENTION[device]:
            if attention == "flash_attention_2" and dtype == "float32":
                continue
            for batch_size in PEER_BATCHES[device]:
                encode = make_peer(texts, batch_size, attention, dtype, device, model)
                encode()
                start = time.perf_counter()
                encode()
                tried.append((time.perf_counter() - start, batch_size, attention))
        _, batch_size, attention = min(tried)
        return {"batch_size": batch_size, "attention": attention, "dtype": dtype}

    return work


def make_count(texts: Sequence[str], model: str) -> Callable[[], TokenIds]:
    """The token ids of the texts as ours cuts them."""
    embedder = load(model, options=ModelOptions(device="cpu", precision="fp32"))
    return lambda: embedder.tokenise_docs(texts)


def in_child(side: Side, threads: int | None) -> Any:
    """One run of one side, in a process of its own."""
    with running(side, threads) as lap:
        return lap().value


def flops(lengths: NDArray[np.int64], model: str = "minilm") -> float:
    """Multiplications and additions of a model's products for texts of these lengths, without padding."""
    return forward_flops(read_shape(model_folder(model)), lengths)


def padding(lengths: NDArray[np.int64], budget: int) -> float:
    """Share of computed tokens that are padding, where texts do not go through packed."""
    computed = sum(len(rows) * int(lengths[rows].max()) for rows in cheapest_batches(lengths, budget))
    return 1 - float(lengths.sum()) / computed


def agreement(ours: Matrix, peer: Matrix) -> dict[str, float]:
    """Cosines to the peer's fp32 vectors, and how far norms are from 1."""
    norms = np.linalg.norm(ours.astype(np.float64), axis=1)
    cosines = (ours.astype(np.float64) * peer).sum(axis=1) / norms / np.linalg.norm(peer.astype(np.float64), axis=1)
    return {
        "cosine_mean": float(cosines.mean()),
        "cosine_least": float(cosines.min()),
        "norm_error": float(np.abs(norms - 1).max()),
    }


def rate(found: Race, lengths: NDArray[np.int64], model: str = "minilm") -> dict[str, float]:
    """Real tokens and operations a second of our side, by the median round."""
    seconds = float(np.median([lap.seconds for lap in found.ours]))
    return {"tokens_per_s": float(lengths.sum()) / seconds, "gflops": flops(lengths, model) / seconds / 1e9}


def long_passages(
    texts: Sequence[str], lengths: NDArray[np.int64], ours: Mapping[str, Any], *, peak: float, threads: int | None
) -> dict[str, float]:
    """The rate on passages of about 200 tokens, and which share of the matmul rate it is."""
    chosen = (lengths >= LONG[0]) & (lengths <= LONG[1])
    long = [text for text, is_long in zip(texts, chosen, strict=True) if is_long]
    idle = Side(make_peer, {"texts": long[:1], "device": ours["device"], "model": ours["model"]})
    laps = race(Side(make_ours, {**ours, "texts": long}), idle, rounds=3, threads=threads)
    found = rate(laps, lengths[chosen], ours["model"])
    return found | {"texts": len(long), "share_of_matmul": found["gflops"] / peak}


def draw_texts(names: Sequence[str], each: int) -> list[str]:
    """`each` passages of every set, in a seeded order."""
    draw, texts = np.random.default_rng(17), []
    for name in names:
        docs = real_set(name).docs
        texts += [docs[row].full_text for row in draw.permutation(len(docs))[:each]]
    return [texts[row] for row in draw.permutation(len(texts))]


def main() -> None:
    """The command."""
    parser = arguments(__doc__ or "", devices=True)
    parser.add_argument("--sets", default=",".join(SETS), help="retrieval sets, separated by commas (default all nine)")
    parser.add_argument("--texts", type=int, default=300, help="passages drawn from each set (default 300)")
    parser.add_argument("--precision", default="auto", choices=("auto", "fp32", "bf16"))
    given = parser.parse_args()
    machine = hardware(given.threads, given.device)
    precision = given.precision
    if precision == "auto":
        precision = "bf16" if machine["bf16_gflops"] else "fp32"
    if precision == "bf16" and not machine["bf16_gflops"]:
        parser.error("this processor does not compute in bf16")
    texts = draw_texts(given.sets.split(","), given.texts)
    on = {"device": given.device, "model": given.model}
    count = Side(make_count, {"texts": texts, "model": given.model})
    lengths = in_child(count, given.threads).lengths
    dtype = "bfloat16" if precision == "bf16" else "float32"
    sample = texts[: PROBED[given.device]]
    best = in_child(Side(make_probe, {"texts": sample, "dtype": dtype, **on}), given.threads)

    ours = Side(make_ours, {"texts": texts, "precision": precision, **on})
    default = race(ours, Side(make_peer, {"texts": texts, **on}), rounds=given.rounds, threads=given.threads)
    tuned = race(ours, Side(make_peer, {"texts": texts, **best, **on}), rounds=given.rounds, threads=given.threads)
    peak = machine[f"{precision}_gflops"]
    found = default.to_json() | {
        "against_best": tuned.to_json() | {"settings": best},
        "precision": precision,
        **({} if given.model == "minilm" else {"model": given.model}),
        "texts": len(texts),
        "tokens": int(lengths.sum()),
        "padding": padding(lengths, UNLIMITED[given.device].token_budget),
        "rate": rate(default, lengths, given.model),
        "passages_of_200": long_passages(texts, lengths, ours.given, peak=peak, threads=given.threads),
        "agreement": agreement(default.ours[-1].value, default.peer[-1].value),
        "hardware": machine,
    }
    show(found, as_json=given.json)


if __name__ == "__main__":
    main()
