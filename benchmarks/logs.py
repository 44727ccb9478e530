"""A large search log to judgements, against a pandas script that takes the same steps.

    python -m benchmarks.logs [--json] [--events 10000000] [--rounds 1]

The log is simulated (`benchmarks/clicks/users.py`) and written as User Behavior Insights logs it, an event for each
result that was shown and each click. Both sides read it, cut sessions, leave robots out, give one vote a session, count
by query, passage and rank, and judge by clicks over expected clicks. The peer reads JSON by pyarrow, the fastest way
that pandas has to nested rows.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import beta

from benchmarks.clicks.users import make_world, simulate, write_log
from benchmarks.harness import Side, Work, arguments, hardware, race, real_set, show
from lexitune.sources.clicks.judging import lift_of, right_pairs
from lexitune.sources.clicks.log import read_votes
from lexitune.sources.clicks.options import LogsOptions
from lexitune.text.normalise import normalise

OPTIONS = LogsOptions(most_per_query=1_000_000, least_of_best=0.0)  # the peer takes no such steps

Pairs = dict[tuple[str, str], float]  # (query, passage) -> lower bound of clicks over expected clicks


def main() -> None:
    """Race the two sides."""
    parser = arguments("A large search log to judgements")
    parser.add_argument("--events", type=int, default=10_000_000, help="rows of the log of events (default 10,000,000)")
    parser.add_argument("--set", default="tldr", help="the set that is searched (default tldr)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        world = make_world(real_set(given.set), most=2_000, seed=1)
        searches = simulate(world, given.events, seed=1)
        log = write_log(world, searches, Path(folder), most_events=given.events, impressions=True)
        paths = log.paths
        sides = [Side(make, {"queries": str(paths[0]), "events": str(paths[1])}) for make in (make_ours, make_peer)]
        megabytes = sum(path.stat().st_size for path in paths) / 1e6
        laps = race(*sides, rounds=given.rounds, warm_up=0, threads=given.threads)
    ours, peer = laps.ours[0].value, laps.peer[0].value
    apart = max((abs(ours[pair] - peer[pair]) for pair in ours.keys() & peer.keys()), default=0.0)
    agreement = {"ours": len(ours), "peer": len(peer), "both": len(ours.keys() & peer.keys()), "apart": apart}
    facts = {"events": log.events, "megabytes": round(megabytes), "agreement": agreement}
    show({**laps.to_json(), **facts, "hardware": hardware(given.threads)}, as_json=given.json)


def make_ours(*, queries: str, events: str) -> Work:
    """What `lexitune collect logs` runs."""

    def work() -> Pairs:
        with tempfile.TemporaryDirectory() as folder:
            votes = read_votes([Path(queries), Path(events)], folder=Path(folder), options=OPTIONS).votes
        lift = lift_of(votes.counts, OPTIONS)[0]
        return {
            (votes.query_ids[int(votes.text[pair])], votes.doc_ids[int(votes.doc[pair])]): float(lift.low[pair])
            for pair in right_pairs(votes, lift, OPTIONS)
        }

    return work


def make_peer(*, queries: str, events: str) -> Work:
    """The same by pandas, all in memory."""
    return lambda: by_pandas(queries, events)


def by_pandas(queries: str, events: str) -> Pairs:
    """Read, clean, count, judge."""
    import pandas as pd
    from pyarrow import json as pj

    from lexitune.io.beir import made_id

    asked = pj.read_json(queries).to_pandas()
    rows = pj.read_json(events).flatten().flatten().to_pandas()
    asked["time"], rows["time"] = (pd.to_datetime(one["timestamp"], utc=True) for one in (asked, rows))
    words = asked["user_query"].value_counts().rename_axis("text").reset_index(name="times")
    words["key"] = words["text"].map(normalise)
    shown = words.sort_values(["times", "text"]).groupby("key")["text"].last()
    asked["key"] = asked["user_query"].map(dict(zip(words["text"], words["key"], strict=True)))
    minute = asked["time"].dt.floor("min")
    busy = asked.groupby(["client_id", minute]).size()
    robots = busy[busy > OPTIONS.robot_searches].index.get_level_values(0).unique()
    asked = asked[~asked["client_id"].isin(robots)].sort_values(["client_id", "time", "query_id"])
    gap = asked.groupby("client_id")["time"].diff() > pd.Timedelta(minutes=OPTIONS.session_gap_minutes)
    asked["session"] = asked["client_id"] + "#" + gap.groupby(asked["client_id"]).cumsum().astype(str)
    columns = {"event_attributes.object.object_id": "doc", "event_attributes.position.ordinal": "rank"}
    rows = rows.rename(columns=columns)[["query_id", "action_name", "time", "doc", "rank"]]
    joined = rows.merge(asked[["query_id", "session", "key", "time"]], on="query_id", suffixes=("", "_asked"))
    late = joined["time"] - joined["time_asked"]
    is_click = joined["action_name"] == "click"
    kept = ~is_click | ((late >= pd.Timedelta(0)) & (late <= pd.Timedelta(minutes=OPTIONS.click_minutes)))
    joined, is_click = joined[kept], is_click[kept]
    pair = ["session", "key", "doc"]
    ranks = joined[~is_click].groupby(pair)["rank"].min()
    clicked = pd.MultiIndex.from_frame(joined.loc[is_click, pair]).unique()
    votes = ranks.to_frame().reset_index()
    votes["clicked"] = ranks.index.isin(clicked)
    counts = votes.groupby(["key", "doc", "rank"])["clicked"].agg(["size", "sum"]).reset_index()
    by_rank = counts.groupby("rank")[["size", "sum"]].sum()
    counts["expected"] = counts["size"] * counts["rank"].map(by_rank["sum"] / by_rank["size"])
    pairs = counts.groupby(["key", "doc"])[["size", "sum", "expected"]].sum()
    rate = (pairs["expected"] / pairs["size"]).clip(1e-6, 1 - 1e-6)
    prior = OPTIONS.prior
    pairs["low"] = beta.ppf(0.05, pairs["sum"] + prior * rate, pairs["size"] - pairs["sum"] + prior * (1 - rate)) / rate
    sessions = asked.groupby("key")["session"].nunique()
    enough = pairs.index.get_level_values("key").map(sessions >= OPTIONS.least_sessions).to_numpy(dtype=np.bool_)
    right: Any = pairs[(pairs["size"] >= OPTIONS.least_shown) & (pairs["sum"] > 0) & (pairs["low"] > 1) & enough]
    return {(made_id("q", shown[key]), doc): float(low) for (key, doc), low in right["low"].items()}


if __name__ == "__main__":
    main()
