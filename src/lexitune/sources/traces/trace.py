"""Records: what every format is read into, and the trace that they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["MODEL", "OTHER", "RERANKER", "RETRIEVER", "Context", "Feedback", "Part", "Trace"]

RETRIEVER, RERANKER, MODEL, OTHER = "retriever", "reranker", "model", "other"


class Context(NamedTuple):
    """A passage as it was retrieved.

    Attributes:
        doc_id: As the trace names it; "" where it does not.
        names: What an answer may cite it by: its ids, its source.
    """

    doc_id: str
    text: str
    names: Sequence[str] = ()


class Part(NamedTuple):
    """One step of a trace: a span, an observation or a run.

    Attributes:
        parent_id: "" for the first step.
        kind: RETRIEVER, RERANKER, MODEL or OTHER.
        at: When it began, in a form that sorts.
        question: What went in, where that is a text; `answer` likewise what came out.
        contexts: What a retriever or reranker returned, in its order; of other steps, passages that they name.
        who: Whose trace it is, as a hash: a user, else a session; "" where the step does not say.
    """

    trace_id: str
    part_id: str
    parent_id: str = ""
    kind: str = OTHER
    at: str = ""
    question: str = ""
    answer: str = ""
    contexts: Sequence[Context] = ()
    who: str = ""


class Feedback(NamedTuple):
    """What somebody thought of an answer.

    Attributes:
        about: Id of the trace, or of one of its parts.
        mark: Tells it from others about the same; the same one, exported twice, counts once.
        value: A number, or a text such as "thumbs_up".
        is_machine: Whether a model or a rule gave it.
    """

    about: str
    mark: str
    name: str
    value: float | str
    is_machine: bool = False


@dataclass(frozen=True, slots=True)
class Trace:
    """A question, what was shown to the model, and what it answered.

    Attributes:
        contexts: What reached the model, in order: of the last reranker, where there is one.
        earlier: What was retrieved besides, and left on the way.
        is_one_list: Whether `contexts` is one ranking, so that a number in the answer names a place in it.
        who: As in `Part`; a trace without one has its own id here.
    """

    question: str
    contexts: Sequence[Context]
    earlier: Sequence[Context]
    is_one_list: bool
    answer: str
    who: str
