"""Small logs for tests, as UBI writes them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lexitune.io.quarantine import Quarantine
from lexitune.sources.clicks.log import Log, read_votes
from lexitune.sources.clicks.options import LogsOptions

START = 1_767_225_600  # 2026-01-01T00:00:00Z

Row = Mapping[str, Any]


def moment(minutes: float) -> str:
    """ISO 8601, so many minutes after the start of 2026."""
    hours, rest = divmod(round(minutes * 60), 3600)
    return f"2026-01-{1 + hours // 24:02}T{hours % 24:02}:{rest // 60:02}:{rest % 60:02}Z"


def search(name: str, text: str, *, shown: Sequence[object] = (), minutes: float = 0, **more: Any) -> Row:
    return {
        "query_id": name,
        "user_query": text,
        "client_id": f"client of {name}",
        "timestamp": moment(minutes),
        "query_response_hit_ids": list(shown),
        **more,
    }


def click(name: str, doc: object, *, place: object = None, minutes: float = 1, **more: Any) -> Row:
    position = {} if place is None else {"ordinal": place}
    return {
        "action_name": "click",
        "query_id": name,
        "timestamp": moment(minutes),
        "event_attributes": {"object": {"object_id": doc}, "position": position},
        **more,
    }


def write(path: Path, rows: Sequence[Row]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def read(folder: Path, searches: Sequence[Row], events: Sequence[Row], **options: Any) -> Log:
    """Both files through everything but the judging."""
    corpus = options.pop("corpus", None)
    paths = [write(folder / "queries.ndjson", searches), *([write(folder / "events.ndjson", events)] if events else [])]
    return read_votes(
        paths, folder=folder / "work", options=LogsOptions(**options), corpus=corpus, quarantine=Quarantine()
    )


def table(log: Log) -> dict[tuple[str, str, int], tuple[int, int]]:
    """(text, passage, rank) -> sessions that were shown it, and that clicked it."""
    counts, votes = log.votes.counts, log.votes
    rows = zip(counts.pair.tolist(), counts.rank.tolist(), counts.shown.tolist(), counts.clicked.tolist(), strict=True)
    return {
        (log.words[int(votes.text[pair])], votes.doc_ids[int(votes.doc[pair])], rank): (shown, clicked)
        for pair, rank, shown, clicked in rows
    }


def left_out(log: Log) -> dict[str, int]:
    return {reason: count for _, reason, count in log.left_out}
