"""From counts to judgements: which passages are right, which were passed over, and how much each opinion weighs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lexitune.errors import UsageError
from lexitune.sources.clicks.counts import Counts, Floats, Whole
from lexitune.sources.clicks.options import LogsOptions
from lexitune.sources.clicks.propensity import Propensities, assume_curve, fit_position_model, harvest
from lexitune.sources.clicks.relevance import (
    Lift,
    click_rates,
    clicks_over_expected,
    examined_rates,
    inverse_propensity,
)
from lexitune.types import Judgement

__all__ = ["Judged", "Votes", "examine", "judge", "lift_of", "right_pairs"]

ENOUGH_PAIRS = 200  # that were shown at several ranks: fewer, and a harvest is noise
SURE = 0.5  # least share of the ranks that a harvest must reach with an interval within a factor of 1.5
SKIPPED_WEIGHT, REFORMULATED_WEIGHT, BARE_WEIGHT = 0.2, 0.3, 0.5


@dataclass(frozen=True, eq=False)
class Votes:
    """What the sessions of a log did.

    Attributes:
        counts: By query, passage and rank.
        text: Of each pair of `counts`, the number of its text; `doc` likewise.
        query_ids: Of each text; `doc_ids` of each passage.
        sessions: Of each text, how many asked it.
        skipped: Text, passage and in how many sessions it was passed over; `reformulated` likewise.
        has_shown: Whether the log tells what was shown.
    """

    counts: Counts
    text: Whole
    doc: Whole
    query_ids: Sequence[str]
    doc_ids: Sequence[str]
    sessions: Whole
    skipped: Sequence[tuple[int, int, int]]
    reformulated: Sequence[tuple[int, int, int]]
    has_shown: bool


@dataclass(frozen=True, eq=False)
class Judged:
    """Opinions of one log.

    Attributes:
        counts: How many of each kind: "clicked", "skipped", "reformulated".
        propensities: How ranks were corrected, if they were.
        notes: What the user should know about it.
    """

    judgements: Sequence[Judgement]
    counts: Mapping[str, int]
    propensities: Propensities | None
    notes: Sequence[str]


def examine(counts: Counts, options: LogsOptions) -> tuple[Propensities, list[str]]:
    """Examination of ranks, by the way that the options ask for, and what there is to say about it.

    Raises:
        UsageError: The log cannot tell what is asked for: hardly any passage was shown at two ranks.
    """
    depth = int(counts.rank.max())
    if options.examination == "curve":
        return assume_curve(depth, options.curve_power), [_curve_told(options, "as asked")]
    if options.examination == "em":
        return fit_position_model(counts, depth)[0], []
    found = harvest(counts, depth)
    reason = _too_little(found, depth)
    if not reason:
        known = np.isfinite(found.share)
        share = np.interp(np.arange(depth), np.flatnonzero(known), found.share[known])
        return Propensities(share, found.low, found.high, found.how, found.pairs), []
    if options.examination == "harvest":
        raise UsageError(
            "E2129", f"examination cannot be harvested: {reason}", fix="--examination curve, which states an assumption"
        )
    return assume_curve(depth, options.curve_power), [_curve_told(options, reason)]


def _too_little(found: Propensities, depth: int) -> str:
    """Why a harvest does not hold; "" where it does."""
    if found.pairs < ENOUGH_PAIRS:
        return f"{found.pairs:,} clicked passages were shown at two ranks or more, {ENOUGH_PAIRS} are needed"
    with np.errstate(invalid="ignore"):
        sure = np.isfinite(found.share) & (found.high < 1.5 * found.share)
    if sure.sum() < SURE * depth:
        return f"it is sure at {sure.sum()} of {depth} ranks only"
    return ""


def _curve_told(options: LogsOptions, reason: str) -> str:
    return f"examination is taken to fall as 1 / rank ** {options.curve_power:g} ({reason})"


def judge(votes: Votes, *, source: str, options: LogsOptions) -> Judged:
    """Opinions of the votes of a log.

    A passage is right where its clicks exceed what its ranks lead one to expect, with 95 % confidence. One that was
    passed over for another below, and never clicked, is a candidate for a hard negative; one that followed on a search
    said anew is weakly right. What was never shown is not judged at all.

    Raises:
        UsageError: The log cannot tell what the options ask for.
    """
    notes, propensities = list[str](), None
    if not votes.has_shown:
        if options.correction in ("position", "ips"):
            raise UsageError(
                "E2129",
                f"--correction {options.correction} needs what was shown, and the log has clicks alone",
                fix="log the ids of each search's results, or take the clicks as they are with --correction none",
            )
        notes.append(
            "the log does not tell what was shown: clicks count as they are, the bias of positions is in them, and "
            "nothing is known to have been passed over"
        )
        found = list(_bare(votes, source, options))
    else:
        lift, propensities, said = lift_of(votes.counts, options)
        notes += said
        found = list(_right(votes, lift, source, options))
    right = {(one.query_id, one.doc_id) for one in found}
    counts = {"clicked": len(found)}
    for kind, rows, relevance, weight, told in (
        ("skipped", votes.skipped, 0, SKIPPED_WEIGHT, "passed over for one below in {:,} sessions"),
        ("reformulated", votes.reformulated, 1, REFORMULATED_WEIGHT, "clicked when asked anew in {:,} sessions"),
    ):
        before = len(found)
        for text, doc, times in rows:
            query_id, doc_id = votes.query_ids[text], votes.doc_ids[doc]
            if (query_id, doc_id) not in right and votes.sessions[text] >= options.least_sessions:
                evidence = told.format(times)
                found.append(
                    Judgement(query_id, doc_id, relevance, source, weight=weight, count=times, evidence=evidence)
                )
        counts[kind] = len(found) - before
    return Judged(found, counts, propensities, notes)


def lift_of(counts: Counts, options: LogsOptions) -> tuple[Lift, Propensities | None, list[str]]:
    """How much more each pair is clicked than its ranks bring, by the correction asked for; and what it rests on.

    Raises:
        UsageError: The log cannot tell what the options ask for.
    """
    if options.correction == "coec":
        return clicks_over_expected(counts, click_rates(counts), prior=options.prior), None, []
    if options.correction == "none":
        flat = np.full(len(counts.pair), counts.clicked.sum() / counts.shown.sum())
        return clicks_over_expected(counts, flat, prior=options.prior), None, ["clicks count as they are, as asked"]
    propensities, notes = examine(counts, options)
    if options.correction == "ips":
        return inverse_propensity(counts, propensities, clip=options.clip, prior=options.prior), propensities, notes
    rates = examined_rates(counts, propensities.at(counts.rank))
    return clicks_over_expected(counts, rates, prior=options.prior), propensities, notes


def right_pairs(votes: Votes, lift: Lift, options: LogsOptions) -> list[int]:
    """The pairs that are clicked more than their ranks bring, with 95 % confidence; by query, the surest first.

    Clicks are relative (Joachims et al. 2005): a passage far below the best of its query is none, though it is clicked
    more than the average of all queries.
    """
    counts = votes.counts
    known = (counts.of_pair(counts.shown) >= options.least_shown) & (counts.of_pair(counts.clicked) > 0)
    known &= (lift.low > 1) & (votes.sessions[votes.text] >= options.least_sessions)
    best = np.zeros(len(votes.sessions))
    np.maximum.at(best, votes.text[known], lift.mean[known])
    known &= lift.mean >= options.least_of_best * best[votes.text]
    return _best_of_each(votes.text, lift.low, known, options.most_per_query)


def _right(votes: Votes, lift: Lift, source: str, options: LogsOptions) -> Iterator[Judgement]:
    shown, clicked = votes.counts.of_pair(votes.counts.shown), votes.counts.of_pair(votes.counts.clicked)
    for pair in right_pairs(votes, lift, options):
        yield Judgement(
            votes.query_ids[int(votes.text[pair])],
            votes.doc_ids[int(votes.doc[pair])],
            1,
            source,
            weight=round(float(lift.reliability[pair]), 3),
            count=int(clicked[pair]),
            evidence=f"{int(clicked[pair]):,} of {int(shown[pair]):,} sessions clicked: "
            f"{lift.mean[pair]:.2f} times what its ranks bring, at least {lift.low[pair]:.2f}",
        )


def _bare(votes: Votes, source: str, options: LogsOptions) -> Iterator[Judgement]:
    """Without what was shown: passages that several sessions clicked."""
    clicked = votes.counts.of_pair(votes.counts.clicked)
    known = (clicked >= 2) & (votes.sessions[votes.text] >= options.least_sessions)
    for pair in _best_of_each(votes.text, clicked, known, options.most_per_query):
        weight = BARE_WEIGHT * clicked[pair] / (clicked[pair] + options.prior)
        query_id, doc_id = votes.query_ids[int(votes.text[pair])], votes.doc_ids[int(votes.doc[pair])]
        told = f"{int(clicked[pair]):,} sessions clicked; what was shown is not known"
        yield Judgement(query_id, doc_id, 1, source, weight=round(weight, 3), count=int(clicked[pair]), evidence=told)


def _best_of_each(text: Whole, score: Floats, known: np.ndarray, most: int) -> list[int]:
    """Pairs that are known, of each text the `most` with the highest score, by text and then best first."""
    rows = np.flatnonzero(known)
    rows = rows[np.lexsort((rows, -score[rows], text[rows]))]
    _, start = np.unique(text[rows], return_index=True)
    place = np.arange(len(rows)) - np.repeat(start, np.diff([*start, len(rows)]))
    return [int(row) for row in rows[place < most]]
