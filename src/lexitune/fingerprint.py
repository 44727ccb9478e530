"""Content hashes: what makes two artefacts the same thing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path, PurePath
from typing import Any

__all__ = ["hash_file", "hash_json", "hash_text", "hash_texts", "sha256_file", "sha256_files"]

SIZE = 16  # bytes: 128 bits, far beyond any chance of two texts meeting


def hash_text(text: str) -> str:
    """32 hex digits of BLAKE2b over the UTF-8 bytes."""
    return hashlib.blake2b(_bytes(text), digest_size=SIZE).hexdigest()


def hash_texts(texts: Iterable[str]) -> str:
    """One hash of an ordered sequence; each text is delimited by its length, so ["ab"] and ["a", "b"] differ."""
    digest = hashlib.blake2b(digest_size=SIZE)
    for text in texts:
        data = _bytes(text)
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()


def hash_json(value: Any) -> str:
    """Hash of a JSON value, with dataclasses and paths in it, independent of the order of keys.

    Raises:
        TypeError: Anything else, a set for one: its text would differ from process to process.
    """
    return hash_text(json.dumps(value, sort_keys=True, separators=(",", ":"), default=_plain))


def hash_file(path: Path) -> str:
    """Hash of a file's bytes, read in blocks."""
    digest = hashlib.blake2b(digest_size=SIZE)
    _feed(path, digest)
    return digest.hexdigest()


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes: for comparing with published checksums."""
    digest = hashlib.sha256()
    _feed(path, digest)
    return digest.hexdigest()


def sha256_files(folder: Path) -> dict[str, str]:
    """Path below the folder -> SHA-256 of that file, for every file in it."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256_file(path) for path in found}


def _bytes(text: str) -> bytes:
    # JSON may carry half a surrogate pair; such a text must have a hash like any other.
    return text.encode("utf-8", "surrogatepass")


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no stable text to hash: {value!r}")


def _feed(path: Path, digest: Any) -> None:
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
