"""The query adapter: queries go through it, passages do not, and a folder never loses or exchanges it unnoticed."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from sentence_transformers import SentenceTransformer

from lexitune.errors import DataError
from lexitune.models.adapter import Matrix, adapt, hash_matrix
from lexitune.models.corpus import corpus_key
from lexitune.models.embedder import Embedder
from lexitune.models.load import load
from lexitune.models.options import ModelOptions

OPTIONS = ModelOptions(precision="fp32", device="cpu")
# A quarter turn of the plane, and twice as long: (1, 0) becomes (0, 2).
TURN = np.array([[0, -2], [2, 0]], np.float32)


def some_map(seed: int = 0) -> Matrix:
    """A map of the tiny model's 32 numbers, not far from leaving all as it is."""
    noise = np.random.default_rng(seed).normal(0, 0.1, (32, 32))
    return (np.eye(32) + noise).astype(np.float32)


@pytest.fixture
def stock(tiny_folder: Path) -> Embedder:
    """The tiny model as it was published."""
    return load(str(tiny_folder), options=OPTIONS)


@pytest.fixture
def adapted(tiny_folder: Path) -> Embedder:
    """The tiny model with a query map."""
    model = load(str(tiny_folder), options=OPTIONS)
    model.query_map = some_map()
    return model


@pytest.mark.parametrize(
    ("normalise", "expected"), [(True, [[0, 1], [-1, 0], [0, 0]]), (False, [[0, 2], [-6, 0], [0, 0]])]
)
def test_a_query_is_the_map_times_its_vector_of_unit_length_where_asked(
    normalise: bool, expected: list[list[float]]
) -> None:
    queries = np.array([[1, 0], [0, 3], [0, 0]], np.float32)

    assert adapt(queries, TURN, normalise=normalise).tolist() == expected


def test_queries_go_through_the_map_and_passages_do_not(stock: Embedder, adapted: Embedder, texts: list[str]) -> None:
    queries, docs = stock.encode_queries(texts), stock.encode_docs(texts)

    found = adapted.encode_queries(texts)

    expected = queries @ some_map().T
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert np.array_equal(adapted.encode_docs(texts), docs)


def test_a_model_that_does_not_normalise_keeps_the_lengths_that_the_map_gives(
    make_model: Callable[..., SentenceTransformer], stock: Embedder
) -> None:
    plain = Embedder(make_model("mean", normalise=False), stock.spec, precision="fp32")
    before = plain.encode_queries(["a list"])
    plain.query_map = 2 * np.eye(32, dtype=np.float32)

    assert np.array_equal(plain.encode_queries(["a list"]), 2 * before)


def test_passages_bear_the_stock_fingerprint_and_the_whole_model_one_of_its_own(
    stock: Embedder, adapted: Embedder
) -> None:
    other = some_map(seed=1)

    assert stock.fingerprint == stock.doc_fingerprint == adapted.doc_fingerprint
    assert corpus_key(adapted) == corpus_key(stock)
    first = adapted.fingerprint
    adapted.query_map = other
    assert len({stock.fingerprint, first, adapted.fingerprint}) == 3


def test_the_hash_of_a_map_knows_its_numbers_and_its_shape() -> None:
    row = np.arange(4, dtype=np.float32)

    assert hash_matrix(row.reshape(2, 2)) != hash_matrix(row.reshape(1, 4))
    assert hash_matrix(row.reshape(2, 2)) != hash_matrix(row.reshape(2, 2).T)
    assert hash_matrix(row.reshape(2, 2)) == hash_matrix(np.asfortranarray(row.reshape(2, 2)))


def test_what_is_saved_is_loaded_and_sentence_transformers_reads_the_stock_model(
    stock: Embedder, adapted: Embedder, tmp_path: Path, texts: list[str]
) -> None:
    adapted.save(tmp_path / "law")

    loaded = load(str(tmp_path / "law"), options=OPTIONS)

    assert loaded.fingerprint == adapted.fingerprint
    assert np.array_equal(loaded.encode_queries(texts), adapted.encode_queries(texts))
    served = SentenceTransformer(str(tmp_path / "law"), device="cpu")
    np.testing.assert_allclose(served.encode_query(texts), stock.encode_queries(texts), atol=2e-6)
    np.testing.assert_allclose(served.encode_document(texts), stock.encode_docs(texts), atol=2e-6)
    record = json.loads((tmp_path / "law/lexitune.json").read_text())
    assert record["query_adapter"] == hash_matrix(some_map())
    names = {path.relative_to(tmp_path / "law").as_posix() for path in (tmp_path / "law").rglob("*")}
    assert {"query_adapter.safetensors", "query_adapter/config.json", "query_adapter/model.safetensors"} <= names


def test_both_snippets_of_the_readme_give_our_scores(
    adapted: Embedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    adapted.save(tmp_path / "law")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (tmp_path / "law/README.md").read_text(), flags=re.DOTALL)
    query, doc = adapted.encode_queries(["what you look for"]), adapted.encode_docs(["what may answer it"])

    assert len(blocks) == 2
    for block in blocks:
        names: dict[str, object] = {}
        exec(compile(block, "README.md", "exec"), names)
        np.testing.assert_allclose(np.asarray(names["queries"]), query, atol=2e-6)
        printed = float(re.sub(r"[^\d.e-]", "", capsys.readouterr().out.replace("tensor", "")))
        assert printed == pytest.approx(float(query[0] @ doc[0]), abs=1e-4)


def test_a_model_without_a_map_says_nothing_of_one(stock: Embedder, tmp_path: Path) -> None:
    stock.save(tmp_path / "law")

    assert "query_adapter" not in json.loads((tmp_path / "law/lexitune.json").read_text())
    assert not list((tmp_path / "law").glob("query_adapter*"))
    assert "adapter" not in (tmp_path / "law/README.md").read_text()


def exchange(folder: Path) -> None:
    save_file({"weight": some_map(seed=1)}, folder / "query_adapter.safetensors")


def shrink(folder: Path) -> None:
    save_file({"weight": np.eye(16, dtype=np.float32)}, folder / "query_adapter.safetensors")


def rename(folder: Path) -> None:
    save_file({"matrix": some_map()}, folder / "query_adapter.safetensors")


def cut(folder: Path) -> None:
    path = folder / "query_adapter.safetensors"
    path.write_bytes(path.read_bytes()[:100])


def lose(folder: Path) -> None:
    (folder / "query_adapter.safetensors").unlink()


def forget(folder: Path) -> None:
    path = folder / "lexitune.json"
    record = json.loads(path.read_text())
    del record["query_adapter"]
    path.write_text(json.dumps(record))


def disown(folder: Path) -> None:
    (folder / "lexitune.json").unlink()


@pytest.mark.parametrize(
    ("harm", "problem"),
    [
        (exchange, "is not the query adapter that lexitune.json records"),
        (shrink, r"is float32 \(16, 16\); vectors have 32 numbers"),
        (rename, "is missing or cannot be read"),
        (cut, "is missing or cannot be read"),
        (lose, "is missing or cannot be read"),
        (forget, "holds a query adapter that no lexitune.json records"),
        (disown, "holds a query adapter that no lexitune.json records"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_folder_whose_record_and_map_disagree_is_refused(
    adapted: Embedder, tmp_path: Path, harm: Callable[[Path], None], problem: str
) -> None:
    adapted.save(tmp_path / "law")
    harm(tmp_path / "law")

    with pytest.raises(DataError, match=problem) as refusal:
        load(str(tmp_path / "law"), options=OPTIONS)

    assert refusal.value.code == "E3206"
