"""Vectors on disk: memory-mapped parts, their ids, and a manifest that is written last.

part-00000.npy            float32 or float16 (rows, dim)
part-00000.ids.parquet    doc_id, text_hash; written after the .npy, so a part with ids is complete
manifest.json             key, dim, dtype, count, sha256 of every part; present means complete
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lexitune.errors import DataError, StageFailed
from lexitune.fingerprint import sha256_file
from lexitune.io.atomic import replace_text, replacing
from lexitune.io.succession import MANIFEST, is_complete

__all__ = [
    "GUARD",
    "TOKENS",
    "Part",
    "VectorWriter",
    "Vectors",
    "adopt_part",
    "corpus_ids",
    "corpus_rows",
    "open_vectors",
    "row_cosines",
    "spread_rows",
    "write_part",
]

TOKENS = "tokens"
"""Folder of token ids beside the folders of vectors."""

GUARD = "guard"
"""Folder beside them, of the vectors of text outside the field."""

BLOCK = 16_384  # rows: 64 MB of float32 at 1,024 dimensions
DTYPES = ("float32", "float16")


@dataclass(frozen=True, slots=True)
class Part:
    """One complete part: its place, its file, the ids and text hashes of its rows, and the SHA-256 of the file."""

    number: int
    path: Path
    doc_ids: tuple[str, ...]
    text_hashes: tuple[str, ...]
    sha256: str

    def load(self) -> NDArray[Any]:
        """The rows as they lie on disk, memory-mapped."""
        array: NDArray[Any] = np.load(self.path, mmap_mode="r", allow_pickle=False)
        return array


@dataclass(frozen=True, eq=False)
class Vectors:
    """A complete set of vectors: row i belongs to `doc_ids[i]`, whose text had the hash `text_hashes[i]`.

    Rows stand in the order in which they were encoded, which need not be the corpus's.
    """

    folder: Path
    doc_ids: tuple[str, ...]
    text_hashes: tuple[str, ...]
    parts: tuple[NDArray[Any], ...]
    manifest: Mapping[str, Any]

    def __len__(self) -> int:
        return len(self.doc_ids)

    @property
    def dim(self) -> int:
        return int(self.manifest["dim"])

    def blocks(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """All rows in order, as (first row, float32 array), a block at a time: memory stays bounded."""
        start = 0
        for part in self.parts:
            for offset in range(0, len(part), BLOCK):
                yield start + offset, np.asarray(part[offset : offset + BLOCK], dtype=np.float32)
            start += len(part)

    def rows(self, rows: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
        """The rows asked for, in that order, as float32 (len(rows), dim).

        Raises:
            IndexError: A row that does not exist; negative rows do not count from the end.
        """
        wanted = np.asarray(rows, dtype=np.int64)
        if wanted.size and (wanted.min() < 0 or wanted.max() >= len(self)):
            raise IndexError(f"rows from {wanted.min()} to {wanted.max()} in {len(self)} vectors")
        ends = np.cumsum([len(part) for part in self.parts])
        owner = np.searchsorted(ends, wanted, side="right")
        found = np.empty((len(wanted), self.dim), dtype=np.float32)
        for number in np.unique(owner):
            mine = owner == number
            part = self.parts[number]
            found[mine] = part[wanted[mine] - (ends[number] - len(part))]
        return found


class VectorWriter:
    """Write vectors part by part, in any order. What a killed writer completed is found again; half a part is not.

    Several processes may write different parts of one set.

    Args:
        folder: Made when absent.
        dim: Columns of every matrix.
        dtype: "float32" or "float16": what lies on disk.
    """

    def __init__(self, folder: Path, *, dim: int, dtype: str = "float32") -> None:
        if dtype not in DTYPES:
            raise ValueError(f"dtype {dtype!r} is none of {DTYPES}")
        self.folder, self.dim, self.dtype = folder, dim, dtype
        self._parts = _complete_parts(folder, dim, dtype)

    def parts_done(self) -> tuple[Part, ...]:
        """The complete parts by number: what was found and what was written since. Gaps are possible."""
        return tuple(self._parts[number] for number in sorted(self._parts))

    def forget(self, part: Part) -> None:
        """Leave out a part that was made of other docs; its files go when the set is finished, or are replaced."""
        del self._parts[part.number]

    def append(
        self, doc_ids: Sequence[str], text_hashes: Sequence[str], matrix: NDArray[Any], *, number: int | None = None
    ) -> Part:
        """Add one part. When this returns, the part is on disk and will be found again.

        Args:
            number: Its place; None: after all others.

        Raises:
            StageFailed: A vector holds NaN or infinity, or is all zeros; or the disk is full.
            ValueError: Shapes that do not belong together.
        """
        if matrix.shape != (len(doc_ids), self.dim):
            raise ValueError(f"{len(doc_ids)} ids, matrix {matrix.shape}, dim {self.dim}")
        number = max(self._parts, default=-1) + 1 if number is None else number
        part = write_part(self.folder, number, doc_ids, text_hashes, matrix, dtype=self.dtype)
        self._parts[number] = part
        return part

    def finish(self, manifest: Mapping[str, Any]) -> Vectors:
        """Write the manifest, last, and open the vectors.

        Args:
            manifest: What the caller wants to find again (the key, the model's fingerprint); our own entries win.

        Raises:
            StageFailed: No vectors at all, a part that is missing, or one doc twice.
        """
        doc_ids = [doc_id for part in self.parts_done() for doc_id in part.doc_ids]
        again = f"remove {self.folder} and encode again"
        if not doc_ids:
            raise StageFailed("E1003", f"no vectors for {self.folder}", fix=again)
        if len(self._parts) <= max(self._parts):
            gap = next(number for number in range(len(self._parts) + 1) if number not in self._parts)
            raise StageFailed("E1003", f"{self.folder} lacks part {gap}", fix="encode again: what is there is kept")
        if len(set(doc_ids)) < len(doc_ids):
            (twice, count), *_ = Counter(doc_ids).most_common(1)
            raise StageFailed("E1003", f"doc '{twice}' has {count} vectors in {self.folder}", fix=again)
        self._remove_surplus()
        parts = [
            {
                "name": part.path.name,
                "count": len(part.doc_ids),
                "sha256": part.sha256,
                "ids_sha256": sha256_file(_part_paths(self.folder, part.number)[1]),
            }
            for part in self.parts_done()
        ]
        record = {**manifest, "dim": self.dim, "dtype": self.dtype, "count": len(doc_ids), "parts": parts}
        replace_text(self.folder / MANIFEST, json.dumps({**record, "complete": True}, indent=1) + "\n")
        return open_vectors(self.folder, verify=False)

    def _remove_surplus(self) -> None:
        for number in sorted(_numbers_on_disk(self.folder) - self._parts.keys(), reverse=True):
            for path in reversed(_part_paths(self.folder, number)):
                path.unlink(missing_ok=True)


def write_part(
    folder: Path,
    number: int,
    doc_ids: Sequence[str],
    text_hashes: Sequence[str],
    matrix: NDArray[Any],
    *,
    dtype: str = "float32",
) -> Part:
    """Write one part of a set, whole or not at all, in place of whatever bears its number.

    Any process that reaches the folder may: nothing is read of the other parts. The set is complete only when a
    `VectorWriter` that finds them all has finished it.

    Args:
        matrix: One row for each doc.
        dtype: "float32" or "float16": what lies on disk.

    Raises:
        StageFailed: A vector holds NaN or infinity, or is all zeros; or the disk is full.
        ValueError: Shapes that do not belong together.
    """
    if not len(doc_ids) == len(text_hashes) == len(matrix) > 0:
        raise ValueError(f"{len(doc_ids)} ids, {len(text_hashes)} hashes, matrix {matrix.shape}")
    with np.errstate(over="ignore"):
        stored = np.ascontiguousarray(matrix, dtype=dtype)
    _refuse_bad_rows(doc_ids, stored)
    path, ids_path = _part_paths(folder, number)
    # A part is complete when its ids exist, so ids of an older writing go first, and the manifest before them.
    (folder / MANIFEST).unlink(missing_ok=True)
    ids_path.unlink(missing_ok=True)
    with replacing(path) as temporary:
        np.save(temporary, stored, allow_pickle=False)
    sha256 = sha256_file(path)
    table = pa.table({"doc_id": pa.array(doc_ids, pa.string()), "text_hash": pa.array(text_hashes, pa.string())})
    with replacing(ids_path) as temporary:
        pq.write_table(table.replace_schema_metadata({"sha256": sha256}), temporary)
    return Part(number, path, tuple(doc_ids), tuple(text_hashes), sha256)


def adopt_part(part: Part, folder: Path) -> None:
    """Make a complete part of one set a part of another one as well, without its bytes where the disk has links."""
    sources, targets = _part_paths(part.path.parent, part.number), _part_paths(folder, part.number)
    folder.mkdir(parents=True, exist_ok=True)
    for target in reversed(targets):
        target.unlink(missing_ok=True)
    for source, target in zip(sources, targets, strict=True):
        try:
            os.link(source, target)
        except OSError:
            with replacing(target) as temporary:
                shutil.copyfile(source, temporary)


def open_vectors(folder: Path, *, verify: bool = True) -> Vectors:
    """Open a complete set of vectors, memory-mapped.

    Args:
        folder: What a VectorWriter finished.
        verify: Read every part once and compare its SHA-256; without it, sizes are compared.

    Raises:
        DataError: The manifest is missing (the set is not complete), or a part does not match it.
    """
    while True:
        is_complete(folder)
        text = _text(folder / MANIFEST)
        try:
            return _opened(folder, text, verify=verify)
        except (DataError, OSError):
            if text == _text(folder / MANIFEST):
                raise
            # Another set has taken its place meanwhile.


def _opened(folder: Path, text: str | None, *, verify: bool) -> Vectors:
    try:
        manifest = json.loads(text or "")
    except ValueError as error:
        raise _damaged(folder, "has no manifest that can be read: it is not complete") from error
    if not manifest.get("complete"):
        raise _damaged(folder, "is not complete")
    parts = _complete_parts(folder, manifest["dim"], manifest["dtype"])
    for number, listed in enumerate(manifest["parts"]):
        if number not in parts or len(parts[number].doc_ids) != listed["count"]:
            raise _damaged(folder, f"lacks rows of {listed['name']}")
        if parts[number].sha256 != listed["sha256"]:
            raise _damaged(folder, f"holds {listed['name']} of another writing")
        path, ids_path = _part_paths(folder, number)
        if verify and (sha256_file(path), sha256_file(ids_path)) != (listed["sha256"], listed["ids_sha256"]):
            raise _damaged(folder, f"holds a {listed['name']} that was changed")
    listed_parts = [parts[number] for number in range(len(manifest["parts"]))]
    return Vectors(
        folder,
        tuple(doc_id for part in listed_parts for doc_id in part.doc_ids),
        tuple(text_hash for part in listed_parts for text_hash in part.text_hashes),
        tuple(part.load() for part in listed_parts),
        manifest,
    )


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def corpus_ids(corpus: Vectors | tuple[NDArray[Any], Sequence[str]]) -> Sequence[str]:
    """The ids of a corpus's rows, whether it lies on disk or is a matrix with its ids."""
    return corpus.doc_ids if isinstance(corpus, Vectors) else corpus[1]


def corpus_rows(
    corpus: Vectors | tuple[NDArray[Any], Sequence[str]], rows: NDArray[np.integer[Any]]
) -> NDArray[np.float32]:
    """Some rows of the same."""
    found: NDArray[np.float32] = corpus.rows(rows) if isinstance(corpus, Vectors) else corpus[0][rows]
    return found


def spread_rows(count: int, most: int) -> NDArray[np.int64]:
    """At most `most` of `count` rows, evenly spread and so the same each time: what a check looks at.

    Example:
        >>> spread_rows(10, 3).tolist(), spread_rows(2, 3).tolist()
        ([0, 4, 9], [0, 1])
    """
    return np.unique(np.linspace(0, count - 1, min(most, count)).astype(np.int64))


def row_cosines(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cosine of each row of one matrix with the same row of the other; 0 where a row is all zeros.

    Example:
        >>> row_cosines(np.array([[1, 0], [0, 2]], np.float32), np.array([[2, 0], [1, 0]], np.float32)).tolist()
        [1.0, 0.0]
    """
    norms = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    found: NDArray[np.float32] = (first * second).sum(axis=1) / np.maximum(norms, np.finfo(np.float32).tiny)
    return found


def _damaged(folder: Path, what: str) -> DataError:
    return DataError("E3012", f"{folder} {what}", fix="lexitune reembed")


def _part_paths(folder: Path, number: int) -> tuple[Path, Path]:
    return folder / f"part-{number:05d}.npy", folder / f"part-{number:05d}.ids.parquet"


def _numbers_on_disk(folder: Path) -> set[int]:
    names = (re.fullmatch(r"part-(\d{5,})\.(npy|ids\.parquet)", path.name) for path in folder.glob("part-*"))
    return {int(found[1]) for found in names if found}


def _complete_parts(folder: Path, dim: int, dtype: str) -> dict[int, Part]:
    # Whatever is odd about a part, it does not count and is written anew.
    parts: dict[int, Part] = {}
    for number in sorted(_numbers_on_disk(folder)):
        path, ids_path = _part_paths(folder, number)
        try:
            table = pq.read_table(ids_path)
            doc_ids = tuple(table.column("doc_id").to_pylist())
            hashes = tuple(table.column("text_hash").to_pylist())
            sha256 = (table.schema.metadata or {})[b"sha256"].decode()
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, KeyError, EOFError, pa.ArrowException):
            continue
        if array.shape == (len(doc_ids), dim) and array.dtype == np.dtype(dtype):
            parts[number] = Part(number, path, doc_ids, hashes, sha256)
    return parts


def _refuse_bad_rows(doc_ids: Sequence[str], stored: NDArray[Any]) -> None:
    for what, good in (
        ("holds NaN or infinity", np.isfinite(stored).all(axis=1)),
        ("is all zeros", stored.any(axis=1)),
    ):
        bad = np.flatnonzero(~good)
        if bad.size:
            named = ", ".join(repr(doc_ids[row]) for row in bad[:3])
            raise StageFailed(
                "E1003",
                f"the vector of {bad.size} of {len(doc_ids)} docs {what}: {named}",
                fix="compute with --precision fp32; if it stays, the model is damaged: train again or choose another",
            )
