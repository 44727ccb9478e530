"""What BM25 knows of the training pairs already: a model that is served beside it need not learn that.

After CLEAR (Gao et al. 2021, arXiv 2004.13969): the loss sees the sum of both scores, so a pair that BM25 ranks first
pulls little, and a wrong passage that BM25 likes is pushed the harder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lexitune.search.bm25 import BM25
from lexitune.stages.train.examples import Examples
from lexitune.types import Doc

__all__ = ["Lexical", "lexical_scores"]

DEPTH = 100
FIRST = 61  # as in the fusion that serves: rank r counts 61 / (60 + r) of rank 1


@dataclass(frozen=True, slots=True, eq=False)
class Lexical:
    """BM25's say of some pairs, from 1 for its first rank down; of all others 0.

    Attributes:
        numbers: int64, sorted: pairs as `Examples.numbers` counts them.
        scores: float32.
    """

    numbers: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float32]

    def of(self, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """The say of these pairs."""
        if not len(self.numbers):
            return np.zeros(numbers.shape, np.float32)
        place = np.searchsorted(self.numbers, numbers).clip(max=len(self.numbers) - 1)
        return np.where(self.numbers[place] == numbers, self.scores[place], np.float32(0))


def lexical_scores(examples: Examples, docs: Sequence[Doc]) -> Lexical:
    """Rank the whole corpus by BM25 for each query of the training, and keep what is in the first hundred."""
    ids = [str(row) for row in range(len(examples.queries))]
    hits = BM25.build(docs).search(examples.queries, query_ids=ids, k=DEPTH)
    pool = {text: row for row, text in enumerate(examples.docs)}
    row_of = np.array([pool.get(doc.full_text, -1) for doc in docs], dtype=np.int64)
    query, place = np.nonzero(hits.index >= 0)
    doc = row_of[hits.index[query, place]]
    query, place, doc = (part[doc >= 0] for part in (query, place, doc))
    # Equal texts are one doc here, and the higher of their ranks is its rank: it comes first.
    numbers, first = np.unique(examples.numbers(query, doc), return_index=True)
    return Lexical(numbers, (FIRST / (FIRST + place[first])).astype(np.float32))
