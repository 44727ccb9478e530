"""BM25: scores by the formula, ties by the tie rule, and recall on real sets."""

from __future__ import annotations

import gzip
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lexitune.search.bm25 import BM25
from lexitune.search.filters import Allowed
from lexitune.types import Doc

DOCS = [Doc("d2", "alpha beta"), Doc("d1", "alpha beta"), Doc("d3", "beta gamma gamma gamma")]


def test_a_score_is_lucenes_formula() -> None:
    hits = BM25.build(DOCS).search(["gamma"], query_ids=["q1"], k=3)

    # One of three docs has gamma: idf = ln(1 + 2.5 / 1.5). It stands 3 times in 4 terms; 8/3 terms is the mean.
    idf, length = math.log(1 + (3 - 1 + 0.5) / (1 + 0.5)), 4 / (8 / 3)
    score = idf * 3 / (3 + 1.2 * (1 - 0.75 + 0.75 * length))
    assert dict(hits.run("q1")) == pytest.approx({"d3": score}, rel=1e-6)


def test_ties_go_to_the_lower_id_also_at_the_cut() -> None:
    hits = BM25.build(DOCS).search(["alpha"], query_ids=["q1"], k=1)

    assert [doc_id for doc_id, _ in hits.run("q1")] == ["d1"]


def test_the_title_is_indexed() -> None:
    hits = BM25.build([Doc("d1", "text", title="tenancy")]).search(["tenancies"], query_ids=["q1"], k=1)

    assert [doc_id for doc_id, _ in hits.run("q1")] == ["d1"]


@pytest.mark.parametrize("text", ["", "the of and", "zebra", "?!"])
def test_a_query_without_a_known_term_has_no_hits(text: str) -> None:
    hits = BM25.build(DOCS).search([text], query_ids=["q1"], k=2)

    assert hits.index.tolist() == [[-1, -1]]


@pytest.mark.parametrize("docs", [[], [Doc("d1", ""), Doc("d2", "the ...")]])
def test_a_corpus_without_terms_gives_no_hits(docs: list[Doc]) -> None:
    hits = BM25.build(docs).search(["alpha"], query_ids=["q1"], k=2)

    assert hits.run("q1") == []


def test_only_allowed_docs_are_hits() -> None:
    allowed = Allowed(("q1", "q2"), ["d3", "d2", "d1"], np.array([[True, True, False], [False] * 3]), np.array([0, 1]))

    hits = BM25.build(DOCS).search(["alpha", "beta"], query_ids=["q1", "q2"], k=3, allowed=allowed)

    assert [[doc_id for doc_id, _ in hits.run(query_id)] for query_id in hits.query_ids] == [["d2"], []]


# Test queries, Lucene's variant. Published with the sets, with another tokeniser: 0.684, 0.808, 0.607, 0.681.
@pytest.mark.parametrize(("name", "recall"), [("tatqa", 0.695), ("scifact", 0.826), ("pycode", 0.614), ("tldr", 0.687)])
def test_recall_on_real_sets(name: str, recall: float, shared_data: Callable[[str], Path]) -> None:
    folder = shared_data(name)
    docs = [Doc(row["_id"], row["text"], row.get("title", "")) for row in read(folder / "corpus.jsonl.gz")]
    texts = {row["_id"]: row["text"] for row in read(folder / "queries.jsonl.gz")}
    relevant: dict[str, set[str]] = {}
    for line in (folder / "qrels" / "test.tsv").read_text().splitlines()[1:]:
        query_id, doc_id, grade = line.split("\t")
        if int(grade) > 0:
            relevant.setdefault(query_id, set()).add(doc_id)

    hits = BM25.build(docs).search([texts[query_id] for query_id in relevant], query_ids=list(relevant), k=10)

    found = [len(wanted & dict(hits.run(query_id)).keys()) / len(wanted) for query_id, wanted in relevant.items()]
    assert float(np.mean(found)) == pytest.approx(recall, abs=0.001)


def read(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def test_jax_is_not_started_where_it_is_installed(tmp_path: Path) -> None:
    # It would take three quarters of a GPU's memory from the model.
    (tmp_path / "jax").mkdir()
    (tmp_path / "jax" / "__init__.py").write_text("raise AssertionError('started')")
    code = (
        "import importlib.util, sys\n"
        "from lexitune.search.bm25 import BM25\n"
        "from lexitune.types import Doc\n"
        "assert BM25.build([Doc('d1', 'sort a list')]).search(['sort'], query_ids=['q'], k=1).index[0, 0] == 0\n"
        "assert 'jax' not in sys.modules and importlib.util.find_spec('jax')\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
