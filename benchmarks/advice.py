"""The advice against the truth: what `lexitune assess` says of each real field, beside what the lab measured there.

    python -m benchmarks.advice [--sets nl2bash,tatqa] [--work pilot-work]

The gain is foretold from the other fields alone. By the lab's rows of `default` on test a field is worth a tune where
the gain's interval lies above 0 and what serves then, alone or beside BM25, is two points above stock, BM25 and their
hybrid; it is not where the interval lies under two points. Elsewhere no answer is wrong.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from unittest.mock import patch

from benchmarks.harness import SETS, arguments, real_set
from benchmarks.lift.__main__ import ROWS as LIFTS
from benchmarks.lift.__main__ import newest
from benchmarks.lift.tables import in_points
from benchmarks.lift.trial import MODEL
from benchmarks.pilot import RECALL, ROWS, gained, known, trained_on
from benchmarks.rows import Row, find_row, read_rows
from lexitune.metrics.statistics import Interval
from lexitune.models.load import load
from lexitune.models.options import ModelOptions
from lexitune.pipeline.deciding import assess
from lexitune.stages.assess import assessment
from lexitune.stages.assess.advice import NO, TUNE
from lexitune.stages.assess.criteria import AGAINST, FOR, OPEN
from lexitune.stages.assess.expected import Case, foretell
from lexitune.types import Advice

LEAST = 0.02  # of R@10


def main() -> None:
    """Assess each set, and set the answer beside the truth."""
    parser = arguments("The advice against the truth")
    parser.add_argument("--sets", default=",".join(SETS), help="separated by commas (default all nine)")
    parser.add_argument("--work", type=Path, default=Path("pilot-work"), help="folder for vectors (default pilot-work)")
    given = parser.parse_args()
    lifts = newest(read_rows(LIFTS))
    cases = [one.case for one in known(read_rows(ROWS), lifts)]
    head = "| set | advice | by the lab | stock | without training | expected | gained | criteria | also |"
    sys.stdout.write(f"{head}\n|{'---|' * 9}")
    for name in given.sets.split(","):
        found = advice_on(name, given.work, [case for case in cases if case.name != name])
        sys.stdout.write(f"\n{line(name, found, lifts)}")
        sys.stdout.flush()
    sys.stdout.write("\n")


def advice_on(name: str, work: Path, cases: Sequence[Case]) -> Advice:
    """What assess says of a set, where these fields are known."""
    model = load(options=ModelOptions(model=MODEL))
    with patch.object(assessment, "foretell", partial(foretell, cases=cases)):
        return assess(real_set(name), model=model, vectors=work / name / "vectors")


def line(name: str, advice: Advice, lifts: Sequence[Row]) -> str:
    """A row of the table."""
    evidence = advice.evidence
    reached = {system: found[RECALL]["mean"] for system, found in evidence["systems"].items()}
    best = max((system for system in reached if system != "stock"), key=lambda system: reached[system])
    expected = evidence["expected"]
    told = in_points(Interval(**expected["alone"])) if expected else "-"
    truth, gain = by_the_lab(name, lifts)
    return (
        f"| {name} | {advice.answer} | {truth} | {100 * reached['stock']:.1f} | {best} {100 * reached[best]:.1f} | "
        f"{told} | {gain} | {criteria(advice)} | {', '.join(advice.also)} |"
    )


def criteria(advice: Advice) -> str:
    """Each criterion with its figure, and + for a tune, - against or ? open."""
    marks = {FOR: "+", AGAINST: "-", OPEN: "?"}
    return "; ".join(f"{marks[one['says']]} {one['name']} {one['figure']}" for one in advice.evidence["criteria"])


def by_the_lab(name: str, lifts: Sequence[Row]) -> tuple[str, str]:
    """Whether a tune was worth it there, and the gain."""
    key = {"set": name, "model": MODEL, "split": "test"}
    stock, trained = find_row(list(lifts), {**key, "recipe": "stock"}), trained_on(name, lifts)
    if stock is None or not trained:
        return "not measured", "-"
    found = gained(trained, stock, "values")
    before = max(stock[RECALL]["mean"], stock["hybrid"][RECALL]["mean"], stock["bm25"][RECALL]["mean"])
    reached = [max(row[RECALL]["mean"], row["hybrid"][RECALL]["mean"]) for row in trained]
    told = in_points(found)
    if found.high < LEAST:
        return NO, told
    return (TUNE if found.low > 0 and sum(reached) / len(reached) >= before + LEAST else "either"), told


if __name__ == "__main__":
    main()
