"""Options of mine."""

from dataclasses import dataclass, field

__all__ = ["MineOptions"]


@dataclass(frozen=True)
class MineOptions:
    """Where negatives come from, and what keeps a right answer from being taken for one."""

    candidates: str = field(
        default="model",
        metadata={
            "help": "Whose ranking they come from: the model's own mistakes, BM25's, or both fused",
            "choices": ("model", "bm25", "hybrid"),
        },
    )
    count: int = field(default=4, metadata={"help": "Most negatives of a query", "least": 1})
    first: int = field(
        default=1, metadata={"help": "First rank to take, counted without the known right passages", "least": 1}
    )
    last: int = field(default=100, metadata={"help": "Last rank to take", "least": 1})
    pick: str = field(
        default="top",
        metadata={"help": "The highest ranks, or any of the window, by seed", "choices": ("top", "random")},
    )
    margin: float = field(
        default=0.05,
        metadata={
            "help": "Scores at most p - margin * |p|, p the weakest right passage's score; 0: at most p",
            "least": 0.0,
            "most": 1.0,
        },
    )
    absolute_margin: float | None = field(
        default=None, metadata={"help": "Also: scores at most p minus this", "least": 0.0}
    )
    max_score: float | None = field(default=None, metadata={"help": "Also: scores at most this"})
    near: float = field(
        default=0.8,
        metadata={
            "help": "Likeness (Jaccard) from which two queries or two passages count as one; 1.0: equal texts only",
            "least": 0.1,
            "most": 1.0,
        },
    )
    keep_out: str | None = field(
        default=None,
        metadata={
            "help": "Passages that are never negatives: those relevant to dev or test queries (default), or none "
            "(default of tune)",
            "choices": ("dev+test", "none"),
        },
    )
    reranker: str | None = field(
        default=None, metadata={"help": "Cross-encoder whose scores the margin compares: a folder or a cached Hub id"}
    )
    suspects: int = field(default=100, metadata={"help": "Negatives listed for an expert to check", "least": 0})
    seed: int = field(default=13, metadata={"help": "Seed of random picks and of the estimate's sample"})
