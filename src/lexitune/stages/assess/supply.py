"""Supply: the training pairs that there are, by where they came from, and whether sources agree."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from lexitune.text.normalise import normalise
from lexitune.types import Dataset, Query

__all__ = ["Supply", "is_synthetic", "source_of", "survey_pairs"]

UNNAMED = "unnamed"
SYNTHETIC = "synthetic"


@dataclass(frozen=True, slots=True)
class Supply:
    """Training pairs of a query and a relevant passage.

    Attributes:
        pairs: How many.
        queries: Distinct query texts, case and white space aside; `docs` distinct passages.
        copies: Pairs whose query text and passage another pair has already.
        sources: Pairs by their query's source, most first; `unnamed` where its metadata names none.
        shared: Query texts that two sources have; `agreed` of them, those for which some passage is relevant to both.
    """

    pairs: int
    queries: int
    docs: int
    copies: int
    sources: dict[str, int]
    shared: int
    agreed: int


def survey_pairs(data: Dataset) -> Supply:
    """Count the training pairs of the data.

    Example:
        >>> from lexitune.types import Doc
        >>> queries = {"q1": Query("q1", "What is it?", {"source": "log"}), "q2": Query("q2", "what is it")}
        >>> found = survey_pairs(Dataset([Doc("d1", "it")], queries, {"train": {"q1": {"d1": 1}, "q2": {"d1": 2}}}))
        >>> found.pairs, found.queries, found.copies, found.sources, (found.shared, found.agreed)
        (2, 1, 1, {'log': 1, 'unnamed': 1}, (1, 1))
    """
    pairs = list(_pairs(data))
    by_text: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for text, doc_id, source in pairs:
        by_text[text][source].add(doc_id)
    shared = [list(found.values()) for found in by_text.values() if len(found) > 1]
    agreed = [any(not one.isdisjoint(other) for one, other in combinations(found, 2)) for found in shared]
    return Supply(
        pairs=len(pairs),
        queries=len(by_text),
        docs=len({doc_id for _, doc_id, _ in pairs}),
        copies=len(pairs) - len({(text, doc_id) for text, doc_id, _ in pairs}),
        sources=dict(Counter(source for _, _, source in pairs).most_common()),
        shared=len(shared),
        agreed=sum(agreed),
    )


def _pairs(data: Dataset) -> Iterator[tuple[str, str, str]]:
    """Normalised query text, passage and source of each."""
    for query_id, judged in data.qrels.get("train", {}).items():
        query = data.queries[query_id]
        text, source = normalise(query.text), source_of(query)
        yield from ((text, doc_id, source) for doc_id, grade in judged.items() if grade > 0)


def source_of(query: Query) -> str:
    """Where a query came from, as its metadata says."""
    return str(query.metadata.get("source") or UNNAMED)


def is_synthetic(query: Query) -> bool:
    """Whether a language model or a rule wrote it: nobody is known to ask so.

    Example:
        >>> is_synthetic(Query("q1", "what is it", {"source": "synthetic:llama"}))
        True
    """
    return source_of(query).split(":")[0] == SYNTHETIC
