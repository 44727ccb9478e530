"""The pilot against the truth: what it foretells of each field from the other ones, beside what the default recipe
gained there in the lab.

    python -m benchmarks.pilot [--sets nl2bash,tatqa] [--work pilot-work]
    python -m benchmarks.pilot --journey lexitune-demo
    python -m benchmarks.pilot --show [--write]

A row a set is appended to benchmarks/pilot.jsonl; a set that has one is not measured again (`--again` does). Truth is
the lab's rows of `default` on test (`python -m benchmarks.lift --split test`), the mean over its seeds, with 2,000
pairs at most; `--journey` takes both from a workspace that `lexitune demo` or `lexitune tune` has left. `--write` makes
the table that `lexitune assess` foretells by.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.harness import SETS, real_set
from benchmarks.lift.__main__ import ROWS as LIFTS
from benchmarks.lift.__main__ import newest
from benchmarks.lift.tables import in_points
from benchmarks.lift.trial import MEASURES, MODEL, circumstances, unpack
from benchmarks.rows import Row, add_row, find_row, read_rows
from lexitune.io.staged import newest_model
from lexitune.io.workspace import Workspace, read_meta
from lexitune.metrics.measures import measure_hits
from lexitune.metrics.statistics import Interval, t_interval
from lexitune.models.load import load
from lexitune.models.options import ModelOptions
from lexitune.pipeline.pilot import run_pilot
from lexitune.stages.assess import expected
from lexitune.stages.assess.assessment import ceiling_of, sample_queries
from lexitune.stages.assess.driver import read_advice, report_path
from lexitune.stages.assess.expected import Case, Pilot, foretell, standard_error
from lexitune.stages.assess.ledger import keep_ledger
from lexitune.stages.assess.options import AssessOptions
from lexitune.types import Silent

ROWS = Path(__file__).with_name("pilot.jsonl")
TABLE = Path(expected.__file__).with_name(expected.TABLE)
RECALL = str(MEASURES[0])
PAIRS = 2000
HEAD = """# What a pilot gained, and what a tune then did, all in R@10: `lexitune assess` foretells gains by these rows.
# all-MiniLM-L6-v2, the default recipe on test. Written by `python -m benchmarks.pilot --write`; do not edit.
"""


def main() -> None:
    """Measure what has no row, then set the pilot beside the truth."""
    parser = argparse.ArgumentParser(description="The pilot against the truth")
    parser.add_argument("--sets", default=",".join(SETS), help="separated by commas (default all nine)")
    parser.add_argument("--work", type=Path, default=Path("pilot-work"), help="folder for vectors (default pilot-work)")
    parser.add_argument("--journey", type=Path, help="a finished workspace: its assessment, and what its tune gained")
    parser.add_argument("--again", action="store_true", help="measure sets that have a row once more")
    parser.add_argument("--show", action="store_true", help="measure nothing, show the table")
    parser.add_argument("--write", action="store_true", help=f"write {TABLE.name}")
    given = parser.parse_args()
    if given.journey:
        add_row(read_journey(Workspace(given.journey)), ROWS)
    for name in [] if given.show or given.journey else given.sets.split(","):
        if given.again or find_row(read_rows(ROWS), {"set": name, "model": MODEL}) is None:
            add_row(measure(name, given.work), ROWS)
    cases = list(known(read_rows(ROWS), newest(read_rows(LIFTS))))
    sys.stdout.write(table(cases))
    if given.write:
        TABLE.write_text(HEAD + "".join(told(one.case) for one in cases), encoding="utf-8")


def measure(name: str, work: Path) -> Row:
    """The ledger and the pilot of one set, on its train and dev queries."""
    data, options = real_set(name), AssessOptions()
    model = load(options=ModelOptions(model=MODEL))
    qrels, available = sample_queries(data, most=options.max_queries, seed=options.seed)
    ledger = keep_ledger(
        data, qrels, model=model, others={}, vectors=work / name / "vectors", seed=options.seed, talk=Silent()
    )
    pilot = run_pilot(ledger, options.seed)
    assert pilot is not None
    reached = {name: measure_hits(hits, qrels, MEASURES).interval(RECALL) for name, hits in ledger.hits.items()}
    return {
        "set": name,
        "model": MODEL,
        "queries": len(qrels),
        "available": available,
        "ceiling": ceiling_of(qrels),
        "systems": {name: asdict(found) for name, found in reached.items()},
        "pilot": asdict(pilot),
        **circumstances(torch.get_num_threads()),
    }


def read_journey(workspace: Workspace) -> Row:
    """The row of a workspace whose data were assessed, trained on and evaluated."""
    evidence = read_advice(report_path(workspace)).evidence
    model_id = newest_model(workspace)
    found = json.loads((workspace.reports / f"{model_id}.json").read_text(encoding="utf-8"))
    values = {name: np.array(report["per_query"][RECALL]) for name, report in found["systems"].items()}
    meta = read_meta(workspace.models / str(model_id))
    assert meta is not None
    return {
        "set": workspace.root.resolve().name,
        "model": evidence["model"],
        "ceiling": evidence["ceiling"],
        "systems": {name: measured[RECALL] for name, measured in evidence["systems"].items()},
        "pilot": evidence["pilot"],
        "truth": {
            "pairs": meta.outputs["pairs"],
            "lift": asdict(t_interval(values["tuned"] - values["stock"])),
            "beside": asdict(t_interval(values["hybrid_tuned"] - values["hybrid_stock"])),
        },
        **circumstances(torch.get_num_threads()),
    }


@dataclass(frozen=True)
class Known:
    """A set with a pilot and a truth: `lift` alone, and `beside` BM25."""

    case: Case
    pilot: Pilot
    stock: Interval
    hybrid: Interval
    ceiling: float
    lift: Interval
    beside: Interval


def known(pilots: Sequence[Row], lifts: Sequence[Row]) -> Iterator[Known]:
    """Every set that has both."""
    for name in sorted({row["set"] for row in pilots if row["model"] == MODEL}):
        row = find_row(list(pilots), {"set": name, "model": MODEL})
        truth = None if row is None else truth_of(row, lifts)
        if row is None or truth is None:
            continue
        pairs, lift, beside = truth
        stock, hybrid = (Interval(**row["systems"][system]) for system in ("stock", "hybrid"))
        pilot, ceiling = _pilot(row["pilot"]), row["ceiling"]
        case = Case(
            name,
            pairs,
            room=ceiling - stock.mean,
            pilot=pilot.lifts[-1].mean,
            hybrid_pilot=pilot.hybrid_lift.mean,
            lift=lift.mean,
            hybrid_lift=beside.mean,
            error=standard_error(lift),
            hybrid_error=standard_error(beside),
        )
        yield Known(case, pilot, stock, hybrid, ceiling, lift, beside)


def truth_of(row: Row, lifts: Sequence[Row]) -> tuple[int, Interval, Interval] | None:
    """How many pairs were trained on, and what that gained, alone and beside BM25: a journey's own, or the lab's."""
    if "truth" in row:
        lift, beside = (Interval(**row["truth"][name]) for name in ("lift", "beside"))
        return row["truth"]["pairs"], lift, beside
    name = row["set"]
    before = find_row(list(lifts), {"set": name, "model": MODEL, "split": "test", "recipe": "stock"})
    trained = trained_on(name, lifts)
    if before is None or not trained:
        return None
    lift, beside = (gained(trained, before, kind) for kind in ("values", "hybrid_values"))
    return trained[0]["trained_pairs"], lift, beside


def table(cases: Sequence[Known]) -> str:
    """Each set foretold from the others, in points of R@10, alone and beside BM25."""
    return "\n".join(_table(cases, beside=beside) for beside in (False, True))


def _table(cases: Sequence[Known], *, beside: bool) -> str:
    what = "beside BM25" if beside else "alone"
    lines = [f"| {what} | pairs | room | pilot | foretold [80 %] | gained [95 %] | off | mean of the others, off |"]
    lines.append("|" + "---|" * 8)
    off, naive, widths, covered = [], [], [], 0
    for place, one in enumerate(cases):
        others = [other.case for other in (*cases[:place], *cases[place + 1 :])]
        found = foretell(
            one.pilot, stock=one.stock, hybrid=one.hybrid, ceiling=one.ceiling, pairs=one.case.pairs, cases=others
        )
        if found is None:
            continue
        case, band, truth = one.case, found.hybrid if beside else found.alone, one.beside if beside else one.lift
        room = one.ceiling - (one.hybrid if beside else one.stock).mean
        pilot = case.hybrid_pilot if beside else case.pilot
        mean = statistics.mean(other.hybrid_lift if beside else other.lift for other in others)
        off.append(abs(band.mean - truth.mean))
        naive.append(abs(mean - truth.mean))
        widths.append(band.high - band.low)
        covered += band.low <= truth.mean <= band.high
        lines.append(
            f"| {case.name} | {case.pairs} | {100 * room:.1f} | {100 * pilot:+.1f} | {in_points(band)} | "
            f"{in_points(truth)} | {100 * off[-1]:.1f} | {100 * naive[-1]:.1f} |"
        )
    if off:
        lines.append(
            f"\nMedian error {100 * statistics.median(off):.1f} points, of the mean of the others "
            f"{100 * statistics.median(naive):.1f}; the band covers {covered} of {len(off)}, its median width is "
            f"{100 * statistics.median(widths):.1f} points."
        )
    return "\n".join(lines) + "\n"


def told(case: Case) -> str:
    """A row of the table."""
    values = [(field.name, getattr(case, field.name)) for field in fields(case) if field.name != "name"]
    body = "".join(f"{name} = {round(value, 4)}\n" for name, value in values)
    return f"\n[{case.name}]\n{body}"


def trained_on(name: str, lifts: Sequence[Row]) -> list[Row]:
    """The lab's rows of the default recipe on a set's test queries, one a seed."""
    key = {"set": name, "model": MODEL, "split": "test", "recipe": "default", "pairs": PAIRS}
    return [row for row in lifts if all(row.get(part) == value for part, value in key.items())]


def gained(trained: Sequence[Row], stock: Row, kind: str) -> Interval:
    """Over the queries, each the mean of its seeds."""
    values = sum(unpack(row[kind][RECALL]) for row in trained) / len(trained)
    return t_interval(values - unpack(stock[kind][RECALL]))


def _pilot(row: dict[str, Any]) -> Pilot:
    lifts = tuple(Interval(**one) for one in row["lifts"])
    rise, beside = (Interval(**row[name]) for name in ("rise", "hybrid_lift"))
    return Pilot(tuple(row["pairs"]), lifts, rise, beside, row["seconds"])


if __name__ == "__main__":
    main()
