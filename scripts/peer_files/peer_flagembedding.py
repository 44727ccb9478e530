"""FlagEmbedding's training set and its loader of evaluation sets. It has no writers: its lines are plain JSON."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import torch.distributed
from FlagEmbedding.abc.finetune.embedder import AbsEmbedderTrainDataset
from FlagEmbedding.evaluation.custom import CustomEvalDataLoader

from sample import DOCS, QRELS, QUERIES, full, right, wrong


def load(folder):
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=0, world_size=1)
    args = SimpleNamespace(
        train_data=[str(folder / "train.jsonl")],
        cache_path=str(folder / "cache"),
        max_example_num_per_dataset=100,
        knowledge_distillation=False,
        shuffle_ratio=0.0,
        train_group_size=2,
        query_instruction_for_retrieval=None,
        passage_instruction_for_retrieval=None,
    )
    data = AbsEmbedderTrainDataset(args, tokenizer=None)
    found = [data[place][:2] for place in range(len(data))]
    asked = [(QUERIES[one], [full(doc) for doc in (*right(one), *wrong(one))]) for one in QRELS]
    assert found == asked, found
    loader = CustomEvalDataLoader("sample", dataset_dir=str(folder / "eval"), cache_dir=str(folder / "cache"))
    corpus = loader.load_corpus()
    assert {name: (row["title"], row["text"]) for name, row in corpus.items()} == DOCS
    assert dict(loader.load_queries(split="test")) == QUERIES
    assert dict(loader.load_qrels(split="test")) == QRELS


def write(folder):
    lines = [
        {"query": QUERIES[one], "pos": [full(doc) for doc in right(one)], "neg": [full(doc) for doc in wrong(one)]}
        for one in QRELS
    ]
    home = folder / "eval"
    home.mkdir()
    put(folder / "train.jsonl", lines)
    put(home / "corpus.jsonl", [{"id": name, "title": title, "text": text} for name, (title, text) in DOCS.items()])
    put(home / "test_queries.jsonl", [{"id": name, "text": text} for name, text in QUERIES.items()])
    put(
        home / "test_qrels.jsonl",
        [{"qid": one, "docid": doc, "relevance": grade} for one, row in QRELS.items() for doc, grade in row.items()],
    )


def put(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


{"load": load, "write": write}[sys.argv[1]](Path(sys.argv[2]))
