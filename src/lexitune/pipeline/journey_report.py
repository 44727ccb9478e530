"""The journey's report: what each stage found, as blocks, in `report.html`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lexitune.io.atomic import replace_text
from lexitune.io.hits import Hits
from lexitune.io.quarantine import Quarantine
from lexitune.io.trec import read_run
from lexitune.io.workspace import Meta, Workspace, installed_versions, read_meta
from lexitune.metrics.comparison import Comparison
from lexitune.metrics.report import Report
from lexitune.pipeline.outcome import gain_text, verdict
from lexitune.report.blocks import (
    Block,
    Cell,
    CurvePlot,
    DeltaPlot,
    Estimate,
    Facts,
    IntervalPlot,
    IntervalRow,
    Number,
    Panel,
    Paragraph,
    Table,
    TextItem,
    TextRow,
    Texts,
    Tone,
    Verdict,
)
from lexitune.stages.evaluate.evaluation import SYSTEMS, Change, Evaluation
from lexitune.types import Advice, Dataset, GateResult

__all__ = ["write_advice_report", "write_report"]

LABELS = {
    "stock": "stock",
    "bm25": "BM25",
    "hybrid_stock": "stock + BM25",
    "tuned": "tuned",
    "hybrid_tuned": "tuned + BM25",
    "hybrid": "stock + BM25",
    "known": "stock + known",
}
TONES: Mapping[str, Tone] = {"BETTER": "good", "WORSE": "bad", "NOT SHOWN": "neutral"}
SHOWN_CHANGES = 5
SHOWN_TERMS = 20


def write_report(
    workspace: Workspace,
    data: Dataset,
    *,
    advice: Advice,
    evaluation: Evaluation,
    gate: GateResult,
    remarks: Sequence[Block] = (),
) -> Path:
    """Write `report.html` of a finished journey, and say where.

    Args:
        remarks: Further blocks after the figures, such as what only the demo measures.
    """
    meta = read_meta(workspace.models / evaluation.model_id)
    blocks = [
        _verdict(evaluation, gate),
        *_figures(evaluation),
        *remarks,
        *_queries(workspace, evaluation, data),
        *(_training(meta) if meta else []),
        _reasons("Why the gate said so", f"Gate: {gate.answer}", gate.reasons),
        *_assessment(advice),
        _facts(workspace, data, evaluation, meta),
    ]
    return _write(workspace, blocks, subtitle=f"{evaluation.model_id} against its stock model")


def write_advice_report(workspace: Workspace, advice: Advice) -> Path:
    """Write `report.html` of a journey that the advice stopped before training."""
    word = {"NO": "NOT WORTH IT", "CANNOT TELL": "CANNOT TELL YET", "TUNE": "WORTH A TUNE"}[advice.answer]
    blocks = [Verdict(word, advice.reasons[0] if advice.reasons else ""), *_assessment(advice)]
    facts = Facts("How this was made", _versions(), [f"lexitune -C {workspace.root.name} assess"])
    return _write(workspace, [*blocks, facts], subtitle="Is fine-tuning worth it here?")


def _write(workspace: Workspace, blocks: Sequence[Block], *, subtitle: str) -> Path:
    from lexitune.report.html import render

    path = workspace.root / "report.html"
    replace_text(path, render("lexitune report", blocks, subtitle=subtitle))
    return path


def _verdict(evaluation: Evaluation, gate: GateResult) -> Verdict:
    delta = evaluation.comparison.delta(evaluation.primary)
    word = verdict(delta)
    sentence = (
        f"{evaluation.primary} gains {gain_text(delta)} over the stock model on {delta.n:,} test queries: "
        f"{delta.won:,} won, {delta.lost:,} lost, {delta.tied:,} unchanged. The gate says {gate.answer}."
    )
    return Verdict(word, sentence, TONES[word])


def _figures(evaluation: Evaluation) -> list[Block]:
    name = evaluation.primary
    bounds = [(system, evaluation.systems[system].interval(name)) for system in SYSTEMS]
    rows: list[IntervalRow] = [
        (LABELS[system], found.mean, found.low, found.high, system == "tuned") for system, found in bounds
    ]
    blocks: list[Block] = [
        IntervalPlot(f"{name} by system", rows, label=f"{name}, with 95 % intervals, n={bounds[0][1].n:,}"),
        _measures_table(evaluation.systems),
        _gains_table(evaluation.comparison),
    ]
    if evaluation.comparison.slices:
        blocks.append(_slices_table(evaluation.comparison, name))
    return blocks


def _measures_table(systems: Mapping[str, Report]) -> Table:
    measures = systems["stock"].measures
    rows: list[list[Cell]] = []
    for system in SYSTEMS:
        found = [systems[system].interval(measure) for measure in measures]
        rows.append([LABELS[system], *(Estimate(one.mean, one.low, one.high) for one in found)])
    ties = max(report.ties for report in systems.values())
    caption = "Every measure over the test queries, with 95 % intervals; unjudged passages count as wrong"
    if ties > 0:
        caption += f"; up to {100 * ties:.1f} % of queries tie across rank 10"
    return Table(["system", *measures], rows, caption=caption)


def _gains_table(comparison: Comparison) -> Table:
    rows: list[list[Cell]] = []
    for name, delta in comparison.deltas.items():
        points = Estimate(100 * delta.mean, 100 * delta.low, 100 * delta.high, "+.1f")
        check = Estimate(100 * delta.mean, 100 * delta.bootstrap_low, 100 * delta.bootstrap_high, "+.1f")
        relative = None if delta.relative is None else f"{100 * delta.relative:+.0f} %"
        rows.append([name, points, relative, check, Number(delta.p_randomisation, ".4f"), delta.won, delta.lost])
    return Table(
        ["measure", "gain in points", "relative", "clustered bootstrap", "randomisation p", "won", "lost"],
        rows,
        caption="Tuned minus stock on the same queries: the paired t interval, and two checks of it",
        align=["left", *["right"] * 6],
    )


def _slices_table(comparison: Comparison, name: str) -> Table:
    rows: list[list[Cell]] = []
    for label, part in comparison.slices.items():
        delta = part.deltas.get(name)
        points = None if delta is None else Estimate(100 * delta.mean, 100 * delta.low, 100 * delta.high, "+.1f")
        rows.append([label, part.n, points, "too few to conclude from" if part.too_small else ""])
    caption = (
        f"Gain in {name} by slice; seen document: a relevant passage of the query also stood in training; "
        "seen query: a train or dev query asks the same"
    )
    return Table(["slice", "queries", "gain in points", ""], rows, caption=caption)


def _queries(workspace: Workspace, evaluation: Evaluation, data: Dataset) -> list[Block]:
    name = evaluation.primary
    deltas = evaluation.comparison.per_query[name].tolist()
    texts = {doc.doc_id: doc.full_text for doc in data.docs}
    before, after = (_read_run(workspace, f"{evaluation.model_id}{suffix}") for suffix in ("-stock", ""))
    blocks: list[Block] = [DeltaPlot(f"Gain in {name}, query by query", deltas, label=f"gain in {name}")]
    for title, changes in (("Five wins", evaluation.won), ("Five losses", evaluation.lost)):
        items = [
            _item(
                change, data.queries[change.query_id].text, texts, ranks=(_ranks(before, change), _ranks(after, change))
            )
            for change in changes[:SHOWN_CHANGES]
        ]
        if items:
            blocks.append(Texts(title, items, label=name))
    return blocks


def _read_run(workspace: Workspace, name: str) -> Hits:
    return read_run(workspace.runs / f"{name}.trec", Quarantine())


def _ranks(hits: Hits, change: Change) -> Mapping[str, int]:
    return {doc_id: rank for rank, (doc_id, _) in enumerate(hits.run(change.query_id), start=1)}


def _item(
    change: Change, query: str, texts: Mapping[str, str], *, ranks: tuple[Mapping[str, int], Mapping[str, int]]
) -> TextItem:
    shown = {"relevant": change.relevant, "stock found first": change.top_before, "tuned found first": change.top_after}
    rows: list[TextRow] = []
    seen: set[str] = set()
    for label, doc_id in shown.items():
        if doc_id is not None and doc_id not in seen:  # the first hit may be the relevant passage itself
            seen.add(doc_id)
            rows.append((label, texts[doc_id], ranks[0].get(doc_id), ranks[1].get(doc_id)))
    return TextItem(query, change.delta, rows)


def _training(meta: Meta) -> list[Block]:
    curve = meta.outputs.get("curve", [])
    losses = [(row["step"], row["loss"]) for row in curve if "loss" in row]
    dev = [(row["step"], row["dev"]) for row in curve if "dev" in row]
    if not losses:
        return []
    label = f"dev {meta.outputs.get('dev_measure')}"
    second = Panel([(label, dev)], label) if dev else None
    best = meta.outputs.get("best_step")
    pool = meta.outputs.get("dev_docs")
    plot = CurvePlot("Training", [("loss", losses)], y_label="loss", second=second, mark=best)
    words = f"{meta.outputs['pairs']:,} pairs, {meta.outputs['steps']:,} steps, {meta.cost_s:.0f} s."
    if pool:
        words += (
            f" {label[:1].upper()}{label[1:]} is over {meta.outputs['dev_queries']:,} dev queries and a fixed pool of "
            f"{pool:,} passages, at the depth that is the same share of the pool as ten is of the corpus."
        )
    return [plot, Paragraph(words)]


def _assessment(advice: Advice) -> list[Block]:
    systems = advice.evidence.get("systems", {})
    threshold = float(advice.evidence.get("options", {}).get("threshold", 0.7))
    blocks: list[Block] = []
    if systems:
        rows: list[IntervalRow] = []
        for name, found in systems.items():
            rows.append((LABELS.get(name, name), *_bounds(found["R@10"]), name == "stock"))
        blocks.append(
            IntervalPlot(
                "Before training: R@10 on train and dev queries",
                rows,
                label="R@10, with 95 % intervals",
                reference=threshold,
                reference_label=f"{threshold:.2f}: good enough",
            )
        )
    blocks += _expected(advice.evidence)
    blocks += _vocabulary(advice.evidence)
    also = [f"worth it without training: {', '.join(advice.also)}"] if advice.also else []
    return [_reasons("Was it worth trying?", f"Advice: {advice.answer}", [*advice.reasons, *also]), *blocks]


def _expected(evidence: Mapping[str, Any]) -> list[Block]:
    """What the pilot gained by its number of pairs, and what a tune is expected to gain by that."""
    pilot, expected = evidence.get("pilot"), evidence.get("expected")
    if not pilot or not expected:
        return []
    rows: list[IntervalRow] = [
        (f"map, {pairs:,} pairs", *_bounds(lift), False)
        for pairs, lift in zip(pilot["pairs"], pilot["lifts"], strict=True)
    ]
    rows += [("tuned", *_bounds(expected["alone"]), True), ("tuned + BM25", *_bounds(expected["hybrid"]), True)]
    return [
        IntervalPlot(
            "What a tune is expected to gain",
            rows,
            label="R@10 above stock, or stock + BM25: maps with 95 % intervals, tuned with a band of 80 %",
            reference=0.0,
            reference_label="nothing gained",
            form="+.3f",
        )
    ]


def _vocabulary(evidence: Mapping[str, Any]) -> list[Block]:
    """The field's own words: those that the tokenizer breaks, and recall on queries that hold one."""
    found, gaps = evidence.get("vocabulary"), evidence.get("vocabulary_gaps", {})
    blocks: list[Block] = []
    if gaps:
        sides = {"chosen": "with", "others": "without"}  # longer labels are cut on a phone
        rows: list[IntervalRow] = [
            (f"{LABELS.get(name, name)}, {words}, n={gap[side]['n']:,}", *_bounds(gap[side]), name == "stock")
            for name, gap in gaps.items()
            for side, words in sides.items()
        ]
        blocks.append(
            IntervalPlot(
                "R@10 on queries with and without a term that the tokenizer breaks",
                rows,
                label="R@10, with 95 % intervals",
            )
        )
    if found and found["terms"]:
        shown = found["terms"][:SHOWN_TERMS]
        cells: list[list[Cell]] = [
            [
                term["text"],
                " ".join(term["pieces"]),
                term["docs"],
                term["queries"],
                None if term["general"] is None else Number(term["general"], ".1f"),
                term["example"],
            ]
            for term in shown
        ]
        caption = (
            f"{len(shown)} of {found['shattered']:,} terms that are rare in general language and broken by the "
            "tokenizer: first those with the most pieces in the most passages. Zipf: 3 is one use in a million words, "
            "- none known"
        )
        columns = ["term", "pieces", "passages", "queries", "Zipf", "asked for in"]
        align = ["left", "left", "right", "right", "right", "left"]
        blocks.append(Table(columns, cells, caption=caption, align=align))
    return blocks


def _bounds(found: Mapping[str, float]) -> tuple[float, float, float]:
    return found["mean"], found["low"], found["high"]


def _reasons(heading: str, first: str, reasons: Sequence[str]) -> Paragraph:
    return Paragraph("\n\n".join([first + ".", *(f"{one[:1].upper()}{one[1:]}." for one in reasons)]), heading=heading)


def _facts(workspace: Workspace, data: Dataset, evaluation: Evaluation, meta: Meta | None) -> Facts:
    rows = [
        ("passages", f"{len(data.docs):,}"),
        ("queries", ", ".join(f"{split} {len(qrels):,}" for split, qrels in data.qrels.items())),
        ("test queries", f"{data.test.query_count:,}" if data.test else "none"),
        *((f"{name} model", f"{side.model} ({side.fingerprint[:12]})") for name, side in evaluation.sides.items()),
        *((f"{name} vectors", side.vectors) for name, side in evaluation.sides.items()),
        *((f"hash of {name}", value[:12]) for name, value in (meta.inputs.items() if meta else ())),
        *((f"train {name}", str(value)) for name, value in (meta.options.items() if meta else ())),
        *_versions(),
        *(("note", note) for note in (*data.notes, *evaluation.notes)),
    ]
    commands = [f"lexitune -C {workspace.root.name} {stage}" for stage in ("assess", "train", "reembed", "evaluate")]
    return Facts("How this was made", rows, commands)


def _versions() -> list[tuple[str, str]]:
    versions: dict[str, Any] = installed_versions()
    return [(name, str(value)) for name, value in versions.items()]
