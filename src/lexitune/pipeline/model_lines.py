"""A model's record for a person, in 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lexitune.pipeline.model_record import CHANGED, INTACT, ModelRecord
from lexitune.stages.promote.switch import Event

__all__ = ["gain_text", "record_lines"]

WIDTH, LABEL = 79, 12


def gain_text(gain: Mapping[str, Any]) -> str:
    """A gain on test with its interval, as the table of evaluate has it.

    Example:
        >>> gain_text({"measure": "R@10", "mean": 0.047, "low": 0.023, "high": 0.071, "n": 978})
        'R@10 +4.7 points [+2.3, +7.1], n=978'
    """
    mean, low, high = (f"{100 * gain[part]:+.1f}" for part in ("mean", "low", "high"))
    return f"{gain['measure']} {mean} points [{low}, {high}], n={gain['n']:,}"


def record_lines(found: ModelRecord) -> list[str]:
    """Everything that is on record, a label before each kind of it."""
    lines: list[str] = []
    for label, texts in _rows(found):
        for number, text in enumerate(texts):
            lines += textwrap.wrap(
                text,
                WIDTH,
                initial_indent=f"{'' if number else label:<{LABEL}}",
                subsequent_indent=" " * LABEL,
                break_long_words=False,
                break_on_hyphens=False,
            )
    return lines


def _rows(found: ModelRecord) -> Iterator[tuple[str, Sequence[str]]]:
    entry = found.entry
    yield "model", [f"models/{entry.model_id}" + f": {', '.join(entry.uses)}" * bool(entry.uses)]
    yield "files", [_files(found)]
    cost = f", £{found.pounds:.2f}" * bool(found.pounds)
    when = entry.trained_at[:16].replace("T", " ")
    yield "trained", [f"{when} UTC, recipe {entry.recipe}, seed {found.seed}, {found.seconds / 60:.1f} minutes{cost}"]
    yield "from", [_base(found)]
    if found.licence:
        yield "licence", [found.licence]
    yield "learnt from", list(_learnt(found))
    yield "data", list(_data(found))
    yield "options", [", ".join(f"{name} {value}" for name, value in found.options.items())]
    if found.share is not None:
        yield "weights", [_weights(found.share)]
    if found.dev:
        dev = found.dev
        yield "dev", [f"{dev['measure']} {dev['tuned']:.3f}, stock {dev['stock']:.3f}, on {dev['queries']:,} queries"]
    yield "test", [gain_text(entry.gain) if entry.gain else "not evaluated"]
    yield "gate", [entry.verdict or "not asked", *found.reasons]
    yield "vectors", [", ".join([*entry.vectors, *(f"index {one} in a store" for one in entry.indexes)]) or "none"]
    yield "history", [_told(event, f"models/{entry.model_id}") for event in found.events] or ["it never served"]
    yield "versions", [", ".join(f"{name} {number}" for name, number in found.versions.items())]
    yield "fingerprint", [found.fingerprint]


def _files(found: ModelRecord) -> str:
    if found.state == INTACT:
        return "intact" + (": weights and tokenizer have the hashes of then" if found.checked == "weights" else "")
    if found.state == CHANGED:
        return f"CHANGED since it was trained: {', '.join(found.changed)}"
    return f"not known whether they are what training left: {', '.join(found.changed)}"


def _base(found: ModelRecord) -> str:
    base = found.base
    source = f" ({base['source']})" if base.get("source", "") not in ("", base.get("name")) else ""
    revision = f", revision {base['revision']}" if base.get("revision") else ""
    return f"{base.get('name', 'not known')}{source}{revision}, fingerprint {base.get('fingerprint', 'not known')}"


def _learnt(found: ModelRecord) -> Iterator[str]:
    counts = found.counts
    names = {"pairs": "pairs", "queries": "queries", "docs": "passages", "negatives": "mined negatives"}
    yield ", ".join(f"{counts[key]:,} {name}" for key, name in names.items() if counts.get(key))
    if found.learnt is None:
        yield "which they were is not recorded: an older lexitune made it"
    elif not found.learnt:
        yield "none of it is left: the stock weights were kept"
    else:
        yield "by id: " + ", ".join(f"{count:,} {kind}" for kind, count in found.learnt.items())


def _data(found: ModelRecord) -> Iterator[str]:
    said = {True: ", the same now", False: ", OTHER DATA NOW", None: ""}
    for name, one in found.data.items():
        yield f"{name:<8}{one['hash'][:16]}  {one['file']}{said[one['same']]}"
    if found.source:
        yield f"imported from {found.source}"


def _weights(share: float) -> str:
    if share == 0:
        return "the stock model's own"
    return "as trained" if share == 1 else f"{share:g} of the trained ones, the rest stock"


def _told(event: Event, model: str) -> str:
    when = event.serves.at[:16].replace("T", " ")
    what = f"serves, after {event.before}" if event.serves.model == model else f"{event.serves} serves in its place"
    return f"{when} {event.action}: {what}" + f" ({event.reason})" * bool(event.reason)
