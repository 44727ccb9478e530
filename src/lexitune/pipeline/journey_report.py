"""The journey's report: what each stage found, as blocks, in `report.html`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lexitune.io.atomic import replace_text
from lexitune.io.examples import is_users
from lexitune.io.hits import Hits
from lexitune.io.quarantine import Quarantine
from lexitune.io.trec import as_word, read_run
from lexitune.io.workspace import Meta, Workspace, installed_versions, read_meta
from lexitune.metrics.comparison import Comparison
from lexitune.metrics.report import Report
from lexitune.metrics.statistics import t_interval
from lexitune.pipeline.assessment_blocks import assessment_blocks, sentence
from lexitune.pipeline.labels import LABELS, points
from lexitune.pipeline.outcome import gain_text, verdict
from lexitune.pipeline.score_blocks import score_table
from lexitune.report.blocks import (
    Block,
    Cell,
    Chapter,
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
from lexitune.report.scale import format_number
from lexitune.stages.evaluate.evaluation import SYSTEMS, Change, Evaluation
from lexitune.stages.mine.driver import report_path as mining_path
from lexitune.stages.promote.rules import LEAST_SLICE
from lexitune.types import Advice, Dataset, GateResult

__all__ = ["write_advice_report", "write_report"]

TONES: Mapping[str, Tone] = {"BETTER": "good", "WORSE": "bad", "NOT SHOWN": "neutral"}
ADVISED: Mapping[str, tuple[str, Tone]] = {
    "NO": ("NOT WORTH IT", "neutral"),
    "CANNOT TELL": ("CANNOT TELL YET", "neutral"),
    "TUNE": ("WORTH A TUNE", "good"),
}
MEANINGS = {
    "R@10": "R@10 is the share of a query's relevant passages among the first ten found; a point is a hundredth.",
}
CHALLENGERS, RIVALS = ("tuned", "hybrid_tuned"), ("stock", "bm25", "hybrid_stock")
FORETOLD = "R@10"
SHOWN_CHANGES = 5


def write_report(
    workspace: Workspace,
    data: Dataset,
    *,
    advice: Advice | None,
    evaluation: Evaluation,
    gate: GateResult,
    remarks: Sequence[Block] = (),
) -> Path:
    """Write `report.html` of a finished journey, and say where.

    Args:
        advice: None: nothing was assessed.
        remarks: Further blocks after the figures, such as what only the demo measures.
    """
    meta = read_meta(workspace.models / evaluation.model_id)
    tests = evaluation.comparison.delta(evaluation.primary).n
    blocks = [
        _verdict(evaluation, gate),
        Chapter("What was gained", f"Measured on {tests:,} test queries that no decision before had seen."),
        *_figures(evaluation),
        _gate(gate),
        *remarks,
        Chapter("Query by query"),
        *_queries(workspace, evaluation, data),
        *(_training(meta) if meta else []),
        *(assessment_blocks(advice, "Was it worth trying?", measured=_measured(evaluation)) if advice else []),
        Chapter("How this was made"),
        _facts(workspace, data, evaluation, meta),
    ]
    stock = evaluation.sides["stock"].model if "stock" in evaluation.sides else "its stock model"
    subtitle = f"lexitune: {evaluation.model_id} beside {Path(stock).name}, {len(data.docs):,} passages"
    return _write(workspace, "Did the tune help?", blocks, subtitle=subtitle)


def write_advice_report(workspace: Workspace, advice: Advice) -> Path:
    """Write `report.html` of a workspace in which nothing was tuned yet, and say where."""
    word, tone = ADVISED[advice.answer]
    said = sentence(advice.reasons[0]) if advice.reasons else ""
    if advice.also:
        said += f" Worth it without training: {', '.join(advice.also)}."
    blocks = [Verdict(word, said, tone), *assessment_blocks(advice, "Why this advice?"), Chapter("How this was made")]
    options = advice.evidence.get("options") or {}
    more = [(f"assess {name}", _value(value)) for name, value in options.items()]
    rows = [
        (name, f"{advice.evidence[key]:,}")
        for name, key in (("training pairs", "pairs"), ("test queries", "test_queries"))
        if advice.evidence.get(key) is not None
    ]
    in_folder = f"lexitune -C {workspace.root.name}"
    commands = [f"{in_folder} assess", advice.next_command.replace("lexitune", in_folder, 1)]
    facts = Facts("Data", rows, [one for one in commands if one], [*more, *_versions()])
    subtitle = f"lexitune: the stock model {Path(str(advice.evidence.get('model') or 'that was chosen')).name}"
    return _write(workspace, "Is a tune worth it here?", [*blocks, facts], subtitle=subtitle)


def _write(workspace: Workspace, title: str, blocks: Sequence[Block], *, subtitle: str) -> Path:
    from lexitune.report.html import render

    path = workspace.root / "report.html"
    replace_text(path, render(title, blocks, subtitle=subtitle))
    return path


def _verdict(evaluation: Evaluation, gate: GateResult) -> Verdict:
    delta = evaluation.comparison.delta(evaluation.primary)
    word = verdict(delta)
    told = (
        f"{evaluation.primary} gains {gain_text(delta)} over the stock model on {delta.n:,} test queries: "
        f"{delta.won:,} won, {delta.lost:,} lost, {delta.tied:,} unchanged. "
    )
    if {"hybrid_stock", "tuned"} <= evaluation.systems.keys():
        best = max(CHALLENGERS, key=lambda name: evaluation.systems[name].mean(evaluation.primary))
        over = _told(_difference(evaluation, best, "hybrid_stock"))
        told += f"Beside stock + BM25, which needs no training, {LABELS[best]} gains {over} points. "
    told += f"The gate says {gate.answer}."
    return Verdict(word, told, TONES[word])


def _figures(evaluation: Evaluation) -> list[Block]:
    name = evaluation.primary
    bounds = [(system, evaluation.systems[system].interval(name)) for system in SYSTEMS]
    rows: list[IntervalRow] = [
        (LABELS[system], found.mean, found.low, found.high, system == "tuned") for system, found in bounds
    ]
    blocks: list[Block] = [
        IntervalPlot(
            f"{name} by system",
            rows,
            label=f"{name}, with 95 % intervals, n={bounds[0][1].n:,}",
            note=MEANINGS.get(name, ""),
        ),
        _rivals_table(evaluation),
        _gains_table(evaluation.comparison),
        _measures_table(evaluation.systems),
    ]
    if evaluation.comparison.slices:
        blocks.append(_slices_table(evaluation.comparison, name))
    if evaluation.score_map:
        blocks.append(score_table(evaluation.score_map, evaluation.model_id))
    return blocks


def _rivals_table(evaluation: Evaluation) -> Table:
    rows: list[list[Cell]] = [
        [LABELS[rival], *(Estimate(*_difference(evaluation, name, rival), "+.1f") for name in CHALLENGERS)]
        for rival in RIVALS
    ]
    return Table(
        ["beside", *(LABELS[name] for name in CHALLENGERS)],
        rows,
        caption="What serves after a tune, beside what serves without",
        note=f"Points of {evaluation.primary} gained on the same queries, with paired 95 % intervals (Student's t).",
        align=["left", *["right"] * len(CHALLENGERS)],
    )


def _difference(evaluation: Evaluation, name: str, rival: str) -> tuple[float, float, float]:
    """What a system gains over another on the same queries, in points."""
    both = (evaluation.systems[one].values(evaluation.primary) for one in (name, rival))
    found = t_interval(next(both) - next(both))
    return 100 * found.mean, 100 * found.low, 100 * found.high


def _told(found: tuple[float, float, float]) -> str:
    mean, low, high = (format_number(bound, "+.1f") for bound in found)
    return f"{mean} [{low}, {high}]"


def _measures_table(systems: Mapping[str, Report]) -> Table:
    measures = systems["stock"].measures
    rows: list[list[Cell]] = []
    for system in SYSTEMS:
        found = [systems[system].interval(measure) for measure in measures]
        rows.append([LABELS[system], *(Estimate(one.mean, one.low, one.high) for one in found)])
    ties = max(report.ties for report in systems.values())
    note = "With 95 % intervals. A passage that nobody judged counts as wrong."
    if ties > 0:
        note += f" For up to {100 * ties:.1f} % of queries ranks 10 and 11 score the same."
    return Table(["system", *measures], rows, caption="Every measure by system", note=note)


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
        caption="Tuned minus stock, in every measure",
        note="A point is a hundredth. The gain has its paired t interval; beside it stand two checks: a bootstrap that "
        "draws families of queries together, and the chance of such a gain if signs are flipped at random. The gate "
        "goes by the wider of both intervals.",
        align=["left", *["right"] * 6],
    )


def _slices_table(comparison: Comparison, name: str) -> Table:
    rows: list[list[Cell]] = []
    for label, part in comparison.slices.items():
        delta = part.deltas.get(name)
        remark = "too few to conclude from" if part.too_small else "too few to be judged" * (part.n < LEAST_SLICE)
        gain: Cell = None if delta is None else Estimate(100 * delta.mean, 100 * delta.low, 100 * delta.high, "+.1f")
        if delta is not None and part.n < 2:
            gain = Number(100 * delta.mean, "+.1f")  # one query has no interval, whatever its width
        rows.append([label, part.n, gain, remark])
    return Table(
        ["slice", "queries", "gain in points", ""],
        rows,
        caption=f"Gain in {name} by slice",
        note="Seen document: a relevant passage of the query also stood in training. Seen query: a train or dev query "
        f"asks the same. The gate judges slices of {LEAST_SLICE} queries or more.",
        align=["left", "right", "right", "left"],
    )


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
    return {word: rank for rank, (word, _) in enumerate(hits.run(as_word(change.query_id)), start=1)}


def _item(
    change: Change, query: str, texts: Mapping[str, str], *, ranks: tuple[Mapping[str, int], Mapping[str, int]]
) -> TextItem:
    shown = {"relevant": change.relevant, "stock found first": change.top_before, "tuned found first": change.top_after}
    rows: list[TextRow] = []
    seen: set[str] = set()
    for label, doc_id in shown.items():
        if doc_id is not None and doc_id not in seen:  # the first hit may be the relevant passage itself
            seen.add(doc_id)
            word = as_word(doc_id)
            rows.append((label, texts[doc_id], ranks[0].get(word), ranks[1].get(word)))
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
    words = f"{meta.outputs['pairs']:,} pairs, {meta.outputs['steps']:,} steps, {meta.cost_s:,.0f} s."
    if pool:
        words += (
            f" {label[:1].upper()}{label[1:]} is over {meta.outputs['dev_queries']:,} dev queries and a fixed pool of "
            f"{pool:,} passages, at the depth that is the same share of the pool as ten is of the corpus."
        )
    plot = CurvePlot(
        "Loss and dev recall" if dev else "Loss",
        [("loss", losses)],
        y_label="loss",
        second=second,
        mark=best,
        note=words,
    )
    return [Chapter("Training"), plot]


def _measured(evaluation: Evaluation) -> list[IntervalRow]:
    """What was gained on test, in points, where that can stand beside what was foretold."""
    if evaluation.primary != FORETOLD:
        return []
    named = {"tune, measured": evaluation.comparison, "tune + BM25, measured": evaluation.hybrid}
    return [(label, *points(asdict(found.delta(FORETOLD))), True) for label, found in named.items()]


def _gate(gate: GateResult) -> Paragraph:
    first, *rest = map(sentence, gate.reasons or ("no reason was given",))
    if forced := gate.evidence.get("forced"):
        rest.insert(0, sentence(f"{forced['who']} let it serve all the same: {forced['why']}"))
    return Paragraph(first, heading=f"Gate: {gate.answer}", points=rest)


def _facts(workspace: Workspace, data: Dataset, evaluation: Evaluation, meta: Meta | None) -> Facts:
    rows = [
        ("passages", f"{len(data.docs):,}"),
        ("queries", ", ".join(f"{split} {len(qrels):,}" for split, qrels in data.qrels.items())),
        ("test queries", f"{data.test.query_count:,}" if data.test else "none"),
        *((f"{name} model", f"{side.model} ({side.fingerprint[:12]})") for name, side in evaluation.sides.items()),
        *(("note", note) for note in (*data.notes, *evaluation.notes)),
    ]
    more = [
        *((f"{name} vectors", side.vectors) for name, side in evaluation.sides.items()),
        *((f"hash of {name}", value[:12]) for name, value in (meta.inputs.items() if meta else ())),
        *((f"train {name}", _value(value)) for name, value in (meta.options.items() if meta else ())),
        *_versions(),
    ]
    mine = read_meta(mining_path(workspace)) if meta and "mined" in meta.inputs else None
    mined = [f"mine --keep-out {mine.options['keep_out']}"] if mine and not is_users(workspace) else []
    stages = ("assess", *mined, "train", "reembed", "evaluate", "promote")
    commands = [f"lexitune -C {workspace.root.name} {stage}" for stage in stages]
    return Facts("Data and models", rows, commands, more)


def _value(value: object) -> str:
    """An option as a person writes it."""
    if value is None or value == "" or value == []:
        return "not set"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _versions() -> list[tuple[str, str]]:
    versions: dict[str, Any] = installed_versions()
    return [(name, str(value)) for name, value in versions.items()]
