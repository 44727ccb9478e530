"""What assess knows, as blocks of a report: why it advised so, what needs no training, and what a tune would gain.

Read from an advice's evidence, which may be that of an earlier version: what is missing there is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lexitune.metrics.statistics import detectable_gain
from lexitune.pipeline.labels import LABELS, bounds, points
from lexitune.pipeline.log_blocks import log_blocks
from lexitune.pipeline.vocabulary_blocks import vocabulary_blocks
from lexitune.report.blocks import (
    Block,
    Cell,
    Chapter,
    CurvePlot,
    Estimate,
    IntervalPlot,
    IntervalRow,
    Number,
    Paragraph,
    Table,
)
from lexitune.report.scale import MINUS, format_number
from lexitune.stages.assess.options import AssessOptions
from lexitune.stages.assess.stability import CHANGING
from lexitune.types import Advice

__all__ = ["assessment_blocks", "sentence"]

MEASURES = ("R@10", "nDCG@10", "R@100")
SHOWN = 3  # reasons after the first; what the others say stands in plots and tables below
FEWEST, MOST, STEPS = 100, 5_000, 100  # test queries along the curve of what they can show


def assessment_blocks(advice: Advice, title: str, *, measured: Sequence[IntervalRow] = ()) -> list[Block]:
    """A chapter with all that was assessed.

    Args:
        title: The chapter's.
        measured: What a tune gained on test since, in points, to stand beside what was foretold.
    """
    evidence = {name: value for name, value in advice.evidence.items() if value is not None}
    first, *rest = map(sentence, advice.reasons or ("nothing was measured",))
    shown, more = rest[:SHOWN], rest[SHOWN:]
    if advice.also:
        shown.append(f"Worth it without training: {', '.join(advice.also)}.")
    blocks: list[Block] = [
        Chapter(title, "Measured on train and dev queries before any training. Test queries were not looked at."),
        Paragraph(first, heading=f"Advice: {advice.answer}", points=shown, more=more),
        *_criteria(evidence),
    ]
    if evidence.get("systems"):
        blocks += [_threshold(evidence), _ledger(evidence)]
    blocks += _expected(evidence, measured)
    blocks += _power(evidence)
    blocks += _kinds(evidence)
    blocks += log_blocks(evidence)
    blocks += _stability(evidence)
    return blocks + vocabulary_blocks(evidence)


def _criteria(evidence: Mapping[str, Any]) -> list[Block]:
    """What the advice goes by, with what would flip it."""
    found = evidence.get("criteria")
    if not found:
        return []
    rows: list[list[Cell]] = [[one[part] for part in ("name", "figure", "line", "says", "flip")] for one in found]
    columns = ["criterion", "here", "held against", "says", "what would flip it"]
    return [Table(columns, rows, caption="What does the advice go by?", align=["left"] * len(columns))]


def sentence(reason: str) -> str:
    """A reason as a sentence, with true minus signs before its numbers.

    Example:
        >>> sentence("the hybrid gains -4.4 points: try --max-queries 500").replace(MINUS, "(minus)")
        'The hybrid gains (minus)4.4 points: try --max-queries 500.'
    """
    text = re.sub(r"(?<![\w-])-(?=\d)", MINUS, reason)
    return f"{text[:1].upper()}{text[1:]}" + ("" if text.endswith(".") else ".")


def _threshold(evidence: Mapping[str, Any]) -> IntervalPlot:
    threshold = float(evidence.get("options", {}).get("threshold", AssessOptions.threshold))
    found = {name: system["R@10"] for name, system in evidence["systems"].items()}
    ordered = sorted(found, key=lambda name: (name != "stock", -found[name]["mean"]))
    rows: list[IntervalRow] = [(LABELS.get(name, name), *bounds(found[name]), name == "stock") for name in ordered]
    return IntervalPlot(
        "How good is the stock model, and what needs no training?",
        rows,
        label=f"R@10, with 95 % intervals, n={found['stock']['n']:,}",
        reference=threshold,
        reference_label=f"{threshold:.2f}: good enough",
        note="R@10 is the share of a query's relevant passages among the first ten found. The dashed line is a rule of "
        "thumb; it decides only where the pilot below does not.",
    )


def _ledger(evidence: Mapping[str, Any]) -> Table:
    systems, lifts, query_ms = (evidence.get(name, {}) for name in ("systems", "lifts", "query_ms"))
    rows: list[list[Cell]] = []
    for name in sorted(systems, key=lambda name: -systems[name]["R@10"]["mean"]):
        found = [systems[name].get(measure) for measure in MEASURES]
        cells = [one and Estimate(*bounds(one)) for one in found]
        rows.append([LABELS.get(name, name), _lift(lifts.get(name)), *cells, _milliseconds(query_ms.get(name))])
    note = (
        f"Of all {systems['stock']['R@10']['n']:,} queries, best first; what has weights learnt them on the other half "
        "of the queries. Milliseconds are those of a query on this machine, encoded and searched in batches."
    )
    if reranked := evidence.get("reranked"):
        found = reranked["systems"]["reranked"]
        cells = [found.get(measure) and Estimate(*bounds(found[measure])) for measure in MEASURES]
        label = f"reranker on the first {reranked['depth']}"
        rows.append([label, _lift(reranked["lift"]), *cells, _milliseconds(reranked["query_ms"])])
        over = points(reranked["over_hybrid"])
        note += (
            f" The reranker was measured on {reranked['lift']['n']:,} of them, where it gains "
            f"{_told(over)} points over the hybrid that it reorders."
        )
    columns = ["system", "points of R@10 over stock", *MEASURES, "ms a query"]
    return Table(columns, rows, caption="What needs no training, side by side", note=note, align=_first_left(columns))


def _expected(evidence: Mapping[str, Any], measured: Sequence[IntervalRow]) -> list[Block]:
    """What the pilot gained by its number of pairs, what a tune is expected to gain by that, and a short one did."""
    rows: list[IntervalRow] = []
    notes: list[str] = []
    if (pilot := evidence.get("pilot")) and (expected := evidence.get("expected")):
        found = zip(pilot["pairs"], pilot["lifts"], strict=True)
        rows += [(f"pilot, {pairs:,} pairs", *points(lift), False) for pairs, lift in found]
        rows.append((f"pilot + BM25, {pilot['pairs'][-1]:,} pairs", *points(pilot["hybrid_lift"]), False))
        rows.append(("tune, foretold", *points(expected["alone"]), True))
        rows.append(("tune + BM25, foretold", *points(expected["hybrid"]), True))
        notes.append(_of_pilot(expected))
    if short := evidence.get("short_tune"):
        rows.append((f"short tune, {short['pairs']:,} pairs", *points(short["lift"]), True))
        rows.append((f"short tune + BM25, {short['pairs']:,} pairs", *points(short["hybrid_lift"]), True))
        notes.append(
            f"The short tune took {short['minutes']:.1f} minutes and was measured on {short['lift']['n']:,} dev "
            f"queries, which it had not seen, among {short['docs']:,} of {short['corpus']:,} passages."
        )
    if not rows:
        return []
    if measured:
        rows += measured
        notes.append("What was measured since is that on test queries.")
    return [
        IntervalPlot(
            "What is a tune expected to gain?",
            rows,
            label="points of R@10 over stock; 95 % intervals, foretold: 80 % bands",
            reference=0.0,
            reference_label="nothing gained",
            form="+.1f",
            note=" ".join(["With BM25 means over stock + BM25.", *notes]),
        )
    ]


def _of_pilot(expected: Mapping[str, Any]) -> str:
    note = (
        "The pilot trains linear maps on the stock model's vectors, in seconds, and is measured on queries whose "
        f"passages it never saw. From that, and from {expected['alone']['n']} fields where the gain of a whole tune is "
        f"known, the gain of a tune on {expected['pairs']:,} pairs is foretold, with a band in which four fields in "
        "five should lie."
    )
    if expected["doubling"]:
        note += f" By the pilot's own curve each doubling of the pairs adds {100 * expected['doubling']:.1f} points."
    return note


def _power(evidence: Mapping[str, Any]) -> list[Block]:
    """The smallest gain that so many test queries show."""
    tests, changes = evidence.get("test_queries", 0), evidence.get("discordance")
    if not tests or not changes or not evidence.get("systems"):
        return []
    last = max(MOST, 2 * tests)
    ratio = (last / FEWEST) ** (1 / STEPS)
    counts = sorted({round(FEWEST * ratio**step) for step in range(STEPS + 1)} | {tests})
    curve = [(float(count), 100 * detectable_gain(count, changes)) for count in counts]
    return [
        CurvePlot(
            "How small a gain can the test queries show?",
            [("smallest gain", curve)],
            x_label="test queries",
            y_label="points of R@10",
            mark=tests,
            last=False,
            mark_label=f"{tests:,} at hand: {100 * detectable_gain(tests, changes):.1f}",
            note=f"Found four times in five, at a 5 % level, if a tune changes the outcome of {100 * changes:.0f} % of "
            f"the queries ({evidence.get('discordance_source', 'a guess')}).",
        )
    ]


KINDS: Sequence[tuple[str, Callable[[Mapping[str, Any]], Any]]] = (
    ("hold a term that the tokenizer breaks", lambda evidence: evidence.get("vocabulary_gaps", {}).get("stock")),
    ("need passages that the model cuts off", lambda evidence: evidence.get("truncation")),
    ("are of the newest period", lambda evidence: evidence.get("newest")),
)
"""Queries that..., and where the gap in the stock model's recall stands."""


def _kinds(evidence: Mapping[str, Any]) -> list[Block]:
    """Where the stock model fails: kinds of queries beside the others."""
    rows: list[list[Cell]] = []
    for label, find in KINDS:
        if gap := find(evidence):
            meaning = "more than chance" if gap["is_shown"] else "no more than chance"
            sides: list[Cell] = [Estimate(*bounds(gap[side])) for side in ("chosen", "others")]
            rows.append([label, gap["chosen"]["n"], *sides, Estimate(*points(gap["difference"]), "+.1f"), meaning])
    notes = []
    if length := evidence.get("max_length"):
        cut = f"{100 * evidence.get('cut_off', 0):.0f} % of the relevant passages"
        notes.append(f"{cut} fill the model's {length:,} tokens and lose what follows.")
    if found := evidence.get("holes"):
        notes.append(
            f"Nobody judged {100 * (1 - found['judged']):.0f} % of stock's first ten: were all of that right, its R@10 "
            f"would be {found['highest']:.3f} and not {found['lowest']:.3f}."
        )
    if found := evidence.get("documents"):
        notes.append(f"By document, each by its best passage, stock has R@10 {_told(bounds(found), '.3f')}.")
    if found := evidence.get("prompt_lift"):
        prompt = " ".join(str(evidence.get("prompt", "")).split())
        notes.append(f"The prompt '{prompt}' before each query is worth {_told(points(found))} points.")
    title = "Where does the stock model fail?"
    if rows:
        columns = ["queries that", "n", "R@10", "R@10, others", "points between", ""]
        align = [*_first_left(columns)[:-1], "left"]
        return [Table(columns, rows, caption=title, note=" ".join(notes), align=align)]
    return [Paragraph(" ".join(notes), heading=title)] if notes else []


def _stability(evidence: Mapping[str, Any]) -> list[Block]:
    """How fast words change, where anything bears times."""
    found = evidence.get("stability")
    if not found:
        return []
    change, period = points(found["change"]), found["period"]
    life = "more than half of the new words stay in use"
    if found["half_life"] is not None:
        life = f"half of the new words are no longer used after {found['half_life']:g} {period}s"
    return [
        IntervalPlot(
            f"Do the words change from {period} to {period}?",
            [(f"{evidence.get('timed', 'texts')}, {found['change']['n']} {period}s", *change, True)],
            label="% of word uses that are new beyond chance, with a 95 % interval",
            reference=100 * CHANGING,
            reference_label=f"{100 * CHANGING:.0f} %: changing",
            form=".1f",
            note=f"Answer: {found['answer']}. From {found['first']} to {found['last']}, {found['texts']:,} texts: "
            f"{100 * found['churn']:.1f} % of a {period}'s word uses are of words not seen before, "
            f"{100 * found['chance']:.1f} % by chance alone; the Jensen-Shannon distance to all before is "
            f"{_told(bounds(found['distance']), '.2f')} beyond chance (0 alike, 1 nothing in common); {life}.",
        )
    ]


def _lift(found: Mapping[str, float] | None) -> Cell:
    return None if found is None else Estimate(*points(found), "+.1f")


def _milliseconds(found: float | None) -> Cell:
    return None if found is None else Number(found, ".1f" if found < 10 else ",.0f")


def _told(found: tuple[float, float, float], form: str = "+.1f") -> str:
    mean, low, high = (format_number(bound, form) for bound in found)
    return f"{mean} [{low}, {high}]"


def _first_left(columns: Sequence[str]) -> list[str]:
    return ["left", *["right"] * (len(columns) - 1)]
