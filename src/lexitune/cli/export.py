"""lexitune export: the workspace's data in the formats of others."""

from __future__ import annotations

from pathlib import Path

import click

from lexitune.cli.command import Call, Command, Result

__all__ = ["command"]


def run(call: Call) -> Result:
    """Write the judgements of one split to OUT in another tool's format.

    Test judgements stay sealed. What a format has no room for is told. With --mined, training rows of
    right passages and the negatives that `lexitune mine` found.

    \b
    lexitune export pairs train.jsonl --format flag --mined
    lexitune export pairs my-task --format mteb --split dev
    """
    workspace, out = call.workspace(), call.params["out"]
    name, split = call.params["format"], call.params["split"]
    from lexitune.io.formats.export import export_pairs

    found = export_pairs(workspace, out, to=name, split=split, with_mined=call.params["mined"])
    for note in found.notes:
        call.talk.say(f"export: {note}")
    data = {
        "out": str(out),
        "format": name,
        "split": split,
        "queries": found.queries,
        "judgements": found.judgements,
        "notes": list(found.notes),
    }
    return Result([f"{found.judgements:,} judgements of {found.queries:,} queries in {out}"], data)


pairs = Command(
    "pairs",
    run,
    params=[
        click.Argument(["out"], type=click.Path(path_type=Path)),
        click.Option(
            ["--format"],
            required=True,
            metavar="NAME",
            help="csv, tsv, xlsx, jsonl, parquet, beir, trec, st, hf, flag, flag-eval, tevatron, automodel, nemotron, "
            "nemotron-sdg, llamaindex, mteb, labelstudio, quepid, or a plugin's",
        ),
        click.Option(["--split"], default="train", help="train or dev  [default: train]"),
        click.Option(
            ["--mined"],
            is_flag=True,
            help="What `lexitune mine` made of train: for st, hf, flag, tevatron, automodel, nemotron",
        ),
    ],
    has_json=True,
)

command = click.Group(
    "export",
    help="The workspace's data in the formats of others.",
    no_args_is_help=True,
    commands={"pairs": pairs},
)
