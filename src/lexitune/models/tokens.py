"""Token ids: texts tokenised once, kept unpadded in one flat array, and cut into batches by length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["TokenIds", "budget_batches", "cheapest_batches", "cut_words", "join_tokens", "tokenise"]

LONGEST_WORD = 512  # pieces
MANY = 4096  # texts
PASS_TOKENS = 100  # on two cores of Zen 5 60 to 150 were alike in training, and 80 the best of 10 to 80 in encoding
CHUNK = 1024  # texts handed to the tokenizer at once: bounds its memory, and still fills every core


@dataclass(frozen=True)
class TokenIds:
    """Token ids of n texts, special tokens included, without padding.

    Args:
        ids: int32, every text's ids one after another.
        offsets: int64[n + 1]; text i is `ids[offsets[i]:offsets[i + 1]]`.
        truncated: Texts that were longer than the model's maximum and lost their end.
    """

    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    truncated: int = 0

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each text."""
        return np.diff(self.offsets)

    def lengths_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Tokens of each text of `rows`, without a pass over all of them."""
        return self.offsets[rows + 1] - self.offsets[rows]

    def take(self, rows: NDArray[np.int64]) -> TokenIds:
        """The texts of `rows`, in that order. `truncated` is not known for a part and is 0."""
        offsets = np.concatenate([[0], np.cumsum(self.lengths_of(rows))]).astype(np.int64)
        return TokenIds(self.ids[self.places(rows)], offsets)

    def places(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where in `ids` the tokens of `rows` stand, one text's after another.

        Example:
            >>> TokenIds(np.array([5, 6, 7], np.int32), np.array([0, 1, 3])).places(np.array([1, 0])).tolist()
            [1, 2, 0]
        """
        lengths = self.lengths_of(rows)
        shift = np.repeat(self.offsets[rows] - (np.cumsum(lengths) - lengths), lengths)
        found: NDArray[np.int64] = np.arange(len(shift)) + shift
        return found

    def padded(self, rows: NDArray[np.int64], *, pad_id: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Ids int64[len(rows), longest] padded on the right, and where they are real.

        Example:
            >>> tokens = TokenIds(np.array([5, 6, 7], np.int32), np.array([0, 1, 3]))
            >>> tokens.padded(np.array([1, 0]), pad_id=0)[0].tolist()
            [[6, 7], [5, 0]]
        """
        lengths = self.lengths_of(rows)
        columns = np.arange(lengths.max(initial=0))
        real = columns < lengths[:, None]
        matrix = np.full(real.shape, pad_id, dtype=np.int64)
        matrix[real] = self.ids[(self.offsets[rows][:, None] + columns)[real]]
        return matrix, real


def join_tokens(parts: Sequence[TokenIds]) -> TokenIds:
    """The texts of all parts, one after another: queries and passages in one pool, for instance."""
    lengths = np.concatenate([np.zeros(1, np.int64), *(part.lengths for part in parts)])
    ids = np.concatenate([np.zeros(0, np.int32), *(part.ids for part in parts)])
    return TokenIds(ids, np.cumsum(lengths), sum(part.truncated for part in parts))


def tokenise(tokenizer: Any, texts: Sequence[str], *, max_length: int) -> TokenIds:
    """Tokenise each text once, in parallel, special tokens in and cut at `max_length` tokens.

    Args:
        tokenizer: A fast transformers tokenizer; its own padding and truncation settings are left as they were.
    """
    backend = tokenizer.backend_tokenizer
    pieces: list[NDArray[np.int32]] = []
    lengths = np.zeros(len(texts) + 1, dtype=np.int64)
    truncated = 0
    with _unpadded(backend, max_length, tokenizer.truncation_side):
        for start in range(0, len(texts), CHUNK):
            encodings = backend.encode_batch_fast(list(texts[start : start + CHUNK]))
            rows = [encoding.ids for encoding in encodings]
            lengths[start + 1 : start + 1 + len(rows)] = [len(row) for row in rows]
            pieces.append(np.fromiter(chain.from_iterable(rows), dtype=np.int32))
            # The overflow is asked for only where there can be one: it is slow to hand over.
            truncated += sum(len(e.ids) >= max_length and bool(e.overflowing) for e in encodings)
    ids = np.concatenate(pieces) if pieces else np.zeros(0, np.int32)
    return TokenIds(ids, np.cumsum(lengths), truncated)


def cut_words(tokenizer: Any, words: Sequence[str]) -> list[tuple[str, ...]]:
    """The pieces of each word, as it is cut in the middle of a text; the tokenizer's settings are left as they were."""
    backend, found = tokenizer.backend_tokenizer, list[tuple[str, ...]]()
    with _unpadded(backend, LONGEST_WORD, tokenizer.truncation_side):
        for start in range(0, len(words), CHUNK):
            spaced = [f" {word}" for word in words[start : start + CHUNK]]
            for encoding in backend.encode_batch_fast(spaced, add_special_tokens=False):
                pieces = tokenizer.convert_ids_to_tokens(encoding.ids)
                # The space itself, as SentencePiece and byte-level BPE write it, is no piece of the word.
                found.append(tuple(bare for piece in pieces if (bare := piece.lstrip("▁Ġ"))))
    return found


@contextmanager
def _unpadded(backend: Any, max_length: int, side: str) -> Iterator[None]:
    """The tokenizer is shared with sentence-transformers, which saves it: leave it as it was."""
    truncation, padding = backend.truncation, backend.padding
    backend.no_padding()
    backend.enable_truncation(max_length, direction=side)
    try:
        yield
    finally:
        if truncation:
            backend.enable_truncation(**truncation)
        else:
            backend.no_truncation()
        if padding:
            backend.enable_padding(**padding)


def budget_batches(lengths: NDArray[np.int64], budget: int) -> list[NDArray[np.int64]]:
    """Rows in batches of at most `budget` padded tokens, longest first, so that padding all but vanishes.

    A text longer than the budget gets a batch of its own. Equal lengths keep their order: the
    batches depend on the data alone.

    Example:
        >>> [batch.tolist() for batch in budget_batches(np.array([2, 9, 3, 3]), 6)]
        [[1], [2, 3], [0]]
    """
    order = np.argsort(-lengths, kind="stable")
    batches = []
    start = 0
    while start < len(order):
        size = max(1, budget // max(1, int(lengths[order[start]])))
        batches.append(order[start : start + size])
        start += size
    return batches


def cheapest_batches(
    lengths: NDArray[np.int64], budget: int, *, pass_tokens: int = PASS_TOKENS
) -> list[NDArray[np.int64]]:
    """As `budget_batches`, but cut where that costs least: padding against the price of one more pass.

    A training step has few texts of very different lengths: filling every batch pads a third of them. The cheapest cuts
    are found by dynamic programming over the sorted texts, in time that grows with texts times texts in a batch. More
    than `MANY` texts get full batches, which hardly pad any of so many.

    Args:
        pass_tokens: What a pass costs beside its tokens, in tokens: launches, and in training the sums of gradients.

    Example:
        >>> [batch.tolist() for batch in cheapest_batches(np.array([2, 9, 3, 3]), 36, pass_tokens=4)]
        [[1], [2, 3, 0]]
    """
    if len(lengths) > MANY:
        return budget_batches(lengths, budget)
    order = np.argsort(-lengths, kind="stable")
    count = len(order)
    least = np.full(count + 1, np.iinfo(np.int64).max)
    least[0], begins = 0, np.zeros(count + 1, dtype=np.int64)
    for start in range(count):
        longest = max(1, int(lengths[order[start]]))
        ends = np.arange(start + 1, min(count, start + max(1, budget // longest)) + 1)
        costs = least[start] + pass_tokens + (ends - start) * longest
        better = costs < least[ends]
        least[ends[better]], begins[ends[better]] = costs[better], start
    batches, end = [], count
    while end:
        batches.append(order[begins[end] : end])
        end = int(begins[end])
    return batches[::-1]
