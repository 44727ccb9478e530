"""The losses by name. A plugin adds one through the entry-point group `lexitune.loss`."""

from __future__ import annotations

from lexitune.registry import Registry

__all__ = ["LOSSES"]

LOSSES = Registry(
    "loss",
    {
        "infonce": "lexitune.stages.train.losses.infonce:infonce",
        "infonce-symmetric": "lexitune.stages.train.losses.infonce:infonce_symmetric",
    },
)
"""name -> a function `(Batch, *, temperature) -> scalar Tensor`."""
