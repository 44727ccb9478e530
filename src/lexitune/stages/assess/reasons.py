"""Reasons: what the figures say beside the answer, in sentences."""

from __future__ import annotations

from lexitune.metrics.statistics import Interval, detectable_gain, queries_needed, round_up
from lexitune.stages.assess.figures import DEEP, LEAST_ASKED, NDCG, RANK, RECALL, Figures
from lexitune.stages.assess.gap import LEAST_SIDE, in_points, is_shown
from lexitune.stages.assess.ledger import SYSTEMS
from lexitune.stages.assess.options import AssessOptions
from lexitune.stages.assess.representative import ENOUGH, FAR, LEAST, TIMES, Beside, Likeness

__all__ = [
    "by_documents",
    "called",
    "cheaper",
    "cut_off",
    "headroom",
    "niche",
    "power",
    "prompted",
    "represented",
    "reranked",
    "supplied",
    "with_interval",
]

FEW_CUT = 0.01  # share of passages
FEW_TEST = 200  # a verdict on fewer is possible, and wide
NAMED = 5  # terms in a sentence
FAR_BY = {
    "covered": "searches covered",
    "head": "head",
    "torso": "torso",
    "new": "queries not in it",
    "length": "length",
    "terms": "terms",
}
"""What differs from the log, as a sentence names it."""


def cheaper(figures: Figures, options: AssessOptions, *, decided: bool) -> list[str]:
    """What reaches further without training, the best first.

    Args:
        decided: The pilot has decided; else the rule of thumb, and where that is content nothing cheaper is needed, and
            only what somebody asked for by name is told.
    """
    reasons = []
    if figures.ceiling < 0.995:
        reasons.append(
            f"no system can pass {RECALL} {figures.ceiling:.2f} here: some queries have more than {RANK} relevant "
            f"passages{_capped(figures)}; look at {NDCG} as well"
        )
    if not figures.systems:
        return reasons
    if not decided and figures.systems["stock"][RECALL].low >= options.threshold:
        named = [f"{called(name)} {_reached(name, figures)}" for name in figures.systems if name not in SYSTEMS]
        return [*reasons, *(["asked for beside it: " + "; ".join(named)] if named else [])]
    others = [name for name in {**SYSTEMS, **figures.systems} if name in figures.systems and name != "stock"]
    best, *rest = sorted(others, key=lambda name: -figures.systems[name][RECALL].mean)
    told = {name: f"{called(name)} {_reached(name, figures)}" for name in (best, *rest)}
    if decided or figures.systems[best][RECALL].mean < options.threshold:
        return [*reasons, f"without training, best first: {'; '.join(told.values())}"]
    reasons.append(
        f"{called(best)} reaches {RECALL} {_reached(best, figures)} without training: the cheaper fix; "
        "a tune may still come on top of it"
    )
    return [*reasons, f"after that: {'; '.join(told[name] for name in rest)}"]


def _capped(figures: Figures) -> str:
    return f", and of what {RANK} places can hold stock finds {figures.holes.capped:.2f}" if figures.holes else ""


def supplied(figures: Figures) -> list[str]:
    """Where the training pairs came from, and who asked what is measured on."""
    found, reasons = figures.supply, []
    if found is not None and found.pairs:
        told = f"{found.pairs:,} training pairs of {found.queries:,} queries and {found.docs:,} passages"
        if len(found.sources) > 1:
            told += f" ({', '.join(f'{name} {count:,}' for name, count in found.sources.items())})"
        if found.copies:
            told += f"; {found.copies:,} of them are copies"
        if found.shared:
            told += f"; of {found.shared:,} queries that two sources have they agree on {found.agreed:,}"
        reasons.append(told)
    if figures.synthetic and figures.asked >= LEAST_ASKED:
        told = f"a program wrote {figures.synthetic:,} of the train and dev queries"
        reasons.append(f"{told}: they are trained on, and not measured on")
    return reasons


def _reached(name: str, figures: Figures) -> str:
    """What a system reaches, and how far that is above stock on the same queries."""
    reached, lift = with_interval(figures.systems[name][RECALL]), figures.lifts.get(name)
    return reached if lift is None else f"{reached}, {in_points(lift)} to stock"


def headroom(figures: Figures) -> list[str]:
    """What is found, but not in the first ten: all that a reranker could bring up."""
    if (best := figures.deepest) is None:
        return []
    name, room = best
    can = f"a reranker of its first hundred can gain {100 * room:.0f} points at most"
    return [f"{called(name)} has {DEEP} {with_interval(figures.systems[name][DEEP])}: {can}"]


def reranked(figures: Figures) -> list[str]:
    """What a cross-encoder makes of the hybrid's first passages, and at what cost."""
    found = figures.reranked
    if found is None:
        return []
    recall, ndcg = (found.systems["reranked"][measure] for measure in (RECALL, NDCG))
    shown = f"{ndcg.mean:.2f} [{ndcg.low:.2f}, {ndcg.high:.2f}]"
    told = (
        f"the reranker, given the hybrid's first {found.depth}, reaches {RECALL} {with_interval(recall)}, {NDCG} "
        f"{shown}: {in_points(found.lift)} to stock, {in_points(found.over_hybrid)} to the hybrid, on the same "
        f"{found.lift.n:,} queries"
    )
    if found.query_ms is None:
        return [told]
    takes, before = _milliseconds(found.query_ms), _milliseconds(figures.query_ms["hybrid"])
    return [f"{told}; a query takes {takes} here, in the hybrid {before}"]


def _milliseconds(found: float) -> str:
    return f"{found:,.0f} ms" if found >= 10 else f"{found:.1f} ms"


def prompted(figures: Figures) -> list[str]:
    """What the words that the model wants before a query are worth."""
    if figures.prompt_lift is None:
        return []
    lift, prompt = figures.prompt_lift, " ".join(figures.prompt.split())
    told = f"the prompt '{prompt}' before each query is worth {in_points(lift)} to stock"
    if not is_shown(lift):
        return [f"{told}, no more than chance"]
    return [f"{told}: does your live search put it there?" if lift.mean > 0 else f"{told}: it does harm here"]


def by_documents(figures: Figures) -> list[str]:
    """What is found where any passage of the right document will do."""
    if figures.documents is None:
        return []
    told = f"stock {RECALL} by document, each by its best passage, {with_interval(figures.documents)}"
    more = figures.documents.mean - figures.systems["stock"][RECALL].mean
    return [f"{told}: {100 * more:+.0f} points to that by passage"]


def cut_off(figures: Figures) -> list[str]:
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
        f"{told}; stock {RECALL} for queries that need those {with_interval(gap.chosen)}, for the others "
        f"{with_interval(gap.others)}: {gap.told()}, {meaning}"
    ]


def niche(figures: Figures, options: AssessOptions) -> list[str]:
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
        f"stock {RECALL} on queries with such a term {with_interval(gap.chosen)}, on the others "
        f"{with_interval(gap.others)}: {gap.told()}, {meaning if gap.is_shown else 'no more than chance'}",
    ]


def represented(figures: Figures) -> list[str]:
    """Whether the judged queries are such as people search for, by which figures, and recall by the log's traffic."""
    found = figures.likeness
    if found is None:
        return []
    head, torso, tail, new = (found.parts[name] for name in ("head", "torso", "tail", "new"))
    lacking, plenty = (", ".join(use.text for use in uses) or "none" for uses in (found.rare, found.frequent))
    told = [
        _likeness(found),
        f"a third of the log's {found.searches:,} searches are for {head.queries:,} queries, a third for "
        f"{torso.queries:,}, the rest for {tail.queries:,}: of {found.judged:,} judged queries {_drawn(head.share)} "
        f"are in the first, {_drawn(torso.share)} in the second, {_drawn(tail.share)} in the last, {_drawn(new.share)} "
        f"in none; they are {_drawn(found.covered)} of the searches",
        f"a search has {found.words:.1f} words, a judged query {found.length.judged:.1f}: {found.longer.mean:+.1f} "
        f"[{found.longer.low:+.1f}, {found.longer.high:+.1f}]; {_drawn(found.missing)} of the words searched are in no "
        f"judged query; searched more than judged: {lacking}; less: {plenty}",
    ]
    if found.stock is None or found.plain is None:
        return [*told, f"fewer than {LEAST_SIDE} judged queries are in the log: no {RECALL} by its traffic"]
    plain = f"{found.plain.mean:.2f} [{found.plain.low:.2f}, {found.plain.high:.2f}]"
    return [*told, f"stock {RECALL} by traffic {with_interval(found.stock)}; each query counted once {plain}"]


def _likeness(found: Likeness) -> str:
    """The verdict, and what to do."""
    if found.answer == "cannot tell":
        told = (
            f"whether the judged queries are representative of the log cannot be told: {found.judged:,} judged, "
            f"{found.queries:,} in the log; it takes {LEAST} judged queries, and {TIMES} times as many in the log"
        )
    elif found.far:
        *others, last = (FAR_BY[name] for name in found.far)
        told = (
            f"the judged queries are not representative of the log, by {', '.join(others)}{' and ' * bool(others)}"
            f"{last}: judge about {min(ENOUGH, found.queries):,} queries drawn from the log by traffic"
        )
    else:
        told = (
            f"the judged queries are representative of the log: within {100 * FAR:.0f} points of what as many queries "
            "drawn from it by traffic have"
        )
    if found.fewest == 1:
        return told
    return f"{told}; the log has no query with fewer than {found.fewest:,} searches: is its tail left out?"


def _drawn(found: Beside) -> str:
    """A share, and in brackets what draws have."""
    return f"{100 * found.judged:.0f} % (drawn: {100 * found.low:.0f} to {100 * found.high:.0f} %)"


def power(figures: Figures) -> list[str]:
    if not figures.test_queries:
        return []
    changes, source = figures.changes
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
    told = [f"{round_up(count):,} would show +{gain}" for gain, count in needed.items() if count > tests]
    return f"; {', '.join(told)}" if told else ""


def called(name: str) -> str:
    """A system as a sentence calls it."""
    return SYSTEMS.get(name, f"the stock model {name}")


def with_interval(found: Interval) -> str:
    return f"{found.mean:.2f} [{found.low:.2f}, {found.high:.2f}], n={found.n:,}"
