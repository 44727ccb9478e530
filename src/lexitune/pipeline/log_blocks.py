"""The judged queries beside a search log, as blocks of a report; none where there was no log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lexitune.pipeline.labels import bounds
from lexitune.report.blocks import Block, Cell, Estimate, Table

__all__ = ["log_blocks"]

THIRDS = {"head": "head: the most frequent", "torso": "torso", "tail": "tail: the least frequent"}


def log_blocks(evidence: Mapping[str, Any]) -> list[Block]:
    """Where the judged queries lie in the log, what else tells them from it, and the terms that do most."""
    found = evidence.get("log")
    if not found:
        return []
    blocks: list[Block] = [_figures(found)]
    if found["rare"] or found["frequent"]:
        blocks.append(_terms(found))
    return blocks


def _figures(found: Mapping[str, Any]) -> Table:
    parts = found["parts"]
    rows: list[list[Cell]] = [
        [f"a third of the searches, {label}: {parts[name]['queries']:,} queries", *_shares(parts[name]["share"])]
        for name, label in THIRDS.items()
    ]
    rows += [
        ["not in the log", *_shares(parts["new"]["share"])],
        ["searches that are for one of them", *_shares(found["covered"])],
        [f"words in a query; {found['words']:.1f} in a search", *_plain(found["length"], ".1f")],
        ["words searched that none of them holds", *_shares(found["missing"])],
        ["Jensen-Shannon distance to the words searched", *_plain(found["distance"], ".2f")],
    ]
    if found["stock"]:
        recalls: list[Cell] = [Estimate(*bounds(found["stock"])), None]
        rows.append([f"stock R@10 by traffic, n={found['stock']['n']:,} in the log", *recalls])
        rows.append(["likewise, each query counted once", Estimate(*bounds(found["plain"])), None])
    note = (
        f"Answer: {found['answer']}. The log has {found['searches']:,} searches for {found['queries']:,} distinct "
        "queries. Drawn: the least and the most that as many distinct queries drawn from it by traffic have."
    )
    columns = ["", f"{found['judged']:,} judged queries", "drawn"]
    caption = "Are the judged queries such as people search for?"
    return Table(columns, rows, caption=caption, note=note, align=["left", "right", "right"])


def _terms(found: Mapping[str, Any]) -> Table:
    rows: list[list[Cell]] = [
        [use["text"], f"{100 * use['searched']:.2f} %", f"{100 * use['judged']:.2f} %"]
        for use in (*found["rare"], *found["frequent"])
    ]
    note = "First those that people search for more than was judged, then those that were judged more."
    columns = ["term", "of the words searched", "of those in judged queries"]
    align = ["left", "right", "right"]
    return Table(columns, rows, caption="The terms that differ most", note=note, align=align)


def _shares(found: Mapping[str, float]) -> list[Cell]:
    low, high = (100 * found[name] for name in ("low", "high"))
    return [f"{100 * found['judged']:.0f} %", f"{low:.0f} to {high:.0f} %"]


def _plain(found: Mapping[str, float], form: str) -> list[Cell]:
    return [f"{found['judged']:{form}}", f"{found['low']:{form}} to {found['high']:{form}}"]
