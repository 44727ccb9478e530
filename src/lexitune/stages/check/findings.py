"""What a look at the texts and judgements alone finds: lines, copies, leaks, answers, and how pairs are spread."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lexitune.io.dataset import SPLITS, Raw
from lexitune.io.quarantine import Quarantine
from lexitune.splits.audit import KINDS, find_leaks, tell, that_stop
from lexitune.text.near import near_clusters
from lexitune.text.normalise import normalise
from lexitune.types import Doc, Qrels, Query

__all__ = ["FAULT", "LOOK", "OK", "Finding", "equal_groups", "find_faults"]

OK, LOOK, FAULT = "ok", "look", "fault"
SHOWN = 3
SHORT = 3  # words: with fewer a passage can hardly answer anything
RANK = 10
CROWDED = 0.5  # share of the pairs
FEW = 0.01  # share of the passages

CLEAN = "--fix OUT"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: What it is, in a word or two.
        mark: `ok`; `look`: it may be meant so; `fault`: it spoils training or the verdict.
        count: How many.
        said: The finding, in a sentence.
        examples: Three of them at most.
        fix: What to do; empty where nothing is to be done.
    """

    name: str
    mark: str
    count: int
    said: str
    examples: tuple[str, ...] = ()
    fix: str = ""


def find_faults(raw: Raw, quarantine: Quarantine) -> list[Finding]:
    """All findings that need no model, in the order in which they are told.

    Args:
        quarantine: What reading `raw` set aside.
    """
    return [
        _counts(raw),
        *_lines(quarantine),
        *_copies(raw.docs),
        _short(raw.docs),
        *_queries(raw),
        *_leaks(raw),
        *_answers(raw),
        _spread(raw),
    ]


def equal_groups(texts: Mapping[str, str]) -> list[list[str]]:
    """Ids whose texts are equal in normal form, two or more a group, in the order given.

    Example:
        >>> equal_groups({"a": "What is tort?", "b": "who", "c": "what is  tort"})
        [['a', 'c']]
    """
    found: defaultdict[str, list[str]] = defaultdict(list)
    for key, text in texts.items():
        found[normalise(text)].append(key)
    return [group for group in found.values() if len(group) > 1]


def _counts(raw: Raw) -> Finding:
    told = []
    for name in sorted(raw.qrels, key=lambda name: SPLITS.index(name) if name in SPLITS else len(SPLITS)):
        pairs = sum(grade > 0 for grades in raw.qrels[name].values() for grade in grades.values())
        kind = f"{name} queries" if name in SPLITS else "queries"
        told.append(f"{len(raw.qrels[name]):,} {kind} with {pairs:,} pairs")
    return Finding("data", OK, len(raw.docs), f"{len(raw.docs):,} passages; {', '.join(told)}")


def _lines(quarantine: Quarantine) -> list[Finding]:
    """Lines that cannot be used: those that name what does not exist, and the others."""
    lost = [row for row in quarantine.rows if row.reason.startswith("no ")]
    bad = [row for row in quarantine.rows if not row.reason.startswith("no ")]
    findings = []
    for name, rows, said, fix in (
        ("lines", bad, "lines cannot be read", "mend them; a run leaves them out"),
        (
            "missing",
            lost,
            "judgements name a query or passage that does not exist",
            "add what is missing, or drop them",
        ),
    ):
        examples = tuple(f"{Path(row.file).name}:{row.line}: {row.reason}" for row in rows[:SHOWN])
        findings.append(_finding(name, FAULT, len(rows), said, examples, fix))
    return findings


def _copies(docs: Sequence[Doc]) -> list[Finding]:
    """Passages that repeat another's text, and those that nearly do."""
    groups = equal_groups({doc.doc_id: doc.full_text for doc in docs})
    copies = sum(len(group) - 1 for group in groups)
    labels = near_clusters([doc.full_text for doc in docs])
    members: defaultdict[int, list[str]] = defaultdict(list)
    for doc, label in zip(docs, labels.tolist(), strict=True):
        members[label].append(doc.doc_id)
    near = [group for group in members.values() if len(group) > 1]
    count = sum(len(group) - 1 for group in near) - copies
    equal_sets = {tuple(group) for group in groups}
    return [
        _finding(
            "copies",
            LOOK,
            copies,
            "passages have the text of another: a search finds one of them for the other",
            [_pair(group) for group in groups],
            CLEAN,
        ),
        _finding(
            "near copies",
            LOOK,
            count,
            "passages are nearly the text of another",
            [_pair(group) for group in near if tuple(group) not in equal_sets],
            "keep one of each, or judge all of them",
        ),
    ]


def _short(docs: Sequence[Doc]) -> Finding:
    short = [doc.doc_id for doc in docs if len(doc.full_text.split()) < SHORT]
    return _finding(
        "short", LOOK, len(short), f"passages have fewer than {SHORT} words", short, "join them to what they belong to"
    )


def _queries(raw: Raw) -> list[Finding]:
    """Queries that a split asks twice, and those that nobody judged."""
    twice = [group for split in raw.qrels.values() for group in equal_groups(_texts(split, raw.queries))]
    judged = {query_id for split in raw.qrels.values() for query_id in split}
    unjudged = [query_id for query_id in raw.queries if query_id not in judged]
    return [
        _finding(
            "asked twice",
            LOOK,
            sum(len(group) - 1 for group in twice),
            "queries ask what another of their split asks: each calls the other's answer wrong",
            [_pair(group) for group in twice],
            CLEAN,
        ),
        _finding("unjudged", LOOK, len(unjudged), "queries have no judgement and are not used", unjudged, "judge them"),
    ]


def _leaks(raw: Raw) -> list[Finding]:
    if "test" not in raw.qrels:
        said = "no test split here: one is cut off by group, so that nothing leaks"
        return [Finding("leaks", OK, 0, said)]
    count = len(raw.qrels["test"])
    leaks = find_leaks(raw.qrels, raw.queries, docs=raw.docs)
    stopping = {leak.kind for leak in that_stop(leaks, count)}
    findings = []
    for kind in KINDS:
        of_kind = [leak for leak in leaks if leak.kind == kind]
        if of_kind:
            said = tell(of_kind, count)[0].split(": ")[0]
            examples = [f"{leak.query_id} ~ {leak.other_id}" for leak in of_kind]
            fix = CLEAN if kind in ("equal", "near") else "take them out of the test set, or their like out of train"
            found = len({leak.query_id for leak in of_kind})
            findings.append(
                Finding(f"leak: {kind}", FAULT if kind in stopping else LOOK, found, said, tuple(examples[:SHOWN]), fix)
            )
    return findings or [Finding("leaks", OK, 0, "no test query is given away by a train or dev query")]


def _answers(raw: Raw) -> list[Finding]:
    """Queries without a right passage, and with more than a first page can hold."""
    relevant = {
        query_id: sum(grade > 0 for grade in grades.values())
        for split in raw.qrels.values()
        for query_id, grades in split.items()
    }
    none = [query_id for query_id, count in relevant.items() if not count]
    many = [query_id for query_id, count in relevant.items() if count > RANK]
    return [
        _finding(
            "unanswered", LOOK, len(none), "judged queries have no right passage: no measure counts them", none, CLEAN
        ),
        _finding(
            "many answers",
            LOOK,
            len(many),
            f"queries have more than {RANK} right passages: R@{RANK} cannot reach 1 there",
            many,
            f"look at nDCG@{RANK} as well",
        ),
    ]


def _spread(raw: Raw) -> Finding:
    """Whether few passages have most of the pairs."""
    asked = Counter(
        doc_id
        for split in raw.qrels.values()
        for grades in split.values()
        for doc_id, grade in grades.items()
        if grade > 0
    )
    top = asked.most_common(max(1, round(FEW * len(raw.docs))))
    share = sum(count for _, count in top) / max(1, asked.total())
    most = f"the most asked {len(top):,} have {100 * share:.0f} % of the pairs"
    said = f"of {len(raw.docs):,} passages {len(asked):,} are asked for; {most}"
    if share <= CROWDED or len(asked) <= len(top):
        return Finding("spread", OK, len(asked), said)
    examples = tuple(f"{doc_id} ({count:,})" for doc_id, count in top[:SHOWN])
    return Finding(
        "spread", LOOK, len(asked), said, examples, "collect pairs of other passages, or have queries written for them"
    )


def _finding(name: str, mark: str, count: int, said: str, examples: Sequence[str], fix: str) -> Finding:
    """`ok` where there is none."""
    if not count:
        return Finding(name, OK, 0, f"0 {said.partition(':')[0]}")
    return Finding(name, mark, count, f"{count:,} {said}", tuple(examples[:SHOWN]), fix)


def _texts(split: Qrels, queries: Mapping[str, Query]) -> dict[str, str]:
    return {query_id: queries[query_id].text for query_id in split if query_id in queries}


def _pair(group: Sequence[str]) -> str:
    return f"{group[0]} ~ {group[1]}"
