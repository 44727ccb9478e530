"""The advice: what the measured figures say, why, what is missing, and how sure one can be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

import numpy as np

from lexitune.metrics.statistics import Interval, detectable_gain, queries_needed
from lexitune.stages.assess.gap import Gap, in_points
from lexitune.stages.assess.options import AssessOptions
from lexitune.stages.assess.stability import Stability
from lexitune.stages.assess.vocabulary import Vocabulary
from lexitune.types import Advice

__all__ = ["CANNOT_TELL", "DEEP", "MOST_CHANGES", "NDCG", "NO", "RANK", "RECALL", "TUNE", "Figures", "advise"]

TUNE, NO, CANNOT_TELL = "TUNE", "NO", "CANNOT TELL"

RECALL, NDCG, DEEP = "R@10", "nDCG@10", "R@100"
RANK = 10
MOST_CHANGES = 0.30  # guess of the share of queries that a tune changes, where stock and BM25 differ in more
FEW_CUT = 0.01  # share of passages
FEW_TEST = 200  # a verdict on fewer is possible, and wide
UNTRAINED = {"hybrid": "the hybrid of stock and BM25", "bm25": "BM25 alone"}
NAMED = 5  # terms in a sentence
TOO_MANY = 10_000  # queries that nobody labels to settle one question
DEFAULT = AssessOptions()


@dataclass(frozen=True)
class Figures:
    """What the advice is made of.

    Args:
        systems: stock, bm25 and hybrid, each measure with its interval; empty where there was no query.
        available: Train and dev queries with a relevant passage; the intervals may rest on a sample of them.
        pairs: Training pairs.
        test_queries: How many there are; nobody has looked at them.
        discordance: Share of queries whose outcome differs between stock and BM25, as measured.
        ceiling: The best R@10 that any system can reach; below 1 where queries have more than ten relevant passages.
        lifts: By system without training, R@10 above stock's on the same queries.
        vocabulary: What the words of corpus and queries are like; None where there was no query, or passages are in
            another language.
        gaps: By system, R@10 on queries that hold a shattered term of the field beside the others.
        stability: How words change over time; None where neither queries nor passages bear times.
        timed: What the times are those of: `queries`, `passages` or empty.
        newest: The stock model's R@10 on queries of the newest period beside those before; None likewise.
        max_length: Tokens that the model reads of a passage.
        cut_off: Share of the relevant passages that are as long as that, or longer, and lose their end.
        truncation: The stock model's R@10 on queries whose relevant passages all are, beside the others.
    """

    systems: Mapping[str, Mapping[str, Interval]]
    available: int
    pairs: int
    test_queries: int
    discordance: float
    ceiling: float = 1.0
    lifts: Mapping[str, Interval] = field(default_factory=dict)
    vocabulary: Vocabulary | None = None
    gaps: Mapping[str, Gap] = field(default_factory=dict)
    stability: Stability | None = None
    timed: str = ""
    newest: Gap | None = None
    max_length: int = 0
    cut_off: float = 0.0
    truncation: Gap | None = None


def advise(figures: Figures, *, options: AssessOptions = DEFAULT) -> Advice:
    """Turn figures into an answer.

    NO, when the stock model's interval lies at or above the threshold, or the words change so fast that a tuned model
    would soon be behind. TUNE, when it lies below, there are pairs to train on and test queries to prove it with.
    Everything else is CANNOT TELL, with what is missing.
    """
    reasons: list[str] = []
    missing = _missing(figures, options)
    stock = figures.systems["stock"][RECALL] if figures.systems else None
    if stock is None:
        answer = CANNOT_TELL
        reasons.append("no train or dev query has a relevant passage, so the stock model cannot be measured")
    else:
        answer, told = _against_threshold(stock, figures, options)
        reasons.append(told)
    reasons += _cheaper(figures, options)
    reasons += _headroom(figures)
    reasons += _cut_off(figures)
    reasons += _niche(figures, options)
    answer, reasons = _over_time(figures, options, answer, reasons)
    if missing and answer != NO:
        answer = CANNOT_TELL
        reasons = missing + reasons
    reasons += _power(figures)
    return Advice(answer, tuple(reasons), _evidence(figures, options), NEXT[answer])


NEXT = {TUNE: "lexitune train", NO: "lexitune status", CANNOT_TELL: "lexitune tune --anyway"}


def _against_threshold(stock: Interval, figures: Figures, options: AssessOptions) -> tuple[str, str]:
    line = f"{options.threshold:.2f}"
    told = f"stock {RECALL} {_interval(stock)}"
    if stock.low >= options.threshold:
        return NO, f"{told}: good enough, its lower bound reaches {line}"
    if stock.high < options.threshold:
        return TUNE, f"{told}: below {line}"
    # The half-width shrinks with the root of n, and must come down to the distance from the threshold.
    half, distance = (stock.high - stock.low) / 2, abs(stock.mean - options.threshold)
    needed = stock.n * (half / distance) ** 2 if distance else float("inf")
    more = _round_up(max(1.0, needed - stock.n)) if needed <= TOO_MANY else 0
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
    return missing


def _cheaper(figures: Figures, options: AssessOptions) -> list[str]:
    reasons = []
    if figures.ceiling < 0.995:
        reasons.append(
            f"no system can pass {RECALL} {figures.ceiling:.2f} here: some queries have more than {RANK} relevant "
            f"passages; look at {NDCG} as well"
        )
    if not figures.systems or figures.systems["stock"][RECALL].low >= options.threshold:
        return reasons
    for name, words in UNTRAINED.items():
        if figures.systems[name][RECALL].mean >= options.threshold:
            reasons.append(
                f"{words} reaches {RECALL} {_reached(name, figures)} without training: the cheaper fix; "
                "a tune may still come on top of it"
            )
            return reasons
    others = "; ".join(f"{words} {_reached(name, figures)}" for name, words in UNTRAINED.items())
    return [*reasons, f"without training: {others}"]


def _reached(name: str, figures: Figures) -> str:
    """What a system reaches, and how far that is above stock on the same queries."""
    reached, lift = _interval(figures.systems[name][RECALL]), figures.lifts.get(name)
    return reached if lift is None else f"{reached}, {in_points(lift)} to stock"


def _headroom(figures: Figures) -> list[str]:
    """What is found, but not in the first ten: all that a reranker could bring up."""
    deep = {name: found[DEEP] for name, found in figures.systems.items() if DEEP in found}
    if not deep:
        return []
    name = max(deep, key=lambda one: deep[one].mean)
    words = {"stock": "the stock model", **UNTRAINED}[name]
    room = deep[name].mean - figures.systems[name][RECALL].mean
    can = f"a reranker of its first hundred can gain {100 * room:.0f} points at most"
    return [f"{words} has {DEEP} {_interval(deep[name])}: {can}"]


def _cut_off(figures: Figures) -> list[str]:
    if figures.cut_off < FEW_CUT:
        return []
    told = (
        f"{100 * figures.cut_off:.0f} % of the relevant passages fill the model's {figures.max_length} tokens "
        "and lose what follows"
    )
    gap, cure = figures.truncation, ": try a larger --max-length, or shorter passages"
    if gap is None:
        return [f"{told}{cure}"]
    meaning = "no more than chance" if not gap.is_shown else f"it shows{cure}" if gap.difference.mean < 0 else "no harm"
    return [
        f"{told}; stock {RECALL} for queries that need those {_interval(gap.chosen)}, for the others "
        f"{_interval(gap.others)}: {gap.told()}, {meaning}"
    ]


def _niche(figures: Figures, options: AssessOptions) -> list[str]:
    """What the field's own words cost."""
    found = figures.vocabulary
    if found is None:
        if not figures.systems:
            return []
        return [
            f"most words of the passages are not in general '{options.language}': say which language it is with "
            "--language; one without spaces between words cannot be surveyed"
        ]
    shown = ", ".join(term.text for term in found.terms[:NAMED])
    named = f" ({shown}{', ...' if found.shattered > NAMED else ''})" if shown else ""
    told = (
        f"{found.fertility:.2f} pieces a word, general language has {found.general_fertility:.2f}; "
        f"{found.shattered:,} terms are rare elsewhere and shattered here{named}"
    )
    gap = figures.gaps.get("stock")
    if gap is None:
        return [told]
    meaning = (
        "a tune can teach what they mean" if gap.difference.mean < 0 else "they are not what the stock model lacks"
    )
    return [
        told,
        f"stock {RECALL} on queries with such a term {_interval(gap.chosen)}, on the others {_interval(gap.others)}: "
        f"{gap.told()}, {meaning if gap.is_shown else 'no more than chance'}",
    ]


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
            f"stock {RECALL} on the newest {found.period} {_interval(gap.chosen)}, before {_interval(gap.others)}: "
            f"{gap.told()}{'' if gap.is_shown else ', no more than chance'}"
        ]
    )
    if found.answer == "changing" and found.period != "month":
        return NO, [f"{told}, so a tuned model would soon be behind", *reasons, *newest]
    return answer, [*reasons, told, *newest]


def _power(figures: Figures) -> list[str]:
    if not figures.test_queries:
        return []
    changes, source = _changes(figures)
    gain = detectable_gain(figures.test_queries, changes)
    reasons = [
        f"{figures.test_queries:,} test queries can show a gain of +{100 * gain:.1f} points or more "
        f"(80 % power, {100 * changes:.0f} % of queries changing: {source})"
        f"{_needed_for(figures.test_queries, changes)}"
    ]
    if figures.test_queries < FEW_TEST:
        reasons.append(f"under {FEW_TEST} test queries the interval of the gain is wide: 300 or more are better")
    return reasons


def _needed_for(tests: int, changes: float) -> str:
    """How many test queries would show smaller gains, where there are fewer."""
    needed = {gain: queries_needed(gain / 100, changes) for gain in (5, 3) if gain / 100 < changes}
    told = [f"{_round_up(count):,} would show +{gain}" for gain, count in needed.items() if count > tests]
    return f"; {', '.join(told)}" if told else ""


def _changes(figures: Figures) -> tuple[float, str]:
    if figures.discordance >= MOST_CHANGES:
        return MOST_CHANGES, "a guess; stock and BM25 differ in more"
    return max(figures.discordance, 0.01), "as between stock and BM25"


def _evidence(figures: Figures, options: AssessOptions) -> dict[str, object]:
    changes, source = _changes(figures)
    return {
        "systems": {
            name: {measure: asdict(interval) for measure, interval in found.items()}
            for name, found in figures.systems.items()
        },
        "queries_available": figures.available,
        "pairs": figures.pairs,
        "test_queries": figures.test_queries,
        "discordance": changes,
        "discordance_measured": figures.discordance,
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
        "options": asdict(options),
    }


def _interval(found: Interval) -> str:
    return f"{found.mean:.2f} [{found.low:.2f}, {found.high:.2f}], n={found.n:,}"


def _round_up(count: float) -> int:
    # Two figures: a planned number of labels is no measurement.
    whole = int(np.ceil(round(count, 6)))
    step: int = 10 ** max(0, len(str(whole)) - 2)
    return -(-whole // step) * step
