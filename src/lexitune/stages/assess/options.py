"""Options of assess."""

from dataclasses import dataclass, field

__all__ = ["AssessOptions"]


@dataclass(frozen=True)
class AssessOptions:
    """When the stock model is good enough, and how many pairs and queries a tune needs."""

    threshold: float = field(
        default=0.70,
        metadata={
            "help": "Stock R@10 at or above this is good enough: do not tune",
            "least": 0.0,
            "most": 1.0,
        },
    )
    least_gain: float = field(
        default=0.02,
        metadata={"help": "A tune must be expected to gain this much R@10 (0.02 is two points)", "least": 0.0},
    )
    pilot: bool = field(
        default=True, metadata={"help": "Foretell a tune's gain by linear maps on the stock model's vectors (seconds)"}
    )
    pilot_minutes: float = field(
        default=0.0,
        metadata={
            "help": "Also tune for so many minutes, on as many pairs as fit, and measure the gain on dev queries",
            "least": 0.0,
        },
    )
    max_queries: int = field(default=2000, metadata={"help": "Most train and dev queries to measure on", "least": 50})
    min_pairs: int = field(default=500, metadata={"help": "Fewest training pairs worth a tune", "least": 1})
    min_test_queries: int = field(
        default=50, metadata={"help": "Fewest test queries that can carry a verdict", "least": 1}
    )
    also: str = field(
        default="",
        metadata={
            "help": "Other stock models to compare with, by commas: a name, a folder, vectors:FOLDER, openai:MODEL"
        },
    )
    try_length: int | None = field(
        default=None,
        metadata={"help": "Also measure the stock model where it reads this many tokens of a passage", "least": 8},
    )
    reranker: str | None = field(
        default=None,
        metadata={"help": "Cross-encoder to measure behind the hybrid: a folder or a cached Hub id"},
    )
    rerank_depth: int = field(
        default=50, metadata={"help": "Passages of a query that the reranker puts in order", "least": 10, "most": 100}
    )
    rerank_queries: int = field(
        default=500, metadata={"help": "Most queries to measure the reranker on, beside the others", "least": 50}
    )
    store: str | None = field(
        default=None,
        metadata={"help": "Index that serves, in the stock model's place: pgvector:ADDRESS,table=TABLE. Only read"},
    )
    store_model: str | None = field(
        default=None,
        metadata={"help": "Who encodes queries for that index: openai:MODEL. Left out: --model, on this machine"},
    )
    log: str | None = field(
        default=None,
        metadata={
            "help": "Search log to compare the judged queries with: CSV, TSV, JSONL, Parquet, or one query a line"
        },
    )
    language: str = field(
        default="en", metadata={"help": "General language that the corpus's words are compared with, such as de"}
    )
    period: str = field(
        default="week",
        metadata={"help": "Periods between which words may change", "choices": ("day", "week", "month")},
    )
    seed: int = field(default=13, metadata={"help": "Seed of the sample of queries"})
