"""What became of a log, in lines for a person."""

from __future__ import annotations

import numpy as np

from lexitune.sources.clicks.judging import Judged
from lexitune.sources.clicks.log import Log
from lexitune.sources.clicks.propensity import Propensities

__all__ = ["tell"]

SHOWN = 10  # ranks


def tell(log: Log, judged: Judged) -> list[str]:
    """One fact a line."""
    start, end = log.span
    days = f", {start} to {end}" if start else ", without times"
    lines = [f"{sum(log.rows.values()):,} rows, {log.searches:,} searches in {log.sessions:,} sessions{days}"]
    if log.loaded.events:
        kept = f"{log.kept['clicks']:,} clicks and {log.kept['impressions']:,} impressions"
        lines.append(f"{log.loaded.events:,} events, of which {kept} count")
    lines += [
        f"positions of {source} start at {first}: {log.loaded.how[source]}"
        for source, first in log.loaded.first.items()
        if first is not None
    ]
    lines += [f"left out: {count:,} {what}: {reason}" for what, reason, count in log.left_out]
    lines += [f"masked: {kind} in {count:,} texts" for kind, count in log.masked.most_common()]
    if judged.propensities is not None:
        lines.append(_ranks(judged.propensities))
    lines += judged.notes
    counts = judged.counts
    lines.append(
        f"{counts['clicked']:,} right passages for {_queries(judged):,} queries, "
        f"{counts.get('skipped', 0):,} passed over, {counts.get('reformulated', 0):,} weakly right "
        "(asked anew, then clicked)"
    )
    return lines


def _queries(judged: Judged) -> int:
    return len({one.query_id for one in judged.judgements if one.relevance})


def _ranks(found: Propensities) -> str:
    values = [
        f"{share:.2f}" if not np.isfinite(low) or low == high else f"{share:.2f} [{low:.2f}, {high:.2f}]"
        for share, low, high in zip(found.share[:SHOWN], found.low, found.high, strict=False)
    ]
    how = f"harvested from {found.pairs:,} passages shown at several ranks" if found.pairs else f"by {found.how}"
    return f"examination of ranks 1 to {len(values)}, {how}: {', '.join(values)}"
