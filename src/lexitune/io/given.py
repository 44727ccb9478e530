"""Vectors that somebody else's model made: four plain files that any tool can write.

docs.npy             floats (rows, dim)
docs.ids.txt         the id of each row, one a line
queries.npy          likewise, of the same width
queries.ids.txt
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexitune.errors import DataError
from lexitune.fingerprint import hash_json, sha256_file
from lexitune.io.ids import read_id
from lexitune.types import Doc, Query, Talk

__all__ = ["GivenVectors", "open_given"]

Matrix = NDArray[np.floating[Any]]

BLOCK = 16_384  # rows looked at together
UNIT = 0.01  # a length may differ so much from 1: float16 rounds


@dataclass(frozen=True, eq=False)
class _Side:
    """The vectors of docs or of queries, memory-mapped, and the row of each id."""

    path: Path
    rows: dict[str, int]
    array: Matrix

    def of(self, ids: Sequence[str], *, talk: Talk) -> Matrix:
        """The vectors of these ids, in their order: the file itself, where it holds them so.

        Raises:
            DataError: An id has no vector, or one that is no direction.
        """
        if missing := [one for one in ids if one not in self.rows]:
            raise DataError(
                "E3147",
                f"{self.path} has no vector of '{missing[0]}', and lacks {len(missing):,} of {len(ids):,}",
                fix=f"add a row for each, and its id to {_ids_of(self.path).name}",
            )
        rows = np.fromiter((self.rows[one] for one in ids), np.int64, len(ids))
        found = self.array if np.array_equal(rows, np.arange(len(self.array))) else self.array[rows]
        if not self._look(found, ids):
            talk.say(f"assess: {self.path} holds vectors that are not of length 1: they are compared by dot product")
        return found

    def _look(self, found: Matrix, ids: Sequence[str]) -> bool:
        """Whether all have length 1; a block at a time, so that a large file is never in memory as a whole."""
        unit = True
        for start in range(0, len(found), BLOCK):
            lengths = np.linalg.norm(np.asarray(found[start : start + BLOCK], dtype=np.float64), axis=1)
            bad = np.flatnonzero(~(np.isfinite(lengths) & (lengths > 0)))
            if bad.size:
                what = "is all zeros" if lengths[bad[0]] == 0 else "holds NaN or infinity"
                raise DataError(
                    "E3141",
                    f"{self.path}: the vector of '{ids[start + int(bad[0])]}' {what}",
                    fix="ask its model for that text again, and replace the row",
                )
            unit = unit and bool(np.all(np.abs(lengths - 1) < UNIT))
        return unit


@dataclass(frozen=True, eq=False)
class GivenVectors:
    """Ready vectors of passages and queries. Ids that nobody asks for may be among them."""

    folder: Path
    docs: _Side
    queries: _Side

    encodes_here = False

    @property
    def name(self) -> str:
        """The folder's."""
        return self.folder.resolve().name

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the four files."""
        paths = [path for side in (self.docs, self.queries) for path in (side.path, _ids_of(side.path))]
        return hash_json({path.name: sha256_file(path) for path in paths})

    def doc_vectors(self, docs: Sequence[Doc], *, talk: Talk) -> tuple[Matrix, list[str]]:
        """The vectors of these passages, and their ids.

        Raises:
            DataError: One is missing, NaN or all zeros.
        """
        ids = [doc.doc_id for doc in docs]
        # In the file's own order nothing is copied; a search takes rows in any order.
        ids.sort(key=lambda one: self.docs.rows.get(one, -1))
        return self.docs.of(ids, talk=talk), ids

    def query_vectors(self, queries: Sequence[Query], *, talk: Talk) -> Matrix:
        """The vectors of these queries, in their order.

        Raises:
            DataError: One is missing, NaN or all zeros.
        """
        return self.queries.of([query.query_id for query in queries], talk=talk)


def open_given(folder: Path) -> GivenVectors:
    """Open the vectors of a folder, memory-mapped; which of them are sound shows when they are asked for.

    Raises:
        DataError: A file is missing or no array of floats, rows and ids are not as many, an id stands twice, or docs
            and queries have two widths.
    """
    if not folder.is_dir():
        raise DataError(
            "E3001", f"there is no folder {folder}", fix="give the folder that holds docs.npy: vectors:FOLDER"
        )
    docs, queries = (_open_side(folder / f"{side}.npy") for side in ("docs", "queries"))
    if docs.array.shape[1] != queries.array.shape[1]:
        raise DataError(
            "E3142",
            f"{docs.path} has {docs.array.shape[1]} dimensions, {queries.path} {queries.array.shape[1]}",
            fix="make both with one model",
        )
    return GivenVectors(folder, docs, queries)


def _open_side(path: Path) -> _Side:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise DataError("E3001", f"there is no {path}", fix="numpy.save writes it: a row for each id") from None
    except (OSError, ValueError, EOFError) as error:
        raise DataError("E3002", f"{path} is no array of numbers: {error}", fix="write it with numpy.save") from error
    if not isinstance(array, np.ndarray) or array.ndim != 2 or array.dtype.kind != "f" or not array.size:
        shape = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
        raise DataError(
            "E3002", f"{path} holds {shape}, not rows of floats", fix="numpy.save(path, vectors.astype('float32'))"
        )
    ids = _read_ids(_ids_of(path))
    if len(ids) != len(array):
        raise DataError(
            "E3012",
            f"{path} has {len(array):,} rows, {_ids_of(path).name} {len(ids):,} ids",
            fix="write one id a line, in the order of the rows",
        )
    (most, count), *_ = Counter(ids).most_common(1)
    if count > 1:
        first, second = [number for number, one in enumerate(ids, start=1) if one == most][:2]
        at = f"{_ids_of(path)}:{second}"
        raise DataError("E3005", f"'{most}' stands in line {first} already", fix="keep one row of each id", at=at)
    return _Side(path, {one: row for row, one in enumerate(ids)}, np.asarray(array))


def _ids_of(path: Path) -> Path:
    return path.with_suffix(".ids.txt")


def _read_ids(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8-sig").removesuffix("\n").split("\n")
    except FileNotFoundError:
        raise DataError("E3001", f"there is no {path}", fix="write the id of each row, one a line") from None
    except UnicodeDecodeError as error:
        raise DataError("E3002", f"{path} is not UTF-8", fix="write it as UTF-8") from error
    ids = []
    for number, line in enumerate(lines, start=1):
        try:
            ids.append(read_id(line))
        except ValueError as error:
            raise DataError("E3006", str(error), fix="write one id a line", at=f"{path}:{number}") from None
    return ids
