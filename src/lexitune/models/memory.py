"""How much is encoded at once: by device, and by the memory that encoding may take."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from lexitune.errors import UsageError

__all__ = ["GRAPH_SHARE", "UNLIMITED", "Limits", "anonymous_bytes", "container_bytes", "fit_limits", "pass_bytes"]

GB = 10**9
# Shares of the room under a limit; the rest is for texts, and for holes between blocks of changing size: a pass
# was seen to take up to twice its activations.
SHARE_OF_PASS, SHARE_OF_PART = 0.3, 0.2
GRAPH_SHARE = 0.25
"""Of what is free: what training's graphs may take. The rest is for loss, optimiser and the machine's other work."""
COPIES = 3  # of a part's vectors: as computed, as gathered, as written
FEWEST_ROWS = 64


@dataclass(frozen=True, slots=True)
class Limits:
    """What is encoded at once.

    Args:
        token_budget: Padded tokens of one forward pass. On a CPU the activations of a batch should stay near the
            caches, and small batches pad less (docs/decisions.md has the times); a GPU wants enough work to hide
            its launches.
        part_rows: Most texts of one part: what a kill can lose, and what is sorted by token length together.
        part_chars: Most characters of one part. About a minute of work on a laptop, a second on a GPU.
    """

    token_budget: int
    part_rows: int
    part_chars: int


UNLIMITED = {"cpu": Limits(2048, 8192, 2**20), "cuda": Limits(32768, 65536, 2**24)}
"""By device, where memory is not limited."""


def anonymous_bytes() -> int:
    """Memory of this process that no file stands behind. Mapped vectors do not count: the kernel can drop them."""
    memory = psutil.Process().memory_info()
    return int(memory.rss - getattr(memory, "shared", 0))


def container_bytes() -> float:
    """Bytes that the container of this process may hold; infinite where there is none, or no limit."""
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if limit.is_file() else ""
    return float(text) if text.isdigit() else math.inf


def pass_bytes(config: Any, *, length: int, item_bytes: int) -> float:
    """Activations of one token of a text of `length` tokens in a forward pass without gradients.

    A layer holds at once its input, queries, keys, values and their mix (6 widths), or both sides of the feed-forward
    (2 inner widths and 3 widths), and the scores of each head against all tokens, twice.

    Example:
        Width 4, 1 head, 2 tokens, 4 bytes: 4 * (3 * 4 + 2 * 16 + 2 * 2).

        >>> from types import SimpleNamespace
        >>> pass_bytes(SimpleNamespace(hidden_size=4, num_attention_heads=1), length=2, item_bytes=4)
        192.0
    """
    width = config.hidden_size
    inner = getattr(config, "intermediate_size", 4 * width)
    scores = 2 * config.num_attention_heads * length
    return float(item_bytes * (max(6 * width, 3 * width + 2 * inner) + scores))


def fit_limits(
    device: str, *, text_bytes: float, max_length: int, row_bytes: int, max_memory: float, taken: int
) -> Limits:
    """The limits of a device, made smaller where `max_memory` asks for it.

    Args:
        device: `cpu` or `cuda`. On a GPU `max_memory` bounds the host's memory, not the GPU's.
        text_bytes: Activations of one token of the longest text, see `pass_bytes`.
        max_length: Longest text in tokens; one such text has to fit.
        row_bytes: Bytes of a vector.
        max_memory: GB that the process may hold.
        taken: Bytes that it holds already.

    Raises:
        UsageError: Not even one text of `max_length` fits.

    Example:
        1.001 GB, of which 1 GB is taken: 1 MB of room, 300 KB for a pass, 200 KB for a part.

        >>> fit_limits("cpu", text_bytes=1000, max_length=8, row_bytes=400, max_memory=1.001, taken=10**9)
        Limits(token_budget=300, part_rows=166, part_chars=1048576)
    """
    most = UNLIMITED.get(device, UNLIMITED["cpu"])
    room = round(max_memory * GB) - taken
    tokens, rows = int(room * SHARE_OF_PASS / text_bytes), int(room * SHARE_OF_PART / (COPIES * row_bytes))
    if device == "cuda":
        tokens = most.token_budget  # its activations are not in the host's memory
    if tokens < max_length or rows < FEWEST_ROWS:
        least = max(max_length * text_bytes / SHARE_OF_PASS, FEWEST_ROWS * COPIES * row_bytes / SHARE_OF_PART)
        raise UsageError(
            "E2106",
            f"--max-memory {max_memory:g} leaves no room to encode: {taken / GB:.1f} GB are taken already",
            fix=f"--max-memory {math.ceil(10 * (taken + least) / GB) / 10:g}",
        )
    return Limits(min(most.token_budget, tokens), min(most.part_rows, rows), most.part_chars)
