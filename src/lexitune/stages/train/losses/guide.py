"""A guide that looks over a batch: what it finds nearer to a query than the query's own answer is not called wrong.

GISTEmbed, Solatorio 2024 (arXiv 2402.16829). The guide here is the stock model, from which training starts.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lexitune.stages.train.losses.rows import row_tiles, unit

__all__ = ["guided_out"]


@torch.no_grad()
def guided_out(queries: Tensor, docs: Tensor, *, margin: float = 0.0) -> Tensor:
    """The cells that the guide takes for unlabelled answers.

    Args:
        queries: The guide's vectors of the batch's queries, (n, dim).
        docs: Its vectors of the positives, in the queries' order, then of the negatives: (n + m, dim).
        margin: Cells go whose cosine is above the own pair's less this: 0.0 takes out what the guide ranks above
            the right document, 0.05 also what comes near it.

    Returns:
        bool (n, n + m). A pair's own cell is never True.

    Example:
        The guide sees query 0 at 45 degrees to its own document and on top of that of query 1.

        >>> queries, docs = torch.tensor([[0.0, 1.0], [0.0, 1.0]]), torch.tensor([[1.0, 1.0], [0.0, 1.0]])
        >>> guided_out(queries, docs).tolist()
        [[False, True], [False, False]]
    """
    asked, answers = unit(queries)[0], unit(docs)[0]
    found = torch.empty(len(queries), len(docs), dtype=torch.bool, device=queries.device)
    for rows in row_tiles(len(queries), len(docs)):
        scores = asked[rows] @ answers.T
        own = scores.diagonal(offset=rows.start)[:, None]
        found[rows] = scores > own - margin
    return found.fill_diagonal_(False)
