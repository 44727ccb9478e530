"""Near duplicates: texts that share most of their shingles, found by MinHash and then counted.

A shingle is a run of five characters of the normalised text. Words would glue a field's templates together
("what are the genetic changes related to alport syndrome", and to turner syndrome, share 8 of 10 words); five
characters weigh what is long, which is what a question is about, and need no word boundaries. One changed word of
five letters leaves a Jaccard of 0.8 from 85 characters on. A text shorter than a shingle is its own only one.

MinHash only proposes: each proposed pair is counted, so no pair is wrong, and one of exactly `threshold` is missed
less than once in 2,000 (at 0.8, with 25 bands of 5 minima, once in 20,000).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from datasketch import MinHash
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

from lexitune.text.normalise import normalise

__all__ = ["clusters", "near_clusters", "near_cover", "near_matches", "near_pairs"]

SHINGLE = 5  # characters
PERMUTATIONS, SEED = 128, 13
MOST_MISSED = 0.0005  # share of the pairs at the very threshold that no band may bring together
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # odd and without pattern: shingles and bands as one number each
PAIRS_AT_ONCE, SHINGLES_AT_ONCE = 1_000_000, 10_000_000  # memory: about 500 MB

Indices = NDArray[np.int64]
Floats = NDArray[np.float64]
Codes = NDArray[np.uint64]


def near_pairs(texts: Sequence[str], *, threshold: float = 0.8) -> Indices:
    """Pairs of texts whose shingles have a Jaccard similarity of at least `threshold`; equal texts count as near.

    Args:
        texts: As they are; they are compared in normal form.
        threshold: Above 0, at most 1.

    Returns:
        int64 (n, 2): positions i < j, sorted. Many copies of one text make many pairs: m (m - 1) / 2.

    Example:
        >>> near_pairs(["Reset the user password now!", "why", "reset the users password now", "Why?"]).tolist()
        [[1, 3]]
        >>> near_pairs(["Reset the user password now!", "reset the users password now"], threshold=0.6).tolist()
        [[0, 1]]
    """
    keys, places = _distinct(texts)
    found = _near(_shingles(keys), len(keys), threshold=threshold)
    both = np.concatenate([found, found[:, ::-1], _diagonal(len(keys))])
    pairs = _members(both, places, places)
    return _sorted(pairs[pairs[:, 0] < pairs[:, 1]])


def near_matches(left: Sequence[str], right: Sequence[str], *, threshold: float = 0.8) -> Indices:
    """As `near_pairs`, between two lists: int64 (n, 2), positions in `left` and in `right`, sorted.

    Example:
        >>> near_matches(["what is tort"], ["Who?", "What is tort?"]).tolist()
        [[0, 1]]
    """
    keys, lefts = _distinct(left)
    others, rights = _distinct(right)
    found = _near(_shingles([*keys, *others]), len(keys), threshold=threshold, other=len(others))
    return _sorted(_members(found, lefts, rights))


def near_cover(left: Sequence[str], right: Sequence[str], *, threshold: float = 0.8) -> tuple[Indices, Floats]:
    """Enough of `near_matches` that each text of either list that has a near one is in a pair.

    Lists made from one template have millions of pairs; these are never more than there are texts. An equal text is
    preferred to a near one.

    Returns:
        int64 (n, 2), sorted, and float64 (n,): the Jaccard similarity of each pair.

    Example:
        >>> pairs, likeness = near_cover(["what is tort", "who"], ["Why?", "What is tort?"])
        >>> pairs.tolist(), likeness.tolist()
        ([[0, 1]], [1.0])
    """
    keys, lefts = _distinct(left)
    others, rights = _distinct(right)
    place = {key: number for number, key in enumerate(others)}
    found = np.array([(row, place[key]) for row, key in enumerate(keys) if key in place], dtype=np.int64).reshape(-1, 2)
    alone = [np.ones(len(list_of), dtype=np.bool_) for list_of in (keys, others)]
    alone[0][found[:, 0]] = alone[1][found[:, 1]] = False
    shingled = _shingles([*keys, *others])
    candidates = _candidates(
        shingled, len(keys), threshold=threshold, other=len(others), wanted=lambda i, j: alone[0][i] | alone[1][j]
    )
    kept = [found]
    for i, j in candidates:
        near = _jaccard(shingled.sets, i, j + len(keys)) >= threshold
        for side, column in enumerate((i[near], j[near])):
            new, first = np.unique(column, return_index=True)
            first = first[alone[side][new]]
            kept.append(np.stack([i[near][first], j[near][first]], axis=1))
        alone[0][i[near]] = alone[1][j[near]] = False
    found = np.concatenate(kept)
    first_left, first_right = (np.unique(places, return_index=True)[1] for places in (lefts, rights))
    by_left, by_right = (found[np.unique(column, return_index=True)[1]] for column in found.T)
    some, more = _members(by_left, lefts, rights[first_right]), _members(by_right, lefts[first_left], rights)
    some[:, 1], more[:, 0] = first_right[some[:, 1]], first_left[more[:, 0]]
    pairs = np.unique(np.concatenate([some, more]), axis=0)
    return pairs, _jaccard(shingled.sets, lefts[pairs[:, 0]], rights[pairs[:, 1]] + len(keys))


def near_clusters(texts: Sequence[str], *, threshold: float = 0.8) -> Indices:
    """Labels of the clusters of near texts, int64: what `clusters` makes of `near_pairs`, without making all pairs.

    Example:
        >>> near_clusters(["abcdefghijk", "why", "abcdefghijkl", "Why?"]).tolist()
        [0, 1, 0, 1]
    """
    keys, places = _distinct(texts)
    shingled, labels = _shingles(keys), np.arange(len(keys), dtype=np.int64)
    candidates = _candidates(
        shingled,
        len(keys),
        threshold=threshold,
        rows=lambda codes: _of_two_labels(codes, labels),
        wanted=lambda i, j: labels[i] != labels[j],
    )
    for i, j in candidates:
        near = _jaccard(shingled.sets, i, j) >= threshold
        if near.any():
            labels = clusters(len(keys), np.stack([labels[i[near]], labels[j[near]]], axis=1))[labels]
    return labels[places]


def clusters(count: int, pairs: Indices) -> Indices:
    """Labels 0, 1.. of the connected components among `count` things, int64; a chain of pairs is one cluster.

    Example:
        >>> clusters(4, np.array([[0, 2], [2, 3]])).tolist()
        [0, 1, 0, 0]
    """
    graph = coo_array((np.ones(len(pairs), dtype=np.int8), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


@dataclass(frozen=True)
class Shingled:
    """Texts as sets: `sets` (texts, shingles) holds a 1 for each, `hashes` the uint32 hash of each 1, row by row."""

    sets: csr_array
    hashes: NDArray[np.uint32]


def _distinct(texts: Sequence[str]) -> tuple[list[str], Indices]:
    """The distinct normal forms, and which of them each text has."""
    place: dict[str, int] = {}
    places = [place.setdefault(normalise(text), len(place)) for text in texts]
    return list(place), np.array(places, dtype=np.int64)


def _diagonal(count: int) -> Indices:
    return np.repeat(np.arange(count, dtype=np.int64)[:, None], 2, axis=1)


def _sorted(pairs: Indices) -> Indices:
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def _members(found: Indices, lefts: Indices, rights: Indices) -> Indices:
    """Pairs of texts from pairs of keys: every text of the one with every text of the other."""
    by_left, by_right = (np.argsort(places, kind="stable") for places in (lefts, rights))
    first, second = lefts[by_left], rights[by_right]
    a, b = (np.searchsorted(keys, column) for keys, column in ((first, found[:, 0]), (second, found[:, 1])))
    many_a = np.searchsorted(first, found[:, 0], side="right") - a
    many_b = np.searchsorted(second, found[:, 1], side="right") - b
    row, step = _ranges(many_a * many_b)
    return np.stack([by_left[a[row] + step // many_b[row]], by_right[b[row] + step % many_b[row]]], axis=1)


def _ranges(counts: Indices) -> tuple[Indices, Indices]:
    """Rows 0, 1.. each repeated `counts` times, and the number of the repeat."""
    rows = np.repeat(np.arange(len(counts)), counts)
    return rows, np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)


def _shingles(keys: Sequence[str]) -> Shingled:
    padded = [key.ljust(SHINGLE, "\0") for key in keys]
    letters = np.frombuffer("".join(padded).encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.uint64)
    lengths = np.array([len(key) for key in padded], dtype=np.int64)
    rows, step = _ranges(lengths - SHINGLE + 1)
    starts = (np.cumsum(lengths) - lengths)[rows] + step
    codes = np.zeros(len(starts), dtype=np.uint64)
    for place in range(SHINGLE):
        codes = (codes + letters[starts + place] + np.uint64(1)) * MULTIPLIER
    kinds, columns = np.unique(codes, return_inverse=True)
    ones = np.ones(len(rows), dtype=np.int8)
    sets = csr_array(coo_array((ones, (rows, columns)), shape=(len(keys), len(kinds))))  # adds up repeats
    sets.sort_indices()
    sets.data[:] = 1
    return Shingled(sets, (kinds >> np.uint64(32)).astype(np.uint32)[sets.indices])


def _near(shingled: Shingled, count: int, *, threshold: float, other: int | None = None) -> Indices:
    """Near pairs among the rows that `_candidates` pairs."""
    shift = 0 if other is None else count
    kept = [np.empty((0, 2), dtype=np.int64)]
    for i, j in _candidates(shingled, count, threshold=threshold, other=other):
        near = _jaccard(shingled.sets, i, j + shift) >= threshold
        kept.append(np.stack([i[near], j[near]], axis=1))
    return np.concatenate(kept)


def _candidates(
    shingled: Shingled,
    count: int,
    *,
    threshold: float,
    other: int | None = None,
    rows: Callable[[Codes], Indices] = lambda codes: np.arange(len(codes)),
    wanted: Callable[[Indices, Indices], NDArray[np.bool_]] = lambda i, j: np.ones(len(i), dtype=np.bool_),
) -> Iterator[tuple[Indices, Indices]]:
    """Pairs worth counting, each once, in portions: among the first `count` rows, i < j; or, given `other`, between
    them and the `other` rows after, which are numbered from 0. `rows` (asked before each band, with its codes) and
    `wanted` (asked for each portion) leave out what is known by then."""
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold {threshold} is not above 0 and at most 1")
    bands = _bands(shingled, _rows_of_a_band(threshold))
    sizes = np.diff(shingled.sets.indptr)
    shift = 0 if other is None else count
    left, right = bands[:count], bands[shift:]
    for band in range(bands.shape[1]):
        asked = rows(left[:, band])
        for place, j in _joined(left[asked, band], right[:, band]):
            i = asked[place]
            kept = wanted(i, j) if other is not None else (i < j) & wanted(i, j)
            i, j = i[kept], j[kept]
            # Met in an earlier band: given there. Too unlike in size: no overlap could suffice.
            fresh = ~(left[i, :band] == right[j, :band]).any(axis=1)
            fresh &= np.minimum(sizes[i], sizes[j + shift]) >= threshold * np.maximum(sizes[i], sizes[j + shift])
            yield i[fresh], j[fresh]


def _of_two_labels(codes: Codes, labels: Indices) -> Indices:
    """Rows that share their code with a row of another label."""
    _, place = np.unique(codes, return_inverse=True)
    lowest, highest = np.full(place.max(initial=0) + 1, len(labels)), np.zeros(place.max(initial=0) + 1, dtype=np.int64)
    np.minimum.at(lowest, place, labels)
    np.maximum.at(highest, place, labels)
    return np.flatnonzero((lowest < highest)[place])


def _rows_of_a_band(threshold: float) -> int:
    """The most rows by which a pair at the threshold still meets in some band, but for MOST_MISSED."""
    rows = range(2, PERMUTATIONS // 4 + 1)
    return max([1, *(r for r in rows if (1 - threshold**r) ** (PERMUTATIONS // r) <= MOST_MISSED)])


def _bands(shingled: Shingled, rows: int) -> Codes:
    """One number for each text and band, uint64 (texts, bands): equal where all `rows` minima of the band are."""
    ends = shingled.sets.indptr
    sets = (shingled.hashes[start:end].tolist() for start, end in pairwise(ends))
    minima = np.empty((len(ends) - 1, PERMUTATIONS), dtype=np.uint32)
    for row, sketch in enumerate(MinHash.generator(sets, num_perm=PERMUTATIONS, seed=SEED, hashfunc=int)):
        minima[row] = sketch.hashvalues
    count = PERMUTATIONS // rows
    cut = minima[:, : count * rows].reshape(-1, count, rows)
    codes = np.zeros(cut.shape[:2], dtype=np.uint64)
    for place in range(rows):
        codes = (codes + cut[:, :, place] + np.uint64(1)) * MULTIPLIER
    return codes


def _joined(left: Codes, right: Codes) -> Iterator[tuple[Indices, Indices]]:
    """Positions of equal numbers, in portions of about PAIRS_AT_ONCE."""
    order = np.argsort(right, kind="stable")
    ordered = right[order]
    low = np.searchsorted(ordered, left)
    counts = np.searchsorted(ordered, left, side="right") - low
    for part in _portions(counts, PAIRS_AT_ONCE):
        row, step = _ranges(counts[part])
        yield row + part.start, order[low[part][row] + step]


def _portions(weights: Indices, most: int) -> Iterator[slice]:
    """Consecutive slices whose weights add up to about `most`."""
    cuts = np.flatnonzero(np.diff(np.cumsum(weights) // most)) + 1
    for start, stop in zip([0, *cuts.tolist()], [*cuts.tolist(), len(weights)], strict=True):
        yield slice(start, stop)


def _jaccard(sets: csr_array, first: Indices, second: Indices) -> Floats:
    sizes = np.diff(sets.indptr)
    common = np.zeros(len(first), dtype=np.int64)
    for part in _portions(sizes[first] + sizes[second], SHINGLES_AT_ONCE):
        common[part] = np.diff(sets[first[part]].multiply(sets[second[part]]).tocsr().indptr)
    return np.asarray(common / (sizes[first] + sizes[second] - common), dtype=np.float64)
