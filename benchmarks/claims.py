"""The lift table for a model of your choice, wherever its weights can be had: a folder, the Hub's cache, or the Hub.

    python -m benchmarks.claims --model BAAI/bge-large-en-v1.5 [--sets tldr,tatqa] [--seeds 1,2] [--out claims] [--json]

The classic recipe and the default one, on test, on all nine sets and three seeds, with intervals. Rows come as they are
measured, and a run that was stopped goes on where it was; at the end the table is written to OUT/MODEL.md beside them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from benchmarks.harness import SETS, arguments, show
from benchmarks.lift.__main__ import newest, plan, run
from benchmarks.lift.tables import lift_object, lift_table
from benchmarks.rows import read_rows
from lexitune.stages.train.driver import short_name

RECIPES = ("mnrl", "default")


def main() -> None:
    """Measure, and write the table."""
    parser = arguments("The lift table for a model of your choice", rounds=False)
    parser.add_argument("--model", required=True, help="Hub id, folder, or built-in name")
    parser.add_argument("--out", type=Path, default=Path("claims"), help="folder for rows and table (default claims)")
    parser.add_argument("--sets", default=",".join(SETS), help="separated by commas (default all nine)")
    parser.add_argument("--seeds", default="1,2,3", help="separated by commas (default 1,2,3)")
    parser.add_argument("--pairs", default="2000", help="most train pairs of a set, or all (default 2000)")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    name = short_name(given.model)
    rows = given.out / f"{name}.jsonl"
    keys = plan(given.model, sets=given.sets, seeds=given.seeds, pairs=given.pairs, recipes=",".join(RECIPES))
    run(keys, ("test",), path=rows, work=given.out / "work", threads=given.threads or torch.get_num_threads())
    found = newest(read_rows(rows))
    table = lift_table(found)
    (given.out / f"{name}.md").write_text(table, encoding="utf-8")
    if given.json:
        show(lift_object(found), as_json=True)
    else:
        sys.stdout.write(table)


if __name__ == "__main__":
    main()
