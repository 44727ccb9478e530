"""What all formats of labels are read into and written from: queries, passages, and who said what of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from lexitune.errors import DataError
from lexitune.io.beir import made_id, read_grade
from lexitune.io.ids import read_id
from lexitune.io.quarantine import Quarantine
from lexitune.types import Doc, Query

__all__ = [
    "NOT_RELEVANT",
    "Choices",
    "Format",
    "Gathering",
    "Labelled",
    "Look",
    "Opinion",
    "grouped",
    "listed",
    "lost",
    "score_of",
    "text_of",
    "tidy",
]

Row = TypeVar("Row")
Record = TypeVar("Record", Doc, Query)

NOT_RELEVANT = 0

LINE_ENDS = re.compile(r"\r\n|[\r\x0b\x0c\x85]")
CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\ufeff]")

# Words that people answer with. Finer scales ("partly", "somewhat") differ from project to project: --grades.
WORDS: Mapping[str, int | None] = {
    "relevant": 1,
    "yes": 1,
    "true": 1,
    "not relevant": NOT_RELEVANT,
    "irrelevant": NOT_RELEVANT,
    "non-relevant": NOT_RELEVANT,
    "no": NOT_RELEVANT,
    "false": NOT_RELEVANT,
    "cannot judge": None,
    "can't judge": None,
    "": None,
}


@dataclass(frozen=True, slots=True)
class Opinion:
    """What somebody says of one (query, passage). `relevance=None` is "cannot judge"; `score` is a teacher's."""

    query_id: str
    doc_id: str
    relevance: int | None
    rater: str = ""
    score: float | None = None
    at: str = ""


@dataclass(frozen=True, eq=False)
class Labelled:
    """Labels with the texts that they are about. A passage known by its id alone is not among `docs`."""

    queries: Mapping[str, Query]
    docs: Mapping[str, Doc]
    opinions: Sequence[Opinion]


@dataclass(frozen=True, slots=True)
class Choices:
    """How a file is to be read where it does not say so itself.

    Attributes:
        columns: What the columns are: field ("query", "doc", "relevance", ...) -> name in the file.
        grades: What words mean: a word in small letters -> grade, or None for "cannot judge".
        split: Of several splits, the one to read; "": all of them, or the one that trains.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    grades: Mapping[str, int | None] = field(default_factory=dict)
    split: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """What a path shows at a glance, for telling its format.

    Attributes:
        kind: "hub", "folder", "parquet", "workbook", "json" (one object), "array" (one list), "jsonl" or "table".
        names: Of a folder its files, two levels deep; else the names of columns or keys.
        first: The words of the first line of a table.
    """

    path: Path
    kind: str
    names: Collection[str] = ()
    first: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Format:
    """One format: how it is told, read and written.

    Attributes:
        fits: Whether a look says that it is this one.
        read: `read(path, quarantine, *, choices)`; None: it is only written.
        write: `write(path, labelled, *, split)`, which gives back what the format could not hold, in sentences.
        trains: It is for training, with wrong passages that nobody has to have judged: mined ones may stand in it.
    """

    fits: Callable[[Look], bool]
    read: Callable[..., Labelled] | None
    write: Callable[..., list[str]]
    trains: bool = False


def tidy(value: object) -> str:
    """A text as it is kept: line ends are LF, control characters and outer white space go, all else stays.

    Characters that steer writing (right to left, joiners) belong to the text and are kept.

    Raises:
        ValueError: No text.
    """
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no text")
    return CONTROLS.sub("", LINE_ENDS.sub("\n", value)).strip()


def listed(row: Mapping[str, Any], name: str) -> list[Any]:
    """The list under a key; empty where there is nothing.

    Raises:
        ValueError: Something else stands there.
    """
    found = row.get(name) or []
    if not isinstance(found, list):
        raise ValueError(f"'{name}' is no list")
    return found


def score_of(value: object) -> float:
    """A teacher's score.

    Raises:
        ValueError: It is no number, or none that a float holds.
    """
    if not isinstance(value, bool) and isinstance(value, (int, float)):
        try:
            return float(value)
        except OverflowError:
            pass
    raise ValueError(f"the score {str(value)[:40]!r} is no number")


def text_of(labelled: Labelled, doc_id: str) -> str:
    """The text of a passage, its title before it.

    Raises:
        DataError: It is known by its id alone, and the format holds texts.
    """
    if doc_id not in labelled.docs:
        fix = "read the labels with the passages: --corpus corpus.jsonl"
        raise DataError("E3322", f"passage '{doc_id}' has no text, which this format holds", fix=fix)
    return labelled.docs[doc_id].full_text


def grouped(labelled: Labelled) -> dict[str, tuple[list[Opinion], list[Opinion]]]:
    """Of each judged query the right passages and the wrong ones, each once.

    Raises:
        DataError: Two raters say both of one passage: these formats have room for one answer.
    """
    found: dict[str, tuple[list[Opinion], list[Opinion]]] = {}
    heard: dict[tuple[str, str], int] = {}
    for one in labelled.opinions:
        if one.relevance is None:
            continue
        pair = (one.query_id, one.doc_id)
        if heard.setdefault(pair, one.relevance) != one.relevance:
            raise DataError(
                "E3026",
                f"raters disagree about '{one.query_id}', '{one.doc_id}', and the format has room for one answer",
                fix="lexitune collect resolve makes one answer of them; export that",
            )
        lists = found.setdefault(one.query_id, ([], []))
        if all(one.doc_id != other.doc_id for side in lists for other in side):
            lists[one.relevance == NOT_RELEVANT].append(one)
    return found


def lost(labelled: Labelled, keeps: Iterable[str]) -> list[str]:
    """What a format that keeps only these facts leaves out of the labels, in sentences.

    Args:
        keeps: Of "doc" (texts), "title", "ids", "metadata", "grade", "wrong", "undecided", "rater", "score", "time",
            "unjudged".
    """
    opinions, docs = labelled.opinions, labelled.docs.values()
    judged = {one.doc_id for one in opinions}
    asked = {one.query_id for one in opinions}
    about: list[Doc | Query] = [*docs, *labelled.queries.values()]
    counts = {
        "doc": (len(labelled.docs), "texts of passages are left out"),
        "title": (sum(bool(doc.title) for doc in docs), "titles stand before their texts, no longer apart"),
        "ids": (len(labelled.docs), "passages lose their ids: reading makes new ones of the texts"),
        "metadata": (sum(bool(one.metadata) for one in about), "queries and passages lose their metadata"),
        "grade": (sum((one.relevance or 0) > 1 for one in opinions), "grades above 1 are written as right"),
        "wrong": (sum(one.relevance == NOT_RELEVANT for one in opinions), "wrong passages are left out"),
        "undecided": (sum(one.relevance is None for one in opinions), 'opinions are "cannot judge": left out'),
        "rater": (sum(bool(one.rater) for one in opinions), "opinions lose their rater's name"),
        "score": (sum(one.score is not None for one in opinions), "scores of a teacher are left out"),
        "time": (sum(bool(one.at) for one in opinions), "opinions lose their time"),
        "unjudged": (
            len(labelled.docs.keys() - judged) + len(labelled.queries.keys() - asked),
            "queries and passages without a judgement are left out",
        ),
    }
    if "doc" not in keeps:  # with the texts goes what belongs to them
        keeps = {*keeps, "title", "metadata", "unjudged"}
    return [f"{count:,} {said}" for name, (count, said) in counts.items() if count and name not in set(keeps)]


def _facts(metadata: object) -> dict[str, Any]:
    if metadata is not None and not isinstance(metadata, Mapping):
        raise ValueError("'metadata' is no object")
    return dict(metadata or {})


class Gathering:
    """Labels while they are read: equal texts become one, and one id with two texts is refused.

    Args:
        path: What is read; it stands in errors.
        quarantine: Takes the rows that cannot be used.
        choices: For what words mean.
    """

    def __init__(self, path: Path, quarantine: Quarantine, choices: Choices) -> None:
        self.path, self.quarantine, self.line = path, quarantine, 0
        self.grades = {**WORDS, **choices.grades}
        self.queries: dict[str, Query] = {}
        self.docs: dict[str, Doc] = {}
        self.opinions: dict[tuple[str, str, str], Opinion] = {}
        self.counts = Counter[str]()
        self._overruled: list[Opinion] = []  # by the row that is being used

    def take(self, path: Path, rows: Iterable[tuple[int, Row]], use: Callable[[Row], None]) -> None:
        """Give each row to `use`; one for which it raises ValueError is set aside, and leaves nothing behind.

        Raises:
            DataError: Too many rows cannot be used, or an id has two texts.
        """
        tables: tuple[dict[Any, Any], ...] = (self.queries, self.docs, self.opinions)
        self.path = path
        for self.line, row in rows:
            before, counts, self._overruled = [len(table) for table in tables], self.counts.copy(), []
            try:
                use(row)
            except ValueError as error:
                self.counts = counts
                for one in self._overruled:
                    self.opinions[one.query_id, one.doc_id, one.rater] = one
                for table, length in zip(tables, before, strict=True):
                    while len(table) > length:
                        table.popitem()
                self.quarantine.reject(path, self.line, str(error), str(row))
        self.quarantine.check(path)

    def query(self, text: object, query_id: object = None, metadata: Mapping[str, Any] | None = None) -> str:
        """Keep a query; its id, made of its text where it has none.

        Raises:
            ValueError: No text, or no id.
            DataError: The id has another text already.
        """
        words, facts = tidy(text), _facts(metadata)
        if not words:
            raise ValueError("the query is empty")
        made = made_id("q", words) if query_id in (None, "") else read_id(query_id)
        self._keep(self.queries, made, Query(made, words, facts), words=words, what="query")
        return made

    def doc(
        self, text: object, doc_id: object = None, *, title: object = "", metadata: Mapping[str, Any] | None = None
    ) -> str:
        """Keep a passage; its id, made of its text where it has none.

        Raises:
            ValueError: No text, or no id.
            DataError: The id has another text already.
        """
        doc = Doc("", tidy(text), tidy(title or ""), _facts(metadata))
        if not doc.full_text:
            raise ValueError("the passage is empty")
        made = made_id("d", doc.full_text) if doc_id in (None, "") else read_id(doc_id)
        doc = Doc(made, doc.text, doc.title, doc.metadata)
        self._keep(self.docs, made, doc, words=doc.full_text, what="passage")
        return made

    def _keep(self, table: dict[str, Record], name: str, record: Record, *, words: str, what: str) -> None:
        first = table.setdefault(name, record)
        if first is record:
            return
        known = first.full_text if isinstance(first, Doc) else first.text
        if known.split() != words.split():
            raise DataError(
                "E3005",
                f"{what} '{name}' has two texts",
                fix="give each text its own id, then import again",
                at=f"{self.path}:{self.line}",
            )

    def grade(self, value: object) -> int | None:
        """A grade as it is written: a whole number, a word that says it, or nothing for "cannot judge".

        Raises:
            ValueError: None of these.
        """
        if value is None or isinstance(value, bool):
            return None if value is None else int(value)
        word = str(value).strip().casefold()
        return self.grades[word] if word in self.grades else read_grade(word)

    def judge(self, opinion: Opinion, *, is_mined: bool = False) -> None:
        """Keep an opinion. The same one may come again; of a mined negative that is also right, right is kept.

        Raises:
            ValueError: The same rater said otherwise before.
        """
        key = (opinion.query_id, opinion.doc_id, opinion.rater)
        before = self.opinions.setdefault(key, opinion)
        if before.relevance == opinion.relevance:
            return
        if not is_mined:
            query_id, doc_id, _ = key
            raise ValueError(f"'{query_id}', '{doc_id}' was judged {before.relevance} before, {opinion.relevance} here")
        self.counts["passages stand among the right and the wrong ones of one query: taken as right"] += 1
        if before.relevance == NOT_RELEVANT:
            self._overruled.append(before)
            self.opinions[key] = opinion

    def done(self) -> Labelled:
        """Everything that was kept.

        Raises:
            DataError: There is no judgement.
        """
        if not any(one.relevance is not None for one in self.opinions.values()):
            fix = "check that it is the right file, and --map and --grades where its names differ"
            raise DataError("E3003", f"{self.path} holds no judgements", fix=fix)
        for said, count in self.counts.items():
            self.quarantine.note(f"{count:,} {said}")
        return Labelled(self.queries, self.docs, list(self.opinions.values()))
