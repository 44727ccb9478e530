"""A folder of documents of five kinds from a shared retrieval set, for the journey from documents to a promoted model.

    python -m benchmarks.mixed_documents FOLDER --count 200
    lexitune collect docs FOLDER
    lexitune collect resolve
    lexitune tune lexitune-work/collected/data --anyway

medquad has one passage for each question about a topic: those of one topic make a document, each a section. A heading
is what the question adds to the topic ("Symptoms"), not the question itself, so that no document holds what people
asked, and a model tuned on the folder can be tested by the set's own questions.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import re
import textwrap
from collections import defaultdict
from collections.abc import Sequence
from html import escape
from pathlib import Path

from benchmarks.made_files import docx, pdf

__all__ = ["write_folder"]

SHARED = Path(__file__).resolve().parents[1].parent / "shared" / "data"
SPLITS = ("train", "dev", "test")
FEWEST, MOST = 2, 8  # sections of a document
FOOTER = "This page is for information only and does not replace the advice of a doctor."
SMALL = "a an and are be by can do does for from how i in is it of on or the there to what who will with"
LINES = 48  # of a page

Part = tuple[str, str]
"""Heading and text of a section."""


def write_folder(folder: Path, data: Path, *, count: int, seed: int = 13) -> list[Path]:
    """Write so many documents, the kinds in turn; the same for the same set and seed.

    Args:
        data: The set, in BEIR layout, packed.
    """
    topics = {topic: parts for topic, parts in _topics(data).items() if len(parts) >= FEWEST}
    chosen = random.Random(seed).sample(sorted(topics), min(count, len(topics)))
    made = []
    for number, topic in enumerate(chosen):
        kind = list(WRITERS)[number % len(WRITERS)]
        path = folder / kind / f"{re.sub(r'[^a-z0-9]+', '-', topic.lower()).strip('-')[:60]}-{number}.{kind}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(WRITERS[kind](topic, topics[topic][:MOST]))
        made.append(path)
    return made


def _topics(data: Path) -> dict[str, list[Part]]:
    docs = {row["_id"]: row for row in _rows(data / "corpus.jsonl.gz")}
    asked = {row["_id"]: row["text"] for row in _rows(data / "queries.jsonl.gz")}
    found: dict[str, dict[str, Part]] = defaultdict(dict)
    for split in SPLITS:
        for line in (data / "qrels" / f"{split}.tsv").read_text(encoding="utf-8").splitlines()[1:]:
            query_id, doc_id, _ = line.split("\t")
            topic = docs[doc_id]["title"]
            found[topic].setdefault(doc_id, (_heading(asked[query_id], topic), docs[doc_id]["text"]))
    return {topic: list(parts.values()) for topic, parts in found.items() if topic}


def _heading(question: str, topic: str) -> str:
    words = re.findall(r"[\w'-]+", question)
    own = [word for word in words if word.lower() not in SMALL.split() and word.lower() not in topic.lower()]
    return " ".join(own).capitalize() or "About"


def _rows(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def _md(topic: str, parts: Sequence[Part]) -> bytes:
    sections = "".join(f"\n## {heading}\n\n{text}\n" for heading, text in parts)
    return f"# {topic}\n{sections}\n---\n\n{FOOTER}\n".encode()


def _html(topic: str, parts: Sequence[Part]) -> bytes:
    sections = "".join(f"<h2>{escape(heading)}</h2>\n<p>{escape(text)}</p>\n" for heading, text in parts)
    return (
        f"<!doctype html>\n<html><head><title>{escape(topic)}</title></head><body>\n<h1>{escape(topic)}</h1>\n"
        f"{sections}<footer>{FOOTER}</footer></body></html>\n"
    ).encode()


def _txt(topic: str, parts: Sequence[Part]) -> bytes:
    sections = "\n\n".join(f"{heading}\n{textwrap.fill(text, 90)}" for heading, text in parts)
    return f"{topic}\n\n{sections}\n\n{FOOTER}\n".encode()


def _docx(topic: str, parts: Sequence[Part]) -> bytes:
    sections = [row for heading, text in parts for row in ((2, heading), (0, text))]
    return docx([(1, topic), *sections, (0, FOOTER)], title=topic)


def _pdf(topic: str, parts: Sequence[Part]) -> bytes:
    lines, contents = [topic, ""], list[tuple[str, int]]()
    for heading, text in parts:
        contents.append((heading, len(lines) // LINES))
        lines += [heading, *textwrap.wrap(text, 90), ""]
    pages = [[*lines[start : start + LINES], FOOTER] for start in range(0, len(lines), LINES)]
    return pdf(pages, contents=contents, title=re.sub(r"[()\\]", " ", topic))


WRITERS = {"md": _md, "html": _html, "txt": _txt, "docx": _docx, "pdf": _pdf}


def main() -> None:
    told = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    told.add_argument("folder", type=Path)
    told.add_argument("--count", type=int, default=200)
    given = told.parse_args()
    root = Path(os.environ.get("LEXITUNE_DATA", SHARED))
    made = write_folder(given.folder, root / "medquad", count=given.count)
    print(f"{len(made)} documents in {given.folder}")  # noqa: T201


if __name__ == "__main__":
    main()
