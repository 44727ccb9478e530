"""The advice: what the measured figures say, why, what is missing, and how sure one can be."""

from __future__ import annotations

from dataclasses import asdict

from lexitune.metrics.statistics import Interval, detectable_gain, round_up
from lexitune.stages.assess.criteria import SHORT_TUNE, list_criteria
from lexitune.stages.assess.expected import BAND, DOUBLINGS
from lexitune.stages.assess.figures import LEAST_ASKED, LONGER, RECALL, Figures
from lexitune.stages.assess.gap import in_points, is_gain, is_shown
from lexitune.stages.assess.options import AssessOptions
from lexitune.stages.assess.reasons import (
    by_documents,
    called,
    cheaper,
    cut_off,
    headroom,
    niche,
    power,
    prompted,
    represented,
    reranked,
    supplied,
    with_interval,
)
from lexitune.types import Advice

__all__ = ["CANNOT_TELL", "NO", "TUNE", "advise"]

TUNE, NO, CANNOT_TELL = "TUNE", "NO", "CANNOT TELL"

MILESTONES = (5_000, 20_000, 50_000)  # pairs
ROOM = 0.10  # of recall, between the first ten and the first hundred: a reranker is worth a try
TOO_MANY = 10_000  # queries that nobody labels to settle one question
DEFAULT = AssessOptions()


def advise(figures: Figures, *, options: AssessOptions = DEFAULT) -> Advice:
    """Turn figures into an answer.

    Where a pilot is shown to gain, what it foretells decides: NO, when all of the band lies below the least gain, or
    what serves then cannot pass what serves without training by as much; CANNOT TELL, when the middle does not; TUNE,
    when all of the band lies above 0. NO, too, where stock leaves less than the least gain. Where that decides nothing
    the rule of thumb does: NO, when the stock model's interval lies at or above the
    threshold; TUNE, when it lies below. A short tune, where one was made, comes before all of that: TUNE, when it is
    shown to gain and passes what serves without training by the least gain; NO, when it had all pairs and is shown not
    to gain so much. NO in any case, when the words change so fast that a tuned model would soon be
    behind; and TUNE only with pairs to train on and test queries to prove it with. Everything else is CANNOT TELL, with
    what is missing.
    """
    reasons: list[str] = []
    decided: str | None = None
    missing = _missing(figures, options)
    stock = figures.systems["stock"][RECALL] if figures.systems else None
    if stock is None:
        answer = CANNOT_TELL
        reasons.append("no train or dev query has a relevant passage, so the stock model cannot be measured")
    else:
        decided, foretold = _foretold(figures, options)
        tried, done = _tried(figures, options)
        decided, foretold = tried or decided, [*done, *foretold] if tried else [*foretold, *done]
        answer, told = _against_threshold(stock, figures, options)
        if decided is not None:  # and the rule's verdict would only contradict it
            answer = decided
            told = f"stock {RECALL} {with_interval(stock)}; the rule of thumb draws its line at {options.threshold:.2f}"
        reasons += [*foretold, told]
    reasons += cheaper(figures, options, decided=decided is not None)
    reasons += reranked(figures)
    reasons += prompted(figures)
    reasons += headroom(figures)
    reasons += by_documents(figures)
    reasons += cut_off(figures)
    reasons += niche(figures, options)
    reasons += represented(figures)
    answer, reasons = _over_time(figures, options, answer, reasons)
    if missing and answer != NO:
        answer = CANNOT_TELL
        reasons = missing + reasons
    reasons += supplied(figures)
    reasons += power(figures)
    step = NEXT[answer]
    if answer == CANNOT_TELL and stock is not None and not missing and figures.short_tune is None:
        step = f"lexitune assess {SHORT_TUNE}"
    also = _also(figures, few=bool(missing))
    return Advice(answer, tuple(reasons), _evidence(figures, options), step, also)


REMEDIES = {"hybrid": "USE HYBRID", "bm25": "USE BM25", "known": "INDEX KNOWN QUERIES"}
NEXT = {TUNE: "lexitune train", NO: "lexitune status", CANNOT_TELL: "lexitune tune --anyway"}


def _foretold(figures: Figures, options: AssessOptions) -> tuple[str | None, list[str]]:
    """The answer by what a tune is expected to gain, None where that decides nothing; and what was foretold."""
    found, pilot, least = figures.expected, figures.pilot, options.least_gain
    if found is None or pilot is None:
        return None, []
    gained = pilot.lifts[-1]
    told = (
        f"a tune on {found.pairs:,} pairs is expected to gain {in_points(found.alone)} over stock (band of "
        f"{100 * BAND:.0f} %), and {in_points(found.hybrid)} beside BM25: maps trained on {pilot.pairs[-1]:,} pairs of "
        f"vectors gain {in_points(gained)}, found in {pilot.seconds:.0f} s"
    )
    asked = f"the {100 * least:g} points that are worth it (--least-gain)"
    without = f"{called(figures.best)} reaches {figures.reached:.2f} without it"
    if (room := figures.ceiling - figures.systems["stock"][RECALL].mean) < least:
        return NO, [f"stock leaves {100 * room:.1f} points of {RECALL} to gain: less than {asked}"]
    rest = _more_pairs(figures)
    if not is_gain(gained):
        return None, [f"{told}: nothing is shown, so that decides nothing", *rest]
    if found.alone.high < least:
        return NO, [f"{told}: less than {asked}"]
    if figures.after(found.alone.high, found.hybrid.high) < figures.reached + least:
        return NO, [f"{told}; {without}, and it is not expected to pass that by {asked}"]
    if figures.after(found.alone.mean, found.hybrid.mean) < figures.reached + least:
        return CANNOT_TELL, [f"{told}; {without}, and it may not pass that by {asked}", *rest]
    if found.alone.low <= 0:
        return None, [f"{told}: too unsure to decide anything", *rest]
    return TUNE, [told, *rest]


def _tried(figures: Figures, options: AssessOptions) -> tuple[str | None, list[str]]:
    """The answer by what a short tune gained, None where that decides nothing; and what it gained."""
    found, least = figures.short_tune, options.least_gain
    if found is None:
        return None, []
    among = "all" if found.docs == found.corpus else f"{found.docs:,} of {found.corpus:,}"
    told = (
        f"a tune on {found.pairs:,} of {found.of:,} pairs, done in {found.minutes:.1f} minutes, gains "
        f"{in_points(found.lift)} over stock and {in_points(found.hybrid_lift)} beside BM25, on {found.lift.n} dev "
        f"queries among {among} passages"
    )
    passes = figures.after(found.lift.mean, found.hybrid_lift.mean) >= figures.reached + least
    if found.lift.low > 0 and passes:
        return TUNE, [told]
    if found.pairs == found.of and found.lift.high < least:
        return NO, [f"{told}: less than the {100 * least:g} points that are worth it (--least-gain)"]
    return None, [f"{told}: that decides nothing"]


def _more_pairs(figures: Figures) -> list[str]:
    """What more pairs would buy: those at hand beyond what was foretold, or those still to be collected."""
    found, ceiling = figures.expected, figures.ceiling - figures.systems["stock"][RECALL].mean
    assert found is not None
    if not found.doubling:
        return ["the map is not shown to gain more by more pairs"]
    most = 2**DOUBLINGS * found.pairs
    counts = sorted({count for count in (figures.pairs, *MILESTONES) if found.pairs < count <= most})
    shown = ", ".join(f"about {100 * min(found.at(count), ceiling):+.0f} with {count:,}" for count in counts)
    told = f"each doubling of the pairs adds {100 * found.doubling:.1f} points by the map's own curve"
    return [f"{told}: {shown}, by extrapolation" if shown else told]


def _against_threshold(stock: Interval, figures: Figures, options: AssessOptions) -> tuple[str, str]:
    line = f"{options.threshold:.2f}"
    told = f"stock {RECALL} {with_interval(stock)}"
    if stock.low >= options.threshold:
        return NO, f"{told}: good enough, its lower bound reaches {line}"
    if stock.high < options.threshold:
        return TUNE, f"{told}: below {line}"
    # The half-width shrinks with the root of n, and must come down to the distance from the threshold.
    half, distance = (stock.high - stock.low) / 2, abs(stock.mean - options.threshold)
    needed = stock.n * (half / distance) ** 2 if distance else float("inf")
    more = round_up(max(1.0, needed - stock.n)) if needed <= TOO_MANY else 0
    told = f"{told}: the interval spans {line}"
    if not more:
        return CANNOT_TELL, f"{told}; it is so near that no number of queries settles it: decide by cost"
    if stock.n + more <= figures.available:
        return CANNOT_TELL, f"{told}; measure on about {more} more queries: --max-queries {stock.n + more}"
    return CANNOT_TELL, f"{told}; label about {more} more queries"


def _missing(figures: Figures, options: AssessOptions) -> list[str]:
    missing = []
    if figures.pairs < options.min_pairs:
        short = options.min_pairs - figures.pairs
        missing.append(
            f"{figures.pairs} training pairs only; a tune needs about {options.min_pairs}: collect {short} more"
        )
    if figures.test_queries < options.min_test_queries:
        short = options.min_test_queries - figures.test_queries
        missing.append(
            f"{figures.test_queries} test queries only; a verdict needs at least {options.min_test_queries}: "
            f"label {short} more"
        )
    if figures.synthetic and figures.asked < LEAST_ASKED:
        short = LEAST_ASKED - figures.asked
        missing.append(
            f"people asked {figures.asked} of the train and dev queries only, and a program wrote "
            f"{figures.synthetic:,}: these never decide alone; label {short} more that people asked"
        )
    return missing


def _also(figures: Figures, *, few: bool) -> tuple[str, ...]:
    """What is shown to gain without training, by its gain; then what may.

    Args:
        few: Pairs or queries are missing.
    """
    gains = {
        name: lift.mean
        for name, lift in figures.lifts.items()
        # BM25 alone is a fix only where it beats the hybrid that it is part of.
        if is_gain(lift) and not (name == "bm25" and figures.lifts["hybrid"].mean >= lift.mean)
    }
    labelled = {_remedy(name): gain for name, gain in gains.items()}
    if (reranker := figures.reranked) and is_gain(reranker.lift) and reranker.over_hybrid.mean > 0:
        # Beside gains on all queries stands what is gained on top of the hybrid, which may be known of fewer.
        labelled["RERANK"] = figures.lifts["hybrid"].mean + reranker.over_hybrid.mean
    found = sorted(labelled, key=lambda label: -labelled[label])
    if (prompt := figures.prompt_lift) and is_shown(prompt) and prompt.mean < 0:
        found.append("FIX PROMPT")
    if figures.loses_ends and "FIX LENGTH" not in found:
        found.append("FIX LENGTH")
    if reranker is None and (best := figures.deepest) and best[1] >= ROOM:
        found.append("TRY A RERANKER")
    if few:
        found.append("COLLECT MORE")
    return tuple(found)


def _remedy(name: str) -> str:
    """What to do, where this system gains.

    Example:
        >>> _remedy("hybrid"), _remedy("at 512 tokens"), _remedy("e5-base")
        ('USE HYBRID', 'FIX LENGTH', 'USE e5-base')
    """
    if name.startswith(LONGER):
        return "FIX LENGTH"
    return REMEDIES.get(name, f"USE {name}")


def _over_time(figures: Figures, options: AssessOptions, answer: str, reasons: list[str]) -> tuple[str, list[str]]:
    """The answer and its reasons, with what the times of queries or passages say."""
    found = figures.stability
    if found is None:
        missing = (
            f"all {figures.timed} are of one {options.period}"
            if figures.timed
            else "most queries and passages bear no time: add `at` to them"
        )
        return answer, [*reasons, f"whether the words change over time is unknown: {missing}"]
    low, high = (100 * bound for bound in (found.change.low, found.change.high))
    told = (
        f"{100 * found.churn:.0f} % of the words of a {found.period}'s {figures.timed} are new, "
        f"{100 * found.chance:.0f} % by chance: {100 * found.change.mean:.0f} % of what is no chance "
        f"[{low:.0f}, {high:.0f}] over {found.change.n} {found.period}s: {found.answer}"
    )
    gap = figures.newest
    newest = (
        []
        if gap is None
        else [
            f"stock {RECALL} on the newest {found.period} {with_interval(gap.chosen)}, before "
            f"{with_interval(gap.others)}: {gap.told()}{'' if gap.is_shown else ', no more than chance'}"
        ]
    )
    if found.answer == "changing" and found.period != "month":
        return NO, [f"{told}, so a tuned model would soon be behind", *reasons, *newest]
    return answer, [*reasons, told, *newest]


def _evidence(figures: Figures, options: AssessOptions) -> dict[str, object]:
    changes, source = figures.changes
    return {
        "systems": {
            name: {measure: asdict(interval) for measure, interval in found.items()}
            for name, found in figures.systems.items()
        },
        "queries_available": figures.available,
        "pairs": figures.pairs,
        "test_queries": figures.test_queries,
        "discordance": changes,
        "discordance_measured": figures.discordance if figures.systems else None,
        "discordance_source": source,
        "detectable_gain": detectable_gain(figures.test_queries, changes) if figures.test_queries else None,
        "ceiling": figures.ceiling,
        "lifts": {name: asdict(interval) for name, interval in figures.lifts.items()},
        "vocabulary": None if figures.vocabulary is None else figures.vocabulary.to_json(),
        "vocabulary_gaps": {name: gap.to_json() for name, gap in figures.gaps.items()},
        "stability": None if figures.stability is None else figures.stability.to_json(),
        "timed": figures.timed,
        "newest": None if figures.newest is None else figures.newest.to_json(),
        "max_length": figures.max_length,
        "cut_off": figures.cut_off,
        "truncation": None if figures.truncation is None else figures.truncation.to_json(),
        "model": figures.model,
        "prompt": figures.prompt,
        "prompt_lift": None if figures.prompt_lift is None else asdict(figures.prompt_lift),
        "documents": None if figures.documents is None else asdict(figures.documents),
        "query_ms": dict(figures.query_ms),
        "reranked": None if figures.reranked is None else asdict(figures.reranked),
        "log": None if figures.likeness is None else figures.likeness.to_json(),
        "pilot": None if figures.pilot is None else asdict(figures.pilot),
        "expected": None if figures.expected is None else asdict(figures.expected),
        "supply": None if figures.supply is None else asdict(figures.supply),
        "holes": None if figures.holes is None else asdict(figures.holes),
        "asked": figures.asked,
        "synthetic": figures.synthetic,
        "criteria": [asdict(one) for one in list_criteria(figures, options)],
        "short_tune": None if figures.short_tune is None else asdict(figures.short_tune),
        "options": asdict(options),
    }
