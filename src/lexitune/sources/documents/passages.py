"""Passages: the slices of a document that search will find, each with its place, and those that say the same twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from lexitune.fingerprint import hash_text
from lexitune.sources.documents.chunking import Spans, cut
from lexitune.sources.documents.document import Document, sections
from lexitune.text.near import near_clusters
from lexitune.text.normalise import normalise
from lexitune.types import Doc

__all__ = ["Passage", "drop_alike", "passages_of"]

MOST_NEAR = (
    200_000  # passages: with more, shingles of all at once would fill the memory, and equal ones alone are found
)


@dataclass(frozen=True, slots=True)
class Passage:
    """A slice of a document.

    Attributes:
        family: The document's path.
        start: Where it begins in the document's text, and `end` where it ends: `text` is that slice.
        path: Title of the document and headings of the first two levels above it.
        headings: The same with deeper ones.
        version: Hash of the document's text, short: places of another text are other places.
        tokens: With its title.
        alike: Passages that were left out because they say nearly the same.
    """

    family: str
    start: int
    end: int
    text: str
    path: tuple[str, ...]
    headings: tuple[str, ...]
    version: str
    tokens: int = 0
    alike: int = 0

    @property
    def doc_id(self) -> str:
        """Path and place: the same slice has the same id in every run, and no other slice has it."""
        return f"{self.family}#{self.start}-{self.end}"

    def doc(self, *, text: str | None = None, path: Sequence[str] | None = None, masked: Sequence[str] = ()) -> Doc:
        """The passage as a corpus has it.

        Args:
            text: In the place of its own, where something is cut out of it.
            path: In the place of its own, where a heading is left out.
            masked: What was cut out: "title", "crop".
        """
        metadata = {
            "family": self.family,
            "headings": list(self.headings),
            "start": self.start,
            "end": self.end,
            "version": self.version,
            "source": "docs",
            **({"alike": self.alike} if self.alike else {}),
            **({"masked": list(masked)} if masked else {}),
        }
        title = " > ".join(self.path if path is None else path)
        return Doc(self.doc_id, self.text if text is None else text, title, metadata)


def passages_of(document: Document, *, spans: Spans, chunk_tokens: int, overlap_tokens: int) -> Iterator[Passage]:
    """The passages of a document in order; none crosses a heading of the first two levels.

    Raises:
        UsageError: A section has to be cut and chonkie is not installed.
    """
    version = hash_text(document.text)[:12]
    for section in sections(document):
        head = len(spans(" > ".join(section.path)))
        for start, end in cut(
            document.text,
            section.start,
            section.end,
            spans=spans,
            chunk_tokens=chunk_tokens,
            overlap_tokens=overlap_tokens,
        ):
            text, headings = document.text[start:end], tuple(section.headings_at(start))
            tokens = head + len(spans(text))
            yield Passage(document.path, start, end, text, section.path, headings, version, tokens)


def drop_alike(passages: Sequence[Passage], *, threshold: float) -> list[Passage]:
    """Of passages that say nearly the same the first; it knows how many went.

    Titles count: one sentence under two headings answers two questions.
    """
    texts = [f"{' > '.join(one.path)}\n{one.text}" for one in passages]
    if len(texts) > MOST_NEAR:
        number: dict[str, int] = {}
        labels = [number.setdefault(normalise(text), len(number)) for text in texts]
    else:
        labels = near_clusters(texts, threshold=threshold).tolist() if texts else []
    sizes, met, kept = Counter(labels), set[int](), list[Passage]()
    for one, label in zip(passages, labels, strict=True):
        if label not in met:
            met.add(label)
            kept.append(replace(one, alike=sizes[label] - 1))
    return kept
