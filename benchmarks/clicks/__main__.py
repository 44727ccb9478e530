"""Are propensities recovered, and are corrected clicks better judgements than raw ones, where the truth is known?

    python -m benchmarks.clicks [--json] [--set tldr] [--events 1000000] [--seeds 1,2,3] [--users position]

Simulated users (`benchmarks/clicks/users.py`, where the settings stand) search a real set; their log is written as User
Behavior Insights logs it, and read by what `lexitune collect logs` runs. Raw clicks are judged twice: by the same rule
without correction, and by taking as many passages as the corrected clicks took, those with the most clicks.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau

from benchmarks.clicks.users import EXAMINATION, World, make_world, simulate, write_log
from benchmarks.harness import SETS, arguments, hardware, real_set, show
from lexitune.io.beir import made_id
from lexitune.sources.clicks.judging import Votes, examine, lift_of, right_pairs
from lexitune.sources.clicks.log import read_votes
from lexitune.sources.clicks.options import LogsOptions

MODELS = ("coec", "position", "ips", "none")
FEWEST = 4  # passages of a query that were shown, for its Kendall's tau
WITHIN = 0.10


def main() -> None:
    """Run what the arguments ask for."""
    parser = arguments("Clicks of simulated users to judgements")
    parser.add_argument("--set", default="tldr", choices=SETS, help="the set they search (default tldr)")
    parser.add_argument("--queries", type=int, default=2_000, help="train queries that are asked (default 2,000)")
    parser.add_argument("--events", type=int, default=1_000_000, help="click events (default 1,000,000)")
    parser.add_argument("--seeds", default="1,2,3", help="separated by commas (default 1,2,3)")
    parser.add_argument("--users", default="position", choices=("position", "cascade"), help="how they examine a page")
    given = parser.parse_args()
    found = {}
    for seed in map(int, given.seeds.split(",")):
        found[f"seed {seed}"] = run(given.set, given.queries, given.events, seed, given.users)
        sys.stderr.write(f"seed {seed}: {found[f'seed {seed}']}\n")
    show({"users": given.users, "set": given.set, **found, "hardware": hardware(given.threads)}, as_json=given.json)
    if given.users == "position":
        sys.exit(int(not all(row["within_10_percent"] for row in found.values())))


def run(name: str, queries: int, events: int, seed: int, users: str) -> dict[str, Any]:
    """One simulated log, read and judged."""
    world = make_world(real_set(name), most=queries, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        blocks = simulate(world, 50 * events, seed=seed, kind=users)
        written = write_log(world, blocks, Path(folder), most_events=events)
        began = time.perf_counter()
        log = read_votes(written.paths, folder=Path(folder), options=LogsOptions())
        seconds = round(time.perf_counter() - began, 1)
    return {"searches": written.searches, "seconds": seconds, **compare(log.votes, world)}


def compare(votes: Votes, world: World) -> dict[str, Any]:
    """The propensities beside the true ones, and each model's judgements beside the set's."""
    found = examine(votes.counts, LogsOptions(examination="harvest"))[0]
    ratio = found.share[: len(EXAMINATION)] / EXAMINATION
    truth = truths(votes, world)
    rows: dict[str, Any] = {
        "propensities": [round(float(share), 3) for share in found.share[: len(EXAMINATION)]],
        "of_the_true_ones": [round(float(one), 3) for one in ratio],
        "within_10_percent": bool(np.all(np.abs(ratio - 1) <= WITHIN)),
    }
    for model in MODELS:
        rows[model] = judged(votes, truth, model)
    clicked = votes.counts.of_pair(votes.counts.clicked)
    for model in MODELS[:-1]:
        most = np.argsort(-clicked, kind="stable")[: rows[model]["positives"]]
        rows[model]["precision_of_as_many_by_raw_clicks"] = round(float(truth["right"][most].mean()), 4)
    rows["raw_clicks_kendall_tau"] = tau(votes, clicked, truth["attraction"])
    return rows


def truths(votes: Votes, world: World) -> dict[str, NDArray[Any]]:
    """Whether each pair of the votes is right, and its attraction."""
    row_of = {made_id("q", " ".join(text.split())): row for row, text in enumerate(world.queries)}
    known: dict[tuple[int, str], tuple[bool, float]] = {}
    for place in np.ndindex(world.docs.shape):
        if world.docs[place] >= 0:
            pair = place[1], world.doc_ids[world.docs[place]]
            known[pair] = bool(world.right[place]), float(world.attraction[place])
    found = [
        known[row_of[votes.query_ids[text]], votes.doc_ids[doc]]
        for text, doc in zip(votes.text.tolist(), votes.doc.tolist(), strict=True)
    ]
    return {"right": np.array([one[0] for one in found]), "attraction": np.array([one[1] for one in found])}


def judged(votes: Votes, truth: Mapping[str, NDArray[Any]], model: str) -> dict[str, Any]:
    """Precision and recall of what a model calls right, and how it orders the passages of a query."""
    options = LogsOptions(correction=model, most_per_query=1_000_000)
    lift = lift_of(votes.counts, options)[0]
    taken = np.zeros(len(votes.text), bool)
    taken[right_pairs(votes, lift, options)] = True
    return {
        "positives": int(taken.sum()),
        "precision": round(float(truth["right"][taken].mean()), 4),
        "recall": round(float(taken[truth["right"]].mean()), 4),
        "kendall_tau": tau(votes, lift.mean, truth["attraction"]),
    }


def tau(votes: Votes, score: NDArray[np.float64], attraction: NDArray[np.float64]) -> float:
    """Mean over queries of Kendall's tau-b between a score and the true attraction of what was shown."""
    order = np.argsort(votes.text, kind="stable")
    _, start = np.unique(votes.text[order], return_index=True)
    values = [
        kendalltau(score[rows], attraction[rows]).statistic
        for rows in np.split(order, start[1:])
        if len(rows) >= FEWEST
    ]
    return round(float(np.nanmean(values)), 4)


if __name__ == "__main__":
    main()
