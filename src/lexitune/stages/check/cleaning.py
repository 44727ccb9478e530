"""A cleaned copy of the data: what can be mended without asking anybody, each change in a log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TypeVar

from lexitune.errors import UsageError
from lexitune.io.beir import write_docs, write_qrels, write_queries
from lexitune.io.dataset import Raw
from lexitune.io.jsonl import write_jsonl
from lexitune.io.quarantine import Quarantine
from lexitune.io.weights import WEIGHTS, write_weights
from lexitune.splits.audit import repair
from lexitune.stages.check.findings import equal_docs, equal_queries
from lexitune.types import Qrels

__all__ = ["Change", "clean", "refuse_full", "write_clean"]

LOG = "cleaning.jsonl"
TEST = "test"

Change = dict[str, str]
"""One row of the log: `what` was done to which `id`, and `why`."""

Value = TypeVar("Value", int, float)


def clean(raw: Raw) -> tuple[Raw, list[Change]]:
    """Merge copies, drop what leaks and what has no answer. Pairs that only look wrong are never touched.

    * A passage with text and metadata of an earlier one gives it its judgements; the higher grade counts.
    * So does a train or dev query that asks what an earlier one of its split asks.
    * Train and dev queries that equal a test query, or nearly, are dropped, and such train queries of dev.
    * Judged train and dev queries without a right passage are dropped, and a split of which nothing is left.

    Test queries are neither merged nor dropped; where a passage was merged, measures on them can change.
    """
    log: list[Change] = []
    docs = _merged(equal_docs(raw.docs))
    log += [{"what": "passage merged", "id": old, "why": f"it is {new} once more"} for old, new in docs.items()]
    asked: dict[str, str] = {}
    qrels: dict[str, Qrels] = {}
    for name, split in raw.qrels.items():
        own = _merged(equal_queries(split, raw.queries)) if name != TEST else {}
        log += [
            {"what": f"{name} query merged", "id": old, "why": f"it asks what {new} asks"} for old, new in own.items()
        ]
        qrels[name] = _renamed(split, own, docs)
        asked |= own
    qrels, dropped = repair(qrels, raw.queries)
    log += [
        {
            "what": f"{leak.split} query dropped",
            "id": leak.other_id,
            "why": f"it asks what {leak.query_id} asks, or nearly",
        }
        for leak in dropped
    ]
    for name, split in qrels.items():
        kept = {query: grades for query, grades in split.items() if name == TEST or max(grades.values(), default=0) > 0}
        none = (query for query in split if query not in kept)
        log += [{"what": f"{name} query dropped", "id": query, "why": "it has no right passage"} for query in none]
        qrels[name] = kept
    empty = [name for name, split in qrels.items() if not split]
    log += [{"what": "split dropped", "id": name, "why": "nothing is left of it"} for name in empty]
    judged, left = ({query for split in some.values() for query in split} for some in (raw.qrels, qrels))
    made = replace(
        raw,
        docs=[doc for doc in raw.docs if doc.doc_id not in docs],
        queries={name: query for name, query in raw.queries.items() if name in left or name not in judged},
        qrels={name: split for name, split in qrels.items() if split},
        weights={name: found for name, found in _renamed(raw.weights, asked, docs).items() if name in left},
    )
    return made, log


def refuse_full(folder: Path) -> None:
    """Raise a UsageError where a folder for the copy has files already."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError("E2122", f"{folder} is there already and not empty", fix="name a new folder: --fix OUT")


def write_clean(folder: Path, raw: Raw, log: list[Change], quarantine: Quarantine) -> Path:
    """Write the copy as a BEIR folder, and its log beside it, lines that could not be used included.

    Returns:
        The log.

    Raises:
        UsageError: The folder has files already.
    """
    refuse_full(folder)
    (folder / "qrels").mkdir(parents=True, exist_ok=True)
    write_docs(folder / "corpus.jsonl", raw.docs)
    write_queries(folder / "queries.jsonl", raw.queries.values())
    for name, split in raw.qrels.items():
        write_qrels(folder / "qrels" / f"{name}.tsv", split)
    if raw.weights:
        write_weights(folder / "qrels" / f"{WEIGHTS}.tsv", raw.weights)
    path = folder / LOG
    write_jsonl(path, [*log, *({"what": "line left out", **asdict(row)} for row in quarantine.rows)])
    return path


def _merged(groups: list[list[str]]) -> dict[str, str]:
    return {other: group[0] for group in groups for other in group[1:]}


def _renamed(
    split: Mapping[str, Mapping[str, Value]], queries: Mapping[str, str], docs: Mapping[str, str]
) -> dict[str, dict[str, Value]]:
    """Grades or weights under the names that are left; of two the higher."""
    found: dict[str, dict[str, Value]] = {}
    for query_id, values in split.items():
        own = found.setdefault(queries.get(query_id, query_id), {})
        for doc_id, value in values.items():
            name = docs.get(doc_id, doc_id)
            own[name] = max(value, own.get(name, value))
    return found
