"""BEIR's own loader and writers."""

import csv
import json
import sys
from pathlib import Path

from beir.datasets.data_loader import GenericDataLoader

from sample import DOCS, QRELS, QUERIES


def load(folder):
    corpus, queries, qrels = GenericDataLoader(str(folder / "beir")).load(split="test")
    assert {name: (row["title"], row["text"]) for name, row in corpus.items()} == DOCS, corpus
    assert (queries, qrels) == (QUERIES, QRELS)


def write(folder):
    home = folder / "beir"
    (home / "qrels").mkdir(parents=True)
    try:
        from beir.util import write_to_json, write_to_tsv
    except ImportError:  # older releases have no writers: as their examples do it
        with (home / "corpus.jsonl").open("w") as file:
            for name, (title, text) in DOCS.items():
                file.write(json.dumps({"_id": name, "title": title, "text": text, "metadata": {}}) + "\n")
        with (home / "queries.jsonl").open("w") as file:
            for name, text in QUERIES.items():
                file.write(json.dumps({"_id": name, "text": text, "metadata": {}}) + "\n")
        with (home / "qrels" / "test.tsv").open("w", newline="") as file:
            rows = [(query, doc, grade) for query, row in QRELS.items() for doc, grade in row.items()]
            csv.writer(file, delimiter="\t").writerows([("query-id", "corpus-id", "score"), *rows])
        return
    write_to_json(
        output_file=str(home / "corpus.jsonl"),
        data={name: {"title": title, "text": text} for name, (title, text) in DOCS.items()},
    )
    write_to_json(output_file=str(home / "queries.jsonl"), data=QUERIES)
    write_to_tsv(output_file=str(home / "qrels" / "test.tsv"), data=QRELS)


{"load": load, "write": write}[sys.argv[1]](Path(sys.argv[2]))
