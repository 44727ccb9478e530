"""The embedder: sentence-transformers' vectors, prompts, equal texts once, a guard against NaN, and its fingerprint."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer

from lexitune.errors import StageFailed
from lexitune.models.embedder import Embedder
from lexitune.models.load import load
from lexitune.models.options import ModelOptions
from lexitune.models.spec import ModelSpec
from lexitune.types import Silent

FP32, BF16 = ModelOptions(precision="fp32", device="cpu"), ModelOptions(precision="bf16", device="cpu")

PROSE = [
    "How do I sort a list of names by the last letter?",
    "",
    "def read(path): return open(path).read()",
    "Übergrößenträger: naïve café, 漢字",
    "The court held that the clause was void for want of consideration. " * 40,
    "  blanks at both ends  ",
    "How do I sort a list of names by the last letter?",
]


def cosines(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> NDArray[np.float64]:
    """Cosine of each row, in float64."""
    a, b = ours.astype(np.float64), theirs.astype(np.float64)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.asarray((a * b).sum(axis=1) / lengths, dtype=np.float64)


class Listener(Silent):
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, float, float]] = []

    def progress(self, stage: str, done: float, total: float, note: str = "") -> None:
        self.heard.append((stage, done, total))


@pytest.fixture(scope="module")
def stock(minilm_folder: Path) -> NDArray[np.float32]:
    """What sentence-transformers gives for PROSE, in fp32."""
    return SentenceTransformer(str(minilm_folder), device="cpu").encode(PROSE)


@pytest.fixture(scope="module")
def minilm(minilm_folder: Path) -> Embedder:
    return load("minilm", options=FP32)


@pytest.fixture
def tiny(tiny_folder: Path) -> Embedder:
    return load(str(tiny_folder), options=FP32)


def test_in_fp32_the_stock_models_vectors_are_sentence_transformers(
    minilm: Embedder, stock: NDArray[np.float32]
) -> None:
    vectors = minilm.encode_docs(PROSE)

    assert (vectors.dtype.name, vectors.shape) == ("float32", (7, 384))
    assert cosines(vectors, stock).min() >= 0.99999
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-6)


def test_in_bf16_they_are_nearly_so_and_of_unit_length(minilm_folder: Path, stock: NDArray[np.float32]) -> None:
    vectors = load("minilm", options=BF16).encode_docs(PROSE)

    assert cosines(vectors, stock).min() >= 0.9998
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-6)


def test_prompts_stand_before_the_texts_as_in_sentence_transformers(
    tiny: Embedder, tiny_folder: Path, texts: list[str]
) -> None:
    theirs = SentenceTransformer(str(tiny_folder), device="cpu")

    queries, docs = tiny.encode_queries(texts), tiny.encode_docs(texts)

    assert cosines(queries, theirs.encode_query(texts)).min() >= 0.99999
    assert cosines(docs, theirs.encode_document(texts)).min() >= 0.99999
    assert cosines(queries, docs).max() < 0.99


def test_the_order_given_is_the_order_returned_whatever_the_batches(tiny: Embedder, texts: list[str]) -> None:
    together = tiny.encode_docs(texts)
    tiny.token_budget = 1  # every text alone

    alone = tiny.encode_docs(texts)

    np.testing.assert_allclose(alone, together, atol=2e-6)


def test_equal_texts_are_computed_once(tiny: Embedder) -> None:
    talk = Listener()

    vectors = tiny.encode_docs(["the cat", "a list", "the cat", "the cat"], talk=talk, stage="encode")

    # [CLS] passage : the cat [SEP] is 6 tokens, and so is the other text.
    assert talk.heard == [("encode", 12, 12)]
    assert np.array_equal(vectors[0], vectors[2])
    assert np.array_equal(vectors[0], vectors[3])
    assert not np.array_equal(vectors[0], vectors[1])


def test_progress_is_told_in_tokens_and_ends_at_the_total(tiny: Embedder) -> None:
    tiny.token_budget = 1
    talk = Listener()

    tiny.encode_docs(["the cat sat", "a"], talk=talk, stage="encode")

    # 7 tokens of the longer text first, then 5.
    assert talk.heard == [("encode", 7, 12), ("encode", 12, 12)]


def test_tokens_made_beforehand_give_the_same_vectors(tiny: Embedder, texts: list[str]) -> None:
    tokens = tiny.tokenise_queries(texts)

    np.testing.assert_allclose(tiny.encode_tokens(tokens), tiny.encode_queries(texts), atol=2e-6)


def test_cut_texts_are_counted(tiny: Embedder, texts: list[str]) -> None:
    assert tiny.tokenise_docs(texts).truncated == 1
    assert tiny.tokenise_docs(texts).lengths.max() == 24


def test_no_texts_are_no_vectors(tiny: Embedder) -> None:
    assert tiny.encode_queries([]).shape == (0, 32)


def test_a_vector_that_is_not_a_number_stops_the_run_and_names_the_first_text(tiny: Embedder) -> None:
    row = tiny.model.tokenizer.convert_tokens_to_ids("cat")
    table = dict(tiny.network.trunk.named_parameters())["embeddings.word_embeddings.weight"]
    with torch.no_grad():
        table[row] = float("nan")

    with pytest.raises(StageFailed, match="the first is text 3") as failure:
        tiny.encode_docs(["a list", "names", "a list", "the cat sat on the mat", "cat"])

    assert failure.value.code == "E1101"


def test_a_text_can_be_named_in_that_error(tiny: Embedder) -> None:
    with torch.no_grad():
        next(tiny.network.parameters()).fill_(float("nan"))

    with pytest.raises(StageFailed, match="the first is text 'd7'"):
        tiny.encode_tokens(tiny.tokenise_docs(["a"]), names=["'d7'"])


def test_encoding_leaves_training_mode_as_it_was(tiny: Embedder) -> None:
    tiny.network.train()

    first, second = tiny.encode_docs(["the cat"]), tiny.encode_docs(["the cat"])

    assert tiny.network.training
    assert np.array_equal(first, second)  # dropout was off meanwhile


def test_the_fingerprint_is_the_same_for_the_same_model(tiny: Embedder, tiny_folder: Path) -> None:
    before = tiny.fingerprint
    tiny.encode_docs(["the cat"])

    assert tiny.fingerprint == before
    assert load(str(tiny_folder), options=FP32).fingerprint == before


@pytest.mark.parametrize(
    ("case", "change"),
    [
        ("one weight", {}),
        ("query prompt", {"query_prompt": "q: "}),
        ("passage prompt", {"doc_prompt": "d: "}),
        ("maximum length", {"max_length": 20}),
        ("precision", {"precision": "bf16"}),
        ("pooling", {"pooling": "mean"}),
        ("normalising", {"normalise": False}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_fingerprint_changes_with_whatever_changes_a_vector(
    make_model: Callable[..., SentenceTransformer], case: str, change: dict[str, str]
) -> None:
    spec = ModelSpec("tiny", "", query_prompt="query: ", doc_prompt="passage: ", max_length=24)

    def build(precision: str = "fp32", pooling: str = "cls", normalise: bool = True, **spoken: str) -> Embedder:
        model = make_model(pooling, normalise=normalise)
        return Embedder(model, replace(spec, **spoken), precision=precision)  # type: ignore[arg-type]

    changed = build(**change)  # type: ignore[arg-type]
    if not change:
        with torch.no_grad():
            next(changed.network.parameters())[0, 0] += 1e-3

    assert changed.fingerprint != build().fingerprint


def test_a_folder_whose_tokenizer_now_cuts_off_a_texts_start_is_another_model(
    tiny: Embedder, tiny_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "tiny"
    shutil.copytree(tiny_folder, folder)
    same = load(str(folder), options=FP32).fingerprint
    config = folder / "tokenizer_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "truncation_side": "left"}))

    changed = load(str(folder), options=FP32)

    assert same == tiny.fingerprint
    assert changed.model.tokenizer.truncation_side == "left"
    assert changed.fingerprint != tiny.fingerprint
