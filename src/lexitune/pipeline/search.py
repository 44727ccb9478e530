"""Search with what serves: one line names model and vectors, and nothing else is used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from lexitune.errors import DataError, UsageError
from lexitune.io.beir import read_docs
from lexitune.io.quarantine import Quarantine
from lexitune.io.vectors import Vectors, open_vectors
from lexitune.io.workspace import Workspace
from lexitune.models.options import ModelOptions
from lexitune.search.exact import exact_search
from lexitune.search.filters import allowed_docs, read_filter
from lexitune.stages.promote.driver import recover
from lexitune.stages.promote.serving import Serving, locate, read_serving
from lexitune.stores.store import opened
from lexitune.types import Doc, Query, Silent, Talk

if TYPE_CHECKING:
    from lexitune.models.embedder import Embedder

__all__ = ["Found", "search_serving"]

DEFAULT = ModelOptions()
AGAIN = "lexitune rollback, or lexitune reembed && lexitune evaluate && lexitune promote"


@dataclass(frozen=True, slots=True)
class Found:
    """One passage that search returns; `rank` counts from 1, `score` is the model's similarity."""

    rank: int
    score: float
    doc_id: str
    title: str
    text: str

    def to_json(self) -> dict[str, Any]:
        """A plain dict that `json.dumps` takes."""
        return asdict(self)


def search_serving(
    workspace: Workspace,
    text: str,
    *,
    k: int = 10,
    filters: Mapping[str, Sequence[str]] | None = None,
    model: ModelOptions = DEFAULT,
    talk: Talk | None = None,
) -> list[Found]:
    """The first k passages for a query, by the model that serves, through the vectors that serve.

    Args:
        filters: Field of the passages' metadata -> the values allowed.
        model: Device, and for a stock model from the Hub its revision; all else is the serving model's own.

    Raises:
        UsageError: Nothing serves yet.
        DataError: The model is not the one that was promoted, the vectors are not its own, or a filter names a field
            that no passage has.
    """
    talk = talk or Silent()
    recover(workspace, reading=True, talk=talk)
    serving = read_serving(workspace)
    if serving is None:
        raise UsageError("E2015", f"nothing serves in {workspace.root} yet", fix="lexitune status tells what is next")
    # Where a store answers, the files' manifest alone is used: gigabytes need not be read for it.
    vectors = open_vectors(workspace.root / serving.vectors, verify=not serving.store)
    embedder = _load(workspace, serving, vectors, model, talk)
    docs = read_docs(workspace.corpus, Quarantine(max_share=0.0))
    query = Query("query", text, {"filter": dict(filters)} if filters else {})
    encoded, ids = embedder.encode_queries([text]), [query.query_id]
    # Also where a store answers: a filter by a field that no passage has is an error, not an empty answer.
    allowed = allowed_docs([query], docs)
    if serving.store:
        own = [read_filter(query)]
        with opened(serving.store) as store:
            hits = store.search(
                serving.index, encoded, query_ids=ids, k=k, fingerprint=embedder.doc_fingerprint, filters=own
            )
    else:
        hits = exact_search(encoded, vectors, min(k, len(vectors)), query_ids=ids, allowed=allowed)
    by_id = {doc.doc_id: doc for doc in docs}
    return [_found(rank, hit, by_id) for rank, hit in enumerate(hits.run(query.query_id), start=1)]


def _found(rank: int, hit: tuple[str, float], docs: Mapping[str, Doc]) -> Found:
    doc_id, score = hit
    doc = docs.get(doc_id, Doc(doc_id, "(no longer in the corpus)"))
    return Found(rank, score, doc_id, doc.title, doc.text)


def _load(workspace: Workspace, serving: Serving, vectors: Vectors, options: ModelOptions, talk: Talk) -> Embedder:
    """The serving model, computing as it did when it made the vectors.

    Raises:
        DataError: It is not the model that was promoted, or the vectors are not of its making.
    """
    from lexitune.models.load import load

    own = replace(options, precision=vectors.manifest.get("precision", "auto"), max_length=None, revision=None)
    if not serving.model.startswith("models/"):
        # A challenger's folder says its own length; a stock model may have been cut to one by an option.
        own = replace(own, max_length=vectors.manifest.get("max_length"), revision=options.revision)
    embedder = load(str(locate(workspace, serving.model) or serving.model), options=own, talk=talk)
    if embedder.doc_fingerprint != vectors.manifest.get("fingerprint"):
        raise DataError(
            "E3145",
            f"{serving.vectors} was not made by {serving.model}: its scores would mean nothing",
            fix=AGAIN,
        )
    if serving.fingerprint not in ("", embedder.fingerprint):
        raise DataError(
            "E3145",
            f"{serving.model} is not the model that was promoted: its queries would be encoded in another way",
            fix=AGAIN,
        )
    return embedder
