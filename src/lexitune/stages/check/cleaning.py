"""A cleaned copy of the data: what can be mended without asking anybody, each change in a log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

from lexitune.errors import UsageError
from lexitune.io.beir import write_docs, write_qrels, write_queries
from lexitune.io.dataset import Raw
from lexitune.io.jsonl import write_jsonl
from lexitune.io.quarantine import Quarantine
from lexitune.io.weights import WEIGHTS, Weights, write_weights
from lexitune.splits.audit import repair
from lexitune.stages.check.findings import equal_groups
from lexitune.types import Qrels

__all__ = ["Change", "clean", "write_clean"]

LOG = "cleaning.jsonl"

Change = dict[str, object]
"""One row of the log: `what` was done to which `id`, and why."""


def clean(raw: Raw) -> tuple[Raw, list[Change]]:
    """Merge copies, drop what leaks and what has no answer. Pairs that only look wrong are never touched.

    * A passage with the text of an earlier one gives it its judgements; the higher grade counts.
    * So does a query that asks what an earlier one of its split asks.
    * Train and dev queries that equal a test query, or nearly, are dropped, and such train queries of dev.
    * Judged queries without a right passage are dropped from their split.
    """
    log: list[Change] = []
    docs = _merged(equal_groups({doc.doc_id: doc.full_text for doc in raw.docs}))
    log += [{"what": "passage merged", "id": old, "into": new} for old, new in docs.items()]
    qrels: dict[str, Qrels] = {}
    for name, split in raw.qrels.items():
        asked = _merged(equal_groups({query_id: raw.queries[query_id].text for query_id in split}))
        log += [{"what": "query merged", "split": name, "id": old, "into": new} for old, new in asked.items()]
        qrels[name] = _renamed(split, asked, docs)
    qrels, dropped = repair(qrels, raw.queries)
    log += [
        {"what": "query dropped", "split": leak.split, "id": leak.other_id, "like": leak.query_id} for leak in dropped
    ]
    for name, split in qrels.items():
        none = [query_id for query_id, grades in split.items() if not any(grade > 0 for grade in grades.values())]
        log += [{"what": "query dropped", "split": name, "id": query_id, "like": ""} for query_id in none]
        qrels[name] = {query_id: grades for query_id, grades in split.items() if query_id not in set(none)}
    kept = [doc for doc in raw.docs if doc.doc_id not in docs]
    return replace(raw, docs=kept, qrels=qrels, weights=_kept_weights(raw.weights, qrels.get("train", {}))), log


def write_clean(folder: Path, raw: Raw, log: list[Change], quarantine: Quarantine) -> Path:
    """Write the copy as a BEIR folder, its log beside it, lines that could not be read included.

    Raises:
        UsageError: The folder has files already.
    """
    if folder.exists() and any(folder.iterdir()):
        raise UsageError("E2122", f"{folder} is not empty", fix="name a new folder: --fix OUT")
    folder.mkdir(parents=True, exist_ok=True)
    write_docs(folder / "corpus.jsonl", raw.docs)
    write_queries(folder / "queries.jsonl", raw.queries.values())
    (folder / "qrels").mkdir(exist_ok=True)
    for name, split in raw.qrels.items():
        write_qrels(folder / "qrels" / f"{name}.tsv", split)
    if raw.weights:
        write_weights(folder / "qrels" / f"{WEIGHTS}.tsv", raw.weights)
    path = folder / LOG
    write_jsonl(path, [*log, *({"what": "line left out", **asdict(row)} for row in quarantine.rows)])
    return path


def _merged(groups: list[list[str]]) -> dict[str, str]:
    return {other: group[0] for group in groups for other in group[1:]}


def _renamed(split: Qrels, queries: Mapping[str, str], docs: Mapping[str, str]) -> Qrels:
    found: dict[str, dict[str, int]] = {}
    for query_id, grades in split.items():
        own = found.setdefault(queries.get(query_id, query_id), {})
        for doc_id, grade in grades.items():
            doc_id = docs.get(doc_id, doc_id)
            own[doc_id] = max(grade, own.get(doc_id, grade))
    return found


def _kept_weights(weights: Weights, train: Qrels) -> Weights:
    """Weights of the pairs that are still there under their old names."""
    kept = {
        query_id: {doc_id: weight for doc_id, weight in found.items() if doc_id in train.get(query_id, {})}
        for query_id, found in weights.items()
    }
    return {query_id: found for query_id, found in kept.items() if found}
