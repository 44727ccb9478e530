"""Every format by name, and which one a file has."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from lexitune.errors import DataError
from lexitune.io.formats.hub import HUB
from lexitune.io.formats.records import Choices, Format, Labelled, Look
from lexitune.io.jsonl import ONE_DOCUMENT, check_exists, first_line, open_text, read_json
from lexitune.io.quarantine import Quarantine
from lexitune.io.tables import find_cut
from lexitune.registry import Registry

__all__ = ["FORMATS", "look_at", "read_labels", "tell_format"]

HERE = "lexitune.io.formats"
FORMATS = Registry(
    "format",
    {
        # In the order in which a look is compared: what needs more to fit comes first.
        "nemotron": f"{HERE}.nemotron:NEMOTRON",
        "nemotron-sdg": f"{HERE}.nemotron_sdg:NEMOTRON_SDG",
        "hf": f"{HERE}.hub:HF",
        "beir": f"{HERE}.beir_folder:BEIR",
        "flag-eval": f"{HERE}.flag:FLAG_EVAL",
        "llamaindex": f"{HERE}.llamaindex:LLAMAINDEX",
        "labelstudio": f"{HERE}.labelstudio:LABELSTUDIO",
        "quepid": f"{HERE}.quepid:QUEPID",
        "flag": f"{HERE}.flag:FLAG",
        "tevatron": f"{HERE}.tevatron:TEVATRON",
        "automodel": f"{HERE}.automodel:AUTOMODEL",
        "st": f"{HERE}.triplets:ST",
        "trec": f"{HERE}.trec_folder:TREC",
        "csv": f"{HERE}.columns:CSV",
        "tsv": f"{HERE}.columns:TSV",
        "jsonl": f"{HERE}.columns:JSONL",
        "parquet": f"{HERE}.columns:PARQUET",
        "xlsx": f"{HERE}.columns:XLSX",
        "mteb": f"{HERE}.mteb:MTEB",
    },
)
"""name -> Format. Others' formats come by the entry point `lexitune.format`."""

BY_KIND = {"table": "csv", "jsonl": "jsonl", "parquet": "parquet"}


def tell_format(path: Path, choices: Choices) -> str:
    """The name of the format that a file or folder has, told by content.

    Raises:
        DataError: No such file, or no format fits.
    """
    look = look_at(path)
    if choices.columns and look.kind in BY_KIND:
        return BY_KIND[look.kind]
    names = [*FORMATS.table, *(name for name in FORMATS.names() if name not in FORMATS.table)]
    for name in names:
        form: Format = FORMATS.get(name)
        if form.fits(look):
            return name
    seen = f"it has {', '.join(map(repr, list(look.names)[:8]))}" if look.names else f"it is a {look.kind}"
    raise DataError(
        "E3022",
        f"{path}: cannot tell its format; {seen}",
        fix=f"name it with --format: {', '.join(sorted(names))}; or its columns with --map query=...,doc=...",
    )


def look_at(path: Path) -> Look:
    """What a path shows at a glance.

    Raises:
        DataError: No such file, or one that is neither text, Parquet nor a workbook.
    """
    if str(path).startswith(HUB):
        return Look(path, "hub")
    if path.is_dir():
        inner = [*path.glob("*"), *path.glob("*/*")]
        return Look(path, "folder", sorted(found.relative_to(path).as_posix() for found in inner))
    check_exists(path)
    with path.open("rb") as file:
        magic = file.read(4)
    if magic == b"PAR1":
        return Look(path, "parquet", _parquet_names(path))
    if magic == b"PK\x03\x04" and _is_workbook(path):
        return Look(path, "workbook")
    with open_text(path) as lines:
        first = first_line(lines)
    if not first:
        raise DataError("E3003", f"{path} is empty", fix="export it again")
    if first.startswith(("{", "[")):
        return _look_at_json(path, first)
    cut = find_cut(path)
    words = first.split()
    return Look(path, "table", words if cut is None else [cell.strip() for cell in cut.rows[0]], words)


def _look_at_json(path: Path, first: str) -> Look:
    if not ONE_DOCUMENT.match(first):
        try:
            found = json.loads(first)
        except (ValueError, RecursionError):
            found = None
        return Look(path, "jsonl", tuple(found) if isinstance(found, dict) else ())
    found = read_json(path)
    if isinstance(found, dict):
        return Look(path, "json", tuple(found))
    head = found[0] if isinstance(found, list) and found and isinstance(found[0], dict) else {}
    return Look(path, "array", tuple(head))


def _parquet_names(path: Path) -> tuple[str, ...]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return tuple(pq.read_schema(path).names)
    except (pa.ArrowException, OSError) as error:
        raise DataError("E3008", f"{path} is damaged: {error}", fix="fetch it again") from error


def _is_workbook(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as packed:
            return "xl/workbook.xml" in packed.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise DataError("E3008", f"{path} is cut short or damaged: {error}", fix="fetch it again") from error


def read_labels(path: Path, name: str, quarantine: Quarantine, *, choices: Choices) -> Labelled:
    """Read a file in the format of this name.

    Raises:
        DataError: The format is only written, or the file cannot be read.
        UsageError: No format has this name.
    """
    form: Format = FORMATS.get(name)
    if form.read is None:
        fix = "give what it was made of: a BEIR folder lies beside the module"
        raise DataError("E3023", f"the format '{name}' is only written", fix=fix)
    return form.read(path, quarantine, choices=choices)
