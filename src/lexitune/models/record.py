"""`lexitune.json` in a model folder: what it holds that sentence-transformers keeps no place for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from lexitune.errors import DataError
from lexitune.models.spec import KNOWN, ModelSpec

__all__ = ["ADAPTER", "RECORD", "SCHEMA", "hub_id", "read_record", "spec_of_record"]

RECORD = "lexitune.json"
SCHEMA = 1

ADAPTER = "query_adapter"
"""Key of a model with a query adapter, and name of the file and the folder that hold it."""


def read_record(folder: Path) -> dict[str, Any] | None:
    """`lexitune.json` of a model folder; None where lexitune did not write it.

    Raises:
        DataError: The record cannot be read, or a newer lexitune wrote it.
    """
    path = folder / RECORD
    if not path.is_file():
        return None
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        known = record["schema"] <= SCHEMA and isinstance(record["spec"], dict)
    except (ValueError, KeyError, TypeError) as error:
        raise DataError("E3206", f"{path} cannot be read", fix="train the model again, or copy it again") from error
    if not known:
        raise DataError(
            "E3206",
            f"{path} has schema {record['schema']}; this lexitune reads {SCHEMA}",
            fix="pip install -U lexitune",
        )
    return dict(record)


def spec_of_record(record: Mapping[str, Any], folder: Path) -> ModelSpec:
    """The spec that a record holds, for the place where its folder lies now."""
    names = {field.name for field in fields(ModelSpec)}
    stored = {name: value for name, value in record["spec"].items() if name in names}
    return replace(ModelSpec(**stored), name=folder.resolve().name, source=str(folder), revision="")


def hub_id(base: Mapping[str, str]) -> str:
    """Where on the Hub a model's first weights come from; empty where they come from a folder.

    A folder's path may look like an id, and says what is on somebody's disk; a model of the Hub has a revision.

    Example:
        >>> hub_id({"source": "acme/bert", "revision": "3f2a"}), hub_id({"source": "models/bert", "revision": ""})
        ('acme/bert', '')
        >>> hub_id({"source": "BAAI/bge-m3"})
        'BAAI/bge-m3'
    """
    source = base.get("source", "")
    return source if base.get("revision") or source in KNOWN else ""
