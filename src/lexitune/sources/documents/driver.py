"""A folder of documents into a workspace: read one by one, cut into passages, asked by weak pairs.

collected/NAME/documents.jsonl      the text of each document, to which the places of passages refer
collected/NAME/passages.jsonl       every passage, whole
collected/NAME/corpus.jsonl         the passages as the pairs need them: some with something masked
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from lexitune.errors import DataError
from lexitune.fingerprint import hash_file, hash_json
from lexitune.io.atomic import TEMPORARY
from lexitune.io.beir import write_docs
from lexitune.io.jsonl import write_jsonl
from lexitune.io.judgements import Collection, is_collected, write_collection
from lexitune.io.workspace import Meta, Workspace
from lexitune.models.options import ModelOptions
from lexitune.models.tokenizer import TextTokens, load_tokens
from lexitune.sources.documents.boilerplate import Boilerplate, LineCounts, without_lines
from lexitune.sources.documents.carried import BEFORE, PASSAGES, carry_over, places_before
from lexitune.sources.documents.document import Document, Heading, Unreadable
from lexitune.sources.documents.files import Aside, find_files
from lexitune.sources.documents.options import DocsOptions
from lexitune.sources.documents.passages import Passage, drop_alike, passages_of
from lexitune.sources.documents.pseudo import make_pairs
from lexitune.sources.documents.reading import read_document
from lexitune.sources.documents.told import Found, tell
from lexitune.types import Silent, Talk

__all__ = ["collect_docs"]


@dataclass
class Gathered:
    """What the first pass over the files found out."""

    aside: list[Aside] = field(default_factory=list)
    forms: Counter[str] = field(default_factory=Counter)
    lines: LineCounts = field(default_factory=LineCounts)
    blank_pages: int = 0


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
        DataError: No such folder, or no document in it that can be read.
        UsageError: A package is missing that reads or cuts what is there.
        StageFailed: Another process works in the workspace, or the disk is full.
    """
    options, talk, began = options or DocsOptions(), talk or Silent(), time.monotonic()
    with workspace.lock():
        gathered = Gathered()
        patterns = [one.strip() for one in (options.skip or "").split(",") if one.strip()]
        files = list(find_files(folder, skip=patterns, avoid=workspace.root, aside=gathered.aside))
        tokens = load_tokens(options=model or ModelOptions(), talk=talk)
        inputs = _inputs(folder, files, gathered.aside, tokens)
        if is_collected(workspace, name, inputs=inputs, options=options):
            talk.say(f"docs: collected before, in {workspace.collected / name}")
            return None
        place = workspace.collected / name
        old = places_before(place)
        (place / "meta.json").unlink(missing_ok=True)  # from here on it is unfinished
        boilerplate, passages, empty = _passages(place, files, gathered, tokens, options, talk)
        kept = drop_alike(passages, threshold=options.near)
        kinds = [] if options.pairs == "none" else options.pairs.split(",")
        pairs = make_pairs(kept, kinds=kinds, most=options.pairs_per_document, seed=options.docs_seed)
        carried = carry_over(workspace, name, old=old, new=kept)
        room = (tokens.max_length or 1 << 30) - tokens.special
        found = Found(
            gathered.forms,
            gathered.aside,
            gathered.blank_pages,
            empty,
            boilerplate,
            kept,
            len(passages) - len(kept),
            sum(one.tokens > room for one in kept),
            tokens.name,
            pairs,
            carried,
        )
        write_docs(place / PASSAGES, (one.doc() for one in kept))
        meta = Meta(f"collect {name}", asdict(options), inputs, cost_s=time.monotonic() - began, outputs=_facts(found))
        queries = {**carried.queries, **pairs.queries}
        write_collection(
            workspace, name, Collection([*pairs.judgements, *carried.judgements], queries, pairs.docs), meta
        )
        (place / BEFORE).unlink(missing_ok=True)
    for line in tell(found)[:-1]:
        talk.say(f"docs: {line}")
    return found


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


def _passages(
    place: Path,
    files: Sequence[tuple[str, Path]],
    gathered: Gathered,
    tokens: TextTokens,
    options: DocsOptions,
    talk: Talk,
) -> tuple[Boilerplate, list[Passage], list[str]]:
    """Two passes, one document in memory at a time: which lines repeat is known only when all were read."""
    place.mkdir(parents=True, exist_ok=True)
    spool = place / f"{TEMPORARY}documents.jsonl"
    passages, empty = list[Passage](), list[str]()
    try:
        with spool.open("w", encoding="utf-8") as file:
            for done, (short, path) in enumerate(files):
                talk.progress("docs", done, len(files), "reading")
                _read(short, path, file, gathered, options)
        if not gathered.forms:
            raise _none(files, gathered.aside)
        boilerplate = gathered.lines.boilerplate(options.boilerplate_share)

        def rows() -> Iterator[dict[str, Any]]:
            for done, document in enumerate(_spooled(spool)):
                talk.progress("docs", done, gathered.lines.documents, "cutting")
                clean = without_lines(document, boilerplate)
                before = len(passages)
                passages.extend(
                    passages_of(
                        clean,
                        spans=tokens.spans,
                        chunk_tokens=options.chunk_tokens,
                        overlap_tokens=options.overlap_tokens,
                    )
                )
                if len(passages) == before:
                    empty.append(clean.path)
                yield {"_id": clean.path, "title": clean.title, "text": clean.text, "form": clean.form}

        with closing(rows()) as made:
            write_jsonl(place / "documents.jsonl", made)
        talk.progress("docs", 1, 1)
    finally:
        spool.unlink(missing_ok=True)
    if not passages:
        raise _none(files, gathered.aside)
    return boilerplate, passages, empty


def _read(short: str, path: Path, file: IO[str], gathered: Gathered, options: DocsOptions) -> None:
    try:
        document = read_document(path, name=short, most_bytes=int(options.max_file_mb * 1e6))
    except Unreadable as error:
        gathered.aside.append((short, str(error)))
        return
    gathered.forms[document.form] += 1
    gathered.blank_pages += document.blank_pages
    gathered.lines.add(document)
    file.write(json.dumps(asdict(document)) + "\n")


def _spooled(spool: Path) -> Iterator[Document]:
    with spool.open(encoding="utf-8") as file:
        for line in file:
            found = json.loads(line)
            yield Document(**{**found, "headings": tuple(Heading(**one) for one in found["headings"])})


def _none(files: Sequence[tuple[str, Path]], aside: Sequence[Aside]) -> DataError:
    shown = f": {aside[0][0]}: {aside[0][1]}" if aside else ""
    return DataError(
        "E3031",
        f"no document of {len(files):,} files can be read{shown}",
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
