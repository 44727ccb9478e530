"""The field's own words, as blocks of a report: how many are broken, what that costs, and which are the worst."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lexitune.pipeline.labels import LABELS, bounds
from lexitune.report.blocks import BarPlot, BarRow, Block, Cell, IntervalPlot, IntervalRow, Number, Table
from lexitune.stages.assess.vocabulary import LOST, SHATTERED

__all__ = ["vocabulary_blocks"]

DRAWN = 20  # terms that get a bar
LETTERS = 90  # of an example query
LONGEST = 24  # letters of a term: the one of a hash would push all columns off a phone
PIECES = 8  # of a term that are named
PAIRED = ("known",)  # systems whose recall says nothing of words: it goes by judgements


def vocabulary_blocks(evidence: Mapping[str, Any]) -> list[Block]:
    """Figures of the words, recall on queries that hold a broken one, and the worst terms, drawn and listed."""
    found, gaps = evidence.get("vocabulary"), evidence.get("vocabulary_gaps") or {}
    blocks: list[Block] = []
    if found and "fertility" in found:
        blocks.append(_figures(found))
    if gaps:
        blocks.append(_gaps(gaps))
    if found and found["terms"]:
        blocks += [_bars(found["terms"]), _terms(found["terms"], found["shattered"])]
    return blocks


def _figures(found: Mapping[str, Any]) -> Table:
    def share(name: str) -> Cell:
        return None if name not in found else f"{100 * found[name]:.1f} %"

    rows: list[list[Cell]] = [
        ["pieces that the tokenizer makes of a word of the passages", f"{found['fertility']:.2f}"],
        ["likewise of a word of general language", f"{found['general_fertility']:.2f}"],
        ["words in passages that are rare in general language", share("rare")],
        ["likewise in queries", share("query_rare")],
        ["words in queries that no passage holds", share("query_unseen")],
        ["distinct terms that are rare and broken", f"{found['shattered']:,}"],
        ["queries that hold one", f"{found['holding']:,}"],
    ]
    note = (
        "Rare: used less than once in a million words of general language. Broken: in three pieces or more, or unknown "
        "to the tokenizer."
    )
    return Table(["", "here"], rows, caption="The field's own words", note=note, align=["left", "right"])


def _gaps(gaps: Mapping[str, Any]) -> IntervalPlot:
    sides = {"chosen": "with", "others": "without"}  # longer labels are cut on a phone
    counts = (f"n={next(iter(gaps.values()))[side]['n']:,} {words}" for side, words in sides.items())
    rows: list[IntervalRow] = [
        (f"{LABELS.get(name, name)}, {words}", *bounds(gap[side]), name == "stock")
        for name, gap in gaps.items()
        if name not in PAIRED
        for side, words in sides.items()
    ]
    return IntervalPlot(
        "R@10 on queries with and without a term that the tokenizer breaks",
        rows,
        label=f"R@10, with 95 % intervals; {', '.join(counts)}",
        note="Where recall is no lower with such a term, words are not what the stock model lacks.",
    )


def _bars(terms: Sequence[Mapping[str, Any]]) -> BarPlot:
    rows: list[BarRow] = [(_short(term["text"]), _extra(term), _pieces(term)) for term in terms[:DRAWN]]
    return BarPlot(
        f"The {len(rows)} terms that waste most",
        rows,
        label="pieces beyond one that the tokenizer makes of it, over all passages that hold it",
        note="In the order of the table below, which also weighs how rare a term is elsewhere.",
    )


def _extra(term: Mapping[str, Any]) -> float:
    pieces = len(term["pieces"])
    # In few pieces it is shattered only if the tokenizer knows nothing of it.
    return float(term["docs"] * (pieces - 1 if pieces >= SHATTERED else LOST))


def _terms(terms: Sequence[Mapping[str, Any]], shattered: int) -> Table:
    rows: list[list[Cell]] = [
        [
            _short(term["text"]),
            _pieces(term),
            term["docs"],
            term["queries"],
            None if term["general"] is None else Number(10 ** (term["general"] - 3), ".3f"),
            _around(term["example"], term["text"]),
        ]
        for term in terms
    ]
    return Table(
        ["term", "pieces", "passages", "queries", "general use", "asked for in"],
        rows,
        caption=f"The {len(rows)} worst of {shattered:,} broken terms",
        note="First those with the most pieces in the most passages that general language uses least. General use is "
        "per million words; \u2013 is not in the list.",
        align=["left", "left", "right", "right", "right", "left"],
    )


def _short(word: str) -> str:
    return word if len(word) <= LONGEST else word[: LONGEST - 1] + "\u2026"


def _pieces(term: Mapping[str, Any]) -> str:
    pieces = term["pieces"]
    if len(pieces) <= PIECES + 1:
        return " ".join(pieces)
    return f"{' '.join(pieces[:PIECES])} and {len(pieces) - PIECES} more"


def _around(text: str, term: str) -> str:
    """The words of a query around a term of it, where it is long."""
    words = " ".join(text.split())
    if len(words) <= LETTERS:
        return words
    place = max(0, words.lower().find(term.lower()))
    start = max(0, min(place + len(term) // 2 - LETTERS // 2, len(words) - LETTERS))
    end = start + LETTERS
    # Only whole words: a cut one may be taken for a broken one.
    start = words.find(" ", start) + 1 if 0 < start < place else start
    blank = words.rfind(" ", place + len(term), end) if end < len(words) else -1
    end = end if blank < 0 else blank
    return "\u2026" * (start > 0) + words[start:end].rstrip() + "\u2026" * (end < len(words))
