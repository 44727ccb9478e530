"""Search logs: what was asked, and how often. One search a line, or a table with counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice, repeat
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from lexitune.errors import DataError
from lexitune.io.jsonl import check_exists, first_line, is_parquet, open_lines, open_text, read_jsonl
from lexitune.io.pairs import QUERY_NAMES
from lexitune.io.quarantine import Quarantine
from lexitune.io.tables import CUTS, TABS, Cut, find_cut, place_of, read_rows, rows_below

__all__ = ["COUNT_NAMES", "TEXT_NAMES", "read_log"]

TEXT_NAMES = (*QUERY_NAMES, "q", "text", "search")
COUNT_NAMES = ("count", "n", "frequency", "searches")
MOST = 10**12  # searches of one query: beyond that a count is something else, and sums must fit 64 bits

Row = tuple[int, object, object]  # line, query, count


def read_log(path: Path, quarantine: Quarantine) -> Counter[str]:
    """Searches by query, white space aside. A row without a count is one search.

    The content shows what a file is: Parquet, JSON lines, or a table with a column query, question, anchor, q, text or
    search and, if it has one, count, n, frequency or searches. Two columns without such names, one of them whole
    numbers, are query and count. One column is one query a line. Tabs cut any text, other delimiters only what is
    called `.csv`, for queries hold commas. Text may be packed with gzip.

    Raises:
        DataError: No such file, a file of another kind, columns that cannot be told apart, too many bad lines, or no
            query at all.
    """
    check_exists(path)
    found: Counter[str] = Counter()
    for line, text, count in _rows(path, quarantine):
        query = " ".join(text.split()) if isinstance(text, str) else ""
        searches = _whole(count)
        if query and searches:
            found[query] += searches
        else:
            reason = f"the count is {count!r}, no whole number from 1 on" if query else "no query"
            quarantine.reject(path, line, reason, f"{text} | {count}")
    quarantine.check(path)
    if not found:
        fix = "write one query a line, or a table with the columns 'query' and 'count'"
        raise DataError("E3003", f"{path} holds no queries", fix=fix)
    return found


def _whole(count: object) -> int:
    """A count as a number of searches; 0 where it is none."""
    try:
        number = float(count)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return 0
    return int(number) if number.is_integer() and 0 < number <= MOST else 0


def _rows(path: Path, quarantine: Quarantine) -> Iterator[Row]:
    if is_parquet(path):
        return _from_parquet(path, quarantine)
    with open_text(path) as text:
        start = first_line(text).strip()
    if start.startswith(("{", "[")):
        return _from_jsonl(path, quarantine)
    is_csv = ".csv" in map(str.lower, path.suffixes)
    if cut := find_cut(path, CUTS if is_csv else TABS):
        return _from_table(path, cut, quarantine)
    alone = read_rows(path, Cut(",", [[start]]), quarantine) if is_csv else _lines(path, quarantine)
    header = start.strip('"').lower() in TEXT_NAMES
    return ((line, row[0], 1) for line, row in islice(alone, int(header), None))


def _lines(path: Path, quarantine: Quarantine) -> Iterator[tuple[int, list[str]]]:
    for number, line in open_lines(path, quarantine):
        yield number, [line]


def _from_jsonl(path: Path, quarantine: Quarantine) -> Iterator[Row]:
    for number, row in read_jsonl(path, quarantine):
        text = next((row[name] for name in TEXT_NAMES if name in row), None)
        yield number, text, next((row[name] for name in COUNT_NAMES if name in row), 1)


def _from_table(path: Path, cut: Cut, quarantine: Quarantine) -> Iterator[Row]:
    text, count = place_of(cut.names, TEXT_NAMES), place_of(cut.names, COUNT_NAMES)
    header = text is not None
    if text is None and (count := _numbers(cut)) is not None:
        text = 1 - count
        quarantine.note(f"{path.name} has no header: its column {count + 1} is taken for the count")
    if text is None:
        raise _unknown_columns(path, cut.rows[0])
    for line, row in (rows_below if header else read_rows)(path, cut, quarantine):
        yield line, row[text], 1 if count is None else row[count]


def _numbers(cut: Cut) -> int | None:
    """Which of two columns holds counts; the second, where both may. None: neither, or there are more."""
    rows = [row for row in cut.rows if len(row) == 2]
    if len(cut.rows[0]) != 2:
        return None
    return next((place for place in (1, 0) if all(_whole(row[place]) for row in rows)), None)


def _from_parquet(path: Path, quarantine: Quarantine) -> Iterator[Row]:
    try:
        with pq.ParquetFile(path) as file:
            columns = list(file.schema_arrow.names)
            names = [name.lower() for name in columns]
            text, count = place_of(names, TEXT_NAMES), place_of(names, COUNT_NAMES)
            if text is None:
                raise _unknown_columns(path, columns)
            wanted = [columns[place] for place in (text, count) if place is not None]
            done = 0
            for batch in file.iter_batches(columns=wanted):
                texts = batch.column(columns[text]).to_pylist()
                counts = repeat(1) if count is None else batch.column(columns[count]).to_pylist()
                quarantine.seen[str(path)] += len(texts)
                yield from zip(range(done + 1, done + len(texts) + 1), texts, counts, strict=False)
                done += len(texts)
    except (pa.ArrowException, OSError) as error:
        problem = f"{path} is a Parquet file cut short or damaged: {error}"
        raise DataError("E3008", problem, fix="fetch it again") from error


def _unknown_columns(path: Path, columns: Sequence[str]) -> DataError:
    return DataError(
        "E3007",
        f"{path} has the columns {', '.join(map(repr, columns))}; which one is the query?",
        fix=f"name one column of {path.name} 'query' and, if it has counts, one 'count'",
    )
