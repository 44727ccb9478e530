"""The vectors of a corpus on disk: encoded once, resumed where a run was cut off, reused where texts stayed.

The whole corpus is sorted by length, the longest first, and cut into parts; within a part texts are sorted by their
tokens. So hardly anything is padded, a device that is too small fails at once, and the time left is not underrated.
While one part is computed the next is tokenised. Nothing but ids, hashes and one part is held in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexitune.errors import DataError
from lexitune.fingerprint import hash_json, hash_text, sha256_file
from lexitune.io.atomic import remove
from lexitune.io.processes import processes
from lexitune.io.succession import is_complete, successor, take_over
from lexitune.io.vectors import TOKENS, Part, Vectors, VectorWriter, adopt_part, open_vectors, spread_rows
from lexitune.models.embedder import Embedder
from lexitune.models.memory import Limits
from lexitune.models.part import PartWork
from lexitune.models.token_cache import TokenCache
from lexitune.models.tokens import TokenIds
from lexitune.types import Doc, Silent, Talk

__all__ = ["CorpusWork", "Engine", "carry_out", "corpus_key", "encode_corpus", "find_work"]

Engine = Callable[[Iterator[PartWork], Path], Generator[tuple[int, int]]]
"""Encodes each part and writes it into the folder; yields, in any order, its number and how many texts were cut."""

Stored = Mapping[bytes, tuple[NDArray[Any], int]]  # text hash -> where its vector lies

OVERHEAD = 16  # characters that even an empty text counts, so that a part of them has an end


def corpus_key(embedder: Embedder) -> str:
    """Name of the folder that holds this embedder's vectors of passages: no model with other ones shares it."""
    return hash_json({"embedding": embedder.doc_fingerprint, "side": "docs"})


def encode_corpus(
    embedder: Embedder,
    docs: Sequence[Doc],
    vectors_root: Path,
    *,
    talk: Talk | None = None,
    stage: str = "",
    engine: Engine | None = None,
) -> Vectors:
    """Vectors of `docs` in `vectors_root/<key>`, in an order of their own: go by `doc_ids`.

    Whatever that folder holds already is used: whole parts of a run that was cut off, and single rows
    of an earlier corpus whose text is the same. Equal texts are encoded once. A complete set stays what it is until the
    one that takes its place is complete. Under `accelerate launch` each process encodes its share of the parts.

    Args:
        docs: At least one, ids unique.
        talk: Hears of progress, in characters, under the name `stage`.
        engine: Who encodes; None: this process. Whoever it is, the parts are cut alike and their bytes are the same.

    Raises:
        StageFailed: A passage encodes to NaN or infinity, two docs share an id, or the disk is full.
    """
    work = find_work(embedder, docs, vectors_root)
    return carry_out(work, embedder, talk=talk, stage=stage, engine=engine)


@dataclass(frozen=True, eq=False)
class CorpusWork:
    """What there is to do for the vectors of a corpus, beside what a folder holds already.

    Attributes:
        folder: Of the vectors, named by what made them.
        target: Where they are made. A complete set is what somebody searches: it stays until the one that takes its
            place is complete too.
        done: The vectors, where they are complete.
        kept: Numbers of the parts that stay as they are.
        taken: Further such parts, of the complete set.
        stored: The rows of all others, by their text.
        rows: Docs whose texts are to be encoded, one of each text, the longest first.
        taken_over: Passages whose text has a vector already.
        written: Rows of the parts that will be written.
    """

    folder: Path
    target: Path
    plan: _Plan
    done: Vectors | None
    kept: frozenset[int]
    taken: Mapping[int, Part]
    stored: Stored
    rows: NDArray[np.int64]
    taken_over: int
    written: int

    @property
    def passages(self) -> int:
        """In the corpus."""
        return len(self.plan.docs)

    @property
    def chars(self) -> int:
        """To be encoded, as progress counts them."""
        return int(self.plan.lengths[self.rows].sum())

    @property
    def have(self) -> frozenset[int]:
        """Numbers of the parts that need not be made."""
        return self.kept | self.taken.keys()

    def sample(self, most: int) -> tuple[list[str], int]:
        """Some of the texts to be encoded, spread over their lengths, and their characters, counted alike."""
        some = self.rows[spread_rows(len(self.rows), most)]
        return [self.plan.docs[row].full_text for row in some], int(self.plan.lengths[some].sum())


def find_work(embedder: Embedder, docs: Sequence[Doc], vectors_root: Path) -> CorpusWork:
    """What `encode_corpus` would do, without doing it: nothing is encoded, and nothing is written.

    Args:
        docs: At least one, ids unique.
    """
    folder = vectors_root / corpus_key(embedder)
    hashes = np.fromiter((hash_text(doc.full_text).encode() for doc in docs), "S32", len(docs))
    # Memory taken so far differs from process to process, the plan must not.
    limits = replace(embedder.limits, part_rows=processes().least(embedder.limits.part_rows))
    plan, none = _plan(docs, hashes, limits), np.empty(0, np.int64)
    if (found := _finished(folder, docs, hashes)) is not None:
        return CorpusWork(folder, folder, plan, found, frozenset(range(len(plan))), {}, {}, none, len(docs), 0)
    target = successor(folder) if is_complete(folder) else folder
    kept, stored = _what_stayed(target, plan, embedder.dimension)
    taken, stored_before = _what_stayed(folder, plan, embedder.dimension) if target != folder else ({}, {})
    taken = {number: part for number, part in taken.items() if number not in kept}
    stored = {**stored_before, **stored}
    parts = [number for number in range(len(plan)) if number not in kept and number not in taken]
    fresh = [plan.fresh(number, stored) for number in parts]
    rows = np.concatenate([none, *(np.fromiter(one.values(), np.int64, len(one)) for one in fresh)])
    encoded = sum(sum(text in one for text in plan.texts(number)) for number, one in zip(parts, fresh, strict=True))
    written = sum(len(plan.rows(number)) for number in parts)
    left = len(docs) - encoded
    return CorpusWork(folder, target, plan, None, frozenset(kept), taken, stored, rows, left, written)


def carry_out(
    work: CorpusWork,
    embedder: Embedder,
    *,
    talk: Talk | None = None,
    stage: str = "",
    engine: Engine | None = None,
) -> Vectors:
    """Do what `find_work` found, with the same embedder.

    Raises:
        StageFailed: As `encode_corpus`.
    """
    talk, group, folder, plan = talk or Silent(), processes(), work.folder, work.plan
    if work.done is not None:
        talk.say(f"{stage or 'encode'}: nothing to encode, vectors/{folder.name} holds these passages already")
        talk.progress(stage, 1, 1)
        if group.rank == 0 and successor(folder).exists():  # begun for a corpus that has gone back
            remove(successor(folder))
        return work.done
    group.wait()  # until all have seen what is there: now it changes
    if group.rank == 0:
        for part in work.taken.values():
            adopt_part(part, work.target)
    mine = [number for number in range(len(plan)) if number not in work.have][group.rank :: group.count]
    works = (plan.work(number, work.stored, embedder.dimension) for number in mine)
    _encode(works, work.target, plan, work.have, embedder=embedder, engine=engine, talk=talk, stage=stage)
    group.wait()
    if group.rank == 0:
        _finish(work.target, len(plan), embedder, folder.name)
        if work.target != folder:
            take_over(folder)
    group.wait()
    return open_vectors(folder, verify=False)


def _encode(
    works: Iterator[PartWork],
    folder: Path,
    plan: _Plan,
    have: Collection[int],
    *,
    embedder: Embedder,
    engine: Engine | None,
    talk: Talk,
    stage: str,
) -> None:
    """Let the engine do the works, and tell how far the corpus is."""
    done, total, truncated = sum(plan.chars(number) for number in have), int(plan.lengths.sum()), 0
    if (first := next(works, None)) is not None:
        share, cache = _Share(talk, done, total), TokenCache(folder.parent / TOKENS / embedder.token_key)
        engine = engine or partial(_encode_here, embedder=embedder, cache=cache, talk=share, stage=stage)
        with closing(engine(chain([first], works), folder)) as written:
            for number, cut in written:
                done, truncated = done + plan.chars(number), truncated + cut
                if done < total:
                    talk.progress(stage, done, total)
    talk.progress(stage, total, total)
    if truncated:
        talk.say(f"{truncated:,} passages are longer than {embedder.spec.max_length} tokens: their end was not encoded")


def _finish(folder: Path, parts: int, embedder: Embedder, key: str) -> None:
    """Write the manifest over as many parts, whoever wrote them."""
    writer = VectorWriter(folder, dim=embedder.dimension)
    for part in writer.parts_done():
        if part.number >= parts:
            writer.forget(part)
    # The fingerprint says whether a model is the one; precision and length say how to load it so that it is.
    how = {"precision": embedder.precision, "max_length": embedder.spec.max_length}
    made_by = {"key": key, "fingerprint": embedder.doc_fingerprint, "side": "docs", "model": embedder.spec.name}
    writer.finish(made_by | how)


@dataclass(frozen=True, eq=False)
class _Plan:
    """The corpus in the order in which it is encoded, cut into parts by its texts alone.

    Attributes:
        hashes: Text hash by doc, as bytes.
        lengths: Characters by doc, at least `OVERHEAD`.
        order: Docs, longest first; equal texts stand together.
        starts: Where in `order` each part begins, and the end of the last.
    """

    docs: Sequence[Doc]
    hashes: NDArray[np.bytes_]
    lengths: NDArray[np.int64]
    order: NDArray[np.int64]
    starts: Sequence[int]

    def __len__(self) -> int:
        return len(self.starts) - 1

    def rows(self, number: int) -> NDArray[np.int64]:
        """The docs of a part."""
        return self.order[self.starts[number] : self.starts[number + 1]]

    def ids(self, number: int) -> list[str]:
        return [self.docs[row].doc_id for row in self.rows(number)]

    def chars(self, number: int) -> int:
        return int(self.lengths[self.rows(number)].sum())

    def texts(self, number: int) -> NDArray[np.bytes_]:
        """Their text hashes."""
        found: NDArray[np.bytes_] = self.hashes[self.rows(number)]
        return found

    def fresh(self, number: int, stored: Stored) -> dict[bytes, int]:
        """The texts of a part that have no vector yet, and a doc that has each."""
        found: dict[bytes, int] = {}
        for row, text_hash in zip(self.rows(number), self.texts(number), strict=True):
            if text_hash not in stored:
                found.setdefault(text_hash, int(row))
        return found

    def work(self, number: int, stored: Stored, dimension: int) -> PartWork:
        """What is to be done for a part: one of each text that has no vector yet."""
        hashes, fresh = self.texts(number), self.fresh(number, stored)
        known = dict.fromkeys(text_hash for text_hash in hashes if text_hash in stored)
        vectors = [array[row] for array, row in (stored[text_hash] for text_hash in known)]
        place = {text_hash: number for number, text_hash in enumerate([*fresh, *known])}
        return PartWork(
            number,
            self.ids(number),
            [text_hash.decode() for text_hash in hashes],
            [self.docs[row].full_text for row in fresh.values()],
            [repr(self.docs[row].doc_id) for row in fresh.values()],
            np.array(vectors, np.float32).reshape(-1, dimension),
            np.array([place[text_hash] for text_hash in hashes], np.int64),
            self.chars(number),
        )

    def is_part(self, part: Part) -> bool:
        """Whether a part on disk holds exactly these docs."""
        return (
            part.number < len(self)
            and list(part.doc_ids) == self.ids(part.number)
            and np.array_equal(np.array(part.text_hashes, dtype="S32"), self.texts(part.number))
        )


def _plan(docs: Sequence[Doc], hashes: NDArray[np.bytes_], limits: Limits) -> _Plan:
    lengths = np.fromiter((len(doc.full_text) for doc in docs), np.int64, len(docs)) + OVERHEAD
    order = np.lexsort((hashes, -lengths))
    ends = np.cumsum(lengths[order])
    starts = [0]
    while starts[-1] < len(docs):
        start = starts[-1]
        used = int(ends[start - 1]) if start else 0
        end = max(start + 1, int(np.searchsorted(ends, used + limits.part_chars, side="right")))
        end = min(end, start + limits.part_rows, len(docs))
        # A part goes on while texts are equal, so that they are encoded once; but not without end.
        while end < min(len(docs), start + 2 * limits.part_rows) and hashes[order[end]] == hashes[order[end - 1]]:
            end += 1
        starts.append(end)
    return _Plan(docs, hashes, lengths, order, starts)


def _finished(folder: Path, docs: Sequence[Doc], hashes: NDArray[np.bytes_]) -> Vectors | None:
    """What `folder` holds, if it is sound and is these docs: however it was cut, it is not written anew."""
    try:
        found = open_vectors(folder)
    except DataError:
        return None
    wanted = {doc.doc_id: text_hash.decode() for doc, text_hash in zip(docs, hashes, strict=True)}
    same = len(wanted) == len(docs) and dict(zip(found.doc_ids, found.text_hashes, strict=True)) == wanted
    return found if same else None


def _what_stayed(folder: Path, plan: _Plan, dim: int) -> tuple[dict[int, Part], Stored]:
    """The parts in a folder that are part of the plan, by number, and the rows of all others by their text."""
    kept: dict[int, Part] = {}
    stored: dict[bytes, tuple[NDArray[Any], int]] = {}
    for part in VectorWriter(folder, dim=dim).parts_done():
        if sha256_file(part.path) != part.sha256:
            continue
        if plan.is_part(part):
            kept[part.number] = part
            continue
        # The memory map keeps the old file readable even after a new part has taken its name.
        array = part.load()
        for row, text_hash in enumerate(part.text_hashes):
            stored.setdefault(text_hash.encode(), (array, row))
    return kept, stored


def _encode_here(
    works: Iterator[PartWork], folder: Path, *, embedder: Embedder, cache: TokenCache, talk: _Share, stage: str
) -> Generator[tuple[int, int]]:
    """The engine of one process; it tokenises one part ahead."""

    def prepare() -> tuple[PartWork, TokenIds] | None:
        work = next(works, None)
        return None if work is None else (work, cache.get(work.texts, embedder.tokenise_docs))

    with ThreadPoolExecutor(1) as ahead:
        waiting = ahead.submit(prepare)
        while (ready := waiting.result()) is not None:
            waiting = ahead.submit(prepare)
            work, tokens = ready
            talk.begin(work.chars)
            encoded = embedder.encode_tokens(tokens, names=work.names, talk=talk, stage=stage)
            work.write(encoded, folder)
            yield work.number, tokens.truncated


class _Share:
    """Progress within one part, told as progress over the corpus."""

    def __init__(self, talk: Talk, start: int, total: int) -> None:
        self.talk, self.start, self.size, self.total = talk, start, 0, total

    def begin(self, size: int) -> None:
        """Go on to a part of this size."""
        self.start, self.size = self.start + self.size, size

    def say(self, line: str) -> None:
        self.talk.say(line)

    def progress(self, stage: str, done: float, total: float, note: str = "") -> None:
        reached = self.start + self.size * done / max(total, 1)
        if reached < self.total:
            self.talk.progress(stage, reached, self.total, note)
