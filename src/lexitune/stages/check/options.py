"""Options of check."""

from dataclasses import dataclass, field

__all__ = ["CheckOptions"]


@dataclass(frozen=True)
class CheckOptions:
    """What is looked at, and where a cleaned copy goes."""

    deep: bool = field(
        default=False,
        metadata={
            "help": "Ask the stock model too: passages beyond its length, and suspected label errors "
            "(encodes the corpus)"
        },
    )
    fix: str | None = field(
        default=None, metadata={"help": "New folder for a cleaned copy with its log; what you have is left as it is"}
    )
