"""A tiny random BERT as a sentence-transformers folder, and a small data set that it can learn."""

import json
from pathlib import Path

import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules.normalize import Normalize
from sentence_transformers.base.modules.transformer import Transformer
from sentence_transformers.sentence_transformer.modules.pooling import Pooling
from tests.stages.train.watching import FP32, WORDS, make_small_data
from transformers import BertConfig, BertModel, BertTokenizer

from lexitune.fingerprint import sha256_file
from lexitune.io.beir import write_docs, write_qrels, write_queries
from lexitune.io.workspace import Workspace
from lexitune.models.embedder import Embedder
from lexitune.models.load import load
from lexitune.types import Dataset


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """BERT of 2 layers and 32 hidden units, random weights, dropout 0, mean pooling, unit length."""
    folder = tmp_path_factory.mktemp("tiny")
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    trunk = folder / "trunk"
    trunk.mkdir()
    (trunk / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    BertTokenizer(str(trunk / "vocab.txt"), model_max_length=64).save_pretrained(trunk)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        initializer_range=0.2,
    )
    BertModel(config).save_pretrained(trunk)
    first = Transformer(str(trunk))
    SentenceTransformer(modules=[first, Pooling(32), Normalize()], device="cpu").save(str(folder / "model"))
    return folder / "model"


@pytest.fixture
def tiny(tiny_folder: Path) -> Embedder:
    """The tiny model, in fp32 on the processor."""
    return load(str(tiny_folder), options=FP32)


@pytest.fixture(scope="session")
def small_data() -> Dataset:
    """See `make_small_data`."""
    return make_small_data()


@pytest.fixture
def workspace(tmp_path: Path, small_data: Dataset) -> Workspace:
    """The small data as an imported workspace."""
    made = Workspace(tmp_path / "work")
    write_docs(made.corpus, small_data.docs)
    write_queries(made.queries, small_data.queries.values())
    for split, qrels in small_data.qrels.items():
        write_qrels(made.qrels(split), qrels)
    files = [made.corpus, made.queries, *(made.qrels(split) for split in small_data.qrels)]
    record = {
        "files": {path.relative_to(made.root).as_posix(): sha256_file(path) for path in files},
        "splits": {split: {"queries": len(qrels)} for split, qrels in small_data.qrels.items()},
        "notes": [],
    }
    made.dataset.write_text(json.dumps(record), encoding="utf-8")
    return made
