"""Options of reading a folder of documents."""

from dataclasses import dataclass, field

__all__ = ["DocsOptions"]


@dataclass(frozen=True)
class DocsOptions:
    """How documents are cut into passages, what is left out of them, and which pairs are made of them."""

    chunk_tokens: int = field(
        default=200,
        metadata={"help": "Most tokens of a passage, as the model's own tokenizer counts", "least": 16, "most": 8192},
    )
    overlap_tokens: int = field(
        default=40,
        metadata={"help": "Tokens that a passage may repeat of the one before it", "least": 0, "most": 4096},
    )
    skip: str | None = field(
        default=None,
        metadata={"help": "Files that are left out: patterns of their paths, such as archive/*,*.log"},
    )
    max_file_mb: float = field(
        default=100.0,
        metadata={"help": "A larger file is set aside, and so is one that unpacks to more than that", "least": 0.1},
    )
    boilerplate_share: float = field(
        default=0.3,
        metadata={
            "help": "A line that stands in this share of the documents, and in 3 of them, is left out",
            "least": 0.01,
            "most": 1.0,
        },
    )
    near: float = field(
        default=0.9,
        metadata={"help": "Likeness from which of two passages one is left out", "least": 0.5, "most": 1.0},
    )
    pairs: str = field(
        default="title,terms",
        metadata={
            "help": "Weak pairs to make, separated by commas: title (a heading asks for its section), terms (the most "
            "telling words ask for their passage), crop (a sentence asks for the rest of its passage); or none",
            "form": r"none|(title|terms|crop)(,(title|terms|crop))*",
        },
    )
    pairs_per_document: int = field(
        default=6, metadata={"help": "Most pairs of one kind from one document", "least": 1, "most": 1000}
    )
    seed: int = field(default=13, metadata={"help": "Seed of the choice of pairs"})
