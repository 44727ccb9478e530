"""A model of published size with random weights: what a race of speed or memory needs, and no hub is asked.

    python -m benchmarks.full_size BAAI/bge-large-en-v1.5 FOLDER
    python -m benchmarks.train --device cuda --model FOLDER

BERTs whose vocabulary is the packaged model's (bge, e5, gte, arctic in English): texts become the tokens that the
published model would see. What such a model finds means nothing.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules.normalize import Normalize
from sentence_transformers.base.modules.transformer import Transformer
from sentence_transformers.sentence_transformer.modules.pooling import Pooling
from transformers import AutoModel, AutoTokenizer, BertConfig

from benchmarks.harness import minilm_folder
from lexitune.models.shape import SHAPES

VOCABULARY = 30522


def build(name: str, folder: Path) -> Path:
    """Write the model of that Hub id's shape, its weights drawn from one seed; a folder that is there is kept."""
    if (folder / "modules.json").exists():
        return folder
    shape = SHAPES[name]
    tokenizer = AutoTokenizer.from_pretrained(str(minilm_folder()))
    config = BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=shape.inner,
        pad_token_id=tokenizer.pad_token_id,
    )
    torch.manual_seed(11)
    trunk = AutoModel.from_config(config)  # type: ignore[no-untyped-call]
    if trunk.num_parameters() != shape.parameters:
        raise SystemExit(f"{name} is not a BERT with the packaged model's vocabulary")
    trunk.save_pretrained(folder / "trunk")
    tokenizer.save_pretrained(folder / "trunk")
    first = Transformer(str(folder / "trunk"), max_seq_length=512)
    modules = [first, Pooling(shape.width, "cls"), Normalize()]
    SentenceTransformer(modules=modules, device="cpu").save_pretrained(str(folder), create_model_card=False)
    return folder


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="Hub id, such as BAAI/bge-large-en-v1.5")
    parser.add_argument("folder", type=Path, help="where the model goes")
    given = parser.parse_args()
    build(given.name, given.folder)


if __name__ == "__main__":
    main()
