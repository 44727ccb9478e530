"""A data set as it comes (a BEIR folder, or a file of pairs), and as it lies in a workspace."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lexitune.errors import DataError
from lexitune.fingerprint import sha256_file
from lexitune.io.beir import made_id, read_docs, read_qrels, read_queries
from lexitune.io.pairs import read_pairs
from lexitune.io.quarantine import Quarantine
from lexitune.io.weights import WEIGHTS, Weights, read_weights
from lexitune.io.workspace import Workspace
from lexitune.types import Dataset, Doc, Qrels, Query, SealedQrels

__all__ = ["SPLITS", "Raw", "data_files", "open_data", "read_folder", "read_pairs_data", "read_record"]

SPLITS = ("train", "dev", "test")


@dataclass(frozen=True, slots=True)
class Raw:
    """What was read, before splits are made and leaks repaired.

    `qrels` has the splits that the source has, or "all" where it has none; `weights` are those of training pairs, if it
    gives any.
    """

    docs: Sequence[Doc]
    queries: Mapping[str, Query]
    qrels: Mapping[str, Qrels]
    notes: Sequence[str] = ()
    weights: Weights = field(default_factory=dict)


def data_files(folder: Path) -> dict[str, Path]:
    """The files of a BEIR folder: "corpus", "queries", "qrels/NAME" for each split, and "weights", where it has them.

    Raises:
        DataError: One of the three kinds is missing.
    """
    if not folder.exists():
        raise DataError("E3001", f"no such file or folder: {folder}", fix="check the path")
    found = {name: _plain_or_gz(folder, f"{name}.jsonl") for name in ("corpus", "queries")}
    for path in sorted((folder / "qrels").glob("*.tsv*")):
        if path.name.endswith((".tsv", ".tsv.gz")):
            name = path.name.split(".tsv")[0]
            found.setdefault("weights" if name == WEIGHTS else f"qrels/{name}", path)
    if not any(name.startswith("qrels/") for name in found):
        raise DataError(
            "E3001",
            f"no judgements: {folder / 'qrels'} has no .tsv file",
            fix=f"write lines of query id, doc id and 1, separated by tabs, to {folder / 'qrels' / 'train.tsv'}",
        )
    return found


def _plain_or_gz(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise DataError(
        "E3001",
        f"{folder} has no {name} and no {name}.gz",
        fix="give a BEIR folder (corpus.jsonl, queries.jsonl, qrels/*.tsv), or a file of pairs (query, passage)",
    )


def read_folder(folder: Path, quarantine: Quarantine) -> Raw:
    """Read a BEIR folder. Judgements of queries or docs that do not exist are set aside, line by line.

    Raises:
        DataError: A file is missing, empty, of another kind, or has too many lines that cannot be used.
    """
    files = data_files(folder)
    docs = read_docs(files["corpus"], quarantine)
    queries = read_queries(files["queries"], quarantine)
    doc_ids = {doc.doc_id for doc in docs}
    splits = {name.removeprefix("qrels/"): path for name, path in files.items() if name.startswith("qrels/")}
    if len(splits) > 1:
        for name in sorted(set(splits) - set(SPLITS)):
            quarantine.note(f"qrels/{name}.tsv is not used: splits are called train, dev and test")
            del splits[name]
    if not splits:
        raise DataError(
            "E3007",
            f"{folder / 'qrels'} has several files and none is called train.tsv, dev.tsv or test.tsv",
            fix="rename them, or leave only one, which is then split",
        )
    qrels = {name: read_qrels(path, quarantine, queries=queries, docs=doc_ids) for name, path in splits.items()}
    judged = {query_id for split in qrels.values() for query_id in split}
    if unjudged := len(queries.keys() - judged):
        quarantine.note(f"{unjudged:,} of {len(queries):,} queries have no judgement: they are not used")
    rows = [grades for split in qrels.values() for grades in split.values()]
    if blank := sum(max(grades.values()) == 0 for grades in rows):
        quarantine.note(f"{blank:,} judged queries have no relevant doc: no measure counts them")
    if both := sorted(doc_ids & queries.keys()):
        quarantine.note(
            f"{len(both):,} ids name a query and a passage ('{both[0]}'): nothing is mixed up here, but the evaluators "
            "of BEIR and MTEB drop a passage that is called as its query"
        )
    weights = read_weights(files["weights"]) if "weights" in files else {}
    qrels = {"all": qrels.popitem()[1]} if len(qrels) == 1 else qrels
    return Raw(docs, queries, qrels, quarantine.summary(), weights)


def read_pairs_data(path: Path, corpus: Path | None, quarantine: Quarantine) -> Raw:
    """Make a data set of pairs. Ids are made of the texts; equal texts, white space aside, are one.

    Args:
        path: The pairs.
        corpus: JSON lines of `text` (and `_id`, `title`, `metadata`): what search must find. A pair's passage
            that is none of its texts is added. None: the corpus is the pairs' passages.
        quarantine: Takes the lines that cannot be used.

    Raises:
        DataError: A file is missing, empty, of another kind, or has too many lines that cannot be used.
    """
    pairs = read_pairs(path, quarantine)
    docs = {doc.doc_id: doc for doc in read_docs(corpus, quarantine, make_ids=True)} if corpus else {}
    places: defaultdict[str, list[str]] = defaultdict(list)
    for doc in docs.values():
        for text in {_key(doc.text), _key(doc.full_text)}:
            places[text].append(doc.doc_id)
    queries: dict[str, Query] = {}
    qrels: dict[str, dict[str, int]] = {}
    added = 0
    for query_text, doc_text in pairs:
        query_id, key = made_id("q", query_text), _key(doc_text)
        queries.setdefault(query_id, Query(query_id, query_text))
        if key not in places:
            doc = Doc(made_id("d", doc_text), doc_text)
            docs[doc.doc_id] = doc
            places[key].append(doc.doc_id)
            added += 1
        # Docs with one text are all right answers: judging only one would call the others wrong.
        qrels.setdefault(query_id, {}).update(dict.fromkeys(places[key], 1))
    if corpus is None:
        quarantine.note(
            f"the corpus is the pairs' own {len(docs):,} passages: "
            "recall looks better than in a real corpus, which holds more; give it with --corpus"
        )
    elif added:
        quarantine.note(f"{added:,} passages of {path.name} are not in {corpus.name}: they were added to the corpus")
    if merged := len(pairs) - len({(_key(query), _key(doc)) for query, doc in pairs}):
        quarantine.note(f"{merged:,} pairs of {path.name} repeat another: merged")
    return Raw(list(docs.values()), queries, {"all": qrels}, quarantine.summary())


def _key(text: str) -> str:
    return " ".join(text.split())


def read_record(workspace: Workspace) -> dict[str, Any]:
    """`dataset.json`: counts, the SHA-256 of each file, how it was split, where it came from.

    Raises:
        DataError: Nothing was imported, or the record cannot be read.
    """
    try:
        found: dict[str, Any] = json.loads(workspace.dataset.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(
            "E3009", f"no data in {workspace.root}", fix=f"lexitune tune DATA -C {workspace.root}"
        ) from error
    except ValueError as error:
        raise DataError(
            "E3011",
            f"{workspace.dataset} cannot be read: {error}",
            fix="put the old file back, or import the data again into another folder: lexitune tune DATA -C DIR",
        ) from error
    return found


def open_data(workspace: Workspace) -> Dataset:
    """The imported data of a workspace. Test judgements stay sealed.

    Raises:
        DataError: Nothing was imported, or a file was changed since.
    """
    record = read_record(workspace)
    for name, sha256 in record["files"].items():
        path = workspace.root / name
        if name == "qrels/test.tsv":
            continue  # who opens it compares it
        if not path.is_file() or sha256_file(path) != sha256:
            raise DataError(
                "E3011",
                f"{path} {'was changed' if path.is_file() else 'is missing'} since it was imported",
                fix="put the old file back, or import the new data into another folder: lexitune tune DATA -C DIR",
            )
    strict = Quarantine(max_share=0.0)
    splits = record["splits"]
    return Dataset(
        docs=read_docs(workspace.corpus, strict),
        queries=read_queries(workspace.queries, strict),
        qrels={name: read_qrels(workspace.qrels(name), strict) for name in ("train", "dev") if name in splits},
        test=SealedQrels(workspace.qrels("test"), splits["test"]["queries"]) if "test" in splits else None,
        notes=tuple(record["notes"]),
    )
