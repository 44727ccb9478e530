"""A folder of documents into a workspace: read one by one, cut into passages, asked by weak pairs.

collected/NAME/documents.jsonl      the text of each document, to which the places of passages refer
collected/NAME/passages.jsonl       every passage, whole
collected/NAME/places.jsonl         where every passage stands that was ever made here
collected/NAME/corpus.jsonl         the passages as the pairs need them: some with something masked
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from lexitune.errors import DataError
from lexitune.fingerprint import hash_file, hash_json
from lexitune.io.atomic import TEMPORARY, replacing
from lexitune.io.beir import write_docs
from lexitune.io.jsonl import write_jsonl
from lexitune.io.judgements import Collection, is_collected, write_collection
from lexitune.io.workspace import Meta, Workspace
from lexitune.models.options import ModelOptions
from lexitune.models.tokenizer import TextTokens, load_tokens
from lexitune.sources.documents.boilerplate import Boilerplate, LineCounts, without_lines
from lexitune.sources.documents.carried import carry_over, hash_others, keep_places, places_before
from lexitune.sources.documents.carrying import Place
from lexitune.sources.documents.document import Document, Heading, Unreadable
from lexitune.sources.documents.files import Aside, find_files
from lexitune.sources.documents.options import DocsOptions
from lexitune.sources.documents.passages import Passage, drop_alike, passages_of
from lexitune.sources.documents.pseudo import make_pairs
from lexitune.sources.documents.reading import read_document
from lexitune.sources.documents.told import Found, tell
from lexitune.types import Silent, Talk

__all__ = ["collect_docs"]


@dataclass(frozen=True)
class Job:
    """One run: what it works on, and what the first pass over the files finds out.

    Attributes:
        documents: Where they are written without boilerplate.
    """

    name: str
    documents: Path
    files: Sequence[tuple[str, Path]]
    tokens: TextTokens
    options: DocsOptions
    talk: Talk
    aside: list[Aside]
    forms: Counter[str] = field(default_factory=Counter)
    lines: LineCounts = field(default_factory=LineCounts)
    blank_pages: list[int] = field(default_factory=list)


def collect_docs(
    workspace: Workspace,
    folder: Path,
    *,
    name: str = "docs",
    model: ModelOptions | None = None,
    options: DocsOptions | None = None,
    talk: Talk | None = None,
) -> Found | None:
    """Read a folder of documents into `collected/NAME`; what is there of the same files and options stays.

    Judgements that other collections hold of passages of an earlier run are carried over to the new ones.

    Args:
        model: Whose tokens are counted.

    Returns:
        What became of the folder; None where it was collected before.

    Raises:
        DataError: No such folder, no document in it that can be read, or judgements to carry over of two queries with
            one id.
        UsageError: A package is missing that reads or cuts what is there.
        StageFailed: Another process works in the workspace, or the disk is full.
    """
    options, talk, began = options or DocsOptions(), talk or Silent(), time.monotonic()
    with workspace.lock():
        patterns = [one.strip() for one in (options.skip or "").split(",") if one.strip()]
        aside: list[Aside] = []
        files = list(find_files(folder, skip=patterns, avoid=workspace.root, aside=aside))
        tokens = load_tokens(options=model or ModelOptions(), talk=talk)
        inputs = {**_inputs(folder, files, aside, tokens), **hash_others(workspace, name)}
        if is_collected(workspace, name, inputs=inputs, options=options):
            talk.say(f"docs: collected before, in {workspace.collected / name}")
            return None
        place = workspace.collected / name
        old = places_before(place)
        with replacing(place / "documents.jsonl") as documents:
            found = _found(workspace, Job(name, documents, files, tokens, options, talk, aside), old)
            (place / "meta.json").unlink(missing_ok=True)  # from here on it is unfinished
        cost_s = time.monotonic() - began
        meta = Meta(f"collect {name}", asdict(options), inputs, seed=options.seed, cost_s=cost_s, outputs=_facts(found))
        made, carried = found.pairs, found.carried
        keep_places(place, old, found.passages)
        write_docs(place / "passages.jsonl", (one.doc() for one in found.passages))
        collection = Collection([*made.judgements, *carried.judgements], {**carried.queries, **made.queries}, made.docs)
        write_collection(workspace, name, collection, meta)
    for line in tell(found)[:-1]:
        talk.say(f"docs: {line}")
    return found


def _found(workspace: Workspace, job: Job, old: Mapping[str, Place]) -> Found:
    options, tokens = job.options, job.tokens
    boilerplate, passages, empty = _passages(job)
    kept = drop_alike(passages, threshold=options.near)
    kinds = [] if options.pairs == "none" else options.pairs.split(",")
    room = (tokens.max_length or 1 << 30) - tokens.special
    return Found(
        forms=job.forms,
        aside=job.aside,
        blank_pages=sum(job.blank_pages),
        empty=empty,
        boilerplate=boilerplate,
        passages=kept,
        alike=len(passages) - len(kept),
        too_long=sum(one.tokens > room for one in kept),
        model=tokens.name,
        pairs=make_pairs(kept, kinds=kinds, most=options.pairs_per_document, seed=options.seed),
        carried=carry_over(workspace, job.name, old=old, new=kept),
    )


def _inputs(
    folder: Path, files: Sequence[tuple[str, Path]], aside: list[Aside], tokens: TextTokens
) -> Mapping[str, str]:
    hashes: dict[str, str] = {}
    for short, path in files:
        try:
            hashes[short] = hash_file(path)
        except OSError:  # it will be set aside when it is read
            hashes[short] = ""
    return {str(folder): hash_json([hashes, sorted(aside)]), "tokenizer": hash_json(tokens.backend.to_str())}


def _passages(job: Job) -> tuple[Boilerplate, list[Passage], list[str]]:
    """Two passes, one document in memory at a time: which lines repeat is known only when all were read."""
    spool = job.documents.with_name(f"{TEMPORARY}spool.jsonl")
    passages, empty = list[Passage](), list[str]()
    try:
        with spool.open("w", encoding="utf-8") as file:
            for done, (short, path) in enumerate(job.files):
                job.talk.progress("docs", done, len(job.files), "reading")
                _read(short, path, file, job)
        if not job.forms:
            raise _none(job)
        boilerplate = job.lines.boilerplate(job.options.boilerplate_share)
        with closing(_cleaned(spool, boilerplate, job, passages, empty)) as rows:
            write_jsonl(job.documents, rows)
        job.talk.progress("docs", len(job.files), len(job.files))
    finally:
        spool.unlink(missing_ok=True)
    if not passages:
        raise _none(job)
    return boilerplate, passages, empty


def _cleaned(
    spool: Path, boilerplate: Boilerplate, job: Job, passages: list[Passage], empty: list[str]
) -> Generator[dict[str, Any], None, None]:
    """Each document without boilerplate, as a row; its passages go to `passages`."""
    options = job.options
    for done, document in enumerate(_spooled(spool)):
        job.talk.progress("docs", done, job.lines.documents, "cutting")
        clean, before = without_lines(document, boilerplate), len(passages)
        passages += passages_of(
            clean, spans=job.tokens.spans, chunk_tokens=options.chunk_tokens, overlap_tokens=options.overlap_tokens
        )
        if len(passages) == before:
            empty.append(clean.path)
        yield {"_id": clean.path, "title": clean.title, "text": clean.text, "form": clean.form}


def _read(short: str, path: Path, file: IO[str], job: Job) -> None:
    try:
        document = read_document(path, name=short, most_bytes=int(job.options.max_file_mb * 1e6))
    except Unreadable as error:
        job.aside.append((short, str(error)))
        return
    job.forms[document.form] += 1
    job.blank_pages.append(document.blank_pages)
    job.lines.add(document)
    file.write(json.dumps(asdict(document)) + "\n")


def _spooled(spool: Path) -> Iterator[Document]:
    with spool.open(encoding="utf-8") as file:
        for line in file:
            found = json.loads(line)
            yield Document(**{**found, "headings": tuple(Heading(**one) for one in found["headings"])})


def _none(job: Job) -> DataError:
    shown = f": {job.aside[0][0]}: {job.aside[0][1]}" if job.aside else ""
    return DataError(
        "E3031",
        f"no document of {len(job.files):,} files can be read{shown}",
        fix="name a folder of txt, md, html, pdf or docx files",
    )


def _facts(found: Found) -> dict[str, Any]:
    return {
        "documents": dict(found.forms),
        "aside": [list(one) for one in found.aside],
        "passages": len(found.passages),
        "alike": found.alike,
        "boilerplate": found.boilerplate.removed.total(),
        "pairs": dict(found.pairs.counts),
        "carried": len(found.carried.judgements),
        "gone": len(found.carried.gone),
        "model": found.model,
    }
