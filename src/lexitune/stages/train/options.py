"""Options of train."""

from dataclasses import dataclass, field

__all__ = ["TrainOptions"]


@dataclass(frozen=True)
class TrainOptions:
    """The recipe. A value that is not set is the recipe's own."""

    recipe: str = field(
        default="default",
        metadata={
            "help": "default: large in-batch batches, symmetric loss; fast: the same, for the upper half of the "
            "layers; mnrl: sentence-transformers' own classic trainer; adapter: a map on query vectors, trained in "
            "seconds, with the index left as it is",
            "choices": ("default", "fast", "mnrl", "adapter"),
        },
    )
    epochs: int | None = field(
        default=None,
        metadata={
            "help": "Passes over the pairs (default 1 to 5, for about 48 steps, below 900 pairs 90; fast for 32; "
            "mnrl 3, adapter 15)",
            "least": 1,
        },
    )
    batch_size: int | None = field(
        default=None,
        metadata={
            "help": "Pairs in a batch (default 32 to 128 by the number of pairs, below 900 pairs 16; fast 32 to 128, "
            "mnrl 16, adapter 256)",
            "least": 2,
        },
    )
    learning_rate: float | None = field(
        default=None,
        metadata={
            "help": "Peak learning rate (default 2e-4 to 4e-4, below 900 pairs half of it, lower for large models; "
            "mnrl 2e-5, adapter 1e-3)",
            "least": 0.0,
        },
    )
    warmup_steps: int | None = field(
        default=None, metadata={"help": "Steps of linear warm-up (default a tenth, mnrl 100)", "least": 0}
    )
    schedule: str = field(
        default="linear",
        metadata={
            "help": "How the learning rate falls after the warm-up",
            "choices": ("linear", "cosine", "constant"),
        },
    )
    loss: str | None = field(
        default=None,
        metadata={
            "help": "Loss on embeddings: infonce, infonce-reverse, infonce-symmetric (default), kl, margin-mse, or a "
            "plugin's"
        },
    )
    matryoshka: str | None = field(
        default=None, metadata={"help": "Train prefixes of the vectors too: their sizes, such as 256,128,64"}
    )
    temperature: float = field(
        default=0.05, metadata={"help": "Softmax temperature of the similarities", "least": 0.001}
    )
    learn_temperature: bool = field(default=False, metadata={"help": "Let the temperature learn, from there on"})
    mask: str | None = field(
        default=None,
        metadata={
            "help": "relevant (default): other queries' known positives are no negatives; guide: nor what the stock "
            "model scores above the right passage; none: all of them are",
            "choices": ("relevant", "guide", "none"),
        },
    )
    negatives: int | None = field(
        default=None,
        metadata={
            "help": "Mined negatives of each pair in a batch (default 1 after lexitune mine); where asked for, "
            "tune mines first",
            "least": 0,
        },
    )
    positives: str = field(
        default="all",
        metadata={
            "help": "all: an epoch has every pair; sample: every query once, with one of its passages by lot",
            "choices": ("all", "sample"),
        },
    )
    dropout: float = field(
        default=0.0, metadata={"help": "Share of numbers dropped at random; 0 is fastest", "least": 0.0, "most": 0.9}
    )
    lora: int | None = field(
        default=None, metadata={"help": "Train LoRA matrices of this rank in place of the weights", "least": 1}
    )
    freeze_layers: int | None = field(
        default=None,
        metadata={
            "help": "Lower layers that do not learn (default 0, below 900 pairs a sixth of them; fast half of them)",
            "least": 0,
        },
    )
    freeze_table: bool = field(default=False, metadata={"help": "Let the table of word vectors not learn"})
    blend: float | None = field(
        default=None,
        metadata={
            "help": "Share of the trained weights in the published ones, the rest is stock (default 0.7, unless dev "
            "or general text speaks against it; fast 0.7, mnrl 1.0)",
            "least": 0.0,
            "most": 1.0,
        },
    )
    general: str | None = field(
        default=None, metadata={"help": "BEIR folder of general text, in place of the one that comes with lexitune"}
    )
    token_budget: int | None = field(
        default=None,
        metadata={"help": "Most padded tokens in one forward pass (default: what suits the device)", "least": 1},
    )
    dev_queries: int = field(default=300, metadata={"help": "Most dev queries in one dev evaluation", "least": 10})
    patience: int | None = field(
        default=None,
        metadata={
            "help": "Stop after this many dev evaluations without a better one (default 3, adapter 5)",
            "least": 1,
        },
    )
    max_minutes: float | None = field(
        default=None, metadata={"help": "Stop in time to be done after this many minutes", "least": 0.01}
    )
    max_cost: float | None = field(
        default=None, metadata={"help": "Stop in time to have spent at most this many pounds", "least": 0.0}
    )
    hourly_rate: float = field(default=0.0, metadata={"help": "Pounds that this machine costs an hour", "least": 0.0})
    tracker: str | None = field(
        default=None,
        metadata={
            "help": "Also log to this tracker, through accelerate",
            "choices": (
                "aim",
                "clearml",
                "comet_ml",
                "dvclive",
                "mlflow",
                "swanlab",
                "tensorboard",
                "trackio",
                "wandb",
            ),
        },
    )
    checkpoint_s: float = field(default=60.0, metadata={"help": "Seconds between checkpoints, at most", "least": 0.0})
    seed: int = field(default=13, metadata={"help": "Seed of the order of pairs, and of all that is drawn", "least": 0})
