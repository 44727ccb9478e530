"""Check a source of data, or a workspace: findings, and a cleaned copy where one is wanted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lexitune.errors import UsageError
from lexitune.io.dataset import Raw, open_data, read_folder, read_pairs_data
from lexitune.io.quarantine import Quarantine
from lexitune.io.workspace import Workspace
from lexitune.metrics.grades import count_pairs
from lexitune.models.options import ModelOptions
from lexitune.stages.check.cleaning import clean, refuse_full, write_clean
from lexitune.stages.check.contents import find_contents
from lexitune.stages.check.findings import SHOWN, Finding, find_faults
from lexitune.stages.check.options import CheckOptions
from lexitune.stages.check.prompts import find_lost_prompt, find_prompts
from lexitune.stages.check.suspects import Suspect, find_long, find_suspects
from lexitune.types import LOOK, OK, Silent, Talk

__all__ = ["Checked", "run"]

ALL = 1.0  # bad lines are what is looked for: no share of them stops the check


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found.

    Attributes:
        suspects: Suspected label errors; only `deep` looks for them.
        log: Log of the cleaned copy; None where none was asked for.
    """

    findings: tuple[Finding, ...]
    suspects: tuple[Suspect, ...] = ()
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
        DataError: A file is missing, of a kind that cannot be read at all, or gives two texts to one id.
        UsageError: `fix` names a folder that has files, or an unknown model.
    """
    options, talk = options or CheckOptions(), talk or Silent()
    quarantine = Quarantine(max_share=ALL)
    target = Path(options.fix) if options.fix else None
    if target is not None:
        if isinstance(source, Workspace):
            fix = "lexitune check DATA --fix OUT"
            raise UsageError("E2002", "a workspace is not cleaned: its test set is sealed", fix=fix)
        refuse_full(target)
    raw, sealed = _read(source, corpus, quarantine)
    findings, suspects = (
        [*find_faults(raw, quarantine, sealed=sealed), *find_contents(raw), find_prompts(raw)],
        list[Suspect](),
    )
    if options.deep:
        from lexitune.models.load import load

        embedder = load(options=model or ModelOptions(), talk=talk)
        findings += [find_long(raw, model=embedder), find_lost_prompt(embedder)]
        suspects = find_suspects(raw, model=embedder, vectors=vectors, talk=talk)
        findings.append(_told(raw, suspects))
    log = None if target is None else write_clean(target, *clean(raw), quarantine)
    return Checked(tuple(findings), tuple(suspects), log)


def _read(source: Path | Workspace, corpus: Path | None, quarantine: Quarantine) -> tuple[Raw, int]:
    """The data, and how many test queries are sealed."""
    if isinstance(source, Workspace):
        data = open_data(source)
        return Raw(data.docs, data.queries, data.qrels), data.test.query_count if data.test else 0
    if source.is_dir():
        return read_folder(source, quarantine), 0
    return read_pairs_data(source, corpus, quarantine), 0


def _told(raw: Raw, found: list[Suspect]) -> Finding:
    pairs = sum(map(count_pairs, raw.qrels.values()))
    said = f"{len(found):,} of {pairs:,} pairs are suspected label errors: neither the stock model nor BM25 finds them"
    examples = tuple(f"{one.query_id} -> {one.doc_id}" for one in found[:SHOWN])
    fix = "look at them (--json lists all): a wrong label, or a question that is hard indeed"
    return Finding("label errors", LOOK if found else OK, len(found), said, examples, fix if found else "")
