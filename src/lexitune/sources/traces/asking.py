"""Each trace as one asking of its question: masked, its passages named, its citations found."""

from __future__ import annotations

import json
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import NamedTuple

from lexitune.errors import DataError
from lexitune.fingerprint import hash_text
from lexitune.settings import read_pattern
from lexitune.sources.traces.assembly import assemble
from lexitune.sources.traces.citations import find_citations
from lexitune.sources.traces.evidence import Asked
from lexitune.sources.traces.feedback import Scale, fit_scale, read_thumb
from lexitune.sources.traces.options import TracesOptions
from lexitune.sources.traces.passages import Passages, doc_id_of
from lexitune.sources.traces.spill import feedback_on, scales_of, spilled_traces
from lexitune.sources.traces.trace import Context, Trace
from lexitune.text.normalise import normalise
from lexitune.text.personal import SECRETS, mask_personal

__all__ = ["Heard", "Question", "hear", "questions"]

LONGEST = 2000  # characters of a question: beyond, it is a prompt with passages in it
MIXED = 0.02  # share of answers that may disagree about where numbers start: code has brackets too


@dataclass(slots=True)
class Heard:
    """What came to light while the traces were gone through.

    Attributes:
        traces: With a question that counts.
        left_out: "traces", "contexts", "citations" or "scores", the reason, and how many.
        zero: Answers that cite passage 0; `last` those that cite the number of their last passage, counted from 1.
        masked: Kinds of personal data, and in how many questions they were replaced.
        scales: Of each score, the scale and how many values it was told by.
    """

    traces: int = 0
    impressions: int = 0
    answers: int = 0
    citing: int = 0
    thumbs: Counter[int] = field(default_factory=Counter)
    left_out: Counter[tuple[str, str]] = field(default_factory=Counter)
    masked: Counter[str] = field(default_factory=Counter)
    scales: dict[str, tuple[Scale, int]] = field(default_factory=dict)
    zero: int = 0
    last: int = 0

    def first_citation(self, given: int | None) -> int:
        """The number by which answers cite the first passage.

        Raises:
            DataError: They count both ways.
        """
        if given is not None:
            return given
        if min(self.zero, self.last) > MIXED * (self.zero + self.last):
            raise DataError(
                "E3043",
                f"{self.zero:,} answers cite passage [0], and {self.last:,} the last one by a number counted from 1",
                fix="say which number is the first passage's: --first-citation 1, or 0",
            )
        return int(self.zero <= self.last)


class Question(NamedTuple):
    """A question with all its traces; texts that are equal in normal form are one."""

    words: str
    asked: list[Asked]


def hear(database: sqlite3.Connection, passages: Passages, *, options: TracesOptions) -> Heard:
    """Go through all traces once and keep what each says of its question.

    Raises:
        UsageError: A pattern of the options that cannot be read.
    """
    heard, skipped = Heard(), read_pattern(options.skip_queries, flag="--skip-queries")
    heard.scales = {name: (fit_scale(least, most), count) for name, (least, most, count) in scales_of(database).items()}
    used = 0
    for parts in spilled_traces(database):
        trace = assemble(parts, question=options.question)
        found = feedback_on(database, [parts[0].trace_id, *(part.part_id for part in parts)])
        used += len(found)
        words = _clean(trace, skipped, heard)
        if trace is None or not words:
            continue
        scales = {name: scale for name, (scale, _) in heard.scales.items()}
        total = sum(read_thumb(one.value, scales.get(one.name)) for one in found)
        _keep(database, trace, words, (total > 0) - (total < 0), passages, heard, options)
    scores = database.execute("SELECT count(*) FROM feedback").fetchone()[0]
    heard.left_out["scores", "about a trace that is not in the files"] += scores - used
    heard.left_out = +heard.left_out
    return heard


def _clean(trace: Trace | None, skipped: re.Pattern[str], heard: Heard) -> str:
    """The question without what is personal; "" where it is left out."""
    reason, found = "", Counter[str]()
    words = " ".join(trace.question.split()) if trace else ""
    if not words:
        reason = "no question, or several searches and no question of a user"
    elif len(words) > LONGEST:
        reason = f"a question of more than {LONGEST:,} characters"
    elif skipped.fullmatch(words):
        reason = "a health check, or another question of --skip-queries"
    else:
        words, found = mask_personal(words)
        heard.masked.update(found.keys())
        reason = "a key or password in the question" if any(kind in SECRETS for kind in found) else ""
    if reason:
        heard.left_out["traces", reason] += 1
    return "" if reason else words


def _keep(
    database: sqlite3.Connection,
    trace: Trace,
    words: str,
    thumb: int,
    passages: Passages,
    heard: Heard,
    options: TracesOptions,
) -> None:
    shown = [_name(database, context, passages, heard) for context in trace.contexts]
    dropped = [_name(database, context, passages, heard) for context in trace.earlier]
    cited = find_citations(
        trace.answer, trace.contexts, question=trace.question, least_quoted_words=options.least_quoted_words
    )
    for reason, count in cited.unclear.items():
        heard.left_out["citations", reason] += count
    numbers = cited.numbers
    if numbers and len(shown) and not trace.is_one_list:
        heard.left_out["citations", "numbers where several lists reached the model"] += len(numbers)
        numbers = frozenset()
    heard.zero += 0 in numbers and bool(shown)
    heard.last += len(shown) in numbers and bool(shown)
    heard.traces += 1
    heard.impressions += sum(map(bool, shown))
    heard.answers += bool(trace.answer.strip())
    heard.thumbs[thumb] += 1
    # Hashed here as well: what a program calls a trace may be what it calls a user.
    body = [hash_text(trace.who), thumb, shown, sorted(cited.places), sorted(numbers), dropped]
    database.execute("INSERT INTO asked VALUES (?, ?, ?)", (normalise(words), words, json.dumps(body)))


def _name(database: sqlite3.Connection, context: Context, passages: Passages, heard: Heard) -> str:
    doc_id, reason = doc_id_of(context, passages)
    if reason:
        heard.left_out["contexts", reason] += 1
    if doc_id and passages.by_id is None and context.text.strip():
        database.execute(
            "INSERT INTO docs VALUES (?, ?) ON CONFLICT DO UPDATE SET text = min(text, excluded.text)",
            (doc_id, context.text),
        )
    return doc_id


def questions(database: sqlite3.Connection, heard: Heard, *, first: int) -> Iterator[Question]:
    """Each question with its traces, by its text; what citations could not mean is counted in `heard`.

    Args:
        first: The number by which answers cite the first passage.
    """
    rows = database.execute("SELECT key, words, body FROM asked ORDER BY key, words, body")
    for _, group in groupby(rows, key=lambda row: row[0]):
        spelt, asked = Counter[str](), list[Asked]()
        for _, words, body in group:
            spelt[words] += 1
            asked.append(_asked(json.loads(body), first, heard))
        yield Question(max(spelt, key=lambda words: (spelt[words], words)), asked)


def _asked(body: list[list[str] | str | int], first: int, heard: Heard) -> Asked:
    voter, thumb, shown, places, numbers, dropped = body
    assert isinstance(shown, list)
    assert isinstance(places, list)
    assert isinstance(numbers, list)
    assert isinstance(dropped, list)
    meant = [int(number) - first for number in numbers]
    beyond = sum(not 0 <= place < len(shown) for place in meant)
    if beyond:
        heard.left_out["citations", "a number of no passage that was retrieved"] += beyond
    cited = {*map(int, places), *(place for place in meant if 0 <= place < len(shown))}
    heard.citing += bool(cited)
    ids = frozenset(shown[place] for place in cited if shown[place])
    return Asked(str(voter), int(str(thumb)), shown, ids, bool(cited), dropped)
