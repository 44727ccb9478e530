"""Our side, by the commands that people type: `ours.py write PEER FOLDER` exports a workspace's train judgements for a
peer, `ours.py load PEER FOLDER` collects what the peer wrote."""

import json
import subprocess
import sys
from pathlib import Path

from lexitune.io.judgements import read_collection
from lexitune.io.workspace import Workspace
from lexitune.pipeline.data import import_data
from sample import DOCS, QRELS, QUERIES, full

# Of each peer: the format that is exported, the one that its own file is told for, and the name of both.
FILES = {
    "beir": [("beir", "beir", "beir")],
    "flagembedding": [("flag", "flag", "train.jsonl"), ("flag-eval", "flag-eval", "eval")],
    "labelstudio": [("labelstudio", "labelstudio", "export.json")],
    "llamaindex": [("llamaindex", "llamaindex", "dataset.json")],
    "mteb": [("mteb", "hf", "sample")],  # we write a task, and read the repository that it is published as
}
GRADELESS = {"llamaindex"}  # right passages alone


def call(*args):
    subprocess.run([sys.executable, "-m", "lexitune", *map(str, args)], check=True, stdout=sys.stderr)


def workspace(root):
    """A workspace with the sample as its train judgements; dev and test have a passage and a query of their own."""
    source = root / "source"
    (source / "qrels").mkdir(parents=True)
    docs = {**DOCS, "d-dev": ("", "what dev asks for"), "d-test": ("", "the river and its end")}
    queries = {**QUERIES, "q-dev": "who wrote the first letter", "q-test": "where does the river end"}
    qrels = {"train": QRELS, "dev": {"q-dev": {"d-dev": 1}}, "test": {"q-test": {"d-test": 1}}}
    put(source / "corpus.jsonl", [{"_id": name, "title": title, "text": text} for name, (title, text) in docs.items()])
    put(source / "queries.jsonl", [{"_id": name, "text": text} for name, text in queries.items()])
    for split, rows in qrels.items():
        lines = [f"{query}\t{doc}\t{grade}\n" for query, grades in rows.items() for doc, grade in grades.items()]
        (source / "qrels" / f"{split}.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(lines))
    found = Workspace(root / "work")
    import_data(found, source)
    return found


def put(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def write(peer, folder):
    root = workspace(folder).root
    for name, _, file in FILES[peer]:
        call("-C", root, "export", "pairs", folder / file, "--format", name, "--split", "train")


def load(peer, folder):
    # A workspace of its own for each file: the passages of one must not lend their ids to another's.
    for number, (_, name, file) in enumerate(FILES[peer]):
        root = folder / f"work{number}"
        call("-C", root, "collect", "pairs", folder / file, "--name", "theirs", "--max-bad-share", "0")
        told = json.loads((root / "collected" / "theirs" / "meta.json").read_text())["outputs"]["formats"]
        assert list(told.values()) == [name], f"{file} was taken for {told}"
        found = read_collection(Workspace(root), "theirs")
        docs = {doc.doc_id: doc.full_text for doc in found.docs}
        # As texts: ids are not kept by all.
        said = {(found.queries[one.query_id].text, docs[one.doc_id]): one.relevance for one in found.judgements}
        wanted = {
            (QUERIES[query], full(doc)): grade
            for query, grades in QRELS.items()
            for doc, grade in grades.items()
            if grade or peer not in GRADELESS
        }
        assert said == wanted, f"{file}: {said}"


{"write": write, "load": load}[sys.argv[1]](sys.argv[2], Path(sys.argv[3]))
