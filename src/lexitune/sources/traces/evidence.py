"""From answers to judgements: what several people's answers to one question say about each passage.

An answer that cites a passage says that a model found it useful; thumbs up, that a person found so too. A passage that
answers pass over time and again, though they cite others, is a candidate for a hard negative. Thumbs down say that
something went wrong, and not what: they weigh little.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lexitune.sources.traces.options import TracesOptions
from lexitune.text.near import near_matches
from lexitune.types import Judgement

__all__ = ["KINDS", "Asked", "Weighed", "weigh"]

PRAISED, CITED = 1.0, 0.5  # what a citation counts, with thumbs up and without
PASSED_WEIGHT, DISLIKED_WEIGHT = 0.2, 0.1
KINDS = ("cited", "passed", "disliked")

SILENT = "no citation and no thumbs in any answer to the question"
UNPLACED = "thumbs up, and no citation says for which passage"
SELDOM = "passed over in too few answers"
TWIN = "nearly the text of a passage that is cited"
DROPPED = "retrieved, and left out before the model saw it"


class Asked(NamedTuple):
    """One trace of a question.

    Attributes:
        voter: Whose it is.
        thumb: 1, -1 or 0.
        shown: Ids of the passages that the model saw, in their order; "" for one that does not count.
        cited: Ids of those that the answer cites.
        is_citing: Whether the answer cites anything at all: one that does not passes nothing over.
        dropped: Ids of those that were retrieved and did not reach the model.
    """

    voter: str
    thumb: int
    shown: Sequence[str]
    cited: frozenset[str]
    is_citing: bool
    dropped: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Weighed:
    """What is to be said of one question.

    Attributes:
        kinds: Of the judgements, how many of each of `KINDS`.
        refused: Pairs without a judgement, by the reason.
    """

    judgements: Sequence[Judgement]
    kinds: Counter[str]
    refused: Counter[str]


@dataclass(slots=True)
class _Vote:
    """All that one voter did with a question: it counts once, however often it was asked."""

    thumb: int
    rank: dict[str, int]
    cited: set[str]
    passed: set[str]


@dataclass(slots=True)
class _Tally:
    shown: int = 0
    rank: int = 0
    praised: int = 0
    plain: int = 0
    cited_down: int = 0
    down: int = 0
    passed: int = 0
    up: int = 0


def weigh(
    query_id: str,
    asked: Iterable[Asked],
    *,
    source: str,
    options: TracesOptions,
    text_of: Callable[[str], str] | None = None,
) -> Weighed:
    """Opinions on the passages of one question, by all its traces, in whatever order they come.

    Of n votes for a passage the weight is their sum divided by n + prior: 1 for a citation with thumbs up, 0.5 for one
    without thumbs, 0 for one with thumbs down. Never cited, and passed over by enough answers that cite others: not
    right, at most 0.2. Never cited, and retrieved for an answer with thumbs down: not right, at most 0.1.

    Args:
        text_of: The text of a passage, "" where it is not known. With it, what nearly equals a right passage is never
            called wrong: answers cite one of two copies.

    Example:
        >>> one = Asked("ann", 1, ["d1", "d2"], frozenset({"d1"}), True)
        >>> found = weigh("q1", [one], source="trace:x", options=TracesOptions())
        >>> [(judgement.doc_id, judgement.relevance, judgement.weight) for judgement in found.judgements]
        [('d1', 1, 0.5)]
    """
    asked = list(asked)
    tallies = _count(_votes(asked))
    kinds, refused = Counter[str](), Counter[str]()
    said = {doc_id: _kind(tallies[doc_id], options) for doc_id in sorted(tallies)}
    if text_of is not None:
        said |= dict.fromkeys(_twins(said, text_of), TWIN)
    right, wrong = list[Judgement](), list[Judgement]()
    for doc_id, kind in said.items():
        if kind not in KINDS:
            refused[kind] += 1
            continue
        found = _judgement(query_id, doc_id, tallies[doc_id], kind, source, options)
        (right if kind == "cited" else wrong).append(found)
        kinds[kind] += 1
    dropped = {doc_id for one in asked for doc_id in one.dropped if doc_id} - tallies.keys()
    refused[DROPPED] += len(dropped)
    if len(right) > options.most_per_query:
        right.sort(key=lambda one: (-one.weight, one.doc_id))
        refused[f"beyond the {options.most_per_query} best of the question"] += len(right) - options.most_per_query
        kinds["cited"] = options.most_per_query
        right = sorted(right[: options.most_per_query], key=lambda one: one.doc_id)
    return Weighed([*right, *wrong], kinds, +refused)


def _twins(said: Mapping[str, str], text_of: Callable[[str], str]) -> list[str]:
    """Of what would be called wrong, what nearly equals a passage that is right."""
    right = [text for doc_id, kind in said.items() if kind == "cited" and (text := text_of(doc_id))]
    wrong = [doc_id for doc_id, kind in said.items() if kind in ("passed", "disliked") and text_of(doc_id)]
    if not right or not wrong:
        return []
    return [wrong[place] for place, _ in near_matches([text_of(doc_id) for doc_id in wrong], right).tolist()]


def _votes(asked: Sequence[Asked]) -> list[_Vote]:
    by_voter: dict[str, list[Asked]] = defaultdict(list)
    for one in asked:
        by_voter[one.voter].append(one)
    return [_vote(by_voter[voter]) for voter in sorted(by_voter)]


def _vote(traces: Sequence[Asked]) -> _Vote:
    rank: dict[str, int] = {}
    cited, passed = set[str](), set[str]()
    for one in traces:
        for place, doc_id in enumerate(one.shown, 1):
            if doc_id:
                rank[doc_id] = min(rank.get(doc_id, place), place)
        cited |= one.cited & set(one.shown)
        passed |= set(one.shown) if one.is_citing else set()
    total = sum(one.thumb for one in traces)
    return _Vote((total > 0) - (total < 0), rank, cited, passed - cited)


def _count(votes: Iterable[_Vote]) -> Mapping[str, _Tally]:
    found: dict[str, _Tally] = defaultdict(_Tally)
    for vote in votes:
        for doc_id, rank in vote.rank.items():
            tally = found[doc_id]
            tally.shown += 1
            tally.rank = min(tally.rank or rank, rank)
            is_cited = doc_id in vote.cited
            tally.praised += is_cited and vote.thumb > 0
            tally.plain += is_cited and vote.thumb == 0
            tally.cited_down += is_cited and vote.thumb < 0
            tally.down += not is_cited and vote.thumb < 0
            # An answer that went wrong may have passed over what was right.
            tally.passed += doc_id in vote.passed and vote.thumb >= 0
            tally.up += vote.thumb > 0
    return found


def _kind(tally: _Tally, options: TracesOptions) -> str:
    """One of `KINDS`, or why nothing is said."""
    if tally.praised or tally.plain:
        return "cited"
    if tally.passed >= options.least_uncited and not tally.cited_down:
        return "passed"
    if tally.down or tally.cited_down:
        return "disliked"
    if tally.passed:
        return SELDOM
    return UNPLACED if tally.up else SILENT


def _judgement(query_id: str, doc_id: str, tally: _Tally, kind: str, source: str, options: TracesOptions) -> Judgement:
    if kind == "cited":
        count = tally.praised + tally.plain
        votes = count + tally.cited_down
        weight = (PRAISED * tally.praised + CITED * tally.plain) / (votes + options.prior)
        told = f"cited in {votes:,} of {tally.shown:,} answers, {tally.praised:,} with thumbs up"
        told += f", {tally.cited_down:,} with thumbs down" if tally.cited_down else ""
    elif kind == "passed":
        count, most = tally.passed, PASSED_WEIGHT
        weight = most * count / (count + options.prior)
        told = f"passed over by {count:,} of {tally.shown:,} answers that cite others, and cited by none"
    else:
        count = tally.down + tally.cited_down
        weight = DISLIKED_WEIGHT * count / (count + options.prior)
        told = f"retrieved for {count:,} of {tally.shown:,} answers with thumbs down"
        told += f", cited in {tally.cited_down:,} of them" if tally.cited_down else ""
    return Judgement(
        query_id,
        doc_id,
        int(kind == "cited"),
        source,
        weight=round(weight, 4),
        count=count,
        evidence=f"{told}; best rank {tally.rank:,}",
    )
