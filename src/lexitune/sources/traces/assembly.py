"""Parts into a trace: which question, which passages reached the model in which order, and what it answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lexitune.sources.traces.trace import MODEL, RERANKER, RETRIEVER, Part, Trace

__all__ = ["assemble"]

FINDERS = (RETRIEVER, RERANKER)


def assemble(parts: Sequence[Part], *, question: str = "search") -> Trace | None:
    """The trace that its parts make, in whatever order they come; None where nobody asked anything.

    Args:
        question: "search" for what the retrievers were asked, where they agree; "user" for what went in first.
    """
    ordered = sorted(parts, key=lambda part: (part.at, part.part_id))
    by_id = {part.part_id: part for part in ordered}
    outer = [part for part in ordered if part.kind in FINDERS and not _is_inside_finder(part, by_id)]
    inner = [part for part in ordered if part.kind in FINDERS and _is_inside_finder(part, by_id)]
    roots = [part for part in ordered if part.parent_id not in by_id or part.parent_id == part.part_id]
    asked = _question(ordered, outer, roots, question)
    if not asked:
        return None
    last = _last(outer)
    reached = {part.part_id for part in last}
    lists = [part.contexts for part in last if part.contexts]
    if not outer:  # programs that log no retrieval may name the passages in what they return
        lists = [part.contexts for part in roots if part.contexts][:1]
    earlier = [context for part in [*outer, *inner] if part.part_id not in reached for context in part.contexts]
    who = next((part.who for part in [*roots, *ordered] if part.who), "") or ordered[0].trace_id
    shown = [context for one in lists for context in one]
    return Trace(asked, shown, earlier, len(lists) == 1, _answer(ordered, roots), who)


def _is_inside_finder(part: Part, by_id: Mapping[str, Part]) -> bool:
    """Whether a retriever calls it: a retriever that reranks returns what reaches the model, not the one inside it."""
    seen = {part.part_id}
    parent = by_id.get(part.parent_id)
    while parent is not None and parent.part_id not in seen:
        if parent.kind in FINDERS:
            return True
        seen.add(parent.part_id)
        parent = by_id.get(parent.parent_id)
    return False


def _last(outer: Sequence[Part]) -> list[Part]:
    """The steps whose passages reach the model: rerankers, and retrievers that none of these came after."""
    places = [place for place, part in enumerate(outer) if part.kind == RERANKER]
    after = places[-1] if places else -1
    return [part for place, part in enumerate(outer) if part.kind == RERANKER or place > after]


def _question(ordered: Sequence[Part], outer: Sequence[Part], roots: Sequence[Part], wanted: str) -> str:
    asking = [part.question for part in [*roots, *ordered] if part.kind not in (MODEL, *FINDERS)]
    typed = next((text for text in asking if text.strip()), "")
    searched = {" ".join(part.question.split()) for part in outer if part.question.strip()}
    # Several searches, as agents make them, are no question of anybody's: which passage is for which is not known.
    search = searched.pop() if len(searched) == 1 else ""
    return (search or typed) if wanted == "search" else (typed or search)


def _answer(ordered: Sequence[Part], roots: Sequence[Part]) -> str:
    told = next((part.answer for part in roots if part.answer.strip()), "")
    models = [part.answer for part in ordered if part.kind == MODEL and part.answer.strip()]
    others = [part.answer for part in ordered if part.kind not in (MODEL, *FINDERS) and part.answer.strip()]
    return told or (models[-1] if models else next(iter(others), ""))
