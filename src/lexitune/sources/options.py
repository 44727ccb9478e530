"""Options of reading labels that others made."""

from dataclasses import dataclass, field

__all__ = ["PairsOptions"]


@dataclass(frozen=True)
class PairsOptions:
    """What a file of labels is, where it does not say so itself."""

    format: str | None = field(
        default=None,
        metadata={"help": "Format of the files, such as flag, st, labelstudio or xlsx; not set: told by content"},
    )
    map: str | None = field(
        default=None,
        metadata={
            "help": "What the columns are: query=q,doc=passage "
            "(also relevance, negative, query_id, doc_id, title, rater)"
        },
    )
    grades: str | None = field(
        default=None,
        metadata={"help": "What answers in words mean: perfect=3,partly=1,off topic=0,unsure=none"},
    )
    split: str | None = field(
        default=None, metadata={"help": "Of a data set with several splits, the one to read, such as train"}
    )
    max_bad_share: float = field(
        default=0.01,
        metadata={"help": "Stop when more than this share of rows cannot be read", "least": 0.0, "most": 1.0},
    )
