"""Frozen lower layers: their outputs are computed once a text, kept on disk, and handed to the layers above.

Layers that do not learn give the same states in every epoch, as long as nothing is dropped at random. What is kept is
one row a token, in the number format that the network computes in, so the vectors are the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lexitune.models.network import Network
from lexitune.models.tokens import TokenIds

__all__ = ["LowerLayers", "state_bytes"]

Rows = NDArray[np.int64]


def state_bytes(network: Network, tokens: TokenIds) -> int:
    """Disk that the states of all texts take."""
    return len(tokens.ids) * network.width * network.dtype.itemsize


class LowerLayers:
    """What the first `count` layers make of each text of a pool.

    Args:
        network: Its first `count` layers, and all before them, do not change while this lives.
        tokens: The pool.
        path: File for the states, as large as `state_bytes` says; it is made anew.
    """

    def __init__(self, network: Network, tokens: TokenIds, *, count: int, path: Path) -> None:
        self.network, self.tokens, self.count = network, tokens, count
        path.parent.mkdir(parents=True, exist_ok=True)
        # numpy has no bf16: half precision is stored by its bits.
        kind = np.float32 if network.dtype == torch.float32 else np.int16
        shape = (len(tokens.ids), network.width)
        self._states: Any = np.lib.format.open_memmap(path, mode="w+", dtype=kind, shape=shape)
        self._done = np.zeros(len(tokens), dtype=np.bool_)
        self._in_tuple = False

    @contextmanager
    def standing_in(self, rows: Rows, real: NDArray[np.bool_] | None) -> Iterator[None]:
        """Within the block a pass of `rows` gets its lower states from here, and leaves here those that are new.

        Args:
            rows: Texts of the pool, as they go through.
            real: bool (len(rows), longest), where a padded pass has tokens; None: packed in one row.
        """
        layers = self.network.layers[: self.count]
        offsets = self.tokens.offsets
        places = np.concatenate([np.arange(offsets[row], offsets[row + 1]) for row in rows])
        if self._done[rows].all():
            states = self._spread(places, real)
            with ExitStack() as stack:
                for layer in layers:
                    stack.enter_context(_giving(layer, (states,) if self._in_tuple else states))
                yield
            return
        found: list[Any] = []
        handle = layers[-1].register_forward_hook(lambda _layer, _given, out: found.append(out))
        try:
            yield
        finally:
            handle.remove()
        self._in_tuple = isinstance(found[0], tuple)
        states = (found[0][0] if self._in_tuple else found[0]).detach().flatten(0, 1)
        if real is not None:
            states = states[torch.from_numpy(np.flatnonzero(real)).to(states.device)]
        states = states.cpu()
        self._states[places] = (states if states.dtype == torch.float32 else states.view(torch.int16)).numpy()
        self._done[rows] = True

    def _spread(self, places: Rows, real: NDArray[np.bool_] | None) -> torch.Tensor:
        flat = self.network.to_device(self._states[places])
        if flat.dtype != torch.float32:
            flat = flat.view(self.network.dtype)
        if real is None:
            return flat[None]
        spread = flat.new_zeros(real.size, flat.shape[-1])
        spread.index_copy_(0, self.network.to_device(np.flatnonzero(real)), flat)
        return spread.view(*real.shape, -1)


@contextmanager
def _giving(layer: torch.nn.Module, states: Any) -> Iterator[None]:
    """Within the block the layer computes nothing and gives these states."""
    layer.forward = lambda *_args, **_kwargs: states
    try:
        yield
    finally:
        del layer.forward
