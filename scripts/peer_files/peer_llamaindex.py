"""LlamaIndex's own EmbeddingQAFinetuneDataset, wherever the installed release keeps it."""

import sys
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from sample import QRELS, QUERIES, full, right

PLACES = ("llama_index.core.evaluation", "llama_index.core.llama_dataset.legacy.embedding")


def kind():
    for place in PLACES:
        try:
            return import_module(place).EmbeddingQAFinetuneDataset
        except (ImportError, AttributeError):
            continue
    # Since it moved to llama-index-finetuning, whose package imports the clients of several services.
    import llama_index

    for home in llama_index.__path__:
        file = Path(home) / "finetuning" / "embeddings" / "common.py"
        if file.is_file():
            spec = spec_from_file_location("llama_index_finetuning_common", file)
            found = module_from_spec(spec)
            sys.modules[spec.name] = found
            spec.loader.exec_module(found)
            return found.EmbeddingQAFinetuneDataset
    sys.exit("no EmbeddingQAFinetuneDataset in what is installed")


def load(folder):
    found = kind().from_json(str(folder / "dataset.json"))
    pairs = [(query, [found.corpus[doc] for doc in docs]) for query, docs in found.query_docid_pairs]
    assert pairs == [(QUERIES[one], [full(doc) for doc in right(one)]) for one in QRELS], pairs


def write(folder):
    corpus = {doc: full(doc) for row in QRELS.values() for doc in row}
    made = kind()(queries=QUERIES, corpus=corpus, relevant_docs={one: right(one) for one in QRELS})
    made.save_json(str(folder / "dataset.json"))


{"load": load, "write": write}[sys.argv[1]](Path(sys.argv[2]))
