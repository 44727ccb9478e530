"""What a look at the texts and judgements alone finds: lines, copies, leaks, answers, and how pairs are spread."""

from __future__ import annotations

import json
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lexitune.io.dataset import SPLITS, Raw
from lexitune.io.quarantine import Quarantine
from lexitune.metrics.grades import count_pairs
from lexitune.splits.audit import KINDS, find_leaks, repair, tell, that_stop
from lexitune.text.near import near_clusters
from lexitune.types import FAULT, LOOK, OK, Doc, Qrels, Query

__all__ = ["FEW", "SHOWN", "Finding", "equal_docs", "equal_queries", "find_faults"]

SHOWN = 3
SHORT_WORDS, SHORT_CHARACTERS = 3, 20  # a passage below both can hardly answer anything
RANK = 10
CROWDED = 0.5  # share of the pairs
FEW = 0.01  # share of the passages
MOST_CHARACTERS = 20_000_000  # of passages that are compared for near copies: 1.6 GB and 20 seconds
CLEAN = "--fix OUT"
SOURCE = "lexitune check DATA --fix OUT, and import the copy into another folder"
OF_NOTHING = ("no query '", "no doc '")  # what the reader says of judgements
COVERED = ("have no judgement", "have no relevant doc")  # notes of the reader that are findings here


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: What it is, in a word or two.
        mark: `LOOK`: it may be meant so; `FAULT`: it spoils training or the verdict.
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


def find_faults(raw: Raw, quarantine: Quarantine, *, sealed: int = 0) -> list[Finding]:
    """All findings that need no model, in the order in which they are told.

    Args:
        quarantine: What reading `raw` set aside.
        sealed: Test queries of a workspace, whose judgements are no part of `raw`; 0: nothing is sealed.
    """
    found = [
        _counts(raw),
        *(Finding("note", LOOK, 1, note) for note in quarantine.notes if not any(one in note for one in COVERED)),
        *_lines(quarantine),
        *_copies(raw.docs),
        _short(raw.docs),
        *_queries(raw, sealed),
        *_leaks(raw, sealed),
        *_answers(raw),
        _spread(raw),
    ]
    return [replace(one, fix=SOURCE) if sealed and one.fix == CLEAN else one for one in found]


def equal_docs(docs: Sequence[Doc]) -> list[list[str]]:
    """Ids of passages with equal text, white space aside, and equal metadata; two or more a group, in order.

    Case and punctuation count: `ls -l` and `ls -L` are two commands. So does metadata: a passage of another tenant is
    another passage.

    Example:
        >>> equal_docs([Doc("a", "ls  -l"), Doc("b", "ls -L"), Doc("c", "ls -l")])
        [['a', 'c']]
    """
    return _groups({doc.doc_id: (_as_read(doc.full_text), _plain(dict(doc.metadata))) for doc in docs})


def equal_queries(split: Qrels, queries: Mapping[str, Query]) -> list[list[str]]:
    """Ids of a split's queries with equal text, white space aside, and equal filter; two or more a group, in order.

    Example:
        >>> queries = {"a": Query("a", "grep -v"), "b": Query("b", "grep -V"), "c": Query("c", "grep  -v")}
        >>> equal_queries({name: {} for name in queries}, queries)
        [['a', 'c']]
    """
    asked = {query_id: queries[query_id] for query_id in split}
    return _groups({name: (_as_read(one.text), _plain(one.metadata.get("filter"))) for name, one in asked.items()})


def _as_read(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def _plain(value: object) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _groups(keys: Mapping[str, Hashable]) -> list[list[str]]:
    found: defaultdict[Hashable, list[str]] = defaultdict(list)
    for name, key in keys.items():
        found[key].append(name)
    return [group for group in found.values() if len(group) > 1]


def _counts(raw: Raw) -> Finding:
    told = []
    for name in sorted(raw.qrels, key=lambda name: SPLITS.index(name) if name in SPLITS else len(SPLITS)):
        kind = f"{name} queries" if name in SPLITS else "queries"
        told.append(f"{len(raw.qrels[name]):,} {kind} with {count_pairs(raw.qrels[name]):,} pairs")
    return Finding("data", OK, len(raw.docs), f"{len(raw.docs):,} passages; {', '.join(told)}")


def _lines(quarantine: Quarantine) -> list[Finding]:
    """Lines that cannot be used: those that name what does not exist, and the others."""
    lost = [row for row in quarantine.rows if row.reason.startswith(OF_NOTHING)]
    bad = [row for row in quarantine.rows if not row.reason.startswith(OF_NOTHING)]
    findings = []
    for name, rows, said, fix in (
        ("lines", bad, "lines cannot be used", "mend them; a run leaves them out"),
        (
            "missing",
            lost,
            "judgements name a query or passage that does not exist",
            "add what is missing, or drop them",
        ),
    ):
        examples = [f"{Path(row.file).name}:{row.line}: {row.reason}" for row in rows]
        findings.append(_finding(name, FAULT, len(rows), said, examples, fix))
    return findings


def _copies(docs: Sequence[Doc]) -> list[Finding]:
    """Passages that repeat another's text, and those that nearly do."""
    equal = equal_docs(docs)
    said = "passages have the text of another: a search finds one of them for the other"
    copies = _repeated("copies", equal, said, CLEAN)
    if (characters := sum(len(doc.full_text) for doc in docs)) > MOST_CHARACTERS:
        return [copies, Finding("near copies", OK, 0, f"near copies are not looked for in {characters:,} characters")]
    others = {doc_id for group in equal for doc_id in group[1:]}
    alone = [doc for doc in docs if doc.doc_id not in others]
    labels = near_clusters([doc.full_text for doc in alone]).tolist()
    near = _groups({doc.doc_id: label for doc, label in zip(alone, labels, strict=True)})
    said, fix = "passages are nearly the text of another", "keep one of each, or judge all of them"
    return [copies, _repeated("near copies", near, said, fix)]


def _short(docs: Sequence[Doc]) -> Finding:
    short = [
        doc.doc_id for doc in docs if len(doc.full_text) < SHORT_CHARACTERS and len(doc.full_text.split()) < SHORT_WORDS
    ]
    said = f"passages have fewer than {SHORT_WORDS} words and {SHORT_CHARACTERS} characters"
    return _finding("short", LOOK, len(short), said, short, "join them to what they belong to")


def _queries(raw: Raw, sealed: int) -> list[Finding]:
    """Queries that a split asks twice, and those that nobody judged."""
    twice = [group for split in raw.qrels.values() for group in equal_queries(split, raw.queries)]
    said = "queries ask what another of their split asks: each calls the other's answer wrong"
    found = [_repeated("asked twice", twice, said, CLEAN)]
    if not sealed:  # else the test queries are there without their judgements
        judged = {query_id for split in raw.qrels.values() for query_id in split}
        free = [query_id for query_id in raw.queries if query_id not in judged]
        found.append(_finding("unjudged", LOOK, len(free), "queries have no judgement: not used", free, "judge them"))
    return found


def _leaks(raw: Raw, sealed: int) -> list[Finding]:
    findings = []
    _, learnt = repair({name: raw.qrels.get(name, {}) for name in ("train", "dev")}, raw.queries)
    if learnt:
        examples = tuple(f"{leak.other_id} ~ {leak.query_id}" for leak in learnt[:SHOWN])
        said = f"{len(learnt):,} train queries ask what a dev query asks, or nearly"
        findings.append(Finding("leak: dev", LOOK, len(learnt), said, examples, CLEAN))
    if sealed:
        said = f"{sealed:,} test queries are sealed: what gives them away was looked for when they were imported"
        return [*findings, Finding("leaks", OK, 0, said)]
    if "test" not in raw.qrels:
        return [
            *findings,
            Finding("leaks", OK, 0, "no test split here: one is cut off by group, so that nothing leaks"),
        ]
    count = len(raw.qrels["test"])
    leaks = find_leaks(raw.qrels, raw.queries, docs=raw.docs)
    stopping = {leak.kind for leak in that_stop(leaks, count)}
    for kind in KINDS:
        of_kind = [leak for leak in leaks if leak.kind == kind]
        if of_kind:
            said = tell(of_kind, count)[0].partition(": ")[0]
            examples = tuple(f"{leak.query_id} ~ {leak.other_id}" for leak in of_kind[:SHOWN])
            fix = CLEAN if kind in ("equal", "near") else "take them out of the test set, or their like out of train"
            mark, asked = FAULT if kind in stopping else LOOK, {leak.query_id for leak in of_kind}
            findings.append(Finding(f"leak: {kind}", mark, len(asked), said, examples, fix))
    return findings or [Finding("leaks", OK, 0, "no test query is given away by a train or dev query")]


def _answers(raw: Raw) -> list[Finding]:
    """Queries without a right passage, and with more than a first page can hold."""
    relevant = {
        (name, query_id): sum(grade > 0 for grade in grades.values())
        for name, split in raw.qrels.items()
        for query_id, grades in split.items()
    }
    none = [query_id for (_, query_id), count in relevant.items() if not count]
    many = [query_id for (_, query_id), count in relevant.items() if count > RANK]
    said = "judged queries have no right passage: no measure counts them"
    more = f"queries have more than {RANK} right passages: R@{RANK} cannot reach 1 there"
    return [
        _finding("unanswered", LOOK, len(none), said, none, CLEAN),
        _finding("many answers", LOOK, len(many), more, many, f"look at nDCG@{RANK} as well"),
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
    # Where few passages are asked for at all, the most asked have many pairs even when each has one.
    if share <= max(CROWDED, 2 * len(top) / max(1, len(asked))):
        return Finding("spread", OK, len(asked), said)
    examples = tuple(f"{doc_id} ({count:,})" for doc_id, count in top[:SHOWN])
    fix = "collect pairs of other passages, or have queries written for them"
    return Finding("spread", LOOK, len(asked), said, examples, fix)


def _repeated(name: str, groups: Sequence[Sequence[str]], said: str, fix: str) -> Finding:
    """Ids that repeat the first of their group."""
    examples = [f"{group[0]} ~ {group[1]}" for group in groups]
    return _finding(name, LOOK, sum(len(group) - 1 for group in groups), said, examples, fix)


def _finding(name: str, mark: str, count: int, said: str, examples: Sequence[str], fix: str) -> Finding:
    """`ok` where there is none."""
    if not count:
        return Finding(name, OK, 0, f"0 {said.partition(':')[0]}")
    return Finding(name, mark, count, f"{count:,} {said}", tuple(examples[:SHOWN]), fix)
