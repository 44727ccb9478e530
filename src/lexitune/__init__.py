"""lexitune: teach an embedding model one field's language, and prove that retrieval got better.

The public names are loaded when first used, so that `import lexitune` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lexitune.models.load import load as load
    from lexitune.pipeline.data import read as read

__version__ = "0.1.0"

PUBLIC = {
    "load": "lexitune.models.load",
    "read": "lexitune.pipeline.data",
}
"""Public name -> the module that defines it."""

__all__ = sorted([*PUBLIC, "__version__"])


def __getattr__(name: str) -> Any:
    if name not in PUBLIC:
        raise AttributeError(f"module 'lexitune' has no attribute {name!r}")
    return getattr(import_module(PUBLIC[name]), name)
