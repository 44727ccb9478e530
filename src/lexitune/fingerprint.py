"""Content hashes: what makes two artefacts the same thing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

__all__ = ["hash_file", "hash_json", "hash_text", "hash_texts", "sha256_file"]

SIZE = 16  # bytes: 128 bits, far beyond any chance of two texts meeting


def hash_text(text: str) -> str:
    """32 hex digits of BLAKE2b over the UTF-8 bytes."""
    return hashlib.blake2b(text.encode("utf-8"), digest_size=SIZE).hexdigest()


def hash_texts(texts: Iterable[str]) -> str:
    """One hash of an ordered sequence; each text is delimited by its length, so ["ab"] and ["a", "b"] differ."""
    digest = hashlib.blake2b(digest_size=SIZE)
    for text in texts:
        data = text.encode("utf-8")
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()


def hash_json(value: Any) -> str:
    """Hash of a JSON value or dataclass, independent of the order of keys."""
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    return hash_text(json.dumps(value, sort_keys=True, separators=(",", ":"), default=str))


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


def _feed(path: Path, digest: Any) -> None:
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
