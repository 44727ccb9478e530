"""Judgements as they were collected: a folder a collection, its opinions never edited.

collected/NAME/judgements.jsonl     one opinion a line
collected/NAME/queries.jsonl        what was asked, in BEIR's form
collected/NAME/corpus.jsonl         passages, where the collection brings its own
collected/NAME/meta.json            what it was made of; written last
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from lexitune.errors import DataError
from lexitune.fingerprint import hash_file
from lexitune.io.beir import read_docs, read_queries, same_text, write_docs, write_queries
from lexitune.io.ids import check_id
from lexitune.io.jsonl import check_exists, read_jsonl, write_jsonl
from lexitune.io.quarantine import Quarantine
from lexitune.io.workspace import Meta, Workspace, is_finished, read_meta, write_meta
from lexitune.types import Doc, Judgement, Query, Talk

__all__ = [
    "DATA",
    "Collection",
    "Inputs",
    "add_texts",
    "begin_collection",
    "collections",
    "hash_existing",
    "is_collected",
    "read_collection",
    "read_judgements",
    "write_collection",
]

Record = TypeVar("Record", Doc, Query)

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
DATA = "data"  # the folder that `collect resolve` writes beside the collections
RESERVED = (DATA, "all")  # what `collect ablate` calls all of them
KINDS = {"relevance": int, "weight": float, "count": int}


@dataclass(frozen=True, eq=False)
class Collection:
    """Opinions from one place, with the texts that they are about; `docs` only where it brings passages along."""

    judgements: Sequence[Judgement]
    queries: Mapping[str, Query]
    docs: Sequence[Doc] = ()


@dataclass(frozen=True, eq=False)
class Inputs:
    """Files that are about to be collected: the corpus beside them, the hash of each, and where bad rows go."""

    corpus: Path | None
    hashes: Mapping[str, str]
    quarantine: Quarantine


def hash_existing(path: Path) -> str:
    """Hash of a file.

    Raises:
        DataError: There is none.
    """
    check_exists(path)
    return hash_file(path)


def is_collected(workspace: Workspace, name: str, *, inputs: Mapping[str, str], options: Any) -> bool:
    """Whether a collection of this name was made of the same files with the same options.

    Raises:
        DataError: The name cannot be one.
    """
    if not NAME.fullmatch(name) or name in RESERVED:
        fix = "small letters, digits, - and _: --name shop-2026"
        raise DataError("E3016", f"a collection cannot be called '{name}'", fix=fix)
    return is_finished(workspace.collected / name, stage=f"collect {name}", inputs=inputs, options=options)


def begin_collection(
    workspace: Workspace,
    name: str,
    paths: Sequence[Path],
    *,
    kind: str,
    corpus: Path | None,
    options: Any,
    talk: Talk,
    hash_input: Callable[[Path], str] = hash_existing,
) -> Inputs | None:
    """What a collection of files is to be made of; None, and told, where it was made of the same before.

    Args:
        kind: "logs", "traces" or "pairs": what is said begins with it.
        corpus: JSON lines of the passages that exist; None: those of the workspace, if it has any.
        options: With `max_bad_share`.

    Raises:
        DataError: The name cannot be one, or there is no such file.
    """
    corpus = corpus or (workspace.corpus if workspace.corpus.is_file() else None)
    hashes = {str(path): hash_input(path) for path in paths}
    if corpus:
        hashes[str(corpus)] = hash_existing(corpus)
    if is_collected(workspace, name, inputs=hashes, options=options):
        talk.say(f"{kind}: collected before, in {workspace.collected / name}")
        return None
    quarantine = Quarantine(workspace.collected / name / "quarantine.jsonl", max_share=options.max_bad_share)
    return Inputs(corpus, hashes, quarantine)


def write_collection(workspace: Workspace, name: str, collection: Collection, meta: Meta) -> Path:
    """Write a collection in the place of the one that bore its name; the record comes last.

    Raises:
        StageFailed: The disk is full, or the place cannot be written to.
    """
    folder = workspace.collected / name
    (folder / "meta.json").unlink(missing_ok=True)  # from here on it is unfinished
    write_jsonl(folder / "judgements.jsonl", (asdict(one) for one in collection.judgements))
    write_queries(folder / "queries.jsonl", collection.queries.values())
    if collection.docs:
        write_docs(folder / "corpus.jsonl", collection.docs)
    else:
        (folder / "corpus.jsonl").unlink(missing_ok=True)
    write_meta(folder, meta)
    return folder


def collections(workspace: Workspace) -> Iterator[tuple[str, Meta]]:
    """Name and record of each finished collection, by name."""
    for path in sorted(workspace.collected.glob("*/meta.json")):
        meta = read_meta(path.parent)
        if meta is not None and path.parent.name != DATA:
            yield path.parent.name, meta


def read_collection(workspace: Workspace, name: str) -> Collection:
    """Read a collection.

    Raises:
        DataError: There is none, or a file cannot be read.
    """
    folder, strict = workspace.collected / name, Quarantine(max_share=0.0)
    judged, asked, corpus = (folder / f"{one}.jsonl" for one in ("judgements", "queries", "corpus"))
    return Collection(
        read_judgements(judged, strict) if _has_lines(judged) else [],
        read_queries(asked, strict) if _has_lines(asked) else {},  # questions may wait for their first judgement
        read_docs(corpus, strict) if _has_lines(corpus) else (),
    )


def _has_lines(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def add_texts(known: dict[str, Record], found: Mapping[str, Record], *, name: str) -> None:
    """Add the queries or docs of a collection, by id, to those of others.

    A doc with something masked outranks the whole one, which would give away what weak pairs ask for; one with its
    title outranks one without, as traces bring it along.

    Raises:
        DataError: An id has another text in another collection: judgements of the one would be of the other.
    """
    for key, one in found.items():
        before = known.setdefault(key, one)
        if before is one or _outranks(before, one):
            continue
        if not _outranks(one, before) and not same_text(before, one):
            what, many = ("passage", "passages") if isinstance(one, Doc) else ("query", "queries")
            problem = f"{what} '{key}' of '{name}' has another text in another collection"
            fix = f"give each file's {many} ids of their own, then collect again"
            raise DataError("E3005", problem, fix=fix)
        known[key] = one


def _outranks(one: Doc | Query, other: Doc | Query) -> bool:
    if not isinstance(one, Doc) or not isinstance(other, Doc):
        return False
    if "masked" in one.metadata or "masked" in other.metadata:
        return "masked" in one.metadata
    return bool(one.title) and not other.title and one.text.split() == other.text.split()


def read_judgements(path: Path, quarantine: Quarantine) -> list[Judgement]:
    """Read one opinion a line, with the fields of `Judgement`; `query_id`, `doc_id` and `source` must be there.

    Raises:
        DataError: No such file, or too many lines that cannot be used.
    """
    found = []
    for number, row in read_jsonl(path, quarantine):
        try:
            found.append(_judgement(row))
        except (TypeError, ValueError) as error:
            quarantine.reject(path, number, str(error), str(row))
    quarantine.check(path)
    return found


def _judgement(row: Mapping[str, Any]) -> Judgement:
    known = {one.name for one in fields(Judgement)}
    if unknown := sorted(set(row) - known):
        raise ValueError(f"no judgement has '{unknown[0]}'")
    if missing := [name for name in ("query_id", "doc_id", "source", "relevance") if name not in row]:
        raise ValueError(f"no '{missing[0]}'")
    for name, value in row.items():
        kind = KINDS.get(name, str)
        is_none = value is None and name == "relevance"
        if not is_none and (isinstance(value, bool) or not isinstance(value, (int, float) if kind is float else kind)):
            raise ValueError(f"'{name}' is {value!r}")
    check_id(row["query_id"])
    check_id(row["doc_id"])
    return Judgement(**row)
