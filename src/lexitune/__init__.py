"""lexitune: teach an embedding model one field's language, and prove that retrieval got better.

The public names are loaded when first used, so that `import lexitune` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lexitune.io.workspace import Workspace as Workspace
    from lexitune.models.load import load as load
    from lexitune.pipeline.data import read as read
    from lexitune.pipeline.deciding import assess as assess
    from lexitune.pipeline.tune import tune as tune
    from lexitune.stages.evaluate.measuring import evaluate as evaluate
    from lexitune.stages.mine.mining import mine as mine
    from lexitune.stages.promote.driver import run as promote  # noqa: F401  (public under this name)
    from lexitune.stages.reembed.staging import reembed as reembed
    from lexitune.stages.train.training import train as train

__version__ = "0.1.0"

PUBLIC = {
    "Workspace": "lexitune.io.workspace",
    "assess": "lexitune.pipeline.deciding",
    "evaluate": "lexitune.stages.evaluate.measuring",
    "load": "lexitune.models.load",
    "mine": "lexitune.stages.mine.mining",
    "promote": "lexitune.stages.promote.driver:run",
    "read": "lexitune.pipeline.data",
    "reembed": "lexitune.stages.reembed.staging",
    "train": "lexitune.stages.train.training",
    "tune": "lexitune.pipeline.tune",
}
"""Public name -> the module that defines it, and what it is called there if it has another name."""

__all__ = sorted([*PUBLIC, "__version__"])


def __getattr__(name: str) -> Any:
    if name not in PUBLIC:
        raise AttributeError(f"module 'lexitune' has no attribute {name!r}")
    module, _, attribute = PUBLIC[name].partition(":")
    return getattr(import_module(module), attribute or name)
