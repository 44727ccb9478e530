"""Mining against `sentence_transformers.util.mine_hard_negatives`.

python -m benchmarks.mine                     search and filter alone, both given the same vectors
python -m benchmarks.mine --cold              encode, search and filter, beside encoding alone in the same run
python -m benchmarks.mine --known-positives   known right passages among the negatives, on all nine sets: 0
python -m benchmarks.mine --stale             one weight changed, the same cache folder: what is used again

The races are under the peer's rule: the query's own right passages, relative margin 0.05, the four best of the window.
The peer's window counts right passages and makes room for as many as any query has. What passes the margin stands below
all right passages of its query, so that window is our rank plus their number.
"""

from __future__ import annotations

import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import SETS, Race, Side, Work, arguments, hardware, minilm_folder, race, real_set, show
from lexitune.stages.mine.ground import lay_out, one_row_a_text
from lexitune.stages.mine.known import gather_known, mined_queries
from lexitune.stages.mine.mining import Mined, mine, mine_ground
from lexitune.stages.mine.options import MineOptions
from lexitune.text.near import near_pairs
from lexitune.types import Dataset, Query, SealedQrels, Silent

RANGE, COUNT = 100, 4
WHOLE = 10**9
Matrix = NDArray[np.float32]
Negatives = Mapping[str, Sequence[str]]  # query text -> passage texts, best rank first


def main() -> None:
    """Run what the arguments ask for."""
    parser = arguments("Mining against sentence-transformers' mine_hard_negatives")
    parser.add_argument("--set", default="tldr", choices=SETS, help="retrieval set (default tldr)")
    parser.add_argument("--queries", type=int, default=WHOLE, help="most train queries")
    parser.add_argument("--docs", type=int, default=WHOLE, help="most passages; those that are right for a query stay")
    parser.add_argument("--cold", action="store_true", help="encode, search and filter")
    parser.add_argument("--known-positives", action="store_true", help="count right passages among the negatives")
    parser.add_argument("--stale", action="store_true", help="mine again after one weight was changed")
    given = parser.parse_args()
    bounds = {"queries": given.queries, "docs": given.docs}
    if given.known_positives:
        found = {name: known_positives(name, **bounds) for name in SETS}
        total = sum(row["known_positives"] for row in found.values())
        show({"known_positives": total, "sets": found, "hardware": hardware(given.threads)}, as_json=given.json)
        sys.exit(int(total > 0))
    if given.stale:
        found = stale(given.set, queries=min(given.queries, 200), docs=min(given.docs, 400))
        show({**found, "hardware": hardware(given.threads)}, as_json=given.json)
        sys.exit(int(found["ours"]["stale"]))
    rounds = {"rounds": given.rounds, "threads": given.threads}
    found = cold(given.set, bounds, rounds) if given.cold else search_alone(given.set, bounds, rounds)
    show({**found, "hardware": hardware(given.threads)}, as_json=given.json)


def search_alone(name: str, bounds: Mapping[str, int], rounds: Mapping[str, Any]) -> dict[str, Any]:
    """Both sides mine the same vectors, which the model made beforehand."""
    data = cut(name, **bounds)
    with tempfile.TemporaryDirectory() as folder:
        model = load_ours()
        np.save(f"{folder}/docs.npy", model.encode_docs([doc.full_text for doc in data.docs]))
        np.save(f"{folder}/queries.npy", model.encode_queries([query.text for query in data.queries.values()]))
        given = {"name": name, "folder": folder, **bounds}
        laps = race(Side(make_ours, given), Side(make_peer, given), **rounds)
    return {**laps.to_json(), **described(data), "agreement": agreement(data, laps)}


def cold(name: str, bounds: Mapping[str, int], rounds: Mapping[str, Any]) -> dict[str, Any]:
    """Both sides encode in fp32, search and filter; encoding alone is raced in the same run."""
    data, given = cut(name, **bounds), {"name": name, "folder": "", **bounds}
    encoding = race(Side(encode_ours, given), Side(encode_peer, given), **rounds).to_json()
    laps = race(Side(make_ours, given), Side(make_peer, given), **rounds)
    found = laps.to_json()
    share = found["ratio"]["median"] / encoding["ratio"]["median"]
    return {
        **found,
        "encode_ratio": encoding["ratio"],
        "share_of_encode_ratio": share,
        **described(data),
        "agreement": agreement(data, laps),
    }


def described(data: Dataset) -> dict[str, Any]:
    """What was mined."""
    return {"queries": len(data.queries), "docs": len(data.docs), "precision": "fp32"}


def cut(name: str, *, queries: int = WHOLE, docs: int = WHOLE) -> Dataset:
    """The first train queries of a set and its first passages, each text once: the peer knows no ids."""
    data = real_set(name)
    of_text = {doc.full_text: doc for doc in reversed(data.docs)}
    by_id = {doc.doc_id: of_text[doc.full_text].doc_id for doc in data.docs}
    asked: dict[str, Query] = {}
    train: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for query_id in mined_queries(data)[:queries]:
        query = asked.setdefault(data.queries[query_id].text, data.queries[query_id])
        grades = data.qrels["train"][query_id]
        train[query.query_id].update({by_id[doc_id]: grade for doc_id, grade in grades.items() if grade > 0})
    wanted = {doc_id for grades in train.values() for doc_id in grades}
    kept = sorted(
        {doc.doc_id: doc for doc in of_text.values()}.values(), key=lambda d: (d.doc_id not in wanted, d.doc_id)
    )
    chosen = {query.query_id: query for query in asked.values()}
    return Dataset(kept[: max(docs, len(wanted))], chosen, {"train": dict(train), "dev": {}})


def rule(data: Dataset) -> MineOptions:
    """The peer's rule: its window, and none of the guards that it lacks."""
    return MineOptions(count=COUNT, last=RANGE + most_positives(data), near=1.0, keep_out="none")


def most_positives(data: Dataset) -> int:
    """Right passages of the query that has most."""
    return max(map(len, data.qrels["train"].values()))


def load_ours() -> Any:
    """Our embedder of the stock model, in fp32."""
    from lexitune.models.load import load
    from lexitune.models.options import ModelOptions

    return load(str(minilm_folder()), options=ModelOptions(precision="fp32"))


def load_peer() -> Any:
    """The peer's, of the same folder."""
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(minilm_folder()), local_files_only=True)


def make_ours(*, name: str, folder: str, queries: int, docs: int) -> Work:
    """Ours, from vectors in `folder`, or from texts where there is none. Gives (query id, passage id, rank) lists."""
    data = cut(name, queries=queries, docs=docs)
    options = rule(data)
    if folder:
        vectors = np.load(f"{folder}/docs.npy"), np.load(f"{folder}/queries.npy")
        return lambda: plain(mine_vectors(data, *vectors, options=options))
    model = load_ours()

    def work() -> Any:
        with tempfile.TemporaryDirectory() as cache:
            return plain(mine(data, model=model, vectors=Path(cache), options=options))

    return work


def mine_vectors(data: Dataset, docs: Matrix, queries: Matrix, *, options: MineOptions) -> Mined:
    """What `mine` does once it has vectors."""
    query_ids = mined_queries(data)
    stands_for = one_row_a_text(data.docs)
    row_of = {doc.doc_id: int(row) for doc, row in zip(data.docs, stands_for, strict=True)}
    known = gather_known(data, query_ids, row_of, near=options.near)
    ground = lay_out(
        data,
        query_ids,
        docs=data.docs,
        stands_for=stands_for,
        stored=(docs, tuple(row_of)),
        query_vectors=queries,
        kept_out=(),
        options=options,
    )
    return mine_ground(ground, known, train=data.qrels["train"], kept_out=0.0, talk=Silent())


def plain(found: Mined) -> list[tuple[str, tuple[str, ...], list[int]]]:
    """Each query's id, negatives and their ranks."""
    ends = np.searchsorted(found.negatives.query, np.arange(len(found.queries) + 1))
    ranks = found.negatives.rank.tolist()
    return [
        (example.query_id, tuple(example.negatives), ranks[ends[row] : ends[row + 1]])
        for row, example in enumerate(found.examples())
    ]


def make_peer(*, name: str, folder: str, queries: int, docs: int) -> Work:
    """The peer's miner, its encoding replaced by the vectors in `folder` where there is one. Gives its own table."""
    from datasets.utils.logging import disable_progress_bar
    from sentence_transformers.util import mine_hard_negatives

    disable_progress_bar()
    data = cut(name, queries=queries, docs=docs)
    model = load_peer()
    if folder:
        passages, asked = np.load(f"{folder}/docs.npy"), np.load(f"{folder}/queries.npy")
        model.encode_document = lambda texts, **_: passages[: len(texts)]
        model.encode_query = lambda texts, **_: asked[: len(texts)]
    table = peer_table(data)
    return lambda: mine_hard_negatives(
        table,
        model,
        corpus=[doc.full_text for doc in data.docs],
        range_max=RANGE,
        relative_margin=0.05,
        num_negatives=COUNT,
        sampling_strategy="top",
        output_format="triplet",
        verbose=False,
    )


def peer_table(data: Dataset) -> Any:
    """The peer's input: a row for each query and right passage, as texts."""
    from datasets import Dataset as Table

    texts = {doc.doc_id: doc.full_text for doc in data.docs}
    pairs = [(data.queries[q].text, texts[d]) for q, grades in data.qrels["train"].items() for d in grades]
    return Table.from_dict({"query": [q for q, _ in pairs], "passage": [d for _, d in pairs]})


def encode_ours(*, name: str, folder: str, queries: int, docs: int) -> Work:
    """Queries and passages to vectors, as `mine` encodes them."""
    from lexitune.models.corpus import encode_corpus

    data, model = cut(name, queries=queries, docs=docs), load_ours()

    def work() -> None:
        with tempfile.TemporaryDirectory() as cache:
            encode_corpus(model, data.docs, Path(cache))
            model.encode_queries([query.text for query in data.queries.values()])

    return work


def encode_peer(*, name: str, folder: str, queries: int, docs: int) -> Work:
    """Queries and passages to vectors, as the peer's miner encodes them."""
    data, model = cut(name, queries=queries, docs=docs), load_peer()
    how = {"batch_size": 32, "normalize_embeddings": True, "convert_to_numpy": True}

    def work() -> None:
        model.encode_document([doc.full_text for doc in data.docs], **how)
        model.encode_query([query.text for query in data.queries.values()], **how)

    return work


def agreement(data: Dataset, laps: Race) -> float:
    """Share of queries whose negatives are equal, passage by passage, in the same order.

    Passages of the same tokens ("ls -R" and "ls -r") have one vector and so one score: which of them is taken is a
    matter of ties, for which the peer has no rule.
    """
    tokens = load_ours().tokenise_docs([doc.full_text for doc in data.docs])
    kind = [tokens.ids[start:end].tobytes() for start, end in pairwise(tokens.offsets.tolist())]
    of_id = {doc.doc_id: number for doc, number in zip(data.docs, kind, strict=True)}
    of_text = {doc.full_text: number for doc, number in zip(data.docs, kind, strict=True)}
    last = RANGE + most_positives(data)
    theirs: defaultdict[str, dict[str, None]] = defaultdict(dict)  # a row for each right passage and negative
    for query, negative in zip(*(laps.peer[-1].value[name] for name in ("query", "negative")), strict=True):
        theirs[query][negative] = None
    equal = 0
    for query_id, negatives, ranks in laps.ours[-1].value:
        room = last - len(data.qrels["train"][query_id])
        ours = [of_id[doc_id] for doc_id, rank in zip(negatives, ranks, strict=True) if rank <= room]
        equal += ours == [of_text[text] for text in theirs.get(data.queries[query_id].text, ())]
    return equal / len(data.queries)


def known_positives(name: str, *, queries: int, docs: int) -> dict[str, Any]:
    """Mine a set with every guard, and look each negative up among all judgements, test included, by id and by text.

    Known right is what is judged so for the query or, by text, for a query that is nearly the same; and, as long as
    they are kept out, whatever is right for any dev or test query.
    """
    data = bounded(real_set(name), queries=queries, docs=docs)
    assert data.test is not None
    assert data.test.judgements is not None
    splits = {**data.qrels, "test": data.test.judgements}
    text = {doc.doc_id: doc.full_text for doc in data.docs}
    right: defaultdict[str, set[str]] = defaultdict(set)
    for split in ("train", "dev"):
        for query_id, grades in splits[split].items():
            right[query_id] |= {text[doc_id] for doc_id, grade in grades.items() if grade > 0}
    ids = list(right)
    pairs = near_pairs([data.queries[query_id].text for query_id in ids])
    shared = {query_id: set(texts) for query_id, texts in right.items()}
    for left, other in pairs.tolist():
        shared[ids[left]] |= right[ids[other]]
        shared[ids[other]] |= right[ids[left]]
    held = {text[d] for s in ("dev", "test") for g in splits[s].values() for d, grade in g.items() if grade > 0}
    from lexitune.models.load import load

    with tempfile.TemporaryDirectory() as cache:
        folder, model = Path(cache), load(str(minilm_folder()))
        out = mine(data, model=model, vectors=folder, openings=folder / "openings.jsonl")
        everything = mine(data, model=model, vectors=folder, options=MineOptions(keep_out="none"))
    found = [(e.query_id, text[d]) for e in out.examples() for d in e.negatives]
    open_found = [(e.query_id, text[d]) for e in everything.examples() for d in e.negatives]
    wrong = sum(t in shared[q] or t in held for q, t in found) + sum(t in shared[q] for q, t in open_found)
    return {
        "known_positives": wrong,
        "queries": len(out.queries),
        "negatives": len(found),
        "negatives_keep_out_none": len(open_found),
        "kept_out": round(out.kept_out, 3),
        "without": out.summary()["without"],
        "false_negatives": str(everything.false_negatives),
    }


def bounded(data: Dataset, *, queries: int, docs: int) -> Dataset:
    """The first train queries and passages; judgements of passages that are cut off go, in every split."""
    assert data.test is not None
    train = {query_id: data.qrels["train"][query_id] for query_id in mined_queries(data)[:queries]}
    wanted = {doc_id for grades in train.values() for doc_id in grades}
    kept = sorted(data.docs, key=lambda doc: doc.doc_id not in wanted)[: max(docs, len(wanted))]
    ids = {doc.doc_id for doc in kept}

    def cut_off(qrels: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
        rows = {q: {d: grade for d, grade in grades.items() if d in ids} for q, grades in qrels.items()}
        return {query_id: grades for query_id, grades in rows.items() if grades}

    test = cut_off(data.test.judgements or {})
    sealed = SealedQrels(None, len(test), test)
    return replace(data, docs=kept, qrels={"train": train, "dev": cut_off(data.qrels["dev"])}, test=sealed)


def stale(name: str, *, queries: int, docs: int) -> dict[str, Any]:
    """Each side mines, one weight is changed by 1, and it mines again with the same cache folder.

    Stale is: its scores are those of before, although a run without the cache finds others.
    """
    import torch
    from sentence_transformers.util import mine_hard_negatives

    data = cut(name, queries=queries, docs=docs)
    table = peer_table(data)
    ours, theirs = load_ours(), load_peer()

    def our_scores(cache: str) -> list[float]:
        scores: list[float] = mine(data, model=ours, vectors=Path(cache), options=rule(data)).negatives.score.tolist()
        return scores

    def peer_scores(cache: str) -> list[float]:
        found = mine_hard_negatives(
            table,
            theirs,
            cache_folder=cache,
            num_negatives=1,
            output_format="labeled-pair",
            output_scores=True,
            verbose=False,
        )
        return list(found["score"])

    result = {}
    for side, scores, network in (("ours", our_scores, ours.model), ("peer", peer_scores, theirs)):
        with tempfile.TemporaryDirectory() as cache, tempfile.TemporaryDirectory() as fresh:
            before = scores(cache)
            with torch.no_grad():
                next(w for key, w in network.named_parameters() if key.endswith("LayerNorm.weight"))[0] += 1.0
            after, without = scores(cache), scores(fresh)
        result[side] = {"stale": after == before != without, "equals_a_fresh_run": after == without}
    return {**result, "weights_changed": 1}


if __name__ == "__main__":
    main()
