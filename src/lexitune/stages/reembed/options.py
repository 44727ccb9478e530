"""Options of reembed."""

from dataclasses import dataclass, field

__all__ = ["ReembedOptions"]


@dataclass(frozen=True)
class ReembedOptions:
    """How the staged index is checked before it counts as complete."""

    verify_sample: int = field(
        default=64,
        metadata={
            "help": "Passages encoded a second time and compared before the index is complete",
            "least": 1,
        },
    )
