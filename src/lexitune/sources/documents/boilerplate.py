"""Boilerplate: lines that stand in many documents say nothing about any of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b

from lexitune.sources.documents.document import Document, Heading
from lexitune.text.normalise import normalise

__all__ = ["FEWEST", "Boilerplate", "LineCounts", "without_lines"]

FEWEST = 3  # documents: two that share a line may be of one author, or of one template with two uses
SHORTEST = 12  # characters of a line in normal form: a bracket, a bullet or "yes" repeats without being boilerplate
NUMBER = re.compile(r"\d+")


@dataclass
class LineCounts:
    """In how many documents each line stands. A line is kept as a number, so memory does not grow with its length."""

    documents: int = 0
    lines: Counter[int] = field(default_factory=Counter)

    def add(self, document: Document) -> None:
        """Count a document's lines, each once."""
        self.documents += 1
        self.lines.update({key for key, _, _ in _keys(document)})

    def boilerplate(self, share: float) -> Boilerplate:
        """What stands in at least this share of the documents, and in at least `FEWEST`."""
        least = max(FEWEST, share * self.documents)
        return Boilerplate({key: count for key, count in self.lines.items() if count >= least})


@dataclass(frozen=True, eq=False)
class Boilerplate:
    """Lines to leave out.

    Attributes:
        lines: Each line's number, and in how many documents it stands.
        shown: The lines that were met while they were left out, as they first stood there.
        removed: How many were left out.
    """

    lines: Mapping[int, int]
    shown: dict[int, str] = field(default_factory=dict)
    removed: Counter[int] = field(default_factory=Counter)

    def examples(self, most: int) -> list[tuple[str, int]]:
        """Lines that were left out and in how many documents they stand, those of most documents first."""
        order = sorted(self.shown, key=lambda key: (-self.lines[key], self.shown[key]))
        return [(self.shown[key], self.lines[key]) for key in order[:most]]


def without_lines(document: Document, boilerplate: Boilerplate) -> Document:
    """The document without those lines; its headings keep their lines and move along."""
    gone = list[tuple[int, int]]()
    for key, start, end in _keys(document):
        if key in boilerplate.lines:
            boilerplate.shown.setdefault(key, document.text[start:end].strip())
            boilerplate.removed[key] += 1
            gone.append((start, end))
    if not gone:
        return document
    kept, place, shifts = list[str](), 0, list[tuple[int, int]]()
    cut = 0
    for start, end in gone:
        end = min(end + 1, len(document.text))  # its line end goes too
        kept.append(document.text[place:start])
        cut += end - start
        shifts.append((end, cut))
        place = end
    text = "".join([*kept, document.text[place:]])
    return replace(document, text=text, headings=tuple(_moved(document.headings, shifts)))


def _moved(headings: tuple[Heading, ...], shifts: list[tuple[int, int]]) -> Iterator[Heading]:
    step, by = 0, 0
    for one in headings:
        while step < len(shifts) and shifts[step][0] <= one.start:
            by = shifts[step][1]
            step += 1
        yield replace(one, start=one.start - by, end=one.end - by)


def _keys(document: Document) -> Iterator[tuple[int, int, int]]:
    """Number, start and end of each line that may be boilerplate: no heading, for many documents have a "Summary"."""
    heads, start = {one.start for one in document.headings}, 0
    for line in document.text.split("\n"):
        # A footer counts its pages, and a notice of copyright its years.
        said = NUMBER.sub("0", normalise(line))
        if len(said) >= SHORTEST and start not in heads:
            yield (
                int.from_bytes(blake2b(said.encode("utf-8", "replace"), digest_size=8).digest()),
                start,
                start + len(line),
            )
        start += len(line) + 1
