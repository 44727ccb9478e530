"""Two tiny models, a poor one and a good one, a toy corpus, and a workspace that holds them."""

import random
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules.normalize import Normalize
from sentence_transformers.base.modules.transformer import Transformer
from sentence_transformers.sentence_transformer.modules.pooling import Pooling
from transformers import BertConfig, BertModel, BertTokenizer

from lexitune.io.workspace import Meta, Workspace, write_meta
from lexitune.models.load import load
from lexitune.models.options import ModelOptions
from lexitune.pipeline.data import import_data
from lexitune.types import Dataset, Doc, Query, SealedQrels

WORDS = [f"w{number}" for number in range(240)]
DOCS = 60
FP32 = ModelOptions(precision="fp32", device="cpu")


def build_model(folder: Path, words: Mapping[str, float], *, hidden: int = 32) -> Path:
    """A random BERT of 2 layers and `hidden` units whose texts are, nearly, the sum of their words.

    A word's vector is that of its kind (its number modulo 8) and a share of one of its own: the
    smaller that share, the poorer the model tells words apart.

    Args:
        words: Word -> that share.
    """
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    trunk = folder / "trunk"
    trunk.mkdir(parents=True)
    (trunk / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    BertTokenizer(str(trunk / "vocab.txt"), model_max_length=64).save_pretrained(trunk)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=hidden,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        initializer_range=0.02,
    )
    model = BertModel(config)
    with torch.no_grad():
        kinds = torch.randn(8, hidden)[torch.arange(len(words)) % 8]
        own = torch.tensor(list(words.values()))[:, None]
        model.embeddings.word_embeddings.weight[5:] = kinds + own * torch.randn(len(words), hidden)
    model.save_pretrained(trunk)
    parts = [Transformer(str(trunk)), Pooling(hidden), Normalize()]
    SentenceTransformer(modules=parts, device="cpu").save(str(folder / "model"))
    return folder / "model"


@pytest.fixture(scope="session")
def build_tiny() -> Callable[..., Path]:
    """Builds further models of words."""
    return build_model


@pytest.fixture(scope="session")
def tiny_model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stock model: it hardly tells 240 words from 8, and so finds about half of what it should."""
    return build_model(tmp_path_factory.mktemp("stock"), dict.fromkeys(WORDS, 0.05))


@pytest.fixture(scope="session")
def good_model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The challenger: it knows its words."""
    return build_model(tmp_path_factory.mktemp("good"), dict.fromkeys(WORDS, 2.0))


@pytest.fixture(scope="session")
def toy_data() -> Dataset:
    """60 docs of four words of their own; a query is two of the four. 60 test queries, one a doc; 60 train, 30 dev."""
    rng = random.Random(7)
    docs, queries = [], {}
    qrels: dict[str, dict[str, dict[str, int]]] = {"train": {}, "dev": {}, "test": {}}
    for number in range(DOCS):
        own = [WORDS[4 * number + offset] for offset in range(4)]
        docs.append(Doc(f"d{number:02}", " ".join(own), metadata={"tenant": "ab"[number % 2]}))
        pairs = [own[:2], own[2:], [own[0], own[3]]]
        for split, words in zip(("test", "train", "dev"), pairs, strict=True):
            if split == "dev" and number % 2:
                continue
            query_id = f"{split}-{number:02}"
            queries[query_id] = Query(query_id, " ".join(rng.sample(words, 2)))
            qrels[split][query_id] = {f"d{number:02}": 1}
    test = SealedQrels(None, len(qrels["test"]), qrels["test"])
    return Dataset(docs, queries, {"train": qrels["train"], "dev": qrels["dev"]}, test)


@pytest.fixture
def toy_workspace(tmp_path: Path, toy_data: Dataset) -> Workspace:
    """The toy data, imported."""
    workspace = Workspace(tmp_path / "work")
    import_data(workspace, toy_data)
    return workspace


@pytest.fixture
def add_challenger() -> Callable[[Workspace, str, Path], None]:
    """Puts a model folder into a workspace as `train` would leave it."""

    def add(workspace: Workspace, model_id: str, folder: Path) -> None:
        load(str(folder), options=FP32).save(workspace.models / model_id, notes={})
        write_meta(workspace.models / model_id, Meta("train", {}, {}))

    return add
