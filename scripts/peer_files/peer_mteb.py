"""MTEB runs the task that we wrote, on a model that knows the answers."""

import sys
from importlib import import_module
from pathlib import Path

from sample import DOCS, QRELS, QUERIES


def load(folder):
    sys.path.insert(0, str(folder / "sample"))
    task = import_module("sample_task").Sample()
    task.load_data()
    found = task.dataset["default"]["test"]
    corpus = {row["id"]: (row["title"], row["text"]) for row in found["corpus"]}
    assert corpus == DOCS, corpus
    assert {row["id"]: row["text"] for row in found["queries"]} == QUERIES
    assert found["relevant_docs"] == QRELS


def write(folder):
    """It writes nothing that we would read."""


{"load": load, "write": write}[sys.argv[1]](Path(sys.argv[2]))
