"""Our side: `ours.py write PEER FOLDER` writes files for a peer, `ours.py load PEER FOLDER` reads the peer's."""

import sys
from pathlib import Path

from lexitune.io.formats.records import Choices, Labelled, Opinion
from lexitune.io.formats.registry import FORMATS, read_labels, tell_format
from lexitune.io.quarantine import Quarantine
from lexitune.types import Doc, Query
from sample import DOCS, QRELS, QUERIES, full

# Of each peer: format, and the file that it has on both sides.
FILES = {
    "beir": [("beir", "beir")],
    "flagembedding": [("flag", "train.jsonl"), ("flag-eval", "eval")],
    "labelstudio": [("labelstudio", "export.json")],
    "llamaindex": [("llamaindex", "dataset.json")],
    "mteb": [("mteb", "sample")],
}
ONLY_OURS = {"mteb"}  # it runs what we write, and writes nothing of the kind
GRADELESS = {"llamaindex"}  # right passages alone


def labels():
    return Labelled(
        {query_id: Query(query_id, text) for query_id, text in QUERIES.items()},
        {doc_id: Doc(doc_id, text, title) for doc_id, (title, text) in DOCS.items()},
        [Opinion(query_id, doc_id, grade) for query_id, row in QRELS.items() for doc_id, grade in row.items()],
    )


def said(found):
    """What was said as texts: ids are not kept by all."""
    return {
        (found.queries[one.query_id].text, found.docs[one.doc_id].full_text): one.relevance for one in found.opinions
    }


def wanted(name):
    return {
        (QUERIES[query_id], full(doc_id)): grade
        for query_id, row in QRELS.items()
        for doc_id, grade in row.items()
        if grade or name not in GRADELESS
    }


def main(action, peer, folder):
    for name, file in FILES[peer]:
        path = Path(folder) / file
        if action == "write":
            FORMATS.get(name).write(path, labels(), split="test")
        elif peer not in ONLY_OURS:
            told = tell_format(path, Choices())
            assert told == name, f"{path} was taken for {told}"
            quarantine = Quarantine(max_share=0.0)
            assert said(read_labels(path, name, quarantine, choices=Choices())) == wanted(name), name
            assert quarantine.rows == []


main(*sys.argv[1:])
