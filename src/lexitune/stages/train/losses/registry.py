"""The losses by name. A plugin adds one through the entry-point group `lexitune.loss`."""

from __future__ import annotations

from lexitune.registry import Registry

__all__ = ["LOSSES"]

LOSSES = Registry(
    "loss",
    {
        "infonce": "lexitune.stages.train.losses.infonce:infonce",
        "infonce-reverse": "lexitune.stages.train.losses.infonce:infonce_reverse",
        "infonce-symmetric": "lexitune.stages.train.losses.infonce:infonce_symmetric",
        "kl": "lexitune.stages.train.losses.distill:kl",
        "margin-mse": "lexitune.stages.train.losses.distill:margin_mse",
    },
)
"""name -> a function `(Batch, *, temperature) -> scalar Tensor`."""
