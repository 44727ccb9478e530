"""Every format by name, and which one a file has."""

from __future__ import annotations

from pathlib import Path

from lexitune.errors import DataError
from lexitune.io.formats.look import look_at
from lexitune.io.formats.records import Choices, Format, Labelled
from lexitune.io.quarantine import Quarantine
from lexitune.registry import Registry

__all__ = ["FORMATS", "read_labels", "tell_format"]

HERE = "lexitune.io.formats"
FORMATS = Registry(
    "format",
    {
        # In the order in which a look is compared: what needs more to fit comes first.
        "nemotron": f"{HERE}.nemotron:NEMOTRON",
        "beir": f"{HERE}.beir_folder:BEIR",
        "flag-eval": f"{HERE}.flag:FLAG_EVAL",
        "nemotron-sdg": f"{HERE}.nemotron_sdg:NEMOTRON_SDG",
        "hf": f"{HERE}.hub:HF",
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
