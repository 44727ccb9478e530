"""Excel workbooks: what Excel changed behind its user's back is refused by the address of the cell."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any

from lexitune.errors import DataError, UsageError
from lexitune.io.atomic import replacing
from lexitune.io.formats.cells import Cells
from lexitune.io.jsonl import check_exists
from lexitune.io.quarantine import Quarantine

__all__ = ["open_workbook", "write_workbook"]

CELL_LIMIT = 32_767  # UTF-16 units: Excel cuts longer texts without a word
UNPACKED_LIMIT = 1 << 30  # bytes: a workbook of a few MB can unpack to more than any memory
# Excel writes what XML cannot hold as _xHHHH_, and an underscore that begins such a text as _x005F_.
ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
UNFIT = re.compile(r"[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
RISKY = ("=", "+", "-", "@")
WIDTHS = {"query": 40, "doc": 80, "title": 24}


def open_workbook(path: Path, quarantine: Quarantine) -> Cells:
    """Open the first sheet of a workbook; its first row is the names of columns.

    Raises:
        DataError: It is no workbook, or a cell lost what it held: merged, a formula, or cut at Excel's limit.
        UsageError: openpyxl is missing.
    """
    book = _load(path)
    sheet = book.worksheets[0]
    if len(book.worksheets) > 1:
        quarantine.note(f"{path.name} has {len(book.worksheets)} sheets: only '{sheet.title}' is read")
    if merged := sorted(str(area) for area in sheet.merged_cells.ranges):
        raise _refused(path, merged[0], "is merged, so rows lack what stood in them", "unmerge it and fill each row")
    rows = iter(sheet.iter_rows())
    names: dict[str, int] = {}
    for cell in next(rows, ()):
        if (name := str(cell.value or "").strip()) in names:
            fix = "give each column its own name in the first row"
            raise DataError("E3007", f"two columns of {path} are called '{name}'", fix=fix, at=f"{path}:1")
        if name:
            names[name] = cell.column
    if not names:
        raise DataError("E3003", f"{path} is empty", fix="write names of columns into the first row")
    letters = {name: sheet.cell(1, column).column_letter for name, column in names.items()}
    return Cells(list(names), _rows(path, rows, names, quarantine), letters)


def _load(path: Path) -> Any:
    check_exists(path)
    try:
        import openpyxl
    except ImportError as error:
        fix = "pip install 'lexitune[xlsx]', or save it as CSV UTF-8"
        raise UsageError("E2005", "workbooks need the package 'openpyxl'", fix=fix) from error
    try:
        with zipfile.ZipFile(path) as packed:
            size = sum(part.file_size for part in packed.infolist())
        if size > UNPACKED_LIMIT:
            raise DataError("E3002", f"{path} unpacks to {size / 1e9:.1f} GB", fix="save it as CSV UTF-8")
        book = openpyxl.load_workbook(path)
    except DataError:
        raise
    except Exception as error:  # every way in which openpyxl fails at a file that is no workbook
        raise DataError("E3008", f"{path} is no workbook, or damaged: {error}", fix="save it again as .xlsx") from error
    if not book.worksheets:
        raise DataError("E3003", f"{path} has no sheet of cells", fix="write the labels into a sheet, a row each")
    return book


def _rows(
    path: Path, rows: Iterable[Any], names: Mapping[str, int], quarantine: Quarantine
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for row in rows:
        by_column = {cell.column: cell for cell in row if cell.value is not None}
        if not by_column:
            continue
        quarantine.seen[str(path)] += 1
        number = next(iter(by_column.values())).row
        yield (
            number,
            {name: _value(path, by_column[column]) for name, column in names.items() if column in by_column},
        )


def _value(path: Path, cell: Any) -> Any:
    value, kind = cell.value, cell.data_type
    if kind == "f":
        raise _refused(path, cell.coordinate, "holds a formula, not a text", "paste it again as values, or as text")
    if kind == "e":
        raise _refused(path, cell.coordinate, f"holds the error {value}", "type what it should hold")
    if isinstance(value, (date, time, timedelta)):
        raise _refused(path, cell.coordinate, f"became the date {value}", "format the column as text and type it again")
    if not isinstance(value, str):
        return value
    if len(value.encode("utf-16-le")) // 2 >= CELL_LIMIT:
        raise _refused(path, cell.coordinate, "was cut at 32,767 characters", "hand long passages over as JSON lines")
    return ESCAPED.sub(_unescaped, value)


def _unescaped(found: re.Match[str]) -> str:
    # A carriage return is half of a line end made on Windows: the line feed follows.
    code = int(found.group(1), 16)
    return "" if code == 0x0D or 0xD800 <= code <= 0xDFFF else chr(code)


def _refused(path: Path, cell: str, problem: str, fix: str) -> DataError:
    return DataError("E3021", f"{path} cell {cell} {problem}", fix=fix, at=f"{path}:{cell}")


def write_workbook(path: Path, names: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write one sheet for people: its first row stays in sight, ids and texts are text, grades are a list from 0 to 3.

    Raises:
        DataError: A text is longer than a cell holds.
        StageFailed: The disk is full, or the place cannot be written to.
        UsageError: openpyxl is missing.
    """
    try:
        from openpyxl import Workbook
        from openpyxl.utils import get_column_letter
        from openpyxl.worksheet.datavalidation import DataValidation
    except ImportError as error:
        raise UsageError(
            "E2005", "workbooks need the package 'openpyxl'", fix="pip install 'lexitune[xlsx]'"
        ) from error
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.append(list(names))
    sheet.freeze_panes = "A2"
    for place, name in enumerate(names, start=1):
        sheet.column_dimensions[get_column_letter(place)].width = WIDTHS.get(name, 14)
    last = 1
    for last, row in enumerate(rows, start=2):
        for place, name in enumerate(names, start=1):
            value = row.get(name)
            if value is None or value == "":
                continue
            cell = sheet.cell(last, place, _fit(path, value, f"{get_column_letter(place)}{last}"))
            if isinstance(value, str):
                cell.number_format = "@"  # text: Excel leaves it alone
                cell.data_type = "s"  # also where it reads as an error, such as #N/A
    if "relevance" in names:
        grades = DataValidation(type="list", formula1='"0,1,2,3"', allow_blank=True)
        letter = get_column_letter(list(names).index("relevance") + 1)
        grades.add(f"{letter}2:{letter}{max(last, 2)}")
        sheet.add_data_validation(grades)
    with replacing(path) as temporary:
        book.save(temporary)


def _fit(path: Path, value: Any, address: str) -> Any:
    if not isinstance(value, str):
        return value
    text = UNFIT.sub(lambda found: f"_x{ord(found.group()):04X}_", value)
    text = f" {text}" if text.startswith(RISKY) else text
    if len(text.encode("utf-16-le")) // 2 >= CELL_LIMIT:
        problem = f"{path} cell {address} would hold more than 32,766 characters: Excel cuts them"
        raise DataError("E3026", problem, fix="write another format: --format jsonl")
    return text
