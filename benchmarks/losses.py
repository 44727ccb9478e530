"""InfoNCE with its gradient against sentence-transformers' CachedMultipleNegativesRankingLoss.

    python -m benchmarks.losses [--json] [--sizes 1024,4096] [--mini-batch 32]

Both get the vectors of a batch, 384 numbers each, and give the loss and the gradient of every vector: what stands
between encoding and the network's backward pass. A round computes it several times, so that memory is seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import Race, Side, Work, arguments, hardware, minilm_folder, race, running, show

DIM = 384
TEMPERATURE = 0.05
CELLS_A_ROUND = 2**25  # of score matrices: 32 times 1024 x 1024
FEW = 8

Answer = tuple[float, NDArray[np.float32], NDArray[np.float32]]  # loss, gradients of queries and of passages


def main() -> None:
    """Run what the arguments ask for."""
    parser = arguments("InfoNCE with its gradient against CachedMultipleNegativesRankingLoss")
    parser.add_argument("--sizes", default="1024,4096", help="pairs in a batch, separated by commas")
    parser.add_argument("--mini-batch", type=int, default=32, help="the peer's mini_batch_size (default its own, 32)")
    given = parser.parse_args()
    how = {"rounds": given.rounds, "threads": given.threads}
    sizes = {size: compare(size, given.mini_batch, how) for size in map(int, given.sizes.split(","))}
    last = sizes[max(sizes)]
    show({**last, "sizes": sizes, "hardware": hardware(given.threads)}, as_json=given.json)


def compare(size: int, mini_batch: int, how: Mapping[str, Any]) -> dict[str, Any]:
    """A race at one size, its memory above the vectors, and how far the results are apart."""
    repeats = max(1, CELLS_A_ROUND // size**2)
    ours = Side(make_ours, {"size": size, "repeats": repeats})
    peer = Side(make_peer, {"size": size, "repeats": repeats, "mini_batch": mini_batch})
    laps = race(ours, peer, **how)
    found = {"batch": size, "repeats": repeats, **laps.to_json(), "agreement": agreement(laps)}
    for name, side in (("ours", ours), ("peer", peer)):
        # In a process that has computed it before, memory is there already.
        with running(side, how["threads"]) as lap:
            found[name]["peak_mb"] = lap().peak_mb
    return found


def vectors(size: int) -> tuple[Any, Any]:
    """Queries, and passages at a cosine of about 0.24 to theirs: with fewer left to learn from, rounding rules."""
    import torch

    seed = torch.Generator().manual_seed(0)
    queries = torch.randn(size, DIM, generator=seed)
    return queries, queries + 4 * torch.randn(size, DIM, generator=seed)


def make_ours(*, size: int, repeats: int) -> Work:
    """`infonce` on a batch with nothing masked."""
    import torch

    from lexitune.stages.train.losses.batch import Batch
    from lexitune.stages.train.losses.infonce import infonce

    def compute(queries: Any, docs: Any, relevant: Any) -> Answer:
        queries.grad = docs.grad = None
        value = infonce(Batch(queries, docs, None, torch.ones(len(queries)), relevant), temperature=TEMPERATURE)
        value.backward()  # type: ignore[no-untyped-call]
        return value.item(), queries.grad.numpy(), docs.grad.numpy()

    few, given = (
        (*(side.requires_grad_() for side in vectors(count)), torch.eye(count, dtype=torch.bool))
        for count in (FEW, size)
    )
    return repeated(lambda: compute(*few), lambda: compute(*given), repeats)


def make_peer(*, size: int, repeats: int, mini_batch: int) -> Work:
    """`calculate_loss` as the peer's own forward pass calls it: vectors in mini-batches, gradients left in them."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.losses import CachedMultipleNegativesRankingLoss

    model = SentenceTransformer(str(minilm_folder()), device="cpu", local_files_only=True)
    loss = CachedMultipleNegativesRankingLoss(model, scale=1 / TEMPERATURE, mini_batch_size=mini_batch)

    def compute(parts: Any) -> Answer:
        for part in (*parts[0], *parts[1]):
            part.grad = None
        value = loss.calculate_loss(parts, with_backward=True)
        queries, docs = (torch.cat([part.grad for part in side]).numpy() for side in parts)
        return value.item(), queries, docs

    few, given = (
        [[part.clone().requires_grad_() for part in side.split(mini_batch)] for side in vectors(count)]
        for count in (FEW, size)
    )
    return repeated(lambda: compute(few), lambda: compute(given), repeats)


def repeated(first: Work, work: Work, times: int) -> Work:
    """The work that often, after a small one that loads what the libraries load on first use."""
    first()

    def all_of_it() -> Any:
        for _ in range(times):
            found = work()
        return found

    return all_of_it


def agreement(laps: Race) -> dict[str, float]:
    """How far the loss and both gradients are apart, as shares of the peer's."""
    (value, *ours), (expected, *peer) = laps.ours[-1].value, laps.peer[-1].value
    apart = [float(np.linalg.norm(a - b) / np.linalg.norm(b)) for a, b in zip(ours, peer, strict=True)]
    return {"loss": abs(value - expected) / expected, "queries": apart[0], "passages": apart[1]}


if __name__ == "__main__":
    main()
