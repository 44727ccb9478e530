"""A tiny random BERT with CLS pooling and prompts, made on the spot: nothing is downloaded."""

import string
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules.normalize import Normalize
from sentence_transformers.base.modules.transformer import Transformer
from sentence_transformers.sentence_transformer.modules.pooling import Pooling
from transformers import BertConfig, BertModel, BertTokenizer

WORDS = ["how", "do", "i", "sort", "a", "list", "of", "names", "the", "cat", "sat", "on", "mat", "find", "function"]
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "query", "passage", ":", *WORDS, *string.ascii_lowercase]
PROMPTS = {"query": "query: ", "document": "passage: "}

TEXTS = [
    "how do i sort a list of names",
    "the cat sat on the mat",
    "",
    "  find   the function ",
    "a",
    "Returns: a list of a list of a list of a list of a list of a list of a list of names",
    "the cat sat on the mat",
]


@pytest.fixture(scope="session")
def trunk_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plain transformers folder: BERT, 2 layers of 32, at most 24 tokens."""
    folder = tmp_path_factory.mktemp("trunk")
    torch.manual_seed(7)
    config = BertConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=24,
        initializer_range=0.4,  # large, so that different texts get clearly different vectors
    )
    BertModel(config).save_pretrained(folder)
    vocabulary = {word: number for number, word in enumerate(VOCABULARY)}
    BertTokenizer(vocab=vocabulary, model_max_length=24).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def make_model(trunk_folder: Path) -> Callable[..., SentenceTransformer]:
    """A fresh model over the tiny trunk, by pooling, prompts and what follows."""

    def make(
        pooling: str = "cls", *, normalise: bool = True, prompts: dict[str, str] | None = None
    ) -> SentenceTransformer:
        modules: list[torch.nn.Module] = [Transformer(str(trunk_folder)), Pooling(32, pooling)]
        if normalise:
            modules.append(Normalize())
        return SentenceTransformer(modules=modules, prompts=prompts, device="cpu")

    return make


@pytest.fixture(scope="session")
def tiny_folder(make_model: Callable[..., SentenceTransformer], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model as its maker would publish it: CLS pooling, unit vectors, prompts stored."""
    folder = tmp_path_factory.mktemp("published") / "tiny"
    make_model("cls", prompts=PROMPTS).save_pretrained(str(folder), create_model_card=False)
    return folder


@pytest.fixture(scope="session")
def texts() -> list[str]:
    """Texts with a duplicate, an empty one, odd blanks, and one of more than 24 tokens."""
    return TEXTS
