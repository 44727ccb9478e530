"""Search in PyTorch, on a GPU above all. Scores stay where they are computed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray

from lexitune.search.hidden import Hidden
from lexitune.search.matrix import SLACK, TINY, Block, HostDocs, refuse_rows
from lexitune.search.sweep import CROWDED, Swept, error_bound

__all__ = ["DeviceDocs", "sweep_on"]

QUERY_BLOCK, DOC_BLOCK = 4096, 16_384
EMPTY = torch.iinfo(torch.int64).min
LOW_BITS = 0xFFFF_FFFF
DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32, "fp64": torch.float64}


class DeviceDocs:
    """Vectors of docs that are a tensor on a device.

    Args:
        source: [docs, dim], in any floating format.
        doc_ids: Ids by row.
    """

    def __init__(self, source: torch.Tensor, doc_ids: Sequence[str]) -> None:
        self.source, self.doc_ids, self.dim = source.detach(), doc_ids, source.shape[1]

    def blocks(self, most: int) -> Iterator[Block]:
        """All rows in order, at most `most` at a time.

        Raises:
            DataError: NaN or infinity in a vector.
        """
        for start in range(0, len(self.source), most):
            vectors = self.source[start : start + most]
            longest = float(_length_bound(vectors).amax())
            if not np.isfinite(longest):
                refuse_rows(torch.isfinite(vectors).cpu().numpy(), self.doc_ids[start : start + most], "doc")
            yield Block(start, vectors, longest)

    def dots(self, rows: NDArray[np.int64], queries: NDArray[np.float64]) -> NDArray[np.float64]:
        """Dot products of each query with docs of its own, as `HostDocs.dots`; only they leave the device."""
        found = self.source[torch.from_numpy(rows).to(self.source.device)].double()
        asked = torch.from_numpy(queries).to(self.source.device)
        products: NDArray[np.float64] = (found * asked[:, None, :]).sum(dim=2).cpu().numpy()
        return products


@torch.inference_mode()
def sweep_on(
    device: str,
    queries: NDArray[np.float64],
    docs: HostDocs | DeviceDocs,
    *,
    width: int,
    hidden: Hidden,
    precision: str,
    numbers: NDArray[np.int64] | None = None,
) -> Swept:
    """As `sweep`, by products in `precision` on `device`. Docs that lie elsewhere are sent there block by block.

    Memory on the device: 8 bytes a query and place, and a block of scores with its mask, 0.4 GiB.
    """
    dtype = DTYPES[precision]
    exact = torch.from_numpy(queries).to(device)
    rounded = exact.to(dtype)
    keys = torch.full((len(queries), width), EMPTY, device=device)
    floor = torch.full((len(queries),), -torch.inf, device=device)
    longest = lost = 0.0
    with _full_sums():
        for start, vectors, bound in docs.blocks(DOC_BLOCK):
            # A copy, because a memory map cannot be written to and PyTorch has no tensors of that kind.
            given = (vectors if isinstance(vectors, torch.Tensor) else torch.tensor(vectors)).to(device)
            block = given.to(dtype)
            longest, lost = max(longest, bound), max(lost, float(_loss(given, block).amax()))
            called = torch.arange(start, start + len(block), device=device)
            if numbers is not None:
                called = torch.from_numpy(numbers[start : start + len(block)]).to(device)
            for first in range(0, len(queries), QUERY_BLOCK):
                part = slice(first, first + QUERY_BLOCK)
                scores = rounded[part] @ block.T
                if precision == "fp64":
                    scores = scores.float()
                _cover(scores, hidden, first, start)
                keys[part] = _merge(keys[part], floor[part], scores, called)
    margin = error_bound(
        _length_bound(exact).cpu().numpy(),
        _loss(exact, rounded).cpu().numpy(),
        longest,
        lost,
        dim=queries.shape[1],
        info=torch.finfo(dtype),
    )
    ranked = keys.sort(dim=1, descending=True).values
    rows = torch.where(ranked == EMPTY, -1, LOW_BITS - (ranked & LOW_BITS))
    return Swept(_score_of(ranked).cpu().numpy(), rows.cpu().numpy(), margin)


@contextmanager
def _full_sums() -> Iterator[None]:
    """Within the block, products are summed in float32 whatever is multiplied: the error bound rests on it.

    `allow_tf32` is not touched: it shares its state with the precision, and once set back leaves one that PyTorch
    refuses to read, where a loop around this had asked for "medium".
    """
    matmul = torch.backends.cuda.matmul
    names = (
        "allow_fp16_accumulation",
        "allow_fp16_reduced_precision_reduction",
        "allow_bf16_reduced_precision_reduction",
    )
    before, precision = [getattr(matmul, name) for name in names], torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    for name in names:
        setattr(matmul, name, False)
    try:
        yield
    finally:
        for name, value in zip(names, before, strict=True):
            setattr(matmul, name, value)
        torch.set_float32_matmul_precision(precision)


def _length_bound(vectors: torch.Tensor) -> torch.Tensor:
    wide = vectors.float() if vectors.dtype in (torch.float16, torch.bfloat16) else vectors
    length: torch.Tensor = torch.linalg.vector_norm(wide, dim=1)
    return length.double() * SLACK + vectors.shape[1] * TINY


def _loss(vectors: torch.Tensor, rounded: torch.Tensor) -> torch.Tensor:
    if vectors.dtype == rounded.dtype:
        return torch.zeros(len(vectors), dtype=torch.float64, device=vectors.device)
    return _length_bound(vectors.double() - rounded.double())


def _cover(scores: torch.Tensor, hidden: Hidden, first: int, start: int) -> None:
    shape = (scores.shape[0], scores.shape[1])
    limited, seen = hidden.seen(first, start, shape)
    if len(limited):
        rows = torch.from_numpy(limited).to(scores.device)
        scores[rows] = torch.where(torch.from_numpy(seen).to(scores.device), scores[rows], -torch.inf)
    row, column = (torch.from_numpy(part).to(scores.device) for part in hidden.cells(first, start, shape))
    scores[row, column] = -torch.inf


def _merge(keys: torch.Tensor, floor: torch.Tensor, scores: torch.Tensor, called: torch.Tensor) -> torch.Tensor:
    """As the function of that name in `sweep`; floors are scores, so the scores' own format holds them."""
    width = keys.shape[1]
    taken = scores >= floor[:, None].to(scores.dtype)
    if width < scores.shape[1] and int(taken.sum()) > CROWDED * width * len(scores):
        least = scores.topk(width, dim=1, sorted=False).values.amin(dim=1)
        floor.copy_(torch.maximum(floor, least.float()))
        taken = scores >= floor[:, None].to(scores.dtype)
    row, column = taken.nonzero(as_tuple=True)
    found = scores[row, column].float()
    visible = found > -torch.inf
    row, column, found = row[visible], column[visible], found[visible] + 0.0
    if not len(row):
        return keys
    counts = torch.bincount(row, minlength=len(scores))
    place = torch.arange(len(row), device=row.device) - (torch.cumsum(counts, 0) - counts)[row]
    joined = torch.full((len(scores), width + int(counts.amax())), EMPTY, device=scores.device)
    joined[:, :width] = keys
    joined[row, width + place] = (_flip(found.view(torch.int32)).long() << 32) | (LOW_BITS - called[column])
    best = joined.topk(width, dim=1, sorted=False).values
    floor.copy_(torch.maximum(floor, _score_of(best.amin(dim=1))))
    return best


def _score_of(keys: torch.Tensor) -> torch.Tensor:
    scores = _flip((keys >> 32).int()).view(torch.float32)
    return torch.where(keys == EMPTY, -torch.inf, scores)


def _flip(bits: torch.Tensor) -> torch.Tensor:
    return torch.bitwise_xor(bits, (bits >> 31) & 0x7FFF_FFFF)
