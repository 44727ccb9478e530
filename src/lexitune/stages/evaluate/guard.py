"""The guard: text outside the field, on which a challenger should not lose what the stock model can do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lexitune.errors import DataError
from lexitune.fingerprint import hash_json
from lexitune.io.general import read_general
from lexitune.io.hits import Hits
from lexitune.io.vectors import GUARD
from lexitune.metrics.comparison import Comparison, compare
from lexitune.metrics.measures import Measure, measure_hits, refuse_collapsed
from lexitune.search.exact import exact_search
from lexitune.stages.evaluate.measuring import clusters_of
from lexitune.stages.evaluate.options import EvaluateOptions
from lexitune.types import Dataset, Doc, ProgressAlone, Qrels, Query, Talk

if TYPE_CHECKING:
    from lexitune.models.embedder import Embedder

__all__ = ["GENERAL", "NDCG", "OWN", "GuardText", "measure_guard", "read_guard"]

GENERAL, OWN = "general text", "own text"
"""What comes with lexitune, and the user's own folder: names in reports and files."""

NDCG = Measure("nDCG", 10)
DEPTH = 11  # hits that show whether a model tells passages apart at all


@dataclass(frozen=True, eq=False)
class GuardText:
    """Passages, queries and judgements outside the field."""

    name: str
    docs: Sequence[Doc]
    queries: Mapping[str, Query]
    qrels: Qrels

    @property
    def fingerprint(self) -> str:
        """Of all that a model is measured on."""
        texts = [(doc.doc_id, doc.full_text) for doc in self.docs]
        return hash_json([texts, {name: query.text for name, query in self.queries.items()}, self.qrels])


def read_guard(own: str | None) -> list[GuardText]:
    """The text that comes with lexitune and, where a BEIR folder is named, the user's own.

    Raises:
        DataError: The folder cannot be read whole, or under 50 of its queries have a relevant passage.
    """
    folders = {GENERAL: None} | ({OWN: Path(own)} if own else {})
    return [GuardText(name, *read_general(folder)) for name, folder in folders.items()]


def measure_guard(
    texts: Sequence[GuardText],
    *,
    stock: Embedder,
    tuned: Embedder,
    vectors: Path,
    options: EvaluateOptions,
    talk: Talk,
) -> dict[str, Comparison]:
    """What the challenger gains or loses on each text, by nDCG@10 and exact search.

    A text that the stock model does not tell apart, in a language that it does not read, say, is left out: there is
    nothing to lose. A challenger that does not is measured all the same.

    Args:
        vectors: The workspace's folder of vectors; passages are encoded once for each model.

    Raises:
        StageFailed: A text encodes to NaN.
    """
    found = {}
    for text in texts:
        before = _rank(text, stock, vectors, talk)
        try:
            refuse_collapsed(before)
        except DataError:
            talk.say(f"the stock model does not tell {text.name} apart, so nothing guards it: see --guard-folder")
            continue
        hits = {"stock": before, "tuned": _rank(text, tuned, vectors, talk)}
        reports = (
            measure_hits(one, text.qrels, [NDCG], system=name, split=text.name, fingerprints={"text": text.fingerprint})
            for name, one in hits.items()
        )
        clusters = clusters_of(Dataset(text.docs, text.queries, {}), text.qrels)
        found[text.name] = compare(*reports, clusters=clusters, resamples=options.resamples, seed=options.seed)
    return found


def _rank(text: GuardText, model: Embedder, vectors: Path, talk: Talk) -> Hits:
    from lexitune.models.corpus import encode_corpus

    folder = vectors / GUARD / text.name.replace(" ", "-")
    stored = encode_corpus(model, text.docs, folder, talk=ProgressAlone(talk), stage="evaluate")
    query_ids = list(text.qrels)
    encoded = model.encode_queries([text.queries[query_id].text for query_id in query_ids])
    return exact_search(encoded, stored, min(DEPTH, len(text.docs)), query_ids=query_ids)
