"""One training step's gradient: a sorted pool of texts, and no more graphs in memory than fit.

The loss needs all vectors of the batch at once, the network does not need all texts at once
(gradient caching, Gao et al. 2021, arXiv 2101.06983). Their method encodes every text twice. Here
the graphs of as many micro-batches as fit are kept from the first pass, and only the rest is
encoded again.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import torch
from numpy.typing import NDArray
from torch import Tensor

from lexitune.models.network import Network
from lexitune.models.tokens import TokenIds, budget_batches

__all__ = ["GraphCost", "backpropagate", "graph_memory"]

MEMORY_SHARE = 0.25  # of what is free: the rest is for the loss, the optimiser and the machine's other work


@dataclass(frozen=True, slots=True)
class GraphCost:
    """Bytes that one text's graph keeps until its backward pass.

    The count of Korthikanti et al. 2022 (arXiv 2205.05198, eq. 2) for 16-bit activations: a layer keeps
    34 bytes for each token and hidden unit, and 5 for each head and pair of tokens.
    """

    layers: int
    hidden: int
    heads: int
    item_bytes: int

    def bytes(self, length: int) -> int:
        """Bytes of one text padded to `length` tokens.

        Example:
            >>> GraphCost(layers=2, hidden=8, heads=2, item_bytes=2).bytes(10)  # 10 * 2 * (34 * 8 + 5 * 2 * 10)
            7440
        """
        return length * self.layers * (34 * self.hidden + 5 * self.heads * length) * self.item_bytes // 2

    @classmethod
    def of(cls, network: Network) -> GraphCost:
        """Read the sizes from the trunk's configuration; for an unknown layout, a guess on the large side."""
        config = network.trunk.config
        hidden = int(getattr(config, "hidden_size", network.dimension))
        return cls(
            layers=int(getattr(config, "num_hidden_layers", 24)),
            hidden=hidden,
            heads=int(getattr(config, "num_attention_heads", max(1, hidden // 32))),
            item_bytes=2 if network.precision == "bf16" else 4,
        )


def graph_memory(device: torch.device) -> int:
    """Bytes that kept graphs may take: a quarter of what is free on the device, or in the container."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(free * MEMORY_SHARE)
    free = psutil.virtual_memory().available
    limit, used = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
    if limit.is_file() and used.is_file() and (text := limit.read_text().strip()).isdigit():
        free = min(free, max(0, int(text) - int(used.read_text())))
    return int(free * MEMORY_SHARE)


def backpropagate(
    network: Network,
    tokens: TokenIds,
    rows: NDArray[np.int64],
    *,
    loss: Callable[[Tensor], Tensor],
    token_budget: int,
    memory: float = math.inf,
) -> Tensor:
    """Add the gradient of `loss(vectors of rows)` to the masters' `.grad`.

    How many graphs are kept changes neither the order of the sums nor the result.

    Args:
        network: Computes, and takes the gradients.
        tokens: Pool of texts.
        rows: The batch's distinct texts, rows of the pool.
        loss: Function of float32 (len(rows), dim), in the order of `rows`.
        token_budget: Most padded tokens in one pass.
        memory: Bytes that kept graphs may take; 0 keeps none and encodes every text twice.

    Returns:
        The loss, detached, on the network's device.
    """
    lengths = tokens.lengths[rows]
    parts = budget_batches(lengths, token_budget)
    kept = _count_kept([len(part) * GraphCost.of(network).bytes(int(lengths[part[0]])) for part in parts], memory)
    graphs = [network.embed(tokens, rows[part]) for part in parts[:kept]]
    with torch.no_grad():
        bare = [network.embed(tokens, rows[part]) for part in parts[kept:]]
    places = torch.from_numpy(np.concatenate(parts)).to(network.device)
    sorted_vectors = torch.cat([*(graph.detach() for graph in graphs), *bare])
    vectors = torch.empty_like(sorted_vectors).index_copy_(0, places, sorted_vectors).requires_grad_()
    value = loss(vectors)
    value.backward()  # type: ignore[no-untyped-call]  # torch has no hint for it
    assert vectors.grad is not None
    for number, part in enumerate(parts):
        # A graph leaves the list as it is used, so that its memory is free for the texts encoded again.
        graph = graphs.pop(0) if number < kept else network.embed(tokens, rows[part])
        graph.backward(vectors.grad[torch.from_numpy(part).to(network.device)])  # type: ignore[no-untyped-call]
        del graph
        network.gather_grads()  # after every part: the copy's own sums would be bf16 sums
    return value.detach()


def _count_kept(costs: list[int], memory: float) -> int:
    """How many of the first parts fit. They come first in the backward pass too, so its order never changes."""
    return int(np.searchsorted(np.cumsum(costs), memory, side="right"))
