"""The cross-encoder: what is refused, and that scores go back to the pairs they belong to."""

from pathlib import Path

import pytest
import torch
from sentence_transformers import CrossEncoder
from transformers import BertConfig, BertForSequenceClassification, BertTokenizer

from lexitune.errors import DataError
from lexitune.models.reranker import Reranker, load_reranker

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "red", "green", "blue", "apple", "pear"]


def build_reranker(folder: Path, *, labels: int = 1) -> Path:
    """A random BERT of one layer with a classification head."""
    folder.mkdir(parents=True)
    (folder / "vocab.txt").write_text("\n".join(WORDS), encoding="utf-8")
    BertTokenizer(str(folder / "vocab.txt"), model_max_length=32).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(  # type: ignore[call-arg]  # num_labels is a field of its base
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=32,
        num_labels=labels,
        initializer_range=0.5,
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_reranker(tmp_path_factory.mktemp("reranker") / "tiny")


def test_scores_stand_in_the_order_of_the_pairs_whatever_their_lengths(folder: Path) -> None:
    queries = ["red", "red apple pear", "blue", "green"]
    passages = ["apple", "red red red red", "pear apple", "green blue red apple pear"]

    found = load_reranker(str(folder), device="cpu")(queries, passages)

    model = CrossEncoder(str(folder), device="cpu", local_files_only=True)
    one_by_one = [float(model.predict([pair])[0]) for pair in zip(queries, passages, strict=True)]
    assert found.tolist() == pytest.approx(one_by_one, abs=1e-6)
    assert len(set(one_by_one)) == 4


def test_equal_weights_have_one_fingerprint_and_others_another(folder: Path) -> None:
    first, second = load_reranker(str(folder), device="cpu"), load_reranker(str(folder), device="cpu")
    before = second.fingerprint
    with torch.no_grad():
        next(second.model.parameters())[0, 0] += 1

    assert first.fingerprint == before != second.fingerprint


@pytest.mark.parametrize(
    ("case", "code"), [("no such name", "E3001"), ("an empty folder", "E3201"), ("two labels", "E3203")]
)
def test_what_is_no_reranker_is_refused(case: str, code: str, tmp_path: Path) -> None:
    name = str(tmp_path)
    if case == "no such name":
        name = "nobody/no-such-reranker"
    elif case == "two labels":
        name = str(build_reranker(tmp_path / "two", labels=2))

    with pytest.raises(DataError) as caught:
        load_reranker(name, device="cpu")

    assert caught.value.code == code


def test_an_embedding_model_would_get_a_random_head_and_is_refused(minilm_folder: Path) -> None:
    with pytest.raises(DataError, match="without a head") as caught:
        load_reranker(str(minilm_folder), device="cpu")

    assert caught.value.code == "E3203"


def test_a_score_that_is_no_number_stops_it(folder: Path) -> None:
    reranker = load_reranker(str(folder), device="cpu")
    with torch.no_grad():
        for weight in reranker.model.parameters():
            weight.fill_(float("nan"))

    with pytest.raises(DataError) as caught:
        Reranker(reranker.model)(["red"], ["apple"])

    assert caught.value.code == "E3122"
