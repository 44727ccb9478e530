"""Simulated users of a search engine over a real set: what they see, examine and click, as UBI logs it.

The settings stand here, and were written down before the first comparison was run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lexitune.fingerprint import hash_text
from lexitune.search.bm25 import BM25
from lexitune.types import Dataset

__all__ = ["EXAMINATION", "World", "make_world", "simulate", "write_log"]

DEPTH, KEPT = 10, 12  # results on a page; passages that a ranker has, so that a swap can bring one in
SETTINGS = ((1.5, 0.75), (0.9, 0.4))  # k1 and b of BM25, one after the other in time
SWAPPED = 0.05  # chance that two neighbours of a page change places
EXAMINATION = np.array([1.0, 0.76, 0.61, 0.5, 0.42, 0.36, 0.31, 0.27, 0.24, 0.21])  # of ranks 1 to 10
RIGHT = 0.7  # chance of a click on a right passage that is examined
WRONG = (0.03, 0.25)  # on another one: the least, and what is added by how well it looks, squared
STOPS = 0.8  # a cascade user goes no further after a click on a right passage with this chance, on another with
STOPS_WRONG = 0.2  # this one
ZIPF = 0.8  # a query's frequency is 1 / place ** ZIPF
DAYS = 90
BLOCK = 200_000  # searches simulated at a time

Whole = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class World:
    """What is true.

    Attributes:
        queries: Texts, by frequency.
        docs: int64 [settings, queries, KEPT] rows of docs, best first; -1 where BM25 finds no more.
        attraction: float64 [settings, queries, KEPT] chance of a click once examined.
        right: bool, likewise: whether the passage is right by the set's judgements.
    """

    query_ids: list[str]
    queries: list[str]
    doc_ids: list[str]
    docs: Whole
    attraction: Floats
    right: Flags
    chance: Floats


def make_world(data: Dataset, *, most: int, seed: int) -> World:
    """Rankings and truths of the train queries of a set."""
    judged = data.qrels["train"]
    order = np.random.default_rng(seed).permutation(len(judged))[:most]
    query_ids = [list(judged)[place] for place in order]
    texts = [data.queries[query_id].text for query_id in query_ids]
    doc_ids = [doc.doc_id for doc in data.docs]
    rankers = [BM25.build(data.docs, k1=k1, b=b) for k1, b in SETTINGS]
    docs = np.stack([ranker.search(texts, query_ids=query_ids, k=KEPT).index for ranker in rankers]).astype(np.int64)
    right = np.zeros(docs.shape, bool)
    looks = np.zeros(docs.shape)
    for row, query_id in enumerate(query_ids):
        for place in np.ndindex(docs.shape[0], docs.shape[2]):
            doc = docs[place[0], row, place[1]]
            if doc >= 0:
                grade = judged[query_id].get(doc_ids[doc], 0)
                right[place[0], row, place[1]] = grade > 0
                looks[place[0], row, place[1]] = int(hash_text(f"{query_id} {doc_ids[doc]}")[:8], 16) / 2**32
    attraction = np.where(right, RIGHT, WRONG[0] + WRONG[1] * looks**2)
    chance = np.arange(1, len(query_ids) + 1) ** -ZIPF
    return World(query_ids, texts, doc_ids, docs, attraction, right, chance / chance.sum())


@dataclass(frozen=True, eq=False)
class Searches:
    """A block of searches: query and time of each, rows of docs as shown, and which were clicked."""

    query: Whole
    second: Whole
    shown: Whole
    clicked: Flags


def simulate(world: World, searches: int, *, seed: int, kind: str = "position") -> Iterator[Searches]:
    """What users do, block by block.

    Args:
        kind: "position": each rank is examined by its own chance. "cascade": from the top down, until satisfied.
    """
    random = np.random.default_rng(seed)
    for start in range(0, searches, BLOCK):
        count = min(BLOCK, searches - start)
        query = random.choice(len(world.chance), count, p=world.chance)
        second = np.sort(random.integers(0, DAYS * 86_400, count))
        setting = (second >= DAYS * 43_200).astype(int)
        place = np.tile(np.arange(KEPT), (count, 1))
        for rank in range(KEPT - 1):
            swapped = random.random(count) < SWAPPED
            place[swapped, rank], place[swapped, rank + 1] = place[swapped, rank + 1], place[swapped, rank]
        place = place[:, :DEPTH]
        at = setting[:, None], query[:, None], place
        shown, attraction, right = world.docs[at], world.attraction[at], world.right[at]
        if kind == "position":
            clicked = random.random(shown.shape) < EXAMINATION * attraction
        else:
            clicked = _cascade(attraction, right, random)
        yield Searches(query, second, shown, clicked & (shown >= 0))


def _cascade(
    attraction: NDArray[np.float64], right: NDArray[np.bool_], random: np.random.Generator
) -> NDArray[np.bool_]:
    clicked = random.random(attraction.shape) < attraction
    stops = clicked & (random.random(attraction.shape) < np.where(right, STOPS, STOPS_WRONG))
    before: Whole = np.cumsum(stops, axis=1) - stops
    found: Flags = clicked & (before == 0)
    return found


@dataclass(frozen=True)
class Written:
    """A log as files, and what is in it."""

    paths: tuple[Path, Path]
    searches: int
    events: int


def write_log(
    world: World, blocks: Iterator[Searches], folder: Path, *, most_events: int, impressions: bool = False
) -> Written:
    """Queries and events as NDJSON, until so many events are written.

    Args:
        impressions: What was shown is an event each, instead of a list with the query.
    """
    import duckdb

    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / "ubi_queries.ndjson", folder / "ubi_events.ndjson"
    for path in paths:
        path.write_bytes(b"")
    events = searches = 0
    sqls = (QUERY_ROWS, f"{IMPRESSION_ROWS} UNION ALL {CLICK_ROWS}") if impressions else (LISTED_ROWS, CLICK_ROWS)
    with duckdb.connect() as database:
        while events < most_events and (block := next(blocks, None)) is not None:
            shown = (block.shown >= 0).sum(axis=1) if impressions else 0
            reached = np.cumsum(block.clicked.sum(axis=1) + shown) + events
            last = min(int(np.searchsorted(reached, most_events)) + 1, len(reached))  # searches that are needed
            for name, table in zip(("queries", "clicks"), _tables(world, block, last, first=searches), strict=True):
                database.register(name, table)
            for path, sql in zip(paths, sqls, strict=True):
                part = folder / "part.json"
                database.execute(f"COPY ({sql}) TO '{part}' (FORMAT json)")
                with path.open("ab") as whole:
                    whole.write(part.read_bytes())
            events, searches = int(reached[last - 1]), searches + last
    return Written(paths, searches, events)


TIME = "strftime(TIMESTAMP '2026-01-01' + to_seconds(second), '%Y-%m-%dT%H:%M:%SZ') AS timestamp"
ATTRIBUTES = "{'object': {'object_id': doc}, 'position': {'ordinal': ordinal}} AS event_attributes"
LISTED_ROWS = f"SELECT * EXCLUDE (second), 'simulated' AS application, {TIME} FROM queries"
CLICK_ROWS = f"SELECT 'click' AS action_name, query_id, 'simulated' AS application, {TIME}, {ATTRIBUTES} FROM clicks"
QUERY_ROWS = f"SELECT query_id, user_query, client_id, 'simulated' AS application, {TIME} FROM queries"
IMPRESSION_ROWS = f"""
    SELECT 'impression' AS action_name, query_id, 'simulated' AS application, {TIME}, {ATTRIBUTES} FROM (
        SELECT query_id, second, unnest(query_response_hit_ids) AS doc,
            unnest(range(1, len(query_response_hit_ids) + 1)) AS ordinal FROM queries)"""


def _tables(world: World, block: Searches, last: int, *, first: int) -> tuple[pa.Table, pa.Table]:
    """The first searches of a block, and their clicks."""
    docs, shown = pa.array(world.doc_ids), block.shown[:last]
    ids = pa.array([f"s{number}" for number in range(first, first + last)])
    ends = np.concatenate([[0], np.cumsum((shown >= 0).sum(axis=1))]).astype(np.int32)
    client = block.query[:last] * 7919 + block.second[:last] % 1000  # hardly anybody searches twice
    queries = {
        "query_id": ids,
        "user_query": pa.array(world.queries).take(pa.array(block.query[:last])),
        "client_id": pa.array(client).cast(pa.string()),
        "second": pa.array(block.second[:last]),
        "query_response_hit_ids": pa.ListArray.from_arrays(ends, docs.take(pa.array(shown[shown >= 0]))),
    }
    rows, ranks = np.nonzero(block.clicked[:last])
    clicks = {
        "query_id": ids.take(pa.array(rows)),
        "second": pa.array(block.second[rows] + 3 + ranks),
        "doc": docs.take(pa.array(shown[rows, ranks])),
        "ordinal": pa.array(ranks + 1),
    }
    return pa.table(queries), pa.table(clicks)
