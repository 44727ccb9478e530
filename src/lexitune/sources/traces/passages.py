"""Which passage a context is: by its text in the corpus, by the id that it bears, or by its text alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from lexitune.fingerprint import hash_text
from lexitune.io.beir import made_id
from lexitune.io.ids import read_id
from lexitune.sources.traces.trace import Context
from lexitune.types import Doc

__all__ = ["Passages", "doc_id_of", "known_passages", "plain_id", "text_key"]


@dataclass(frozen=True, eq=False)
class Passages:
    """What is known of the passages before the traces are read for good.

    Attributes:
        by_id: Of the corpus: id and key of the text; None where there is no corpus.
        by_text: Key of a text and the id that it goes by.
        shared: Ids that traces give to several texts: those of documents, whose chunks they are of.
    """

    by_id: Mapping[str, str] | None = None
    by_text: Mapping[str, str] = field(default_factory=dict)
    shared: Collection[str] = ()


def text_key(text: str) -> str:
    """Equal for texts that are equal but for white space."""
    return hash_text(" ".join(text.split()))


def plain_id(given: str) -> str:
    """An id as we keep it; "" where it can be none."""
    try:
        return read_id(given) if given else ""
    except ValueError:
        return ""


def known_passages(docs: Iterable[Doc]) -> Passages:
    """The passages of a corpus. One text under two ids goes by the smaller one."""
    by_id, by_text = dict[str, str](), dict[str, str]()
    for doc in docs:
        by_id[doc.doc_id] = text_key(doc.text)
        for text in {doc.text, doc.full_text}:
            key = text_key(text)
            by_text[key] = min(by_text.get(key, doc.doc_id), doc.doc_id)
    return Passages(by_id, by_text)


def doc_id_of(context: Context, passages: Passages) -> tuple[str, str]:
    """The id of a context's passage, and what there is to say about it.

    Returns:
        The id, "" where it has none that counts; and a reason, "" where all is well.
    """
    given, key = plain_id(context.doc_id), text_key(context.text) if context.text.strip() else ""
    if not given and not key:
        return "", "without an id and a text"
    if passages.by_id is not None:
        if given in passages.by_id and passages.by_id[given] == key:
            return given, ""
        if key in passages.by_text:
            return passages.by_text[key], ""
        if given in passages.by_id:
            return given, "with another text than the corpus has under its id" if key else ""
        return "", "not in the corpus"
    if given in passages.shared:
        return (made_id("d", context.text), "") if key else ("", "with an id that several texts bear, and no text")
    if key and key in passages.by_text:
        return passages.by_text[key], ""
    return (given, "") if given else (made_id("d", context.text), "")
