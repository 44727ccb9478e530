"""Options of reading a data set."""

from dataclasses import dataclass, field

__all__ = ["DataOptions"]


@dataclass(frozen=True)
class DataOptions:
    """What the input is and how it is split where it comes unsplit."""

    corpus: str | None = field(
        default=None,
        metadata={
            "help": "JSONL file of the passages that search must find; not set: the corpus is the pairs' own passages"
        },
    )
    max_bad_share: float = field(
        default=0.01,
        metadata={
            "help": "Stop when more than this share of lines cannot be read",
            "least": 0.0,
            "most": 1.0,
        },
    )
    dev_share: float = field(
        default=0.1,
        metadata={"help": "Share of queries for dev, where the data has no split", "least": 0.0, "most": 0.5},
    )
    test_share: float = field(
        default=0.2,
        metadata={
            "help": "Share of queries for test, where the data has no split",
            "least": 0.0,
            "most": 0.5,
        },
    )
    split: str = field(
        default="grouped",
        metadata={
            "help": "grouped keeps equal and nearly equal queries and one family on one side; "
            "strict also keeps every shared passage on one side",
            "choices": ("grouped", "strict"),
        },
    )
    split_seed: int = field(default=13, metadata={"help": "Seed of the split"})
    allow_leaks: bool = field(
        default=False,
        metadata={"help": "Keep the splits as they come, leaks and all; they are told, and measured apart"},
    )
