"""Mine: negatives for the train queries of a data set, and how far they can be trusted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lexitune.errors import UsageError
from lexitune.stages.mine.ground import Ground, Rescore, Stored, lay_out, one_row_a_text
from lexitune.stages.mine.holdout import FalseNegatives, estimate
from lexitune.stages.mine.known import Known, gather_known, held_out, mined_queries, refuse_unknown, refuse_unrecorded
from lexitune.stages.mine.negatives import JUDGED, Negatives, mine_in_blocks, mine_queries
from lexitune.stages.mine.options import MineOptions
from lexitune.types import Dataset, Doc, Example, Qrels, Query, Silent, Talk

if TYPE_CHECKING:
    from lexitune.models.embedder import Embedder

__all__ = ["Mined", "mine", "mine_ground", "refuse_contradictions"]

DEFAULT = MineOptions()
MUCH_OF_CORPUS, MANY_WITHOUT = 0.30, 0.30


@dataclass(frozen=True, eq=False)
class Mined:
    """What mining found.

    Attributes:
        queries: The train queries with a right passage, in order.
        docs: Passages, in the order of the numbers in `negatives`.
        positives: Right passages of each query with their grades, in the judgements' order.
        positive_scores: What the cross-encoder says of them, one query's after another; None where there was none.
        negatives: Numbers of queries and passages.
        suspects: Rows of `negatives`, the most suspect first.
        false_negatives: How many of them are likely right.
        kept_out: Share of the corpus that no query may be given.
    """

    queries: Sequence[Query]
    docs: Sequence[Doc]
    positives: Sequence[dict[str, int]]
    positive_scores: NDArray[np.float32] | None
    negatives: Negatives
    suspects: NDArray[np.int64]
    false_negatives: FalseNegatives
    kept_out: float
    options: MineOptions

    def examples(self) -> Iterator[Example]:
        """One a query. One without negatives is among them: it still trains against the passages of its batch.

        A cross-encoder's scores are a teacher's, of the positives, then of the negatives.
        """
        ends = np.searchsorted(self.negatives.query, np.arange(len(self.queries) + 1))
        starts = np.cumsum([0, *(len(grades) for grades in self.positives)])
        for row, (query, grades) in enumerate(zip(self.queries, self.positives, strict=True)):
            found = slice(ends[row], ends[row + 1])
            ids = tuple(self.docs[doc].doc_id for doc in self.negatives.doc[found])
            taught: tuple[float, ...] = ()
            if self.positive_scores is not None:
                own = self.positive_scores[starts[row] : starts[row + 1]]
                taught = (*own.tolist(), *self.negatives.score[found].tolist())
            yield Example(
                query.query_id, tuple(grades), ids, tuple(grades.values()), source="mine", teacher_scores=taught
            )

    def summary(self) -> dict[str, Any]:
        """Counts, for people and for JSON."""
        counts = np.bincount(self.negatives.query, minlength=len(self.queries))
        return {
            "queries": len(self.queries),
            "negatives": len(self.negatives),
            "judged": int((self.negatives.rank == JUDGED).sum()),
            "without": int((counts == 0).sum()),
            "left_out": dict(self.negatives.left_out),
            "kept_out": self.kept_out,
            "false_negatives": self.false_negatives.to_json(),
        }


def mine(
    data: Dataset,
    *,
    model: Embedder,
    vectors: Path | None = None,
    openings: Path | None = None,
    sealed: str | None = None,
    reranker: Rescore | None = None,
    options: MineOptions = DEFAULT,
    talk: Talk | None = None,
) -> Mined:
    """Find hard negatives for each train query: passages that this model ranks high and that are likely wrong.

    The test judgements are opened for one purpose, to keep passages that are relevant to test queries out of the
    negatives, and the opening is recorded in `openings`. Their queries and grades go no further.

    Args:
        model: Whose mistakes are sought: the stock model, or the current one.
        vectors: Folder of the encode cache, keyed by the weights; None: nothing is kept.
        openings: Journal of openings of the test set; needed where the data has one and the options keep it out.
        sealed: SHA-256 of the test judgements when they were sealed.
        reranker: In place of the one that `options` names.

    Raises:
        DataError: No training pairs, a judgement without a text, test judgements that changed since they were sealed.
        UsageError: Options that contradict each other, or no journal.
        StageFailed: A text encodes to NaN.

    Example:
        >>> from lexitune.models.load import load
        >>> docs = [Doc("d1", "sort a list in place"), Doc("d2", "reverse a list"), Doc("d3", "open a socket")]
        >>> data = Dataset(docs, {"q1": Query("q1", "order the items of a list")}, {"train": {"q1": {"d1": 1}}})
        >>> [example.negatives for example in mine(data, model=load("minilm")).examples()]
        [('d2', 'd3')]
    """
    refuse_contradictions(options)
    refuse_unrecorded(data, options=options, openings=openings)
    talk, query_ids = talk or Silent(), mined_queries(data)
    refuse_unknown(data, query_ids, {doc.doc_id for doc in data.docs})
    stored, query_vectors = _encode(model, data, query_ids, vectors, talk)
    docs = _in_order_of(stored, data.docs)
    stands_for = one_row_a_text(docs)
    row_of = {doc.doc_id: int(row) for doc, row in zip(docs, stands_for, strict=True)}
    kept_out = held_out(data, options=options, openings=openings, sealed=sealed)  # late: a run cut off opens nothing
    ground = lay_out(
        data,
        query_ids,
        docs=docs,
        stands_for=stands_for,
        stored=stored,
        query_vectors=query_vectors,
        kept_out=kept_out,
        device="cuda" if model.network.device.type == "cuda" else None,
        rescore=reranker or _reranker(options, device=str(model.network.device)),
        options=options,
    )
    known = gather_known(data, query_ids, row_of, near=options.near)
    found = mine_ground(ground, known, train=data.qrels["train"], kept_out=len(kept_out) / len(docs), talk=talk)
    tell(found, talk)
    return found


def _in_order_of(stored: Stored, docs: Sequence[Doc]) -> list[Doc]:
    by_id = {doc.doc_id: doc for doc in docs}
    return [by_id[doc_id] for doc_id in (stored[1] if isinstance(stored, tuple) else stored.doc_ids)]


def _positives(judged: Mapping[str, int]) -> dict[str, int]:
    return {doc_id: grade for doc_id, grade in judged.items() if grade > 0}


def _reranker(options: MineOptions, *, device: str) -> Rescore | None:
    if options.reranker is None:
        return None
    from lexitune.models.reranker import load_reranker

    return load_reranker(options.reranker, device=device)


def mine_ground(ground: Ground, known: Known, *, train: Qrels, kept_out: float, talk: Talk) -> Mined:
    """Mine where everything is laid out: search, guards, picks, then the estimate and the order of suspicion.

    Args:
        train: The judgements that `known` was gathered from.
        kept_out: Share of the corpus that is.
    """
    negatives = mine_in_blocks(ground, known, talk=talk, stage="mine search")
    options = ground.options
    share = estimate(known, lambda rows, left: mine_queries(ground.of_rows(rows), left), seed=options.seed)
    suspects = most_suspect(negatives, options.suspects)
    positives = [_positives(train[query.query_id]) for query in ground.queries]
    scores = _score_positives(ground, positives)
    return Mined(ground.queries, ground.docs, positives, scores, negatives, suspects, share, kept_out, options)


def _score_positives(ground: Ground, positives: Sequence[Mapping[str, int]]) -> NDArray[np.float32] | None:
    if ground.rescore is None:
        return None
    texts = {doc.doc_id: doc.full_text for doc in ground.docs}
    asked = [query.text for query, grades in zip(ground.queries, positives, strict=True) for _ in grades]
    return ground.rescore(asked, [texts[doc_id] for grades in positives for doc_id in grades])


def most_suspect(negatives: Negatives, most: int) -> NDArray[np.int64]:
    """Rows of the negatives that are most likely right after all, by two signs together.

    The margin only just let it through (its score is close to p, in proportion to p), and it ranks high. Neither is
    enough: the second passage of a ranking may be far below the first, and where the right passage itself ranks
    sixtieth, the sixty-first is as close to p as it is wrong. The order is that of the gap times log2(1 + rank), a
    rule of thumb. Judged ones are not suspect.
    """
    size = np.maximum(np.abs(negatives.positive_score), np.finfo(np.float32).tiny)
    gap = (negatives.positive_score - negatives.score) / size
    order = np.argsort(gap * np.log2(1.0 + negatives.rank), kind="stable")
    found: NDArray[np.int64] = order[negatives.rank[order] != JUDGED][:most]
    return found


def tell(found: Mined, talk: Talk) -> None:
    """Say what was found, what was kept out, and what is doubtful."""
    counts, options = found.summary(), found.options
    share = counts["without"] / counts["queries"]
    judged = f", {counts['judged']:,} of them judged" if counts["judged"] else ""
    talk.say(
        f"mine: {counts['negatives']:,} negatives{judged} for {counts['queries']:,} queries, "
        f"{options.candidates} ranks {options.first} to {options.last}"
    )
    talk.say("mine: left out " + ", ".join(f"{count:,} {guard}" for guard, count in counts["left_out"].items()))
    is_small = len(found.docs) <= options.last
    if is_small:
        talk.say(
            f"mine: the corpus has {len(found.docs):,} passages, no more than --last {options.last}: all were "
            "candidates, and what is found is as hard as a corpus of this size has it"
        )
    if counts["without"]:
        narrower = "a smaller --margin" if is_small else "a smaller --margin or a greater --last"
        advice = f"; {narrower} leaves fewer" if share > MANY_WITHOUT else ""
        talk.say(
            f"mine: {counts['without']:,} queries ({share:.0%}) are left without negatives and still train against "
            f"the passages of their batch{advice}"
        )
    if found.kept_out:
        talk.say(f"mine: {found.kept_out:.0%} of the corpus is relevant to dev or test queries and kept out")
    if found.kept_out > MUCH_OF_CORPUS:
        talk.say(
            "mine: that is much of it: in a closed catalogue, where every passage answers some query, it leaves little "
            "to mine; --keep-out none takes them in, and the test figures then stand for known passages"
        )
    talk.say(f"mine: {found.false_negatives}")


def _encode(
    model: Embedder, data: Dataset, query_ids: Sequence[str], vectors: Path | None, talk: Talk
) -> tuple[Stored, NDArray[np.float32]]:
    """Vectors of the corpus, and of the queries."""
    from lexitune.models.corpus import encode_corpus

    stored: Stored
    if vectors is None:
        texts = [doc.full_text for doc in data.docs]
        stored = model.encode_docs(texts, talk=talk, stage="mine"), tuple(doc.doc_id for doc in data.docs)
    else:
        stored = encode_corpus(model, data.docs, vectors, talk=talk, stage="mine")
    return stored, model.encode_queries([data.queries[query_id].text for query_id in query_ids])


def refuse_contradictions(options: MineOptions) -> None:
    """Refuse a rank window that is smaller than what is asked of it.

    Raises:
        UsageError: It is.
    """
    window = options.last - options.first + 1
    if window < options.count:
        raise UsageError(
            "E2012",
            f"--first {options.first} and --last {options.last} leave {max(window, 0)} candidates, "
            f"fewer than --count {options.count}",
            fix=f"--last {options.first + max(options.count, 20) - 1}",
        )
