"""Fingerprints: equal content, equal hash; and nothing else."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pytest

from lexitune.fingerprint import hash_file, hash_json, hash_text, hash_texts, sha256_file, sha256_files
from lexitune.types import Doc


@dataclass(frozen=True)
class Toy:
    size: int = 1
    inner: object = None


def test_a_text_is_hashed_as_its_utf8_bytes() -> None:
    assert hash_text("é") == hashlib.blake2b(b"\xc3\xa9", digest_size=16).hexdigest()


def test_half_a_surrogate_pair_has_a_hash() -> None:
    assert hash_text("\ud800") != hash_text("\ud801")


def test_texts_are_delimited_and_ordered() -> None:
    assert len({hash_texts(texts) for texts in (["ab"], ["a", "b"], ["b", "a"], ["ab", ""], [])}) == 5


def test_the_order_of_keys_does_not_matter_and_the_order_of_values_does() -> None:
    assert hash_json({"a": 1, "b": [1, 2]}) == hash_json({"b": [1, 2], "a": 1})
    assert hash_json([1, 2]) != hash_json([2, 1])


def test_a_dataclass_is_its_fields_however_deep() -> None:
    assert hash_json(Toy(2, Toy())) == hash_json({"size": 2, "inner": {"size": 1, "inner": None}})
    assert hash_json(Doc("d1", "text")) == hash_json({"doc_id": "d1", "text": "text", "title": "", "metadata": {}})


def test_a_path_is_its_text_and_a_set_has_no_hash() -> None:
    assert hash_json(Path("a/b")) == hash_json("a/b")
    with pytest.raises(TypeError, match="set has no stable text"):
        hash_json({"names": {"a", "b"}})


def test_a_file_is_hashed_over_all_its_blocks(tmp_path: Path) -> None:
    file = tmp_path / "big"
    data = bytes(range(256)) * 8192  # 2 MiB: two blocks
    file.write_bytes(data)

    assert hash_file(file) == hashlib.blake2b(data, digest_size=16).hexdigest()
    assert sha256_file(file) == hashlib.sha256(data).hexdigest()


def test_a_folders_files_are_hashed_by_their_paths_in_it(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "x").write_bytes(b"x")
    (tmp_path / "a").write_bytes(b"")

    assert sha256_files(tmp_path) == {
        "a": hashlib.sha256(b"").hexdigest(),
        "b/x": hashlib.sha256(b"x").hexdigest(),
    }
