"""The question, the answer and the passages, in whatever shape a program logged them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lexitune.fingerprint import hash_text
from lexitune.sources.traces.trace import Context

__all__ = ["answer_of", "as_text", "contexts_of", "parsed", "question_of", "score_of", "who_of"]

QUESTION_KEYS = ("question", "query", "user_query", "search_query", "user_input", "input", "message", "prompt", "text")
ANSWER_KEYS = ("answer", "response", "output", "result", "output_text", "completion", "message", "text", "content")
LISTS = (
    "documents", "source_documents", "retrieved_documents", "retrieved_contexts", "contexts", "context", "passages",
    "chunks", "nodes", "source_nodes", "matches", "results", "hits", "docs", "output", "sources",
)  # fmt: skip
WRAPPERS = ("message", "document", "node", "kwargs", "payload", "_source")
TEXTS = ("page_content", "pageContent", "content", "text", "chunk", "passage", "body")
# A chunk's own id before that of the document which it is of.
IDS = ("chunk_id", "passage_id", "node_id", "id_", "_id", "id", "doc_id", "document_id")
NAMES = ("source", "url", "file_name", "title")
USERS = ("user_id", "userId", "user")
SESSIONS = ("session_id", "sessionId", "thread_id", "conversation_id")
ASKS, ANSWERS = ("user", "human", "humanmessage"), ("assistant", "ai", "aimessage", "model")
DEEPEST = 8  # steps into a value: beyond, it is no question that somebody logged


def parsed(value: Any) -> Any:
    """The value; of a text that is JSON, what stands in it."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            found = json.loads(value)
            if "\\ud" in value or "\\uD" in value:  # half of a surrogate pair could not be written again
                json.dumps(found, ensure_ascii=False).encode("utf-8")
        except (ValueError, RecursionError):
            return value
        return found
    return value


def as_text(value: Any) -> str:
    """An id or name as a text; "" where it is neither text nor whole number."""
    return str(value).strip() if isinstance(value, (str, int)) and not isinstance(value, bool) else ""


def score_of(value: Any) -> float | str | None:
    """A score as a number or a text; None where it is neither, or no number that can be compared with others.

    Example:
        >>> score_of(True), score_of("thumbs_up"), score_of(float("nan")), score_of(10**400)
        (1.0, 'thumbs_up', None, None)
    """
    if isinstance(value, str):
        return value
    try:
        found = float(value) if isinstance(value, (int, float)) else math.nan
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def who_of(*places: Any) -> str:
    """A hash of the user, else of the session, that one of these mappings names; "" where none does.

    Example:
        >>> who_of({"user_id": "ann"}) == who_of({"session_id": "s1"}, {"userId": "ann"})
        True
    """
    known = [place for place in places if isinstance(place, dict)]
    for kind in (USERS, SESSIONS):
        for place in known:
            if found := next((as_text(place[key]) for key in kind if as_text(place.get(key))), ""):
                return hash_text(f"{kind[0]} {found}")
    return ""


def question_of(value: Any, depth: int = 0) -> str:
    """What was asked: a text, the last message of a user, or what stands under a usual key; "" where none is found.

    Example:
        >>> question_of({"messages": [{"role": "user", "content": "What is rent?"}]})
        'What is rent?'
    """
    value = parsed(value)
    if isinstance(value, str):
        return value
    if depth > DEEPEST:
        return ""
    if isinstance(value, list):
        return _said(value, ASKS, depth)
    if not isinstance(value, dict):
        return ""
    if (messages := value.get("messages")) and (found := question_of(messages, depth + 1)):
        return found
    for key in QUESTION_KEYS:
        if key in value and (found := question_of(value[key], depth + 1)):
            return found
    # Decorators log a function's arguments.
    if isinstance(named := value.get("kwargs"), dict) and (found := question_of(named, depth + 1)):
        return found
    first = next(iter(value.get("args") or [None]), None) if isinstance(value.get("args"), list) else None
    return question_of(first, depth + 1) if first else _content(value, ASKS)


def answer_of(value: Any, depth: int = 0) -> str:
    """What was answered: a text, the last message of the model, or what stands under a usual key.

    Example:
        >>> answer_of({"answer": "See [1].", "source_documents": []})
        'See [1].'
    """
    value = parsed(value)
    if isinstance(value, str):
        return value
    if depth > DEEPEST:
        return ""
    if isinstance(value, list):
        return _said(value, ANSWERS, depth)
    if not isinstance(value, dict):
        return ""
    if found := _content(value, ANSWERS):
        return found
    for key in ("messages", "choices", "generations"):
        if isinstance(value.get(key), list) and (found := answer_of(value[key], depth + 1)):
            return found
    for key in ANSWER_KEYS:
        if key in value and (found := answer_of(value[key], depth + 1)):
            return found
    return ""


def _said(items: Sequence[Any], roles: Sequence[str], depth: int) -> str:
    """The last message of one with such a role; without any roles, the last item that is a text or holds one."""
    for item in reversed(items):
        if found := _content(item, roles):
            return found
    if any(_role(item) for item in items):
        return ""
    find = question_of if roles is ASKS else answer_of
    return next((found for item in reversed(items) if (found := find(item, depth + 1))), "")


def _unwrapped(item: Any) -> Mapping[str, Any]:
    """A message or passage without what it is packed in: `{"message": {...}}`, `{"document": {...}, "score": 1}`."""
    found: dict[str, Any] = item if isinstance(item, dict) else {}
    for _ in range(DEEPEST):
        key = next((key for key in WRAPPERS if isinstance(found.get(key), dict)), "")
        if not key:
            break
        found = {**{name: value for name, value in found.items() if name != key}, **found[key]}
    return found


def _role(item: Any) -> str:
    item = _unwrapped(item)
    if isinstance(kind := item.get("id"), list) and kind:  # LangChain's own form names the class
        return as_text(kind[-1]).lower()
    return as_text(item.get("role") or item.get("type")).lower()


def _content(item: Any, roles: Sequence[str]) -> str:
    if _role(item) not in roles:
        return ""
    content = _unwrapped(item).get("content")
    if isinstance(content, list):
        content = "\n".join(as_text(part.get("text")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def contexts_of(value: Any, id_key: str | None = None, depth: int = 0) -> list[Context]:
    """Passages of a list, or of what stands under a usual key, in their order.

    Args:
        id_key: Where in a passage or its metadata the id stands; None: the usual places.

    Example:
        >>> contexts_of({"documents": [{"page_content": "Rent is due.", "metadata": {"id": 7}}]})
        [Context(doc_id='7', text='Rent is due.', names=('7',))]
    """
    value = parsed(value)
    if isinstance(value, dict):
        for key in LISTS if depth < DEEPEST else ():
            found = parsed(value.get(key))
            if isinstance(found, (list, dict)) and (inner := contexts_of(found, id_key, depth + 1)):
                return inner
        return []
    if not isinstance(value, list) or any(_role(item) in (*ASKS, *ANSWERS) for item in value):
        return []
    return [_context(item, id_key) for item in value if isinstance(item, (str, dict))]


def _context(item: str | dict[str, Any], id_key: str | None) -> Context:
    if isinstance(item, str):
        return Context("", item)
    whole = _unwrapped(item)
    inner = parsed(whole.get("metadata") or whole.get("extra_info"))
    metadata: Mapping[str, Any] = inner if isinstance(inner, dict) else {}
    text = next((whole[key] for key in TEXTS if isinstance(whole.get(key), str) and whole[key].strip()), "")
    ids = list(_values([id_key] if id_key else IDS, metadata if id_key else whole, whole if id_key else metadata))
    names = dict.fromkeys([*ids, *_values((*IDS, *NAMES), whole, metadata)])
    return Context(ids[0] if ids else "", text, tuple(names))


def _values(keys: Sequence[str], *places: Mapping[str, Any]) -> Iterator[str]:
    for place in places:
        for key in keys:
            if found := as_text(place.get(key)):
                yield found
