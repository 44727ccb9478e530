"""Check a source of data, or a workspace: findings, and a cleaned copy where one is wanted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lexitune.errors import UsageError
from lexitune.io.dataset import Raw, open_data, read_folder, read_pairs_data
from lexitune.io.quarantine import Quarantine
from lexitune.io.workspace import Workspace
from lexitune.models.options import ModelOptions
from lexitune.stages.check.believed import Doubt, find_doubts, find_long
from lexitune.stages.check.cleaning import clean, write_clean
from lexitune.stages.check.findings import LOOK, OK, SHOWN, Finding, find_faults
from lexitune.stages.check.options import CheckOptions
from lexitune.types import Silent, Talk

__all__ = ["Checked", "run"]

ALL = 1.0  # bad lines are what is looked for: none of them stops the check


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found.

    Attributes:
        doubts: Pairs that neither the stock model nor BM25 believes; only `deep` looks for them.
        log: Log of the cleaned copy; None where none was asked for.
    """

    findings: tuple[Finding, ...]
    doubts: tuple[Doubt, ...] = ()
    log: Path | None = None


def run(
    source: Path | Workspace,
    *,
    vectors: Path,
    corpus: Path | None = None,
    model: ModelOptions | None = None,
    options: CheckOptions | None = None,
    talk: Talk | None = None,
) -> Checked:
    """Look for what is wrong. Nothing that is there is changed.

    Args:
        source: A BEIR folder, a file of pairs, or a workspace, whose test judgements stay closed.
        vectors: Folder of the encode cache, which `deep` fills.
        corpus: For a file of pairs, what search must find.

    Raises:
        DataError: A file is missing, or of a kind that cannot be read at all.
        UsageError: `fix` names a folder that has files, or an unknown model.
    """
    options, talk = options or CheckOptions(), talk or Silent()
    quarantine = Quarantine(max_share=ALL)
    raw = _read(source, corpus, quarantine)
    target = Path(options.fix) if options.fix else None
    if target is not None and isinstance(source, Workspace):
        raise UsageError(
            "E2002", "a workspace is not cleaned: its test set is sealed", fix="lexitune check DATA --fix OUT"
        )
    findings, found = find_faults(raw, quarantine), list[Doubt]()
    if options.deep:
        from lexitune.models.load import load

        embedder = load(options=model or ModelOptions(), talk=talk)
        findings.append(find_long(raw, model=embedder))
        found = find_doubts(raw, model=embedder, vectors=vectors, talk=talk)
        findings.append(_told(raw, found))
    log = None
    if target is not None:
        log = write_clean(target, *clean(raw), quarantine)
    return Checked(tuple(findings), tuple(found), log)


def _read(source: Path | Workspace, corpus: Path | None, quarantine: Quarantine) -> Raw:
    if isinstance(source, Workspace):
        data = open_data(source)
        return Raw(data.docs, data.queries, {name: split for name, split in data.qrels.items() if split})
    if source.is_dir():
        return read_folder(source, quarantine)
    return read_pairs_data(source, corpus, quarantine)


def _told(raw: Raw, found: list[Doubt]) -> Finding:
    pairs = sum(grade > 0 for split in raw.qrels.values() for grades in split.values() for grade in grades.values())
    said = f"{len(found):,} of {pairs:,} pairs are believed by neither the stock model nor BM25"
    examples = tuple(f"{one.query_id} -> {one.doc_id}" for one in found[:SHOWN])
    fix = "look at them (--json lists all): a wrong label, or a question that is hard indeed"
    return Finding("doubtful", LOOK if found else OK, len(found), said, examples, fix if found else "")
