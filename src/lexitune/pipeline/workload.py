"""How much there is to train on and to encode: counted from data, or as told where there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lexitune.errors import DataError
from lexitune.io.dataset import read_folder, read_pairs_data
from lexitune.io.options import DataOptions
from lexitune.io.quarantine import Quarantine
from lexitune.models.spec import ModelSpec
from lexitune.pipeline.data import to_cut
from lexitune.pipeline.options import PlanOptions
from lexitune.types import Dataset, Doc, Qrels, Query

__all__ = ["Workload", "count_data", "count_file", "told"]

Lengths = NDArray[np.int64]
Count = Callable[[Sequence[str]], Lengths]

SAMPLE = 2000  # pairs, and passages, whose tokens are counted
WORD_TOKENS = 1.6  # of a word, where there is no tokenizer: the middle of nine sets, from 1.2 in prose to 2.6 in code
SPREAD = 1.7  # times its mean length is the longest of 16 texts: the middle of nine sets, from 1.1 to 2.7


@dataclass(frozen=True, eq=False)
class Workload:
    """Pairs and passages, and how long they are.

    Args:
        pairs: To train on.
        asked: Their distinct queries.
        docs: In the corpus.
        dev_queries: Queries that choose the checkpoint.
        queries: int64: tokens of the queries of a sample of the pairs, one each; `passages` those of their passages.
        corpus: int64: tokens of a sample of the corpus.
        spread: How many times their mean the longest texts of a batch have, where the sample does not say; else 1.
        how: Where the lengths come from, in words.
    """

    pairs: int
    asked: int
    docs: int
    dev_queries: int
    queries: Lengths
    passages: Lengths
    corpus: Lengths
    spread: float
    how: str


def told(options: PlanOptions, *, data: DataOptions, max_length: int) -> Workload:
    """The workload that options describe; `--pairs` is given."""
    assert options.pairs is not None
    query, doc = (np.array([min(count, max_length)]) for count in (options.query_tokens, options.doc_tokens))
    dev = round(options.pairs * data.dev_share / (1 - data.dev_share - data.test_share or 1))
    pairs = options.pairs
    return Workload(pairs, pairs, options.docs or pairs, dev, query, doc, doc, SPREAD, "as told")


def count_file(
    path: Path, *, data: DataOptions, options: PlanOptions, spec: ModelSpec, folder: Path | None
) -> Workload:
    """The workload of a BEIR folder or a file of pairs. Splits that it does not have are reckoned, not made.

    Raises:
        DataError: It cannot be read, or has no pairs.
    """
    quarantine = Quarantine(max_share=data.max_bad_share)
    corpus = Path(data.corpus) if data.corpus else None
    raw = read_folder(path, quarantine) if path.is_dir() else read_pairs_data(path, corpus, quarantine)
    giver, dev_share, test_share = to_cut(raw.qrels, data)
    train = raw.qrels[giver]
    dev = round(dev_share * len(train)) if dev_share else len(raw.qrels.get("dev", {}))
    share = 1 - dev_share - test_share
    return _count(raw.docs, raw.queries, train, share=share, dev=dev, options=options, spec=spec, folder=folder)


def count_data(data: Dataset, *, options: PlanOptions, spec: ModelSpec, folder: Path | None) -> Workload:
    """The workload of a data set that is split.

    Args:
        options: `pairs` and `docs` stand for other counts of the same texts, where they are given.
        folder: Of the model, whose tokenizer counts; None: words are counted.
    """
    dev = len(data.qrels.get("dev", {}))
    train = data.qrels.get("train", {})
    return _count(data.docs, data.queries, train, share=1.0, dev=dev, options=options, spec=spec, folder=folder)


def _count(
    docs: Sequence[Doc],
    queries: Mapping[str, Query],
    train: Qrels,
    *,
    share: float,
    dev: int,
    options: PlanOptions,
    spec: ModelSpec,
    folder: Path | None,
) -> Workload:
    texts = {doc.doc_id: doc.full_text for doc in docs}
    pairs = [pair for pair in _pairs(train) if pair[0] in queries and pair[1] in texts]
    if not pairs:
        raise DataError(
            "E3321", "there are no training pairs", fix="give --pairs N, or data with judgements of 1 or more"
        )
    draw = np.random.default_rng(0)
    chosen = [pairs[row] for row in draw.permutation(len(pairs))[:SAMPLE]]
    some = [docs[row].full_text for row in draw.permutation(len(docs))[:SAMPLE]]
    count, how = _counter(spec, folder)
    trained = options.pairs or max(1, round(share * len(pairs)))
    return Workload(
        trained,
        max(1, round(trained * len({query_id for query_id, _ in pairs}) / len(pairs))),
        options.docs or len(docs),
        dev,
        count([spec.query_prompt + queries[query_id].text for query_id, _ in chosen]),
        count([spec.doc_prompt + texts[doc_id] for _, doc_id in chosen]),
        count([spec.doc_prompt + text for text in some]),
        1.0,
        how,
    )


def _pairs(qrels: Qrels) -> Iterator[tuple[str, str]]:
    for query_id, grades in qrels.items():
        yield from ((query_id, doc_id) for doc_id, grade in grades.items() if grade > 0)


def _counter(spec: ModelSpec, folder: Path | None) -> tuple[Count, str]:
    """A function from texts to their tokens, cut as the model cuts them."""
    if folder is None or not (folder / "tokenizer.json").is_file():

        def by_words(texts: Sequence[str]) -> Lengths:
            words = np.array([len(text.split()) for text in texts])
            return np.minimum(np.ceil(WORD_TOKENS * words).astype(np.int64) + 2, spec.max_length)

        return by_words, f"reckoned, {WORD_TOKENS} tokens a word"
    from transformers import AutoTokenizer

    from lexitune.models.quiet import quiet
    from lexitune.models.tokens import tokenise

    with quiet():
        tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    return lambda texts: tokenise(tokenizer, texts, max_length=spec.max_length).lengths, "counted with its tokenizer"
