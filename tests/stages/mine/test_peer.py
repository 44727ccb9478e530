"""Against sentence-transformers' miner, under its rule, on real questions: the same negatives from the same vectors."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset as Table
from sentence_transformers import SentenceTransformer
from sentence_transformers.util import mine_hard_negatives

from lexitune.models.load import load
from lexitune.models.options import ModelOptions
from lexitune.pipeline.data import read
from lexitune.stages.mine.ground import lay_out, one_row_a_text
from lexitune.stages.mine.known import gather_known, mined_queries
from lexitune.stages.mine.mining import mine_ground
from lexitune.stages.mine.options import MineOptions
from lexitune.types import Silent

QUERIES, DOCS, COUNT = 300, 800, 4
# All ranks: the peer's window counts right passages too, and makes room for as many as any query has.
LAST = DOCS


def test_the_negatives_are_the_peers(shared_data: Callable[[str], Path], minilm_folder: Path) -> None:
    data = read(shared_data("tatqa"))
    query_ids = mined_queries(data)[:QUERIES]
    train = {query_id: data.qrels["train"][query_id] for query_id in query_ids}
    wanted = {doc_id for grades in train.values() for doc_id in grades}
    docs = sorted(data.docs, key=lambda doc: doc.doc_id not in wanted)[:DOCS]
    model = load(str(minilm_folder), options=ModelOptions(precision="fp32", device="cpu", max_length=64))
    texts = [doc.full_text for doc in docs]
    passages, queries = model.encode_docs(texts), model.encode_queries([data.queries[i].text for i in query_ids])

    peer = SentenceTransformer(str(minilm_folder), device="cpu")
    theirs = mine_with_peer(peer, data.queries, train, docs, passages, queries)
    cut = replace(data, docs=docs, qrels={"train": train})
    ours = mine_with_ours(cut, query_ids, docs, passages, queries)

    assert len(theirs) == len(ours) == QUERIES
    different = [query for query in ours if ours[query] != theirs[query]]
    assert different == []
    assert sum(map(bool, ours.values())) > QUERIES / 2


def mine_with_ours(data: Any, query_ids: list[str], docs: Any, passages: Any, queries: Any) -> dict[str, list[str]]:
    """query text -> texts of its negatives; the guards that the peer lacks are off."""
    options = MineOptions(count=COUNT, last=LAST, near=1.0, keep_out="none")
    stands_for = one_row_a_text(docs)
    row_of = {doc.doc_id: int(row) for doc, row in zip(docs, stands_for, strict=True)}
    ground = lay_out(
        data,
        query_ids,
        docs=docs,
        stands_for=stands_for,
        stored=(passages, tuple(doc.doc_id for doc in docs)),
        query_vectors=queries,
        kept_out=(),
        options=options,
    )
    known = gather_known(data, query_ids, row_of, near=options.near)
    found = mine_ground(ground, known, train=data.qrels["train"], kept_out=0.0, talk=Silent())
    by_id = {doc.doc_id: doc.full_text for doc in docs}
    return {data.queries[e.query_id].text: [by_id[i] for i in e.negatives] for e in found.examples()}


def mine_with_peer(
    model: Any, all_queries: Any, train: Any, docs: Any, passages: Any, queries: Any
) -> dict[str, list[str]]:
    """The same from the peer, given the same vectors."""
    texts = [doc.full_text for doc in docs]
    by_id = dict(zip((doc.doc_id for doc in docs), texts, strict=True))
    pairs = [(all_queries[q].text, by_id[d]) for q, grades in train.items() for d, grade in grades.items() if grade > 0]
    table = Table.from_dict({"query": [q for q, _ in pairs], "passage": [d for _, d in pairs]})
    of_text = dict(zip(texts, passages, strict=True)) | dict(
        zip((all_queries[q].text for q in train), queries, strict=True)
    )

    def look_up(asked: list[str], **_: Any) -> Any:
        return np.stack([of_text[text] for text in asked])

    model.encode_document = look_up
    model.encode_query = look_up
    found = mine_hard_negatives(
        table,
        model,
        corpus=texts,
        range_max=LAST,
        relative_margin=0.05,
        num_negatives=COUNT,
        sampling_strategy="top",
        output_format="labeled-list",
        verbose=False,
    )
    negatives: dict[str, list[str]] = {all_queries[query_id].text: [] for query_id in train}
    for row in found:
        negatives[row["query"]] = [t for t, label in zip(row["passage"], row["labels"], strict=True) if not label]
    return negatives
