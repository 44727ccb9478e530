"""Vectors of a corpus: encoded once, resumed by part, reused by text, and exactly the docs given."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lexitune.errors import StageFailed
from lexitune.io.vectors import TOKENS, Vectors, open_vectors
from lexitune.models import memory
from lexitune.models.corpus import corpus_key, encode_corpus
from lexitune.models.embedder import Embedder
from lexitune.models.load import load
from lexitune.models.memory import Limits
from lexitune.models.options import ModelOptions
from lexitune.models.tokens import TokenIds
from lexitune.types import Doc, Silent, Talk

OPTIONS = ModelOptions(precision="fp32", device="cpu")

DOCS = [
    Doc("d1", "the cat sat"),
    Doc("d2", "a list of names", title="sort"),
    Doc("d3", "the mat"),
    Doc("d4", "find a function"),
    Doc("d5", "on the mat"),
]


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two docs a part, the longest first: d2 d4, d1 d5, d3."""
    monkeypatch.setitem(memory.UNLIMITED, "cpu", Limits(2048, 2, 2**20))


@pytest.fixture
def embedder(tiny_folder: Path) -> Embedder:
    return load(str(tiny_folder), options=OPTIONS)


class Counted:
    """Lets an embedder count the texts it computes, and break off at the n-th call."""

    def __init__(self, embedder: Embedder, monkeypatch: pytest.MonkeyPatch, *, stop_at: int = 0) -> None:
        self.texts: list[int] = []
        encode = embedder.encode_tokens

        def counting(tokens: TokenIds, *, names: list[str], talk: Talk, stage: str) -> NDArray[np.float32]:
            if stop_at and len(self.texts) + 1 == stop_at:
                raise KeyboardInterrupt
            self.texts.append(len(tokens))
            return encode(tokens, names=names, talk=talk, stage=stage)

        monkeypatch.setattr(embedder, "encode_tokens", counting)


def matrix(vectors: Vectors) -> NDArray[np.float32]:
    """Rows in the order of their ids."""
    return vectors.rows(np.argsort(vectors.doc_ids))


def test_rows_are_the_docs_longest_first_with_title_and_text(embedder: Embedder, tmp_path: Path) -> None:
    vectors = encode_corpus(embedder, DOCS, tmp_path)

    assert vectors.doc_ids == ("d2", "d4", "d1", "d5", "d3")
    assert vectors.folder == tmp_path / corpus_key(embedder)
    assert vectors.manifest["fingerprint"] == embedder.fingerprint
    expected = embedder.encode_docs(["the cat sat", "sort a list of names", "the mat", "find a function", "on the mat"])
    np.testing.assert_allclose(matrix(vectors), expected, atol=2e-6)
    np.testing.assert_allclose(matrix(open_vectors(vectors.folder)), expected, atol=2e-6)


def test_the_same_corpus_is_not_encoded_again(
    embedder: Embedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = matrix(encode_corpus(embedder, DOCS, tmp_path))
    counted = Counted(embedder, monkeypatch)

    again = encode_corpus(embedder, DOCS, tmp_path)

    assert counted.texts == []
    assert np.array_equal(matrix(again), first)


def test_a_run_that_was_cut_off_goes_on_where_it_stopped_and_ends_the_same(
    embedder: Embedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = matrix(encode_corpus(embedder, DOCS, tmp_path / "whole"))
    with monkeypatch.context() as patch:
        Counted(embedder, patch, stop_at=2)
        with pytest.raises(KeyboardInterrupt):
            encode_corpus(embedder, DOCS, tmp_path)
    assert not (tmp_path / corpus_key(embedder) / "manifest.json").exists()
    counted = Counted(embedder, monkeypatch)

    resumed = encode_corpus(embedder, DOCS, tmp_path)

    assert counted.texts == [2, 1]
    assert np.array_equal(matrix(resumed), whole)


def test_a_finished_corpus_stays_as_it_is_however_parts_would_be_cut_now(
    embedder: Embedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = encode_corpus(embedder, DOCS, tmp_path).folder
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    monkeypatch.setattr(embedder, "limits", Limits(2048, 3, 2**20))

    encode_corpus(embedder, DOCS, tmp_path)

    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    ("case", "docs", "computed"),
    [
        ("a doc at the end", [*DOCS, Doc("d6", "how")], [1]),
        ("a doc longer than all shifts every part", [*DOCS, Doc("d6", "how do i sort the list")], [1, 0, 0]),
        ("a doc removed", DOCS[1:], [0]),
        ("the last docs removed", DOCS[:2], [0]),
        ("a text changed", [*DOCS[:3], Doc("d4", "how"), DOCS[4]], [0, 0, 1]),
        ("the same texts under other ids", [Doc(f"x{doc.doc_id}", doc.text, doc.title) for doc in DOCS], [0, 0, 0]),
        ("another order", DOCS[::-1], []),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_changed_corpus_reuses_every_text_that_stayed(
    embedder: Embedder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    case: str,
    docs: list[Doc],
    computed: list[int],
) -> None:
    by_id = sorted(docs, key=lambda doc: doc.doc_id)
    expected = embedder.encode_docs([doc.full_text for doc in by_id])
    encode_corpus(embedder, DOCS, tmp_path)
    counted = Counted(embedder, monkeypatch)

    vectors = encode_corpus(embedder, docs, tmp_path)

    assert counted.texts == computed
    assert sorted(vectors.doc_ids) == [doc.doc_id for doc in by_id]
    np.testing.assert_allclose(matrix(vectors), expected, atol=2e-6)


def test_equal_texts_are_computed_once_within_and_across_parts(
    embedder: Embedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = Counted(embedder, monkeypatch)
    docs = [Doc("d1", "the cat"), Doc("d2", "the cat"), Doc("d3", "the cat"), Doc("d4", "a list")]

    rows = matrix(encode_corpus(embedder, docs, tmp_path))

    assert counted.texts == [1, 1]
    assert np.array_equal(rows[0], rows[1])
    assert np.array_equal(rows[0], rows[2])


def test_a_part_that_was_damaged_on_disk_is_encoded_again(embedder: Embedder, tmp_path: Path) -> None:
    first = encode_corpus(embedder, DOCS, tmp_path)
    expected = matrix(first)
    path = first.folder / "part-00001.npy"
    data = bytearray(path.read_bytes())
    data[-1] ^= 0x01
    path.unlink()  # a new file: the open memory map keeps the old one
    path.write_bytes(data)

    assert np.array_equal(matrix(encode_corpus(embedder, DOCS, tmp_path)), expected)


def test_the_token_ids_of_a_corpus_serve_every_model_of_one_tokenizer(
    embedder: Embedder, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode_corpus(embedder, DOCS, tmp_path)
    tuned = load(str(tiny_folder), options=OPTIONS)
    with torch.no_grad():
        next(tuned.network.parameters()).mul_(0.5)
    tokenised: list[int] = []
    tokenise = tuned.tokenise_docs

    def counting(texts: list[str]) -> TokenIds:
        tokenised.append(len(texts))
        return tokenise(texts)

    monkeypatch.setattr(tuned, "tokenise_docs", counting)

    vectors = encode_corpus(tuned, DOCS, tmp_path)

    assert tokenised == []
    expected = tuned.encode_docs([doc.full_text for doc in DOCS])
    tokenised.clear()
    np.testing.assert_allclose(matrix(vectors), expected, atol=2e-6)
    next((tmp_path / TOKENS).rglob("*.safetensors")).write_bytes(b"cut off")
    encode_corpus(tuned, DOCS, tmp_path / "again")
    assert len(tokenised) == 3


def test_one_changed_weight_and_nothing_old_is_used(embedder: Embedder, tmp_path: Path) -> None:
    stale = matrix(encode_corpus(embedder, DOCS, tmp_path))
    with torch.no_grad():
        embedder.network.trunk.get_parameter("encoder.layer.1.output.LayerNorm.bias")[0] += 1.0

    fresh = matrix(encode_corpus(embedder, DOCS, tmp_path))

    expected = embedder.encode_docs([doc.full_text for doc in DOCS])
    np.testing.assert_allclose(fresh, expected, atol=2e-6)
    assert not np.allclose(fresh, stale, atol=1e-3)


def test_another_model_gets_another_folder(embedder: Embedder, tiny_folder: Path, tmp_path: Path) -> None:
    encode_corpus(embedder, DOCS, tmp_path)
    other = load(str(tiny_folder), options=ModelOptions(precision="fp32", device="cpu", max_length=8))

    encode_corpus(other, DOCS, tmp_path)

    assert len([folder for folder in tmp_path.iterdir() if folder.name != TOKENS]) == 2


def test_a_doc_that_encodes_to_nan_is_named(embedder: Embedder, tmp_path: Path) -> None:
    row = embedder.model.tokenizer.convert_tokens_to_ids("function")
    with torch.no_grad():
        next(embedder.network.parameters())[row] = float("nan")

    with pytest.raises(StageFailed, match="the first is text 'd4'"):
        encode_corpus(embedder, DOCS, tmp_path)


def test_progress_rises_to_the_whole_corpus_and_cut_passages_are_told(embedder: Embedder, tmp_path: Path) -> None:
    class Listener(Silent):
        def __init__(self) -> None:
            self.done: list[float] = []
            self.lines: list[str] = []

        def say(self, line: str) -> None:
            self.lines.append(line)

        def progress(self, stage: str, done: float, total: float, note: str = "") -> None:
            self.done.append(done / total)

    talk = Listener()

    encode_corpus(embedder, [*DOCS, Doc("d6", "cat " * 30)], tmp_path, talk=talk, stage="encode")

    assert talk.done == sorted(talk.done)
    assert talk.done[-1] == 1.0
    assert talk.done.count(1.0) == 1
    assert talk.lines == ["1 passages are longer than 24 tokens: their end was not encoded"]
