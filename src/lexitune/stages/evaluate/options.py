"""Options of evaluate."""

from dataclasses import dataclass, field

__all__ = ["EvaluateOptions"]


@dataclass(frozen=True)
class EvaluateOptions:
    """What is measured and how sure the intervals are."""

    measures: str = field(
        default="R@10,nDCG@10,RR@10,AP@100,P@10,Success@10,Judged@10",
        metadata={"help": "Measures, separated by commas; the first one decides"},
    )
    slices: str = field(
        default="",
        metadata={"help": "Fields of the queries' metadata, such as language,tenant: each value is a slice of its own"},
    )
    depth: int = field(default=100, metadata={"help": "Ranking depth of the exported runs", "least": 10})
    resamples: int = field(
        default=10_000,
        metadata={"help": "Resamples of the bootstrap and the randomisation test", "least": 100},
    )
    seed: int = field(default=13, metadata={"help": "Seed of the resampling"})
    cosine_audit: bool = field(
        default=True,
        metadata={
            "help": "Encode the train and dev queries too, and measure test queries that mean the same apart "
            "(cosine 0.95 under the stock model)"
        },
    )
    guard_folder: str | None = field(
        default=None,
        metadata={"help": "BEIR folder of your own that must not get worse either, beside lexitune's general text"},
    )
