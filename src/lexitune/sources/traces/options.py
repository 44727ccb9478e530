"""Options of reading traces."""

from dataclasses import dataclass, field

__all__ = ["TracesOptions"]


@dataclass(frozen=True)
class TracesOptions:
    """What a trace's question and passages are, what counts as a citation or a thumb, and what becomes of them."""

    question: str = field(
        default="search",
        metadata={
            "help": "search: what the retriever was asked, which is what a model encodes; user: what the user typed",
            "choices": ("search", "user"),
        },
    )
    id_key: str | None = field(
        default=None,
        metadata={"help": "Key of a passage's metadata that holds its id; not set: its own id, or a usual key"},
    )
    first_citation: int | None = field(
        default=None,
        metadata={
            "help": "The number by which answers cite the first passage; not set: found out",
            "least": 0,
            "most": 1,
        },
    )
    least_quoted_words: int = field(
        default=8,
        metadata={
            "help": "So many words of an answer in a row, found in one passage only, are a citation of it",
            "least": 4,
        },
    )
    feedback_names: str = field(
        default=r".*(thumb|feedback|user|rating|helpful|like|vote|correct).*",
        metadata={"help": "Scores that count as thumbs: a pattern for the whole name"},
    )
    skip_queries: str = field(
        default=r"\*(:\*)?|test|ping|health ?-?check",
        metadata={"help": "Questions that are left out: a pattern for the whole text"},
    )
    least_uncited: int = field(
        default=2,
        metadata={"help": "Answers that pass a passage over before it may be a hard negative", "least": 2},
    )
    prior: float = field(
        default=1.0,
        metadata={"help": "Answers that a doubt weighs as much as: n of them count n / (n + prior)", "least": 0.0},
    )
    most_per_query: int = field(
        default=10,
        metadata={"help": "Most right passages of a question, so that frequent ones do not swamp", "least": 1},
    )
    max_bad_share: float = field(
        default=0.05,
        metadata={"help": "Stop when more than this share of records cannot be read", "least": 0.0, "most": 1.0},
    )
