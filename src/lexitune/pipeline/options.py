"""Options of the journey, and of its plan."""

from dataclasses import dataclass, field

__all__ = ["PlanOptions", "TuneOptions"]


@dataclass(frozen=True)
class TuneOptions:
    """How far `tune` goes on its own."""

    anyway: bool = field(default=False, metadata={"help": "Train even when the advice is not to"})
    promote: bool = field(
        default=True,
        metadata={"help": "Let the gate's yes make the tuned model serve; --no-promote only reports"},
    )


@dataclass(frozen=True)
class PlanOptions:
    """What `plan` reckons with."""

    gpu: str | None = field(
        default=None,
        metadata={
            "help": "Row of the table of hardware: 3090, 4090, 5090, L4, A10, A100, H100, H200, cpu, or your own"
        },
    )
    hardware: str | None = field(
        default=None, metadata={"help": "TOML file whose rows add to that table or change it (default hardware.toml)"}
    )
    pairs: int | None = field(
        default=None, metadata={"help": "Training pairs (default: those of the data)", "least": 1}
    )
    docs: int | None = field(
        default=None,
        metadata={"help": "Passages of the corpus (default: those of the data, else as many as pairs)", "least": 1},
    )
    query_tokens: int = field(default=24, metadata={"help": "Tokens of a query, where there is no data", "least": 1})
    doc_tokens: int = field(default=256, metadata={"help": "Tokens of a passage, where there is no data", "least": 1})
    label_minutes: float = field(
        default=0.0, metadata={"help": "Minutes that a person spends on a pair; 0: they are there", "least": 0.0}
    )
    hourly_wage: float = field(default=0.0, metadata={"help": "Pounds that an hour of a person costs", "least": 0.0})
    llm_cost: float = field(
        default=0.0, metadata={"help": "Pounds that a language model costs for each pair", "least": 0.0}
    )
    gain: float | None = field(
        default=None,
        metadata={
            "help": "Points of R@10 to reckon with (default: what this workspace's last evaluation measured)",
            "least": 0.01,
        },
    )
