"""Records: what flows between the stages. Standard library only; behaviour lives elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

__all__ = [
    "FAULT",
    "LOOK",
    "OK",
    "Advice",
    "Dataset",
    "Doc",
    "Example",
    "GateResult",
    "Judgement",
    "ProgressAlone",
    "Qrels",
    "Query",
    "SealedQrels",
    "Silent",
    "Talk",
]

OK, LOOK, FAULT = "ok", "look", "fault"
"""How something that was looked at is marked."""

Qrels = Mapping[str, Mapping[str, int]]
"""query_id -> doc_id -> relevance. 1 or more is relevant; 0 was judged and is not."""


@dataclass(frozen=True, slots=True)
class Doc:
    """A passage that search can return. `metadata` may name its family (the parent document) and filter fields."""

    doc_id: str
    text: str
    title: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def full_text(self) -> str:
        """Title and text in BEIR's join: what every system indexes, and what a model encodes."""
        return f"{self.title} {self.text}".strip() if self.title else self.text


@dataclass(frozen=True, slots=True)
class Query:
    """What a user asks. `metadata["filter"]` (field -> value) restricts its candidates."""

    query_id: str
    text: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Judgement:
    """One opinion on one (query, doc). Evidence: appended, never edited. `relevance=None` is "cannot judge"."""

    query_id: str
    doc_id: str
    relevance: int | None
    source: str
    judge: str = ""
    weight: float = 1.0
    count: int = 1
    at: str = ""
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Example:
    """One training query with ids, not texts: texts are joined as late as possible."""

    query_id: str
    positives: Sequence[str]
    negatives: Sequence[str] = ()
    grades: Sequence[int] = ()
    weight: float = 1.0
    source: str = ""
    teacher_scores: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class SealedQrels:
    """Test judgements that nobody has read: only `evaluate` opens them, and each opening is recorded.

    They stand in `path`, or in `judgements` where a split made in memory has no file yet.
    """

    path: Path | None
    query_count: int
    judgements: Qrels | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Dataset:
    """A corpus, its queries, and judgements by split. Test judgements stay sealed.

    `qrels` has "train" and "dev" and never "test". `notes` are the things that reading found
    and the user should know (quarantined lines, a split that was made, a corpus made of the pairs).
    """

    docs: Sequence[Doc]
    queries: Mapping[str, Query]
    qrels: Mapping[str, Qrels]
    test: SealedQrels | None = None
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Advice:
    """What assess says. `answer` is TUNE, NO (not worth it) or CANNOT TELL (label more first).

    `also` is what else stands to gain without training, by its gain: such as USE HYBRID.
    """

    answer: str
    reasons: Sequence[str]
    evidence: Mapping[str, Any] = field(default_factory=dict)
    next_command: str = ""
    also: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class GateResult:
    """What the gate says. `answer` is PROMOTE, REFUSE (a shown failure) or CANNOT DECIDE (label more)."""

    answer: str
    reasons: Sequence[str]
    evidence: Mapping[str, Any] = field(default_factory=dict)
    next_command: str = ""


class Talk(Protocol):
    """Where a stage tells a person how it goes. The command line draws it; a library caller gets `Silent`."""

    def say(self, line: str) -> None:
        """Tell one finished fact."""

    def progress(self, stage: str, done: float, total: float, note: str = "") -> None:
        """Tell that `done` of `total` units of `stage` are behind us. `done == total` ends the line."""


class Silent:
    """A Talk that says nothing."""

    def say(self, line: str) -> None:
        pass

    def progress(self, stage: str, done: float, total: float, note: str = "") -> None:
        pass


@dataclass(frozen=True, slots=True)
class ProgressAlone:
    """Hands progress on to another Talk and nothing else: what a stage within a stage has to say is no news there."""

    talk: Talk

    def say(self, line: str) -> None:
        pass

    def progress(self, stage: str, done: float, total: float, note: str = "") -> None:
        self.talk.progress(stage, done, total, note)
