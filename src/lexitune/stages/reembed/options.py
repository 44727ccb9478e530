"""Options of reembed."""

from dataclasses import dataclass, field

__all__ = ["ReembedOptions"]


@dataclass(frozen=True)
class ReembedOptions:
    """Who encodes, where the staged index lies, and how it is checked before it counts as complete."""

    engine: str = field(
        default="local",
        metadata={
            "help": "Who encodes: this process, or workers on the cluster of RAY_ADDRESS, else on this machine",
            "choices": ("local", "ray"),
        },
    )
    workers: int | None = field(
        default=None,
        metadata={"help": "Workers of --engine ray (default: one a GPU, or as many as the cores allow)", "least": 1},
    )
    verify_sample: int = field(
        default=64,
        metadata={
            "help": "Passages encoded a second time and compared before the index is complete",
            "least": 1,
        },
    )
    store: str = field(
        default="",
        metadata={"help": "Store that serves the index, such as pgvector:postgresql:///shop,table=docs; empty: files"},
    )
    least_agreement: float = field(
        default=0.99,
        metadata={
            "help": "Share of exact search's first ten that the store's index must give",
            "least": 0.5,
            "most": 1.0,
        },
    )
