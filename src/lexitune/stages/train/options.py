"""Options of train."""

from dataclasses import dataclass, field

__all__ = ["TrainOptions"]


@dataclass(frozen=True)
class TrainOptions:
    """The recipe. A value that is not set is the recipe's own."""

    recipe: str = field(
        default="default",
        metadata={
            "help": "default: large in-batch batches, symmetric loss; mnrl: sentence-transformers' own classic trainer",
            "choices": ("default", "mnrl"),
        },
    )
    epochs: int | None = field(default=None, metadata={"help": "Passes over the pairs (default 1, mnrl 3)", "least": 1})
    batch_size: int | None = field(
        default=None, metadata={"help": "Pairs in a batch (default 128, mnrl 16)", "least": 2}
    )
    learning_rate: float | None = field(default=None, metadata={"help": "Peak learning rate (default 2e-4, mnrl 2e-5)"})
    warmup_steps: int | None = field(
        default=None, metadata={"help": "Steps of linear warm-up (default a tenth, mnrl 100)", "least": 0}
    )
    loss: str | None = field(default=None, metadata={"help": "Loss on embeddings (default infonce-symmetric)"})
    temperature: float = field(
        default=0.05, metadata={"help": "Softmax temperature of the similarities", "least": 0.001}
    )
    mask: str | None = field(
        default=None,
        metadata={
            "help": "relevant (default): other queries' known positives are no negatives; none: they are",
            "choices": ("relevant", "none"),
        },
    )
    blend: float | None = field(
        default=None,
        metadata={
            "help": "Share of the trained weights in the published ones, the rest is stock (default 0.7, mnrl 1.0)",
            "least": 0.0,
            "most": 1.0,
        },
    )
    token_budget: int | None = field(
        default=None,
        metadata={"help": "Most padded tokens in one forward pass (default: what suits the device)", "least": 64},
    )
    dev_queries: int = field(default=300, metadata={"help": "Most dev queries in one dev evaluation", "least": 10})
    checkpoint_s: float = field(default=60.0, metadata={"help": "Seconds between checkpoints, at most", "least": 0.0})
    seed: int = field(default=13, metadata={"help": "Seed of the order of pairs"})
