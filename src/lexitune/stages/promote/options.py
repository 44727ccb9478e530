"""Options of promote: the gate."""

from dataclasses import dataclass, field

__all__ = ["PromoteOptions"]


@dataclass(frozen=True)
class PromoteOptions:
    """What the challenger must show. Declared before training, in `lexitune.toml`."""

    min_gain: float = field(
        default=0.0,
        metadata={"help": "The lower bound of the gain in R@10 must lie above this (0.02 is two points)"},
    )
    min_queries: int = field(default=50, metadata={"help": "Fewest test queries that can carry a verdict", "least": 1})
    guard: str = field(
        default="shown",
        metadata={
            "help": "shown: a loss of general text that is shown refuses; strict: one that cannot be ruled out "
            "blocks too; off: it is told only",
            "choices": ("shown", "strict", "off"),
        },
    )
    max_loss: float = field(
        default=0.02, metadata={"help": "Most nDCG@10 that general text may lose (0.02 is two points)", "least": 0.0}
    )
    max_unjudged_more: float = field(
        default=0.1,
        metadata={
            "help": "More unjudged hits than this, beyond stock's share of the first ten: nothing is refused before "
            "they are labelled",
            "least": 0.0,
        },
    )
    keep: str = field(
        default="7d",
        metadata={
            "help": "How long no command drops what served before: 12h, 7d, 4w; 0d: not at all",
            "form": r"\d{1,4}[hdw]",
        },
    )
    beat_bm25: bool = field(
        default=False, metadata={"help": "Also demand that the challenger, alone or in hybrid, is above BM25"}
    )
