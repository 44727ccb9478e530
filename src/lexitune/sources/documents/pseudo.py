"""Pairs that nobody asked: made of the documents alone, weak, and never copied from their passage.

A heading asks for its section, the most telling words for their passage, a sentence for the passage that it was cut
from. What a pair asks for by its own words is masked in the passages that answer it, else a model would learn to match
strings, and a test would praise it for that.
"""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from lexitune.io.beir import made_id
from lexitune.sources.documents.passages import Passage
from lexitune.sources.documents.telling import Telling
from lexitune.text.normalise import normalise
from lexitune.types import Doc, Judgement, Query

__all__ = ["WEIGHTS", "Pseudo", "make_pairs"]

WEIGHTS = {"title": 0.6, "terms": 0.3, "crop": 0.3}
"""How much a pair counts beside others of a document's own making; below a judgement of a person in any case."""

MOST_RIGHT = 5  # passages of a section that its heading asks for: a chapter of fifty is no answer
WORDS = (2, 20)  # of a heading that asks: fewer ask for too much, more are no heading
SENTENCE_WORDS = (6, 40)
LEAST_LEFT = 10  # words of a passage after a sentence was cut out
SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n\s*\n")


@dataclass
class Pseudo:
    """What was made.

    Attributes:
        docs: The passages as the pairs need them, some with something masked.
        counts: Pairs by kind.
        dropped: Questions that would have stood word for word in their passage.
    """

    docs: list[Doc] = field(default_factory=list)
    queries: dict[str, Query] = field(default_factory=dict)
    judgements: list[Judgement] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    masked: Counter[str] = field(default_factory=Counter)
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class Asked:
    kind: str
    text: str
    right: tuple[int, ...]


def make_pairs(passages: Sequence[Passage], *, kinds: Sequence[str], most: int, seed: int) -> Pseudo:
    """Make weak pairs of passages. The same passages and seed give the same pairs, whatever else was asked.

    Args:
        kinds: Of "title", "terms", "crop".
        most: Pairs of a kind from one document.
    """
    texts = [one.text for one in passages]
    paths: list[tuple[str, ...]] = [one.path for one in passages]
    asked, masked = list[Asked](), defaultdict[int, list[str]](list)
    if "title" in kinds:
        for pair, rows, leaf in _titles(passages, most, seed):
            asked.append(pair)
            for row in rows:
                paths[row] = paths[row][:-1]
                texts[row] = _without(texts[row], leaf)
                masked[row].append("title")
    if "crop" in kinds:
        for pair, left in _crops(passages, texts, most, seed):
            asked.append(pair)
            texts[pair.right[0]] = left
            masked[pair.right[0]].append("crop")
    if "terms" in kinds:
        asked += _terms(passages, texts, most, seed)
    docs = [
        one.doc(text=texts[row], path=paths[row], masked=masked[row]) if row in masked else one.doc()
        for row, one in enumerate(passages)
    ]
    made = Pseudo(docs, masked=Counter(kind for row in masked.values() for kind in row))
    plain = [normalise(doc.full_text) for doc in docs]
    for pair in asked:
        _add(made, pair, passages, plain)
    return made


def _add(made: Pseudo, pair: Asked, passages: Sequence[Passage], plain: Sequence[str]) -> None:
    said = normalise(pair.text)
    if any(said in plain[row] for row in pair.right):
        made.dropped += 1
        return
    query_id, source = made_id("q", pair.text), f"synthetic:{pair.kind}"
    made.queries.setdefault(
        query_id, Query(query_id, pair.text, {"family": passages[pair.right[0]].family, "source": source})
    )
    made.counts[pair.kind] += 1
    made.judgements += [
        Judgement(query_id, passages[row].doc_id, 1, source, weight=WEIGHTS[pair.kind]) for row in pair.right
    ]


def _by_family(passages: Sequence[Passage]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for row, one in enumerate(passages):
        found[one.family].append(row)
    return found


def _some(rows: Sequence[int], most: int, seed: int, family: str, kind: str) -> list[int]:
    """At most so many of a document's rows, in order; another document more or less changes nothing here."""
    if len(rows) <= most:
        return list(rows)
    return sorted(random.Random(f"{seed} {kind} {family}").sample(list(rows), most))


def _titles(passages: Sequence[Passage], most: int, seed: int) -> Iterable[tuple[Asked, Sequence[int], str]]:
    """For each heading that asks: the pair, all passages of its section, and the heading to be masked in them."""
    families = _by_family(passages)
    heads = Counter(
        said
        for rows in families.values()
        for said in {normalise(passages[row].path[-1]) for row in rows if passages[row].path}
    )
    for family, rows in families.items():
        of_path: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for row in rows:
            of_path[passages[row].path].append(row)
        # A heading that stands above other sections too could be read off their titles.
        above = Counter(normalise(name) for path in of_path for name in {*path})
        leaves = [path for path in of_path if path and above[normalise(path[-1])] == 1]
        first = [of_path[path][0] for path in leaves if _question(path, heads)]
        for row in _some(first, most, seed, family, "title"):
            path = passages[row].path
            section = of_path[path]
            yield Asked("title", _question(path, heads), tuple(section[:MOST_RIGHT])), section, path[-1]


def _question(path: tuple[str, ...], heads: Mapping[str, int]) -> str:
    """What a heading asks: itself, or with what stands above it where many documents have it; else nothing."""
    alone = path[-1]
    if heads[normalise(alone)] == 1 and WORDS[0] <= len(alone.split()) <= WORDS[1]:
        return alone
    both = f"{path[-2]}: {alone}" if len(path) > 1 else ""
    return both if WORDS[0] < len(both.split()) <= WORDS[1] else ""


def _without(text: str, phrase: str) -> str:
    """The text without the words of a heading, wherever they stand one after the other."""
    words = phrase.split()
    if len(words) < WORDS[0]:
        return text  # one word may be what the whole text is about
    said = r"\s+".join(re.escape(word) for word in words)
    left = re.sub(rf"(?i)(?<!\w){said}(?!\w)[ \t]*", "", text)
    return left.strip() or text


def _crops(passages: Sequence[Passage], texts: Sequence[str], most: int, seed: int) -> Iterable[tuple[Asked, str]]:
    """A sentence of a passage, and the passage without it; none of a place that another passage shows too."""
    for family, rows in _by_family(passages).items():
        for row in _some(rows, most, seed, family, "crop"):
            one = passages[row]
            others = [(passages[other].start, passages[other].end) for other in rows if other != row]
            found = []
            for sentence in SENTENCE_END.split(texts[row]):
                at = one.text.find(sentence)
                words = len(sentence.split())
                # An item of a list is no sentence, and begins with its mark.
                if at < 0 or not sentence[:1].isalnum() or not SENTENCE_WORDS[0] <= words <= SENTENCE_WORDS[1]:
                    continue
                start, end = one.start + at, one.start + at + len(sentence)
                left = texts[row].replace(sentence, "", 1).replace("  ", " ").strip()
                apart = all(end <= low or high <= start for low, high in others)
                if apart and len(left.split()) >= LEAST_LEFT and normalise(sentence) not in normalise(left):
                    found.append((sentence, left))
            if found:
                sentence, left = random.Random(f"{seed} crop {one.doc_id}").choice(found)
                yield Asked("crop", " ".join(sentence.split()), (row,)), left


def _terms(passages: Sequence[Passage], texts: Sequence[str], most: int, seed: int) -> list[Asked]:
    telling, found = Telling(texts), list[Asked]()
    for family, rows in _by_family(passages).items():
        for row in _some(rows, most, seed, family, "terms"):
            words = telling.words_of(texts[row])
            if words:
                found.append(Asked("terms", " ".join(words), (row,)))
    return found
