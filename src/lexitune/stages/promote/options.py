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
    beat_bm25: bool = field(
        default=False, metadata={"help": "Also demand that the challenger, alone or in hybrid, is above BM25"}
    )
