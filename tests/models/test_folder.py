"""Model folders: trained prompt = saved prompt = loaded prompt, equal vectors, whole or not at all."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from lexitune.errors import DataError
from lexitune.models.embedder import Embedder
from lexitune.models.folder import check_folder
from lexitune.models.load import load
from lexitune.models.options import ModelOptions

OPTIONS = ModelOptions(precision="fp32", device="cpu")


@pytest.fixture
def trained(tiny_folder: Path) -> Embedder:
    """The tiny model with prompts of its own, 16 tokens, and changed weights."""
    stock = load(str(tiny_folder), options=OPTIONS)
    spec = replace(stock.spec, query_prompt="find: ", doc_prompt="function: ", max_length=16)
    embedder = Embedder(stock.model, spec, precision="fp32", base=stock.base)
    with torch.no_grad():
        for parameter in embedder.network.parameters():
            parameter.mul_(1.25)
    return embedder


def test_what_was_trained_is_what_is_saved_loaded_and_served(
    trained: Embedder, tmp_path: Path, texts: list[str]
) -> None:
    queries, docs = trained.encode_queries(texts), trained.encode_docs(texts)
    trained.save(tmp_path / "law", notes={"pairs": 12})

    loaded = load(str(tmp_path / "law"), options=OPTIONS)
    served = SentenceTransformer(str(tmp_path / "law"), device="cpu")

    assert (loaded.spec.query_prompt, loaded.spec.doc_prompt) == ("find: ", "function: ")
    assert served.prompts == {"query": "find: ", "document": "function: "}
    assert (loaded.spec.max_length, served.max_seq_length) == (16, 16)
    assert (loaded.spec.pooling, loaded.spec.normalise, loaded.spec.dimension) == ("cls", True, 32)
    assert np.array_equal(loaded.encode_queries(texts), queries)
    assert np.array_equal(loaded.encode_docs(texts), docs)
    np.testing.assert_allclose(served.encode_query(texts), queries, atol=2e-6)
    np.testing.assert_allclose(served.encode_document(texts), docs, atol=2e-6)
    assert loaded.fingerprint == trained.fingerprint


def test_the_stock_model_comes_back_as_it_was_saved(minilm_folder: Path, tmp_path: Path) -> None:
    stock = load("minilm", options=OPTIONS)
    stock.save(tmp_path / "copy")

    copy = load(str(tmp_path / "copy"), options=OPTIONS)

    assert copy.fingerprint == stock.fingerprint
    assert copy.spec.max_length == 256
    assert copy.base["source"] == "sentence-transformers/all-MiniLM-L6-v2"
    assert "base_model: sentence-transformers/all-MiniLM-L6-v2" in (tmp_path / "copy/README.md").read_text()


def test_a_default_prompt_that_the_saved_model_no_longer_has_is_not_named(tiny_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_folder, tmp_path / "tiny")
    path = tmp_path / "tiny/config_sentence_transformers.json"
    prompts = {"query": "q: ", "passage": "p: "}
    path.write_text(json.dumps({**json.loads(path.read_text()), "prompts": prompts, "default_prompt_name": "passage"}))

    load(str(tmp_path / "tiny"), options=OPTIONS).save(tmp_path / "saved")

    assert SentenceTransformer(str(tmp_path / "saved"), device="cpu").prompts == {"query": "q: ", "document": "p: "}


def test_the_record_holds_base_fingerprint_and_notes(trained: Embedder, tiny_folder: Path, tmp_path: Path) -> None:
    trained.save(tmp_path / "law", notes={"pairs": 12})

    record = json.loads((tmp_path / "law/lexitune.json").read_text())

    assert record["fingerprint"] == trained.fingerprint
    assert record["base"]["name"] == "tiny"
    assert record["base"]["weights"] != record["weights"]
    assert record["notes"] == {"pairs": 12}


def test_a_second_training_keeps_the_first_base(trained: Embedder, tmp_path: Path) -> None:
    trained.save(tmp_path / "one")
    load(str(tmp_path / "one"), options=OPTIONS).save(tmp_path / "two")

    assert load(str(tmp_path / "two"), options=OPTIONS).base == trained.base


def test_a_folder_holds_no_pickle_and_no_training_text(trained: Embedder, tmp_path: Path) -> None:
    trained.save(tmp_path / "law")

    names = {path.name for path in (tmp_path / "law").rglob("*")}
    assert not [name for name in names if name.endswith((".bin", ".pt", ".pkl"))]
    assert {"lexitune.json", "model.safetensors", "modules.json", "tokenizer.json", "README.md"} <= names
    assert "widget" not in (tmp_path / "law/README.md").read_text()


def test_the_masters_are_saved_not_their_bf16_copy(tiny_folder: Path, tmp_path: Path) -> None:
    embedder = load(str(tiny_folder), options=replace(OPTIONS, precision="bf16"))
    embedder.save(tmp_path / "law")

    weights = load(str(tmp_path / "law"), options=OPTIONS).network.parameters()

    assert all(torch.equal(a, b) for a, b in zip(weights, embedder.network.parameters(), strict=True))


def test_saving_again_replaces_the_whole_folder_and_what_a_kill_left(trained: Embedder, tmp_path: Path) -> None:
    trained.save(tmp_path / "law", notes={"run": 1})
    (tmp_path / "law/stray.txt").write_text("of the first run")
    (tmp_path / ".law.partial").mkdir()
    (tmp_path / ".law.partial/half.txt").write_text("of a killed run")

    trained.save(tmp_path / "law", notes={"run": 2})

    assert json.loads((tmp_path / "law/lexitune.json").read_text())["notes"] == {"run": 2}
    assert not (tmp_path / "law/stray.txt").exists()
    assert not (tmp_path / "law/half.txt").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["law"]


def test_weights_exchanged_after_training_are_refused(trained: Embedder, tiny_folder: Path, tmp_path: Path) -> None:
    trained.save(tmp_path / "law")
    (tmp_path / "law/model.safetensors").write_bytes((tiny_folder / "model.safetensors").read_bytes())

    with pytest.raises(DataError, match=r"the weights are not those that lexitune.json records") as refusal:
        load(str(tmp_path / "law"), options=OPTIONS)

    assert refusal.value.code == "E3206"


def test_prompts_that_disagree_are_refused(trained: Embedder, tmp_path: Path) -> None:
    trained.save(tmp_path / "law")
    path = tmp_path / "law/config_sentence_transformers.json"
    path.write_text(path.read_text().replace("find: ", "search: "))

    with pytest.raises(DataError, match="name different prompts"):
        load(str(tmp_path / "law"), options=OPTIONS)


@pytest.mark.parametrize("text", ["{", "[]", '{"schema": 1}', '{"schema": 2, "spec": {}}'])
def test_a_damaged_or_newer_record_is_refused(trained: Embedder, tmp_path: Path, text: str) -> None:
    trained.save(tmp_path / "law")
    (tmp_path / "law/lexitune.json").write_text(text)

    with pytest.raises(DataError, match=r"lexitune.json") as refusal:
        load(str(tmp_path / "law"), options=OPTIONS)

    assert refusal.value.code == "E3206"


@pytest.mark.parametrize(
    ("case", "files", "code"),
    [
        ("an empty folder", [], "E3201"),
        ("no weights", ["config.json"], "E3201"),
        ("a pickle only", ["config.json", "pytorch_model.bin"], "E3204"),
        ("a pickle in a later part", ["config.json", "model.safetensors", "2_Dense/pytorch_model.bin"], "E3204"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_folder_that_is_no_safe_model_is_refused(tmp_path: Path, case: str, files: list[str], code: str) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")

    with pytest.raises(DataError) as refusal:
        check_folder(tmp_path)

    assert refusal.value.code == code


def test_a_pickle_beside_safetensors_is_not_read_and_not_minded(tmp_path: Path) -> None:
    for name in ("config.json", "model.safetensors", "pytorch_model.bin"):
        (tmp_path / name).write_bytes(b"")

    check_folder(tmp_path)
