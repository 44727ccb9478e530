"""Options of every command that loads a model."""

from dataclasses import dataclass, field

__all__ = ["ModelOptions"]


@dataclass(frozen=True)
class ModelOptions:
    """Which stock model, and how it computes."""

    model: str = field(
        default="auto",
        metadata={"help": "Stock model: minilm, a folder, a Hub id such as BAAI/bge-small-en-v1.5, or auto"},
    )
    precision: str = field(
        default="auto",
        metadata={
            "help": "Number format of the computation; auto takes bf16 where the hardware computes in it natively",
            "choices": ("auto", "fp32", "bf16", "fp16"),
        },
    )
    max_length: int | None = field(
        default=None,
        metadata={
            "help": "Longest text in tokens; longer ones are cut. Not set: what the model was made for",
            "least": 8,
        },
    )
    max_memory: float | None = field(
        default=None,
        metadata={
            "help": "GB of memory that encoding may bring the process to; batches and parts shrink to fit. "
            "Not set: what is fastest",
            "least": 0.1,
        },
    )
    device: str = field(default="auto", metadata={"help": "auto, cpu, cuda or cuda:N"})
    revision: str | None = field(default=None, metadata={"help": "Revision of a Hub model, for a reproducible run"})
    trust_remote_code: bool = field(
        default=False,
        metadata={"help": "Run code that comes with the model; needs --revision, so that the code is the one you read"},
    )
