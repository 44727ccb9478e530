"""Options of the journey."""

from dataclasses import dataclass, field

__all__ = ["TuneOptions"]


@dataclass(frozen=True)
class TuneOptions:
    """How far `tune` goes on its own."""

    anyway: bool = field(default=False, metadata={"help": "Train even when the advice is not to"})
    promote: bool = field(
        default=True,
        metadata={"help": "Let the gate's yes make the tuned model serve; --no-promote only reports"},
    )
