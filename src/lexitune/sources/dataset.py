"""All collections of a workspace resolved into one data set, a BEIR folder that `lexitune tune` takes."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from lexitune.errors import DataError
from lexitune.fingerprint import hash_file
from lexitune.io.atomic import replace_text
from lexitune.io.beir import read_docs, write_docs, write_qrels, write_queries
from lexitune.io.judgements import DATA, add_texts, collections, read_collection
from lexitune.io.options import DataOptions
from lexitune.io.quarantine import Quarantine
from lexitune.io.weights import write_weights
from lexitune.io.workspace import Workspace
from lexitune.sources.resolve import Resolved, resolve
from lexitune.splits.grouped import families_of, split_by_group
from lexitune.types import Doc, Judgement, Qrels, Query, Silent, Talk

__all__ = ["Built", "Gathered", "build_data", "gather", "gather_resolved"]

ENOUGH = 50  # queries that experts judged: with fewer the held-out sets come from all sources
SHOWN = 3
SOURCES = "sources.json"  # what the data set was made of


@dataclass(frozen=True, eq=False)
class Gathered:
    """What the collections hold together.

    Attributes:
        judgements: Of each collection, those whose passages there are.
        missing: Judgements of other passages.
    """

    judgements: Mapping[str, Sequence[Judgement]]
    queries: Mapping[str, Query]
    docs: Sequence[Doc]
    missing: int


@dataclass(frozen=True, eq=False)
class Built:
    """The data set that was written.

    Attributes:
        folder: In BEIR layout.
        gathered: What went in.
        splits: Judged queries of each split; "all" where none was made.
    """

    folder: Path
    gathered: Gathered
    resolved: Resolved
    splits: Mapping[str, int]


def gather(workspace: Workspace, *, corpus: Path | None, options: DataOptions) -> Gathered:
    """All finished collections of a workspace.

    Raises:
        DataError: As `build_data` raises it.
    """
    names = [name for name, _ in collections(workspace)]
    if not names:
        fix = "lexitune collect logs queries.ndjson events.ndjson"
        raise DataError("E3009", f"nothing was collected in {workspace.collected}", fix=fix)
    judgements, queries, docs = dict[str, Sequence[Judgement]](), dict[str, Query](), dict[str, Doc]()
    given = read_docs(corpus, Quarantine(max_share=options.max_bad_share)) if corpus else []
    decided = {doc.doc_id: doc for doc in given}
    for name in names:
        found = read_collection(workspace, name)
        judgements[name] = found.judgements
        add_texts(queries, found.queries, name=name)
        add_texts(docs, {doc.doc_id: decided.get(doc.doc_id, doc) for doc in found.docs}, name=name)
    docs |= decided
    if not docs:
        raise DataError(
            "E3001", "the collections hold no passages", fix="lexitune collect resolve --corpus corpus.jsonl"
        )
    lost = [one.doc_id for some in judgements.values() for one in some if one.doc_id not in docs]
    of = sum(map(len, judgements.values()))
    if len(lost) * 2 > of:
        raise DataError(
            "E3322",
            f"{len(lost):,} of {of:,} judgements are of passages that the corpus lacks: '{lost[0]}'",
            fix="give the corpus whose ids the log names: --corpus corpus.jsonl",
        )
    known = {name: [one for one in some if one.doc_id in docs] for name, some in judgements.items()}
    return Gathered(known, queries, list(docs.values()), len(lost))


def gather_resolved(workspace: Workspace, *, options: DataOptions) -> tuple[Gathered, bool]:
    """What `build_data` made its data set of, and whether dev and test are experts' alone.

    Raises:
        DataError: It was not called, or not since something was collected anew.
    """
    folder, fix = workspace.collected / DATA, "lexitune collect resolve, with --corpus where the passages are elsewhere"
    record = folder / SOURCES
    if not record.exists():
        raise DataError("E3009", f"no data set was made of {workspace.collected}", fix=fix)
    if json.loads(record.read_text(encoding="utf-8")) != _sources(workspace):
        raise DataError("E3018", f"{folder} is older than what was collected", fix=fix)
    found = gather(workspace, corpus=folder / "corpus.jsonl", options=options)
    return found, not (folder / "qrels" / "all.tsv").exists()


def _sources(workspace: Workspace) -> dict[str, str]:
    """The hash of each collection's judgements."""
    return {name: hash_file(workspace.collected / name / "judgements.jsonl") for name, _ in collections(workspace)}


def build_data(
    workspace: Workspace,
    *,
    corpus: Path | None = None,
    options: DataOptions | None = None,
    talk: Talk | None = None,
) -> Built:
    """Write `collected/data` of all finished collections.

    Where experts judged enough queries, dev and test are theirs alone: a model trained on clicks and tested on clicks
    is praised for the bias that they share. Else all sources go into one set of judgements, which the import splits.

    Args:
        corpus: JSON lines of what search must find; its texts hold. None: what the collections brought along.
        options: Shares and seed of the split.

    Raises:
        DataError: Nothing was collected, two collections have one id for two texts, there is no corpus, or hardly any
            judgement is of its passages.
        StageFailed: Another process works in the workspace, or the disk is full.
    """
    options, talk = options or DataOptions(), talk or Silent()
    with workspace.lock():
        found = gather(workspace, corpus=corpus, options=options)
        resolved = resolve(chain.from_iterable(found.judgements.values()), found.queries)
        splits = _split(resolved, found.docs, options)
        folder = _write(workspace.collected / DATA, resolved, found.docs, splits)
        replace_text(folder / SOURCES, json.dumps(_sources(workspace), indent=1) + "\n")
    built = Built(folder, found, resolved, {name: len(split) for name, split in splits.items()})
    for line in _tell(built):
        talk.say(f"collect: {line}")
    return built


def _split(resolved: Resolved, docs: Sequence[Doc], options: DataOptions) -> dict[str, Qrels]:
    expert = {query_id: resolved.qrels[query_id] for query_id, kind in resolved.kinds.items() if kind == "expert"}
    others = {query_id: grades for query_id, grades in resolved.qrels.items() if query_id not in expert}
    if len(expert) < ENOUGH or not others:
        return {"all": resolved.qrels}
    splits = split_by_group(
        expert,
        resolved.queries,
        docs=docs,
        dev_share=options.dev_share,
        test_share=options.test_share,
        seed=options.split_seed,
        strict=options.split == "strict",
    )
    families = _families(resolved, docs)
    apart = {family for name in ("dev", "test") for query_id in splits.get(name, ()) for family in families[query_id]}
    kept = {query_id: grades for query_id, grades in others.items() if not families[query_id] & apart}
    return {**splits, "train": {**splits["train"], **kept}}


def _families(resolved: Resolved, docs: Sequence[Doc]) -> dict[str, set[str]]:
    """The families of each judged query."""
    by_id = {doc.doc_id: doc for doc in docs}
    return {
        query_id: families_of(resolved.queries[query_id], [by_id[doc] for doc, grade in grades.items() if grade > 0])
        for query_id, grades in resolved.qrels.items()
    }


def _write(folder: Path, resolved: Resolved, docs: Sequence[Doc], splits: Mapping[str, Qrels]) -> Path:
    if folder.exists():
        shutil.rmtree(folder)
    write_docs(folder / "corpus.jsonl", docs)
    write_queries(folder / "queries.jsonl", resolved.queries.values())
    for name, split in splits.items():
        write_qrels(folder / "qrels" / f"{name}.tsv", split)
    write_weights(folder / "qrels" / "train.weights.tsv", resolved.weights)
    return folder


def _tell(built: Built) -> list[str]:
    found = built.resolved
    lines = [f"{count:,} right passages from {source}" for source, count in sorted(found.pairs.items())]
    lines += [
        f"{one.one} and {one.other} say the same of {one.same:,} of {one.both:,} that both judged: "
        f"{one.interval.mean:.0%} [{one.interval.low:.0%}, {one.interval.high:.0%}]"
        for one in found.agreement
    ]
    if found.conflicts:
        lines.append(f"{len(found.conflicts):,} left out: opinions of equal weight say both{_some(found.conflicts)}")
    if found.overruled:
        lines.append(f"{len(found.overruled):,} decided by the more trusted source{_some(found.overruled)}")
    if found.passed_over:
        lines.append(f"{found.passed_over:,} were passed over, which makes no sure negative: they are left to mining")
    if found.undecided:
        lines.append(f'{found.undecided:,} opinions are "cannot judge"')
    if built.gathered.missing:
        lines.append(f"{built.gathered.missing:,} judgements are of passages that are not in the corpus: left out")
    kinds = Counter(found.kinds.values())
    if "all" in built.splits and set(kinds) != {"expert"}:
        lines.append(
            f"dev and test will come from all sources, for experts judged {kinds['expert']:,} queries (from {ENOUGH} "
            "on they alone are held out): a gain on test shares their bias"
        )
    if apart := len(found.qrels) - sum(built.splits.values()):
        lines.append(f"{apart:,} queries are of families that held-out ones are of, and were not experts': left out")
    counts = ", ".join(f"{count:,} {name}" for name, count in built.splits.items() if name != "all")
    lines.append(
        f"{len(built.gathered.docs):,} docs, {len(found.qrels):,} judged queries" + (f": {counts}" if counts else "")
    )
    return lines


def _some(pairs: Sequence[tuple[str, str]]) -> str:
    shown = [f"{query_id} / {doc_id}" for query_id, doc_id in pairs[:SHOWN]]
    return f" ({', '.join(shown)}{', ...' if len(pairs) > SHOWN else ''})"
