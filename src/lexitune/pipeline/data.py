"""Data into a workspace: read, split by group, repair leaks, seal the test set, write the manifest last."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from lexitune.errors import DataError, UsageError
from lexitune.fingerprint import hash_file, hash_json, hash_texts, sha256_file
from lexitune.io.atomic import replace_text
from lexitune.io.beir import read_qrels, write_docs, write_qrels, write_queries
from lexitune.io.dataset import SPLITS, Raw, data_files, open_data, read_folder, read_pairs_data, read_record
from lexitune.io.jsonl import write_jsonl
from lexitune.io.options import DataOptions
from lexitune.io.quarantine import Quarantine
from lexitune.io.weights import write_weights
from lexitune.io.workspace import Workspace
from lexitune.splits.audit import Leak, find_leaks, repair, tell, that_stop
from lexitune.splits.grouped import known_times, split_by_group, time_decides
from lexitune.types import Dataset, Qrels, SealedQrels, Silent, Talk

__all__ = ["import_data", "open_data", "read", "to_cut"]

SHOWN = 3
STUB = "# This folder is a lexitune workspace.\n"


@dataclass(frozen=True, slots=True)
class Prepared:
    """Data that is ready to be used or written: split, and with leaks repaired.

    Attributes:
        dropped: Train and dev queries that were left out, each with the query that it would have given away.
        leaks: What gives test queries away all the same.
    """

    raw: Raw
    splits: Mapping[str, Qrels]
    rule: str
    notes: tuple[str, ...]
    dropped: tuple[Leak, ...]
    leaks: tuple[Leak, ...]

    def dataset(self, test: SealedQrels | None) -> Dataset:
        """The face that stages see; the two open splits are always there, if need be empty."""
        qrels = {name: self.splits.get(name, {}) for name in ("train", "dev")}
        return Dataset(self.raw.docs, self.raw.queries, qrels, test, self.notes)


def read(path: str | Path, *, corpus: str | Path | None = None, options: DataOptions | None = None) -> Dataset:
    """Read a data set into memory.

    Args:
        path: A BEIR folder, or a CSV, TSV or JSONL file of pairs (query, passage; no ids needed).
        corpus: For pairs: JSON lines of `text`, what search must find; without it, the pairs' passages are the corpus.
        options: Shares of the split where the data has none, and how many bad lines are borne.

    Returns:
        Test judgements are sealed; `notes` say what was left out, merged or split. Weights of training pairs are no
        part of it: hand those to `train`.

    Raises:
        DataError: A file is missing, empty, of another kind, too much of it cannot be used, or test queries leak.
        UsageError: A corpus is given beside a folder that has one.
    """
    options = options or DataOptions()
    if corpus is not None:
        options = replace(options, corpus=str(corpus))
    _refuse_second_corpus(Path(path), options)
    prepared = _prepare(Path(path), options, Quarantine(max_share=options.max_bad_share))
    _refuse_leaks(prepared, options)
    test = prepared.splits.get("test")
    return prepared.dataset(SealedQrels(None, len(test), test) if test else None)


def import_data(
    workspace: Workspace,
    source: Path | Dataset,
    *,
    options: DataOptions | None = None,
    talk: Talk | None = None,
    config: str = "",
) -> Dataset:
    """Bring a data set into a workspace; an equal source with equal options is there already.

    Args:
        workspace: Where it goes, in BEIR layout.
        source: A BEIR folder, a file of pairs, or a data set in memory.
        options: As for `read`.
        talk: Hears the counts and the notes.
        config: Text for `lexitune.toml` where there is none yet.

    Raises:
        DataError: The source cannot be used, test queries leak, or the folder holds other data.
        UsageError: A corpus is given beside a source that has one.
        StageFailed: Another process works in the workspace, or the disk is full.
    """
    options, talk = options or DataOptions(), talk or Silent()
    _refuse_second_corpus(source, options)
    # The corpus is in the hash by its content, and what was borne in reading does not change what was read.
    shaping = {name: value for name, value in asdict(options).items() if name not in ("corpus", "max_bad_share")}
    wanted = {"hash": _source_hash(source, options), "options": shaping}
    with workspace.lock():
        if workspace.dataset.exists():
            _refuse_other_data(workspace, wanted)
            talk.say(f"data: imported before, in {workspace.root}")
            return open_data(workspace)
        _refuse_foreign_files(workspace)
        quarantine = Quarantine(workspace.quarantine, max_share=options.max_bad_share)
        prepared = _prepare(source, options, quarantine)
        _write_leaks(workspace.leaks, prepared)
        _refuse_leaks(prepared, options, listed=workspace.leaks)
        # From here on the folder is ours, also when we are killed before the manifest stands.
        replace_text(_marker(workspace), "")
        if not workspace.config.exists():
            replace_text(workspace.config, config or STUB)
        _write(workspace, prepared, quarantine)
        origin = "a data set in memory" if isinstance(source, Dataset) else str(source.resolve())
        record = {"schema": 1, "source": {"path": origin, "hash": wanted["hash"]}, "options": wanted["options"]}
        replace_text(workspace.dataset, json.dumps(record | _facts(workspace, prepared, quarantine), indent=1) + "\n")
        _marker(workspace).unlink(missing_ok=True)
    test = prepared.splits.get("test")
    _tell(talk, prepared)
    return prepared.dataset(SealedQrels(workspace.qrels("test"), len(test)) if test else None)


def _marker(workspace: Workspace) -> Path:
    return workspace.root / ".lexitune-importing"


def _refuse_second_corpus(source: Path | Dataset, options: DataOptions) -> None:
    if options.corpus is None or (isinstance(source, Path) and not source.is_dir()):
        return
    what = "a data set in memory" if isinstance(source, Dataset) else f"the folder {source}"
    raise UsageError(
        "E2002",
        f"--corpus {options.corpus} goes with a file of pairs; {what} has its own corpus",
        fix="leave --corpus out",
    )


def _prepare(source: Path | Dataset, options: DataOptions, quarantine: Quarantine) -> Prepared:
    if isinstance(source, Dataset):
        raw = _from_dataset(source, quarantine)
    elif source.is_dir():
        raw = read_folder(source, quarantine)
    else:
        raw = read_pairs_data(source, Path(options.corpus) if options.corpus else None, quarantine)
    splits, rule = _divide(raw, options)
    splits, dropped = (splits, []) if options.allow_leaks else repair(splits, raw.queries)
    leaks = find_leaks(splits, raw.queries, docs=raw.docs)
    notes = [*raw.notes, *([rule] if rule else [])]
    if weighed := sum(len(docs) for docs in raw.weights.values()):
        notes.append(f"{weighed:,} training pairs have a weight of their own")
    if dropped:
        pairs = ", ".join(f"{leak.other_id} ~ {leak.query_id}" for leak in dropped[:SHOWN])
        notes.append(
            f"{len(dropped):,} train or dev queries equal a test or dev query, or nearly: dropped "
            f"({pairs}{', ...' if len(dropped) > SHOWN else ''}); the test set is as it was"
        )
    notes += tell(leaks, len(splits.get("test", {})))
    kept = {name: split for name, split in splits.items() if split}
    return Prepared(raw, kept, rule, tuple(notes), tuple(dropped), tuple(leaks))


def _refuse_leaks(prepared: Prepared, options: DataOptions, *, listed: Path | None = None) -> None:
    count = len(prepared.splits.get("test", {}))
    stop = that_stop(prepared.leaks, count)
    if not stop or options.allow_leaks:
        return
    where = f" (all are in {listed})" if listed else ""
    raise DataError(
        "E3103",
        f"the test set leaks, so a gain on it would prove nothing{where}: {'; '.join(tell(stop, count))}",
        fix="take these queries out of the test set, or their like out of train and dev; "
        "to keep all and measure them apart: lexitune tune DATA --allow-leaks",
    )


def _write_leaks(path: Path, prepared: Prepared) -> None:
    """All of them, with texts, for a person to look through."""
    docs = {leak.other_id for leak in prepared.leaks if leak.split == "corpus"}
    texts = {doc.doc_id: doc.full_text for doc in prepared.raw.docs if doc.doc_id in docs}
    rows = [
        {
            **asdict(leak),
            "dropped": number < len(prepared.dropped),
            "query": prepared.raw.queries[leak.query_id].text,
            "other": texts[leak.other_id] if leak.split == "corpus" else prepared.raw.queries[leak.other_id].text,
        }
        for number, leak in enumerate((*prepared.dropped, *prepared.leaks))
    ]
    if rows:
        write_jsonl(path, rows)
    else:
        path.unlink(missing_ok=True)


def _divide(raw: Raw, options: DataOptions) -> tuple[dict[str, Qrels], str]:
    """The splits, made where they are missing, and in one sentence what was made; "" where all were given."""

    missing = next((name for name in SPLITS if name not in raw.qrels), None)
    if missing is None:
        return dict(raw.qrels), ""
    giver, dev_share, test_share = to_cut(raw.qrels, options)
    given = raw.qrels[giver]
    how = _how(given, raw, options)
    made = split_by_group(
        given,
        raw.queries,
        docs=raw.docs,
        dev_share=dev_share,
        test_share=test_share,
        seed=options.split_seed,
        strict=options.split == "strict",
    )
    if len(raw.qrels) == 1:
        counts = ", ".join(f"{len(split):,} {name}" for name, split in made.items())
        return made, f"the data has one set of judgements: its {len(given):,} queries were split {how} into {counts}"
    rule = f"the data has no {missing} split: {len(made.get(missing, {})):,} queries of {giver} were cut off {how}"
    return {**raw.qrels, **made}, rule


def to_cut(given: Collection[str], options: DataOptions) -> tuple[str, float, float]:
    """The split that gives the missing ones, and the shares of its queries that become dev and test."""
    if len(given) == 1:
        (only,) = given
        return only, options.dev_share, options.test_share
    dev_share = 0.0 if {"train", "dev"} <= set(given) else options.dev_share
    return "train" if "train" in given else "dev", dev_share, 0.0 if "test" in given else options.test_share


def _how(qrels: Qrels, raw: Raw, options: DataOptions) -> str:
    """By what `split_by_group` orders these groups, and which times it could not use."""
    times = known_times({query_id: raw.queries[query_id].metadata for query_id in qrels})
    missing = f"{len(qrels) - len(times):,} of {len(qrels):,} queries bear no time"
    if time_decides(times, len(qrels)):
        oldest = f"; {missing} and count as oldest" if len(times) < len(qrels) else ""
        return f"by group and time ({options.split}, the newest are held out{oldest})"
    unused = f"; {missing}, so time does not decide" if 0 < len(times) < len(qrels) else ""
    return f"by group ({options.split}, seed {options.split_seed}{unused})"


def _from_dataset(data: Dataset, quarantine: Quarantine) -> Raw:
    twice = [doc_id for doc_id, count in Counter(doc.doc_id for doc in data.docs).items() if count > 1]
    other = [key for key, query in data.queries.items() if key != query.query_id]
    if twice or other:
        problem = f"doc '{twice[0]}' stands twice" if twice else f"queries['{other[0]}'] is a query of another id"
        raise DataError("E3005", problem, fix="give each record its own id")
    given = dict(data.qrels)
    if data.test is not None:
        given["test"] = data.test.judgements or (
            read_qrels(data.test.path, Quarantine(max_share=0.0)) if data.test.path else {}
        )
    doc_ids = {doc.doc_id for doc in data.docs}
    kept: dict[str, Qrels] = {}
    for name, split in given.items():
        place = Path(f"qrels-{name}")
        found: dict[str, dict[str, int]] = {}
        for query_id, grades in split.items():
            for doc_id, grade in grades.items():
                quarantine.seen[str(place)] += 1
                if query_id in data.queries and doc_id in doc_ids:
                    found.setdefault(query_id, {})[doc_id] = grade
                else:
                    missing = f"doc '{doc_id}'" if query_id in data.queries else f"query '{query_id}'"
                    quarantine.reject(place, quarantine.seen[str(place)], f"no {missing}", f"{query_id} {doc_id}")
        quarantine.check(place)
        if found:
            kept[name] = found
    if not doc_ids or not kept:
        what = "judgements" if doc_ids else "docs"
        raise DataError("E3003", f"the data set has no {what}", fix=f"give {what}: Dataset(docs, queries, qrels)")
    return Raw(data.docs, data.queries, kept, [*data.notes, *quarantine.summary()])


def _source_hash(source: Path | Dataset, options: DataOptions) -> str:
    if isinstance(source, Dataset):
        docs = (json.dumps([doc.doc_id, doc.title, doc.text, dict(doc.metadata)], default=str) for doc in source.docs)
        queries = {query.query_id: [query.text, dict(query.metadata)] for query in source.queries.values()}
        test = source.test and {**asdict(source.test), "path": source.test.path and hash_file(source.test.path)}
        return hash_json([hash_texts(docs), queries, {name: dict(split) for name, split in source.qrels.items()}, test])
    if source.is_dir():
        return hash_json({name: hash_file(path) for name, path in data_files(source).items()})
    files = [source, *([Path(options.corpus)] if options.corpus else [])]
    # A file that is missing is named by its reader, in words.
    return hash_json([hash_file(path) if path.is_file() else None for path in files])


def _refuse_other_data(workspace: Workspace, wanted: Mapping[str, Any]) -> None:
    record = read_record(workspace)
    elsewhere = "work in another folder: -C DIR"
    if record["source"]["hash"] != wanted["hash"]:
        raise DataError("E3010", f"{workspace.root} holds other data, from {record['source']['path']}", fix=elsewhere)
    for name, value in wanted["options"].items():
        if record["options"].get(name) != value:
            raise DataError(
                "E3010",
                f"{workspace.root} was imported with {name} = {record['options'].get(name)!r}, not {value!r}",
                fix=f"leave {name} as it was, or {elsewhere}",
            )


def _refuse_foreign_files(workspace: Workspace) -> None:
    if _marker(workspace).exists():
        return  # our own import, cut off
    targets = [workspace.corpus, workspace.queries, *(workspace.qrels(name) for name in SPLITS), workspace.weights]
    if found := [path for path in targets if path.exists()]:
        raise DataError(
            "E3010",
            f"{found[0]} is not of lexitune's making and would be overwritten",
            fix="work in another folder: -C DIR",
        )


def _write(workspace: Workspace, prepared: Prepared, quarantine: Quarantine) -> None:
    write_docs(workspace.corpus, prepared.raw.docs)
    write_queries(workspace.queries, prepared.raw.queries.values())
    for name in SPLITS:
        if name in prepared.splits:
            write_qrels(workspace.qrels(name), prepared.splits[name])
        else:
            workspace.qrels(name).unlink(missing_ok=True)
    if prepared.raw.weights:
        write_weights(workspace.weights, prepared.raw.weights)
    else:
        workspace.weights.unlink(missing_ok=True)
    quarantine.close()


def _facts(workspace: Workspace, prepared: Prepared, quarantine: Quarantine) -> dict[str, Any]:
    files = [workspace.corpus, workspace.queries, *(workspace.qrels(name) for name in SPLITS)]
    return {
        "counts": {
            "docs": len(prepared.raw.docs),
            "queries": len(prepared.raw.queries),
            "quarantined": quarantine.count,
        },
        "splits": {
            name: {"queries": len(split), "judgements": sum(len(grades) for grades in split.values())}
            for name, split in prepared.splits.items()
        },
        "split_rule": prepared.rule or "as given",
        "doc_text": "title + ' ' + text",
        "notes": list(prepared.notes),
        "files": {path.relative_to(workspace.root).as_posix(): sha256_file(path) for path in files if path.exists()},
    }


def _tell(talk: Talk, prepared: Prepared) -> None:
    counts = ", ".join(f"{len(prepared.splits[name]):,} {name}" for name in SPLITS if name in prepared.splits)
    talk.say(f"data: {len(prepared.raw.docs):,} docs; queries: {counts}")
    for note in prepared.notes:
        talk.say(f"  {note}")
