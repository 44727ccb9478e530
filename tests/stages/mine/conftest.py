"""Mining on a table of scores: query i is the i-th unit vector, and a doc's i-th number is its score for it."""

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from lexitune.stages.mine.ground import lay_out, one_row_a_text
from lexitune.stages.mine.known import gather_known, mined_queries
from lexitune.stages.mine.mining import Mined, mine_ground
from lexitune.stages.mine.options import MineOptions
from lexitune.types import Dataset, Doc, Qrels, Query, Silent

Scores = Mapping[str, Mapping[str, float]]
Mine = Callable[..., Mined]
DEFAULT = MineOptions()


def mine_table(
    scores: Scores,
    qrels: Qrels,
    *,
    dev: Qrels | None = None,
    texts: Mapping[str, str] | None = None,
    tenants: Mapping[str, str] | None = None,
    kept_out: frozenset[str] = frozenset(),
    rescore: Scores | None = None,
    options: MineOptions = DEFAULT,
) -> Mined:
    """Mine for the queries of `qrels`. Texts are the ids, unless given; docs that a query does not score have 0."""
    texts, tenants = texts or {}, tenants or {}
    ids = sorted({doc_id for row in scores.values() for doc_id in row})
    docs = [Doc(i, texts.get(i, f"passage {i}"), metadata={"tenant": tenants.get(i, "")}) for i in ids]
    asked = [*scores, *(dev or {})]
    queries = {
        i: Query(i, texts.get(i, f"query {i}"), {"filter": {"tenant": tenants[i]}} if i in tenants else {})
        for i in asked
    }
    data = Dataset(docs, queries, {"train": qrels, "dev": dev or {}})
    query_ids = mined_queries(data)
    rows = one_row_a_text(docs)
    row_of = {doc.doc_id: int(row) for doc, row in zip(docs, rows, strict=True)}
    by_text = {queries[i].text: i for i in scores}
    of_text = {doc.full_text: doc.doc_id for doc in docs}

    def table(asked: list[str], passages: list[str]) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
        pairs = zip(asked, passages, strict=True)
        return np.array([(rescore or {})[by_text[query]].get(of_text[text], 0.0) for query, text in pairs], np.float32)

    ground = lay_out(
        data,
        query_ids,
        docs=docs,
        stands_for=rows,
        stored=(np.array([[scores[q].get(i, 0.0) for q in query_ids] for i in ids], np.float32), tuple(ids)),
        query_vectors=np.eye(len(query_ids), dtype=np.float32),
        kept_out=kept_out,
        rescore=table if rescore else None,  # type: ignore[arg-type]
        options=options,
    )
    known = gather_known(data, query_ids, row_of, near=options.near)
    return mine_ground(ground, known, train=qrels, kept_out=len(kept_out) / len(docs), talk=Silent())


@pytest.fixture
def mine() -> Mine:
    return mine_table
