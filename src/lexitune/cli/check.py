"""lexitune check: what is wrong with the data?"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lexitune.cli.command import Call, Command, Result, marked
from lexitune.cli.options import read_options
from lexitune.io.options import DataOptions
from lexitune.models.options import ModelOptions
from lexitune.stages.check.options import CheckOptions

if TYPE_CHECKING:
    from lexitune.io.workspace import Workspace

__all__ = ["command"]


def run(call: Call) -> Result:
    """Look for what is wrong with the data, and write a cleaned copy.

    DATA is a BEIR folder, or a CSV, TSV or JSONL file of pairs. Left out, the workspace's own
    data is looked at, its test set aside. Nothing that is there is changed.

    \b
    lexitune check pairs.csv --corpus corpus.jsonl
    lexitune check beir-folder --deep     ask the stock model about the labels
    lexitune check beir-folder --fix cleaned
    """
    given = call.params["data"]
    workspace = call.workspace_or_new() if given else call.workspace()
    options = call.sections(workspace)
    corpus = call.params["corpus"] or _corpus_of(workspace, given)
    from lexitune.stages.check.driver import run as check

    checked = check(
        given or workspace,
        vectors=workspace.vectors,
        corpus=corpus,
        model=options["model"],
        options=options["check"],
        talk=call.talk,
    )
    lines = []
    for found in checked.findings:
        shown = f": {', '.join(found.examples)}{', ...' if found.count > len(found.examples) else ''}"
        lines += marked(found.mark, f"{found.said}{shown if found.examples else ''}", found.fix)
    if checked.log:
        lines.append(f"written: {checked.log.parent}, what was changed: {checked.log}")
    data = {
        "findings": [asdict(found) for found in checked.findings],
        "suspects": [asdict(one) for one in checked.suspects],
    }
    return Result(lines, data, _following(call, options["check"].fix or given, None if checked.log else corpus))


def _corpus_of(workspace: Workspace, given: Path | None) -> Path | None:
    """The passages that the workspace's options name, for a file of pairs."""
    if given is None or given.is_dir():
        return None
    named = read_options({}, (DataOptions,), config=workspace.config)["data"].corpus
    return Path(named) if named else None


def _following(call: Call, data: object, corpus: object) -> str:
    """What to type next: a tune of the cleaned copy, or of what was given."""
    if data is None:
        return "lexitune assess"
    return call.beside("tune", str(data), *(["--corpus", str(corpus)] if corpus else []))


command = Command(
    "check",
    run,
    sections=(ModelOptions, CheckOptions),
    params=[
        click.Argument(["data"], required=False, type=click.Path(path_type=Path)),
        click.Option(
            ["--corpus"],
            type=click.Path(path_type=Path),
            help="For a file of pairs: JSONL file of the passages that search must find",
        ),
    ],
    has_json=True,
)
