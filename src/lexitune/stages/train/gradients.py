"""One training step's gradient: a sorted pool of texts, and no more graphs in memory than fit.

The loss needs all vectors of the batch at once, the network does not need all texts at once
(gradient caching, Gao et al. 2021, arXiv 2101.06983). Their method encodes every text twice. Here
the graphs of as many micro-batches as fit are kept from the first pass, and only the rest is
encoded again.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import torch
from numpy.typing import NDArray
from torch import Tensor

from lexitune.errors import DataError, StageFailed
from lexitune.io.processes import ALONE, Processes
from lexitune.models.attention import pairs_up_to
from lexitune.models.learning import learning
from lexitune.models.memory import GB, GRAPH_SHARE, container_bytes
from lexitune.models.network import Network
from lexitune.models.tokens import TokenIds
from lexitune.types import Talk

__all__ = ["GraphCost", "backpropagate", "graph_memory", "tell_room", "telling_memory"]

Rows = NDArray[np.int64]
RandomState = tuple[Tensor, Tensor | None]  # of the processor's generator, and of the GPU's


@dataclass(frozen=True, slots=True)
class GraphCost:
    """Bytes that one text's graph keeps until its backward pass.

    A layer keeps what goes into each of its linear maps and what comes out, what its norms saw, and, where attention
    is a plain product, a weight for each pair of tokens. On eight architectures, grouped heads and gated feed-forwards
    among them, this was 0.7 to 1.2 times what is kept.

    Args:
        token_bytes: Of all layers that learn, for each token.
        pair_bytes: For each pair of tokens.
        pairs_up_to: Longest text in tokens whose pairs are kept: the fused kernel computes them again.
    """

    token_bytes: int
    pair_bytes: int
    pairs_up_to: float = math.inf

    def bytes(self, length: int) -> int:
        """Bytes of one text padded to `length` tokens.

        Example:
            >>> cost = GraphCost(token_bytes=100, pair_bytes=8, pairs_up_to=10)
            >>> cost.bytes(10), cost.bytes(11)  # 10 * (100 + 8 * 10), and 11 * 100
            (1800, 1100)
        """
        return length * (self.token_bytes + (self.pair_bytes * length if length <= self.pairs_up_to else 0))

    @classmethod
    def of(cls, network: Network) -> GraphCost:
        """Count what the computing trunk's layers keep as they are now: learning or not, checkpointed or not."""
        config, item = network.trunk.config, network.dtype.itemsize
        try:
            layers = list(network.layers)
        except DataError:  # layers that share their weights, for instance: each counts as the whole trunk
            layers = [network.computing] * config.num_hidden_layers
        layers = [layer for layer in layers if any(one.requires_grad for one in layer.parameters())]
        if network.computing.is_activation_checkpointing:
            return cls(len(layers) * network.width * item, 0)
        # With dropout both its sides are kept, and what it dropped.
        copies = 2.5 if network.training else 1.0
        pairs = int(copies * len(layers) * config.num_attention_heads * item)
        return cls(sum(_layer_bytes(layer, item) for layer in layers), pairs, pairs_up_to(network.computing))


def _layer_bytes(layer: torch.nn.Module, item: int) -> int:
    """Bytes that a layer keeps for each token, pairs aside."""
    numbers = rms = 0
    for module in layer.modules():
        if isinstance(module, torch.nn.Linear):
            numbers += module.in_features + module.out_features
        elif isinstance(module, torch.nn.LayerNorm):
            numbers += module.normalized_shape[0]
        elif type(module).__name__.endswith("RMSNorm"):  # transformers writes each out, in fp32 steps
            rms += sum(parameter.numel() for parameter in module.parameters(recurse=False))
    return numbers * item + 2 * rms * 4


def graph_memory(device: torch.device) -> int:
    """Bytes that kept graphs may take: a quarter of what is free on the device, or in the container."""
    return int(_free_memory(device) * GRAPH_SHARE)


def tell_room(network: Network, *, copies: int, talk: Talk) -> None:
    """Warn before the first step where not even what stands beside the weights fits the device.

    Args:
        copies: How many times the learning weights will be held again: gradient, AdamW's two moments, and so on.
    """
    needed = copies * sum(parameter.nbytes for parameter in learning(network))
    free = _free_memory(network.device)
    if needed > free:
        talk.say(
            f"this will not fit: gradients, optimiser and copies of the weights take {needed / GB:.1f} GB, and "
            f"{free / GB:.1f} are free; --lora 16 or a smaller --model takes less, lexitune plan tells how much"
        )


@contextmanager
def telling_memory() -> Iterator[None]:
    """Within the block a device that runs out of memory beside the passes of a step is told of, with what takes less.

    Raises:
        StageFailed: It did.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise StageFailed(
            "E1203",
            "the device has too little memory for gradients, optimiser and copies of the weights",
            fix="--lora 16, or a smaller --model",
        ) from error


def _free_memory(device: torch.device) -> int:
    """Bytes that are free on the device, or in the container."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    free, limit = psutil.virtual_memory().available, container_bytes()
    used = Path("/sys/fs/cgroup/memory.current")
    if math.isfinite(limit) and used.is_file():
        free = min(free, max(0, int(limit) - int(used.read_text())))
    return int(free)


def backpropagate(
    network: Network,
    tokens: TokenIds,
    rows: Rows,
    *,
    loss: Callable[[Tensor], Tensor],
    token_budget: int,
    memory: float = math.inf,
    group: Processes = ALONE,
    scaler: torch.amp.GradScaler | None = None,
    halved: Callable[[int], None] | None = None,
) -> Tensor:
    """Set the masters' `.grad` to the gradient of `loss(vectors of rows)`.

    How many graphs are kept changes neither the order of the sums nor the result. Each of several processes encodes
    its share of the texts; all of them then hold all vectors, compute the same loss, and sum their gradients, so the
    result is that of one process with the whole batch.

    Args:
        network: Computes, and takes the gradients.
        tokens: Pool of texts.
        rows: The batch's distinct texts, rows of the pool.
        loss: Function of float32 (len(rows), dim), in the order of `rows`.
        token_budget: Most padded tokens in one pass.
        memory: Bytes that kept graphs may take; 0 keeps none and encodes every text twice.
        group: The processes that share the batch; every one has to call with the same rows and loss.
        scaler: Scales what flows back, for fp16; the gradients set are still scaled.
        halved: Called with the new budget where a pass did not fit the device. None: it is an error.

    Returns:
        The loss, detached, on the network's device.

    Raises:
        torch.OutOfMemoryError: One text alone does not fit; or with dropout the second pass, which cannot be cut anew.
    """
    lengths = tokens.lengths_of(rows)
    # Sorted and dealt out in turn: every process has its part of the long and of the short ones.
    mine = np.argsort(-lengths, kind="stable")[group.rank :: group.count]
    work = _Passes(network, tokens, rows, mine, lengths, token_budget, halved)
    kept, own = _encode(work, memory)
    places = torch.from_numpy(mine).to(network.device)
    vectors = group.total(own.new_zeros(len(rows), own.shape[1]).index_copy_(0, places, own)).requires_grad_()
    value = loss(vectors)
    value.backward()  # type: ignore[no-untyped-call]  # torch has no hint for it
    assert vectors.grad is not None
    flowing = vectors.grad if scaler is None else scaler.scale(vectors.grad)
    _send_back(work, kept, flowing)
    if group.count > 1:
        _sum_grads(network, group)
    return value.detach()


@dataclass
class _Passes:
    """The passes that one process makes through the network for a batch; `mine` are its texts, longest first."""

    network: Network
    tokens: TokenIds
    rows: Rows
    mine: Rows
    lengths: Rows
    budget: int
    halved: Callable[[int], None] | None

    def cut(self) -> list[Rows]:
        """The texts of each pass."""
        return [self.mine[part] for part in self.network.cut(self.lengths[self.mine], self.budget)]

    def embed(self, part: Rows) -> Tensor:
        return self.network.embed(self.tokens, self.rows[part])

    def shrink(self) -> bool:
        """Half the size from now on, after memory ran out; False where it cannot be smaller or nobody wants it."""
        if self.halved is None or self.budget <= int(self.lengths[self.mine].max(initial=0)):
            return False
        self.budget //= 2
        self.halved(self.budget)
        if self.network.device.type == "cuda":
            torch.cuda.empty_cache()
        return True


@dataclass
class _Kept:
    """What the first pass leaves for the second: how it was cut, the first graphs, random states before the others."""

    parts: list[Rows]
    graphs: list[Tensor]
    states: list[RandomState]


def _encode(work: _Passes, memory: float) -> tuple[_Kept, Tensor]:
    """Vectors of this process's texts, in the order of `mine`, and what the second pass needs.

    Kept graphs may be what fills the device, so where memory runs out fewer are kept, and in the end none.
    """
    while True:
        try:
            return _encode_parts(work, work.cut(), memory)
        except torch.OutOfMemoryError:
            shrunk = work.shrink()
            if not (shrunk or memory):
                raise
        memory = memory / 2 if shrunk else 0.0


def _encode_parts(work: _Passes, parts: list[Rows], memory: float) -> tuple[_Kept, Tensor]:
    cost = GraphCost.of(work.network)
    costs = [len(part) * cost.bytes(int(work.lengths[part[0]])) for part in parts]
    # Those that fit come first in the second pass too, so the order of its sums never changes.
    count = int(np.searchsorted(np.cumsum(costs), memory, side="right"))
    graphs = [work.embed(part) for part in parts[:count]]
    states: list[RandomState] = []
    found = [graph.detach() for graph in graphs]
    with torch.no_grad():
        for part in parts[count:]:
            if work.network.training:  # dropout: the second pass has to drop the same numbers
                states.append(_random_state(work.network.device))
            found.append(work.embed(part))
    nothing = torch.empty(0, work.network.dimension, device=work.network.device)
    return _Kept(parts, graphs, states), torch.cat([nothing, *found])


def _send_back(work: _Passes, kept: _Kept, flowing: Tensor) -> None:
    """Carry the vectors' gradients to the weights, part by part, encoding again what has no graph."""
    while True:
        try:
            return _send_parts_back(work, kept, flowing)
        except torch.OutOfMemoryError:
            # With dropout, other parts would drop other numbers: the whole step has to be done again.
            if not work.shrink() or work.network.training:
                raise
        kept = _Kept(work.cut(), [], [])


def _send_parts_back(work: _Passes, kept: _Kept, flowing: Tensor) -> None:
    work.network.clear_grads()
    graphs, states = deque(kept.graphs), deque(kept.states)
    kept.graphs.clear()
    for part in kept.parts:
        # A graph leaves the queue as it is used, so that its memory is free for the texts encoded again.
        if graphs:
            graph = graphs.popleft()
        else:
            with _in_state(states.popleft() if states else None, work.network.device):
                graph = work.embed(part)
        graph.backward(flowing[torch.from_numpy(part).to(flowing.device)])  # type: ignore[no-untyped-call]
        del graph
        work.network.gather_grads()  # after every part: the copy's own sums would be bf16 sums


def _random_state(device: torch.device) -> RandomState:
    return torch.get_rng_state(), torch.cuda.get_rng_state(device) if device.type == "cuda" else None


@contextmanager
def _in_state(state: RandomState | None, device: torch.device) -> Iterator[None]:
    if state is None:
        yield
        return
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.set_rng_state(state[0])
        if state[1] is not None:
            torch.cuda.set_rng_state(state[1], device)
        yield


def _sum_grads(network: Network, group: Processes) -> None:
    """Sum the gradients of all processes, in one message; what has none in any, an unused pooler say, keeps none."""
    learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
    sizes = [one.numel() for one in learning]
    has_grad = torch.tensor([float(one.grad is not None) for one in learning], device=network.device)
    flat = torch.cat(
        [*((torch.zeros_like(one) if one.grad is None else one.grad).flatten() for one in learning), has_grad]
    )
    *grads, used = group.total(flat).split([*sizes, len(sizes)])
    for one, grad, count in zip(learning, grads, used.tolist(), strict=True):
        one.grad = grad.view_as(one) if count else None
