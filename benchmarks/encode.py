"""Encoding against `SentenceTransformer.encode`: as people call it, and tuned in good faith at the same number format.

    python -m benchmarks.encode [--json] [--sets scifact,tatqa] [--texts 300] [--precision auto]

Texts are drawn from each set with their own mix of lengths; both sides cut them at the model's own maximum. Besides
the ratios it tells whether both gave the same vectors, what was padded, and which share of the machine's measured
matmul rate was reached on passages of about 200 tokens.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import SETS, Race, Side, arguments, hardware, minilm_folder, race, real_set, running, show
from lexitune.models.load import load
from lexitune.models.memory import UNLIMITED
from lexitune.models.options import ModelOptions
from lexitune.models.shape import SHAPES
from lexitune.models.sizing import forward_flops
from lexitune.models.tokens import TokenIds, budget_batches

Matrix = NDArray[np.float32]
PEER_BATCHES = (8, 16, 32, 64, 128)
LONG = (180, 220)  # tokens: "passages of 200 tokens"


def make_ours(texts: Sequence[str], precision: str) -> Callable[[], Matrix]:
    """`encode_docs` of a loaded model."""
    model = load("minilm", options=ModelOptions(device="cpu", precision=precision))
    return lambda: model.encode_docs(texts)


def make_peer(
    texts: Sequence[str], batch_size: int = 32, attention: str | None = None, dtype: str = "float32"
) -> Callable[[], Matrix]:
    """`SentenceTransformer.encode`; the defaults are its own."""
    import torch
    from sentence_transformers import SentenceTransformer

    kwargs: dict[str, Any] = {"dtype": getattr(torch, dtype)} if dtype != "float32" else {}
    if attention:
        kwargs["attn_implementation"] = attention
    model = SentenceTransformer(str(minilm_folder()), device="cpu", model_kwargs=kwargs)

    def work() -> Matrix:
        # bfloat16 has no numpy type, so such a model's vectors come as a tensor.
        found = model.encode(list(texts), batch_size=batch_size, convert_to_tensor=True, show_progress_bar=False)
        return found.float().numpy()

    return work


def make_probe(texts: Sequence[str], dtype: str) -> Callable[[], dict[str, Any]]:
    """The peer's best batch size and attention on a sample, by the clock."""

    def work() -> dict[str, Any]:
        tried = []
        for attention in ("sdpa", "eager"):
            for batch_size in PEER_BATCHES:
                encode = make_peer(texts, batch_size, attention, dtype)
                encode()
                start = time.perf_counter()
                encode()
                tried.append((time.perf_counter() - start, batch_size, attention))
        _, batch_size, attention = min(tried)
        return {"batch_size": batch_size, "attention": attention, "dtype": dtype}

    return work


def make_count(texts: Sequence[str], max_length: int | None) -> Callable[[], TokenIds]:
    """The token ids of the texts as ours cuts them."""
    model = load("minilm", options=ModelOptions(device="cpu", precision="fp32", max_length=max_length))
    return lambda: model.tokenise_docs(texts)


def in_child(side: Side, threads: int | None) -> Any:
    """One run of one side, in a process of its own."""
    with running(side, threads) as lap:
        return lap().value


def flops(lengths: NDArray[np.int64]) -> float:
    """Multiplications and additions of MiniLM's products for texts of these lengths, without padding."""
    return forward_flops(SHAPES["sentence-transformers/all-MiniLM-L6-v2"], lengths)


def padding(lengths: NDArray[np.int64], budget: int) -> float:
    """Share of computed tokens that are padding."""
    computed = sum(len(rows) * int(lengths[rows].max()) for rows in budget_batches(lengths, budget))
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


def rate(found: Race, lengths: NDArray[np.int64]) -> dict[str, float]:
    """Real tokens and operations a second of our side, by the median round."""
    seconds = float(np.median([lap.seconds for lap in found.ours]))
    return {"tokens_per_s": float(lengths.sum()) / seconds, "gflops": flops(lengths) / seconds / 1e9}


def long_passages(
    texts: Sequence[str], lengths: NDArray[np.int64], precision: str, *, peak: float, threads: int | None
) -> dict[str, float]:
    """The rate on passages of about 200 tokens, and which share of the matmul rate it is."""
    chosen = (lengths >= LONG[0]) & (lengths <= LONG[1])
    long = [text for text, is_long in zip(texts, chosen, strict=True) if is_long]
    ours, idle = Side(make_ours, {"texts": long, "precision": precision}), Side(make_peer, {"texts": long[:1]})
    laps = race(ours, idle, rounds=3, threads=threads)
    found = rate(laps, lengths[chosen])
    return found | {"texts": len(long), "share_of_matmul": found["gflops"] / peak}


def main() -> None:
    """The command."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--sets", default=",".join(SETS), help="retrieval sets, separated by commas (default all nine)")
    parser.add_argument("--texts", type=int, default=300, help="passages drawn from each set (default 300)")
    parser.add_argument("--precision", default="auto", choices=("auto", "fp32", "bf16"))
    given = parser.parse_args()
    machine = hardware(given.threads)
    precision = given.precision
    if precision == "auto":
        precision = "bf16" if machine["bf16_gflops"] else "fp32"
    if precision == "bf16" and not machine["bf16_gflops"]:
        parser.error("this processor does not compute in bf16")
    draw = np.random.default_rng(17)
    texts: list[str] = []
    for name in given.sets.split(","):
        docs = real_set(name).docs
        chosen = draw.permutation(len(docs))[: given.texts]
        texts += [docs[row].full_text for row in chosen]
    texts = [texts[row] for row in draw.permutation(len(texts))]
    lengths = in_child(Side(make_count, {"texts": texts, "max_length": None}), given.threads).lengths
    dtype = "bfloat16" if precision == "bf16" else "float32"
    best = in_child(Side(make_probe, {"texts": texts[:200], "dtype": dtype}), given.threads)

    ours = Side(make_ours, {"texts": texts, "precision": precision})
    default = race(ours, Side(make_peer, {"texts": texts}), rounds=given.rounds, threads=given.threads)
    tuned = race(ours, Side(make_peer, {"texts": texts} | best), rounds=given.rounds, threads=given.threads)
    found = default.to_json() | {
        "against_best": tuned.to_json() | {"settings": best},
        "precision": precision,
        "texts": len(texts),
        "tokens": int(lengths.sum()),
        "padding": padding(lengths, UNLIMITED["cpu"].token_budget),
        "rate": rate(default, lengths),
        "passages_of_200": long_passages(
            texts, lengths, precision, peak=machine[f"{precision}_gflops"], threads=given.threads
        ),
        "agreement": agreement(default.ours[-1].value, default.peer[-1].value),
        "hardware": machine,
    }
    show(found, as_json=given.json)


if __name__ == "__main__":
    main()
