"""The lab: tries recipes on dev, measures the chosen ones on test, and shows the tables.

    python -m benchmarks.lift [--split dev] [--sets nl2bash,tatqa] [--recipes default,mnrl] [--seeds 1] [--pairs 2000]
    python -m benchmarks.lift --show [--split test] [--json]

A recipe is its name and what differs from it: `default`, `mnrl`, `default;batch_size=64;epochs=2`. With `negatives=1`
some are mined first, as `lexitune tune` would and as part of the training's time; `mined=bm25` (or `model`, `hybrid`,
`none`) says whence, and `keep_out=dev+test` keeps out what is relevant to their queries. `mnrl;curve=12` measures the
classic recipe at twelve places on its way, and the table of times to quality sets the other recipes beside it. Recipes
are separated by commas. All recipes of a set and a seed train on the same sample of pairs, one after the other, on the
same threads; nothing else should run meanwhile, and each row tells how busy the processor was with anything else.

A row is appended to benchmarks/lift/rows.jsonl as soon as it is measured, and a row that is there is not measured
again: a lab that was stopped goes on where it was. After a change of the code `--again` measures anew; the newest row
of a trial counts. Test is opened for `--split test` and `both`; with `both` one training is measured on both,
and the time that the classic recipe's curve took does not count on test.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.harness import SETS, arguments, show
from benchmarks.lift.tables import lift_object, lift_table, race_table, trials_table
from benchmarks.lift.trial import MEASURES, MODEL, measure_stock, run_trial, split_key
from benchmarks.rows import Row, add_row, find_row, read_rows
from benchmarks.sample import WHOLE
from lexitune.models.catalog import resolve
from lexitune.models.load import model_folder
from lexitune.models.options import ModelOptions

SPLITS = {"dev": ("dev",), "test": ("test",), "both": ("dev", "test")}
ROWS = Path(__file__).with_name("rows.jsonl")


def main() -> None:
    """Run what has no row yet, then show the tables."""
    parser = arguments("The lab: recipes over the real sets", rounds=False)
    parser.add_argument("--model", default=MODEL, help="where training starts (default minilm)")
    parser.add_argument("--split", choices=SPLITS, default="dev", help="what is measured (default dev)")
    parser.add_argument("--sets", default=",".join(SETS), help="separated by commas (default all nine)")
    parser.add_argument("--recipes", default="mnrl,default", help="separated by commas (default mnrl,default)")
    parser.add_argument("--seeds", default="1", help="of samples and trainings, separated by commas (default 1)")
    parser.add_argument("--pairs", default="2000", help="most train pairs of a set, or all (default 2000)")
    parser.add_argument("--work", type=Path, default=Path("lift-work"), help="folder for models and vectors")
    parser.add_argument("--rows", type=Path, default=ROWS, help="file of rows (default benchmarks/lift/rows.jsonl)")
    parser.add_argument("--again", action="store_true", help="measure trials that have a row already once more")
    parser.add_argument("--show", action="store_true", help="measure nothing, show the tables")
    given = parser.parse_args()
    chosen = {name: getattr(given, name) for name in ("sets", "seeds", "pairs", "recipes")}
    splits = SPLITS[given.split]
    if not given.show:
        threads = given.threads or torch.get_num_threads()
        keys = plan(given.model, **chosen)
        run(keys, splits, path=given.rows, work=given.work, threads=threads, again=given.again)
    for split in splits:
        rows = [row for row in newest(read_rows(given.rows)) if (row["split"], row["model"]) == (split, given.model)]
        tables = [lift_table(rows), trials_table(rows)] if split == "test" else [trials_table(rows), race_table(rows)]
        if given.json:
            show({"split": split, **lift_object(rows)}, as_json=True)
        else:
            sys.stdout.write("\n".join(tables))


def plan(model: str, *, sets: str, seeds: str, pairs: str, recipes: str) -> list[dict[str, Any]]:
    """The key of each trial, in the order in which they are run; lists are separated by commas."""
    most = WHOLE if pairs == "all" else int(pairs)
    return [
        {"model": model, "set": name, "seed": int(seed), "pairs": most, "recipe": recipe}
        for name in sets.split(",")
        for seed in seeds.split(",")
        for recipe in (text.replace(";", ",") for text in recipes.split(","))
    ]


def run(
    keys: Sequence[Mapping[str, Any]],
    splits: Sequence[str],
    *,
    path: Path,
    work: Path,
    threads: int,
    again: bool = False,
) -> None:
    """Measure each key on the splits that have no row of it yet, or `again` if they have; the stock model before."""
    for name in {key["model"] for key in keys}:  # the processes that measure fetch nothing
        options = ModelOptions(model=name)
        model_folder(resolve(options), options)
    for key in keys:
        missing = [split for split in splits if again or find_row(read_rows(path), split_key(key, split)) is None]
        before = {}
        for split in missing:
            stock = {"model": key["model"], "set": key["set"], "split": split, "recipe": "stock"}
            start = find_row(read_rows(path), stock) or add_row(measure_stock(stock, work=work, threads=threads), path)
            before[split] = start
        if missing:
            for row in run_trial(key, before=before, work=work, threads=threads):
                tell(add_row(row, path))


def newest(rows: Sequence[Row]) -> list[Row]:
    """Of rows of the same trial the last one."""
    names = ("model", "set", "split", "seed", "pairs", "recipe")
    return list({tuple(row.get(name) for name in names): row for row in rows}.values())


def tell(row: Row) -> None:
    """One line on stderr, as soon as a trial is measured."""
    gained = "  ".join(f"{one} {100 * row['gain'][str(one)]['mean']:+.1f}" for one in MEASURES)
    what = f"{row['set']:<13}{row['split']:<5}{row['seed']}  {row['train_minutes']:5.1f} min"
    sys.stderr.write(f"{what}  {gained}  {row['recipe']}\n")


if __name__ == "__main__":
    main()
