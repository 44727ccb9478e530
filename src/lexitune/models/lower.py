"""Frozen lower layers: their outputs are computed once a text, kept on disk, and handed to the layers above.

Layers that do not learn give the same states in every epoch, as long as nothing is dropped at random. What is kept is
one row a token, in the number format that the network computes in. All are computed before they are used, in passes
that depend on the texts alone: a training that resumes has the same states to the last bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lexitune.io.atomic import replacing
from lexitune.models.network import Network
from lexitune.models.tokens import TokenIds, budget_batches
from lexitune.types import Silent, Talk

__all__ = ["LowerLayers", "state_bytes", "write_states"]

Rows = NDArray[np.int64]


def state_bytes(network: Network, tokens: TokenIds) -> int:
    """Disk that the states of all texts take."""
    return len(tokens.ids) * network.width * network.dtype.itemsize


def write_states(
    network: Network, tokens: TokenIds, *, count: int, path: Path, token_budget: int, talk: Talk | None = None
) -> None:
    """Write what the first `count` layers make of each text of a pool.

    Args:
        path: File for the states, as large as `state_bytes` says; it is there when all of them are.
        token_budget: Most padded tokens in one pass.
        talk: Hears of progress in tokens.
    """
    # numpy has no bf16: half precision is stored by its bits.
    kind = np.float32 if network.dtype == torch.float32 else np.int16
    with replacing(path) as temporary:
        shape = (len(tokens.ids), network.width)
        states: Any = np.lib.format.open_memmap(temporary, mode="w+", dtype=kind, shape=shape)
        done = 0
        for rows in budget_batches(tokens.lengths, token_budget):
            found, _ = _states_of(network, tokens, rows, count)
            flat = found.flatten(0, 1)
            lengths = tokens.lengths_of(rows)
            if not network.packed:
                flat = flat[
                    torch.from_numpy(np.flatnonzero(np.arange(lengths.max()) < lengths[:, None])).to(flat.device)
                ]
            flat = flat.cpu()
            states[tokens.places(rows)] = (flat if kind is np.float32 else flat.view(torch.int16)).numpy()
            done += int(lengths.sum())
            (talk or Silent()).progress("frozen layers", done, len(tokens.ids))
        states.flush()


class LowerLayers:
    """What the first layers make of each text of a pool, in place of these layers.

    Args:
        network: Its first `count` layers, and all before them, do not change while this lives.
        tokens: The pool.
        path: What `write_states` wrote for them.
    """

    def __init__(self, network: Network, tokens: TokenIds, *, count: int, path: Path) -> None:
        self.network, self.tokens, self.count = network, tokens, count
        self._states: Any = np.load(path, mmap_mode="r")
        _, self._in_tuple = _states_of(network, tokens, np.zeros(1, np.int64), count)

    @contextmanager
    def standing_in(self, rows: Rows, real: NDArray[np.bool_] | None) -> Iterator[None]:
        """Within the block a pass of `rows` gets its lower states from here.

        Args:
            rows: Texts of the pool, as they go through.
            real: bool (len(rows), longest), where a padded pass has tokens; None: packed in one row.
        """
        states = self._spread(self.tokens.places(rows), real)
        with ExitStack() as stack:
            for layer in self.network.layers[: self.count]:
                stack.enter_context(_giving(layer, (states,) if self._in_tuple else states))
            yield

    def _spread(self, places: Rows, real: NDArray[np.bool_] | None) -> torch.Tensor:
        flat = self.network.to_device(self._states[places])
        if flat.dtype != torch.float32:
            flat = flat.view(self.network.dtype)
        return flat[None] if real is None else self.network.spread(flat, real)


class _Enough(Exception):
    """The states are there: no layer above has to be computed for them."""


def _states_of(network: Network, tokens: TokenIds, rows: Rows, count: int) -> tuple[torch.Tensor, bool]:
    """What layer `count` gives for these texts, and whether it gives it in a tuple."""
    found: list[Any] = []

    def take(_layer: torch.nn.Module, _given: Any, out: Any) -> None:
        found.append(out)
        raise _Enough

    handle = network.layers[count - 1].register_forward_hook(take)
    try:
        with torch.no_grad():
            network.embed(tokens, rows)
    except _Enough:
        pass
    finally:
        handle.remove()
    return (found[0][0], True) if isinstance(found[0], tuple) else (found[0], False)


@contextmanager
def _giving(layer: torch.nn.Module, states: Any) -> Iterator[None]:
    """Within the block the layer computes nothing and gives these states."""
    layer.forward = lambda *_args, **_kwargs: states
    try:
        yield
    finally:
        del layer.forward
