"""LlamaIndex's own EmbeddingQAFinetuneDataset, wherever the installed release keeps it."""

import sys
from importlib import import_module
from pathlib import Path

from sample import QRELS, QUERIES, full, right

PLACES = ("llama_index.core.evaluation", "llama_index.core.llama_dataset.legacy.embedding", "llama_index.finetuning")


def kind():
    for place in PLACES:
        try:
            return import_module(place).EmbeddingQAFinetuneDataset
        except (ImportError, AttributeError):
            continue
    sys.exit(f"EmbeddingQAFinetuneDataset is in none of {', '.join(PLACES)}")


def load(folder):
    found = kind().from_json(str(folder / "dataset.json"))
    pairs = [(query, [found.corpus[doc] for doc in docs]) for query, docs in found.query_docid_pairs]
    assert pairs == [(QUERIES[one], [full(doc) for doc in right(one)]) for one in QRELS], pairs


def write(folder):
    corpus = {doc: full(doc) for row in QRELS.values() for doc in row}
    made = kind()(queries=QUERIES, corpus=corpus, relevant_docs={one: right(one) for one in QRELS})
    made.save_json(str(folder / "dataset.json"))


{"load": load, "write": write}[sys.argv[1]](Path(sys.argv[2]))
