"""What became of a folder of documents, in lines for a person."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from lexitune.sources.documents.boilerplate import Boilerplate
from lexitune.sources.documents.carried import Carried
from lexitune.sources.documents.files import Aside
from lexitune.sources.documents.passages import Passage
from lexitune.sources.documents.pseudo import Pseudo

__all__ = ["Found", "tell"]

SHOWN = 3
LONGEST = 60  # characters of an example
MASKED = {"title": "the heading that asks for them", "crop": "the sentence that asks for them"}


@dataclass(frozen=True, eq=False)
class Found:
    """What became of a folder.

    Attributes:
        forms: Documents by kind.
        aside: Files that were set aside, and why.
        blank_pages: Pages of PDFs without text.
        empty: Documents of which nothing was left without boilerplate.
        too_long: Passages that, with their title, are longer than the model takes.
        model: Whose tokens were counted.
    """

    forms: Counter[str]
    aside: Sequence[Aside]
    blank_pages: int
    empty: Sequence[str]
    boilerplate: Boilerplate
    passages: Sequence[Passage]
    alike: int
    too_long: int
    model: str
    pairs: Pseudo
    carried: Carried


def tell(found: Found) -> list[str]:
    """One fact a line; the last one sums up."""
    lines = [f"{sum(found.forms.values()):,} documents: {_kinds(found.forms)}", *_aside(found)]
    if found.blank_pages:
        lines.append(f"{found.blank_pages:,} pages of PDFs have no text, as scans have none")
    lines += _left_out(found)
    if found.too_long:
        lines.append(
            f"{found.too_long:,} passages with their title are longer than {found.model} takes: their end is cut in "
            "encoding; fewer --chunk-tokens keep it"
        )
    lines += _carried(found.carried)
    lines += _masked(found.pairs)
    if found.pairs.dropped:
        lines.append(f"{found.pairs.dropped:,} pairs left out: what asks stands word for word in what answers")
    made = sum(found.pairs.counts.values())
    pairs = f", {made:,} weak pairs ({_kinds(found.pairs.counts)})" if made else ", no pairs"
    lines.append(f"{len(found.passages):,} passages{pairs}")
    return lines


def _aside(found: Found) -> list[str]:
    by_reason: dict[str, list[str]] = defaultdict(list)
    for name, reason in found.aside:
        by_reason[reason].append(name)
    order = sorted(by_reason, key=lambda reason: (-len(by_reason[reason]), reason))
    return [f"set aside: {len(by_reason[one]):,}, {one}: {_some(by_reason[one])}" for one in order]


def _left_out(found: Found) -> list[str]:
    lines = []
    removed, documents = found.boilerplate.removed, sum(found.forms.values())
    if removed:
        shown = [f"'{_short(line)}' (in {count:,})" for line, count in found.boilerplate.examples(SHOWN)]
        lines.append(
            f"{len(removed):,} lines repeat in many of {documents:,} documents, left out {removed.total():,} times: "
            f"{', '.join(shown)}{', ...' if len(removed) > SHOWN else ''}"
        )
    if found.empty:
        lines.append(f"{len(found.empty):,} documents are nothing but such lines: {_some(found.empty)}")
    if found.alike:
        shown = [f"{one.doc_id} (and {one.alike:,})" for one in found.passages if one.alike][:SHOWN]
        lines.append(f"{found.alike:,} passages left out that say nearly what another says: {', '.join(shown)}")
    return lines


def _carried(carried: Carried) -> list[str]:
    lines = []
    if carried.judgements:
        lines.append(f"{len(carried.judgements):,} judgements of passages as they were cut before: carried over")
    if carried.gone:
        names = _some([f"{one.query_id} / {one.doc_id}" for one in carried.gone])
        lines.append(f"{len(carried.gone):,} judgements are of places that are gone: {names}")
    return lines


def _masked(pairs: Pseudo) -> list[str]:
    return [
        f"{count:,} passages stand without {MASKED[kind]}; whole ones are in passages.jsonl"
        for kind, count in sorted(pairs.masked.items())
    ]


def _kinds(counts: Counter[str]) -> str:
    return ", ".join(f"{count:,} {kind}" for kind, count in sorted(counts.items(), key=lambda one: (-one[1], one[0])))


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")


def _short(line: str) -> str:
    return line if len(line) <= LONGEST else line[: LONGEST - 3] + "..."
