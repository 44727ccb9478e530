"""Files of traces into judgements: read, put together, weighed."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lexitune.errors import DataError
from lexitune.io.beir import made_id
from lexitune.io.quarantine import Quarantine
from lexitune.sources.traces.asking import Heard, hear, questions
from lexitune.sources.traces.evidence import weigh
from lexitune.sources.traces.formats import Loaded, load_traces
from lexitune.sources.traces.options import TracesOptions
from lexitune.sources.traces.passages import Passages, known_passages
from lexitune.sources.traces.spill import trace_database
from lexitune.types import Doc, Judgement, Query, Silent, Talk

__all__ = ["Traces", "read_traces"]

STEPS = 3


@dataclass(frozen=True, eq=False)
class Traces:
    """What traces say.

    Attributes:
        docs: The passages that were retrieved, where there is no corpus.
        kinds: Judgements of each kind: "cited", "passed", "disliked".
        refused: Pairs without a judgement, by the reason.
        first: The number by which answers cite the first passage.
        left_out: "traces", "contexts", "citations" or "scores", the reason, and how many; the most first.
    """

    judgements: Sequence[Judgement]
    queries: Mapping[str, Query]
    docs: Sequence[Doc]
    loaded: Loaded
    heard: Heard
    kinds: Counter[str]
    refused: Counter[str]
    first: int
    left_out: Sequence[tuple[str, str, int]]


def read_traces(
    paths: Sequence[Path],
    *,
    folder: Path,
    source: str,
    options: TracesOptions,
    corpus: Sequence[Doc] | None = None,
    quarantine: Quarantine | None = None,
    talk: Talk | None = None,
) -> Traces:
    """Read traces: a trace's parts wait on disk until they are all there.

    Args:
        folder: Where they wait; it is left as it was.
        source: What the judgements name as theirs.
        corpus: The passages that exist; None: all that were retrieved.
        quarantine: Takes the records that cannot be read.

    Raises:
        DataError: A file cannot be read, is of no known or another format; no question at all; numbers of citations
            that count both ways.
        UsageError: A pattern of the options that cannot be read.
    """
    talk, quarantine = talk or Silent(), quarantine or Quarantine(max_share=options.max_bad_share)
    with trace_database(folder) as database:
        talk.progress("traces", 0, STEPS, "reading")
        loaded = load_traces(database, paths, options=options, quarantine=quarantine)
        talk.progress("traces", 1, STEPS, "citations")
        passages = known_passages(corpus) if corpus is not None else _seen_passages(database)
        heard = hear(database, passages, options=options)
        if not heard.traces:
            why = "; ".join(f"{count:,} {what}: {reason}" for what, reason, count in _most_first(heard.left_out))
            problem = f"{', '.join(path.name for path in paths)}: no question is left" + (f" ({why})" if why else "")
            raise DataError("E3003", problem, fix="export whole traces, with what went into them and came out")
        talk.progress("traces", 2, STEPS, "votes")
        first = heard.first_citation(options.first_citation)
        texts = None if corpus is None else {doc.doc_id: doc.text for doc in corpus}

        def text_of(doc_id: str) -> str:
            if texts is not None:
                return texts.get(doc_id, "")
            row = database.execute("SELECT text FROM docs WHERE doc = ?", (doc_id,)).fetchone()
            return str(row[0]) if row else ""

        found = _weigh(database, heard, text_of, source=source, first=first, options=options)
        docs = [Doc(*row) for row in database.execute("SELECT doc, text FROM docs ORDER BY doc")]
    talk.progress("traces", STEPS, STEPS)
    left_out = _most_first(loaded.left_out + heard.left_out)
    return Traces(*found[:2], docs, loaded, heard, *found[2:], first, left_out)


def _seen_passages(database: sqlite3.Connection) -> Passages:
    """What the traces themselves tell of their passages' ids."""
    rows = database.execute("SELECT doc FROM names GROUP BY doc HAVING count(*) > 1")
    shared = frozenset(doc_id for (doc_id,) in rows)
    # One text under two ids is one passage: else the answer that cites the one would pass the other over.
    by_text: dict[str, str] = {}
    for doc_id, key in database.execute("SELECT doc, key FROM names ORDER BY doc DESC"):
        if doc_id not in shared:
            by_text[key] = doc_id
    return Passages(None, by_text, shared)


def _weigh(
    database: sqlite3.Connection,
    heard: Heard,
    text_of: Callable[[str], str],
    *,
    source: str,
    first: int,
    options: TracesOptions,
) -> tuple[list[Judgement], dict[str, Query], Counter[str], Counter[str]]:
    judgements, queries = list[Judgement](), dict[str, Query]()
    kinds, refused = Counter[str](), Counter[str]()
    for words, asked in questions(database, heard, first=first):
        query_id = made_id("q", words)
        votes = len({one.voter for one in asked})
        queries[query_id] = Query(query_id, words, {"sessions": votes})
        found = weigh(query_id, asked, source=source, options=options, text_of=text_of)
        judgements += found.judgements
        kinds += found.kinds
        refused += found.refused
    return judgements, queries, kinds, refused


def _most_first(left_out: Counter[tuple[str, str]]) -> list[tuple[str, str, int]]:
    rows = [(what, reason, count) for (what, reason), count in left_out.items()]
    return sorted(rows, key=lambda row: (-row[2], row[0], row[1]))
