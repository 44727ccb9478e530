"""FlagEmbedding's training set, and its loaders of evaluation sets: the one that reads a folder, and one that fetches a
benchmark and saves it. No code that is installed writes training lines; those are written as its documents say."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import datasets
from FlagEmbedding.abc.finetune.embedder import AbsEmbedderTrainDataset
from FlagEmbedding.evaluation.custom import CustomEvalDataLoader
from FlagEmbedding.evaluation.mldr import MLDREvalDataLoader

from sample import DOCS, QRELS, QUERIES, full, right, wrong


def load(folder):
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
    found = {name: (row["title"], row["text"]) for name, row in corpus.items()}
    assert {name: found[name] for name in DOCS} == DOCS, found
    assert dict(loader.load_queries(split="test")) == QUERIES
    assert dict(loader.load_qrels(split="test")) == QRELS


def write(folder):
    lines = [
        {"query": QUERIES[one], "pos": [full(doc) for doc in right(one)], "neg": [full(doc) for doc in wrong(one)]}
        for one in QRELS
    ]
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in lines))

    def published(_, config, **__):
        """What the Hub would give its loader: the download alone is ours."""
        docs = [{"docid": name, "text": full(name)} for name in DOCS]
        asked = [
            {
                "query_id": one,
                "query": QUERIES[one],
                "positive_passages": [{"docid": doc} for doc in right(one)],
                "negative_passages": [{"docid": doc} for doc in wrong(one)],
            }
            for one in QRELS
        ]
        return {"corpus": docs} if config.startswith("corpus-") else {"test": asked}

    datasets.load_dataset = published
    loader = MLDREvalDataLoader("sample", cache_dir=str(folder / "cache"))
    for load_remote in (loader._load_remote_corpus, loader._load_remote_queries, loader._load_remote_qrels):
        load_remote("en", save_dir=str(folder / "eval"))


{"load": load, "write": write}[sys.argv[1]](Path(sys.argv[2]))
