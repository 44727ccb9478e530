"""Formats of traces, told by what stands in a record, and all files read into one database of parts."""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from lexitune.errors import DataError, UsageError
from lexitune.io.quarantine import Quarantine
from lexitune.io.records import read_records
from lexitune.sources.traces.langfuse import is_langfuse, read_langfuse
from lexitune.sources.traces.langsmith import is_langsmith, read_langsmith
from lexitune.sources.traces.openinference import is_openinference, read_openinference
from lexitune.sources.traces.options import TracesOptions
from lexitune.sources.traces.passages import plain_id, text_key
from lexitune.sources.traces.spill import add_feedback, add_part
from lexitune.sources.traces.tables import is_table, read_table
from lexitune.sources.traces.trace import Feedback, Part

__all__ = ["FORMATS", "Format", "Loaded", "load_traces", "recognise"]

PAGES = ("data", "runs", "traces", "observations", "spans")  # what an interface's answer keeps its records under
LOOKED = 50  # records: where none of them is known, the file is of another kind
NAMES_TOLD = 10  # of scores that are left out


class Format(NamedTuple):
    """How traces are written.

    Attributes:
        fits: Whether a record is of this format.
        read: Parts and feedback of a record, given the key of ids; raises ValueError where something cannot be used.
    """

    name: str
    fits: Callable[[Mapping[str, Any]], bool]
    read: Callable[[Mapping[str, Any], str | None], Iterator[Part | Feedback]]


FORMATS = (
    Format("OpenInference", is_openinference, read_openinference),
    Format("LangSmith", is_langsmith, read_langsmith),
    Format("Langfuse", is_langfuse, read_langfuse),
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the files held.

    Attributes:
        rows: Of each file, how many records could be used.
        left_out: "scores", the reason, and how many.
    """

    form: str
    rows: Mapping[str, int]
    left_out: Counter[tuple[str, str]]


def recognise(record: Mapping[str, Any]) -> Format | None:
    """The format of a record; None where it is of none."""
    return next((form for form in FORMATS if form.fits(record)), None)


def load_traces(
    database: sqlite3.Connection, paths: Sequence[Path], *, options: TracesOptions, quarantine: Quarantine
) -> Loaded:
    """Read all files into the tables of parts, feedback and names of passages.

    Raises:
        DataError: A file cannot be read, is no trace, or is of another format than the others.
        UsageError: A pattern of the options that cannot be read.
    """
    wanted = _pattern(options.feedback_names)
    form: Format | None = None
    first, rows, left_out = "", dict[str, int](), Counter[tuple[str, str]]()
    for path in paths:
        rows[path.name] = rows.get(path.name, 0)
        unknown, known = 0, 0
        for line, record in _records(path, quarantine):
            found = recognise(record)
            if found is None:
                unknown += 1
                if not known and unknown == LOOKED:
                    raise _no_format(path, line, record)
                quarantine.reject(path, line, "nothing of a trace in it", "")
                last = record
                continue
            if form is not None and found is not form:
                raise DataError(
                    "E3042",
                    f"{path} holds {found.name} in line {line}, and {first} {form.name}",
                    fix="collect them one after the other, each with a --name of its own",
                    at=f"{path}:{line}",
                )
            form, first, known = found, first or str(path), known + 1
            try:
                for one in found.read(record, options.id_key):
                    _keep(database, one, wanted, left_out)
            except (ValueError, RecursionError) as error:
                reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
                quarantine.reject(path, line, reason, "")
                continue
            rows[path.name] += 1
        if unknown and not known:
            raise _no_format(path, 1, last)
        quarantine.check(path)
    if form is None:
        raise DataError("E3003", f"{', '.join(map(str, paths))}: no records", fix="export the traces again")
    return Loaded(form.name, rows, left_out)


def _records(path: Path, quarantine: Quarantine) -> Iterator[tuple[int, dict[str, Any]]]:
    """Records, those of an interface's answer one by one."""
    if is_table(path):
        yield from read_table(path, quarantine)
        return
    for line, record in read_records(path, quarantine):
        page = next((record[key] for key in PAGES if isinstance(record.get(key), list)), None)
        if page is None or recognise(record) is not None:
            yield line, record
            continue
        quarantine.seen[str(path)] += len(page) - 1
        for one in page:
            if isinstance(one, dict):
                yield line, one
            else:
                quarantine.reject(path, line, "not an object", "")


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text, re.IGNORECASE)
    except re.error as error:
        raise UsageError("E2002", f"--feedback-names: {error}", fix="give a regular expression, or ''") from error


def _no_format(path: Path, line: int, record: Mapping[str, Any]) -> DataError:
    keys = ", ".join(map(repr, list(record)[:8]))
    return DataError(
        "E3041",
        f"{path} has records of {keys or 'nothing'}: neither OpenInference nor Langfuse nor LangSmith",
        fix="export spans, traces or runs as JSON, Parquet or CSV; a log of searches is read by lexitune collect logs",
        at=f"{path}:{line}",
    )


def _keep(
    database: sqlite3.Connection,
    one: Part | Feedback,
    wanted: re.Pattern[str],
    left_out: Counter[tuple[str, str]],
) -> None:
    if isinstance(one, Part):
        add_part(database, one)
        # Without a corpus, these tell which ids stand for one passage.
        named = [(plain_id(context.doc_id), text_key(context.text)) for context in one.contexts if context.text.strip()]
        database.executemany("INSERT OR IGNORE INTO names VALUES (?, ?)", [row for row in named if row[0]])
        return
    if one.is_machine:
        left_out["scores", "given by a model or a rule"] += 1
    elif not wanted.fullmatch(one.name):
        told = ("scores", f"'{one.name}' is no name of --feedback-names")
        names = sum(what == "scores" for what, _ in left_out)
        left_out[told if told in left_out or names < NAMES_TOLD else ("scores", "of yet other names")] += 1
    else:
        add_feedback(database, one)
