"""What became of traces, in lines for a person."""

from __future__ import annotations

from lexitune.sources.traces.reading import Traces

__all__ = ["tell"]


def tell(found: Traces) -> list[str]:
    """One fact a line."""
    heard, rows = found.heard, sum(found.loaded.rows.values())
    lines = [
        f"{rows:,} records of {found.loaded.form}, {heard.traces:,} traces of {len(found.queries):,} questions, "
        f"{heard.impressions:,} passages shown",
        f"{heard.citing:,} of {heard.answers:,} answers cite a passage; {heard.thumbs[1]:,} thumbs up, "
        f"{heard.thumbs[-1]:,} down",
    ]
    if heard.zero or heard.last:
        lines.append(f"citations by number start at {found.first}")
    lines += [
        f"score '{name}' goes from {scale.least:g} to {scale.most:g}, as {count:,} of its values lie"
        for name, (scale, count) in heard.scales.items()
    ]
    lines += [f"left out: {count:,} {what}: {reason}" for what, reason, count in found.left_out]
    lines += [f"masked: {kind} in {count:,} questions" for kind, count in heard.masked.most_common()]
    lines += [f"no judgement of {count:,} pairs: {reason}" for reason, count in found.refused.most_common()]
    silent = len(found.queries) - len({one.query_id for one in found.judgements})
    if silent:
        lines.append(f"{silent:,} questions have no judgement: they are kept for experts to label")
    if found.docs:
        lines.append(f"no corpus was given: the {len(found.docs):,} passages that were retrieved stand for it")
    right = len({one.query_id for one in found.judgements if one.relevance})
    lines.append(
        f"{found.kinds['cited']:,} right passages for {right:,} questions, {found.kinds['passed']:,} passed over, "
        f"{found.kinds['disliked']:,} weakly wrong (retrieved for thumbs down)"
    )
    return lines
