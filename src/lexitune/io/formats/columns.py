"""Tables with a row for each judgement: CSV, TSV, JSON lines, Parquet and Excel, columns by name or as mapped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from lexitune.errors import DataError
from lexitune.io.formats.cells import Cells, open_cells, write_cells
from lexitune.io.formats.records import NOT_RELEVANT, Choices, Format, Gathering, Labelled, Look, Opinion, lost
from lexitune.io.formats.workbook import open_workbook, write_workbook
from lexitune.io.ids import read_id
from lexitune.io.pairs import DOC_NAMES, QUERY_NAMES
from lexitune.io.quarantine import Quarantine

__all__ = ["CSV", "FIELDS", "JSONL", "PARQUET", "TSV", "XLSX", "find_columns"]

FIELDS = ("query", "doc", "relevance", "negative", "query_id", "doc_id", "title", "rater")
"""What a column can be: the fields of `--map`."""

WRITTEN = ("query_id", "query", "doc_id", "title", "doc", "relevance", "rater")
IDS = ("query_id", "doc_id")
KNOWN = {"query": QUERY_NAMES, "doc": DOC_NAMES}  # another field's column bears the field's own name
KEEPS = ("doc", "title", "ids", "grade", "wrong", "undecided", "rater")


def find_columns(names: list[str], choices: Choices, quarantine: Quarantine, path: Path) -> dict[str, str]:
    """Field -> name of its column: as mapped, else by name. Columns that are not used are told.

    Raises:
        DataError: A mapped column is not there, or there is no column of queries or of passages.
    """
    plain = {name.strip().lower(): name for name in reversed(names)}
    found: dict[str, str] = {}
    for name in FIELDS:
        wanted = [choices.columns[name]] if name in choices.columns else KNOWN.get(name, (name,))
        match = next((plain[one.strip().lower()] for one in wanted if one.strip().lower() in plain), None)
        if match is None and name in choices.columns:
            fix = f"name one of its columns: {', '.join(names)}"
            raise DataError("E3007", f"{path} has no column '{choices.columns[name]}'", fix=fix, at=f"{path}:1")
        if match is not None and match not in found.values():
            found[name] = match
    if "query" not in found or not {"doc", "doc_id"} & found.keys():
        wanted_name = "passage" if "query" in found else "query"
        raise DataError(
            "E3007",
            f"{path} has the columns {', '.join(map(repr, names)) or 'of no name'}; which one is the {wanted_name}?",
            fix="--map query=COLUMN,doc=COLUMN",
            at=f"{path}:1",
        )
    if unused := [name for name in names if name not in found.values()]:
        quarantine.note(f"columns of {path.name} that are not used: {', '.join(unused)}")
    return found


def _read(path: Path, quarantine: Quarantine, *, choices: Choices) -> Labelled:
    return _gather(path, open_cells(path, quarantine), quarantine, choices)


def _read_workbook(path: Path, quarantine: Quarantine, *, choices: Choices) -> Labelled:
    return _gather(path, open_workbook(path, quarantine), quarantine, choices)


def _gather(path: Path, cells: Cells, quarantine: Quarantine, choices: Choices) -> Labelled:
    columns = find_columns(list(cells.names), choices, quarantine, path)
    gathering = Gathering(path, quarantine, choices)

    def use(row: Mapping[str, Any]) -> None:
        found = {name: row.get(column) for name, column in columns.items()}
        if cells.letters:
            _check_workbook_ids(found, {name: cells.letters[columns[name]] for name in found}, gathering)
        query_id = gathering.query(found.get("query"), found.get("query_id"))
        if found.get("doc") in (None, "") and found.get("doc_id"):
            doc_id = read_id(found["doc_id"])
        else:
            doc_id = gathering.doc(found.get("doc"), found.get("doc_id"), title=found.get("title"))
        rater = str(found.get("rater") or "").strip()
        relevance = gathering.grade(found["relevance"]) if "relevance" in found else 1
        gathering.judge(Opinion(query_id, doc_id, relevance, rater))
        if found.get("negative"):
            wrong = Opinion(query_id, gathering.doc(found["negative"]), NOT_RELEVANT, rater)
            gathering.judge(wrong, is_mined=True)

    gathering.take(path, cells.rows, use)
    return gathering.done()


def _check_workbook_ids(found: Mapping[str, Any], letters: Mapping[str, str], gathering: Gathering) -> None:
    # Excel has made "2-1" a date and "120000000000000001" 1.2E+17 before we see it: what was meant is gone.
    for name in IDS:
        value = found.get(name)
        if value is not None and not isinstance(value, str):
            cell = f"{letters[name]}{gathering.line}"
            raise DataError(
                "E3021",
                f"{gathering.path} cell {cell} has the id {value!r} as a {type(value).__name__}, not as text",
                fix="format the column as text, type its ids again, and save",
                at=f"{gathering.path}:{cell}",
            )


def _rows(labelled: Labelled) -> Iterator[dict[str, Any]]:
    for one in labelled.opinions:
        doc = labelled.docs.get(one.doc_id)
        yield {
            "query_id": one.query_id,
            "query": labelled.queries[one.query_id].text,
            "doc_id": one.doc_id,
            "title": doc.title if doc else "",
            "doc": doc.text if doc else "",
            "relevance": one.relevance,
            "rater": one.rater,
        }


def _writer(ending: str) -> Callable[..., list[str]]:
    def write(path: Path, labelled: Labelled, *, split: str) -> list[str]:
        write_cells(path, WRITTEN, _rows(labelled), ending=ending)
        return lost(labelled, KEEPS)

    return write


def _write_xlsx(path: Path, labelled: Labelled, *, split: str) -> list[str]:
    write_workbook(path, WRITTEN, _rows(labelled))
    return lost(labelled, KEEPS)


def _has_pairs(look: Look) -> bool:
    names = {name.strip().lower() for name in look.names}
    return bool(names & set(QUERY_NAMES) and names & {*DOC_NAMES, "doc_id"})


CSV = Format(lambda look: look.kind == "table" and _has_pairs(look), _read, _writer(".csv"))
TSV = Format(lambda look: False, _read, _writer(".tsv"))  # read as a CSV is, whatever cuts it
JSONL = Format(lambda look: look.kind == "jsonl" and _has_pairs(look), _read, _writer(".jsonl"))
PARQUET = Format(lambda look: look.kind == "parquet" and _has_pairs(look), _read, _writer(".parquet"))
XLSX = Format(lambda look: look.kind == "workbook", _read_workbook, _write_xlsx)
