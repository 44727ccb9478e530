"""BEIR's own loader and writers."""

import sys
from pathlib import Path

from beir.datasets.data_loader import GenericDataLoader
from beir.util import write_to_json, write_to_tsv

from sample import DOCS, QRELS, QUERIES


def load(folder):
    corpus, queries, qrels = GenericDataLoader(str(folder / "beir")).load(split="train")
    found = {name: (row["title"], row["text"]) for name, row in corpus.items()}
    assert {name: found[name] for name in DOCS} == DOCS, corpus
    assert (queries, qrels) == (QUERIES, QRELS)


def write(folder):
    home = folder / "beir"
    (home / "qrels").mkdir(parents=True)
    docs = {name: {"title": title, "text": text} for name, (title, text) in DOCS.items()}
    write_to_json(output_file=str(home / "corpus.jsonl"), data=docs)
    write_to_json(output_file=str(home / "queries.jsonl"), data=QUERIES)
    write_to_tsv(output_file=str(home / "qrels" / "test.tsv"), data=QRELS)


{"load": load, "write": write}[sys.argv[1]](Path(sys.argv[2]))
