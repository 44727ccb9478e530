"""The leak audit on 100,000 pairs in which leaks of every kind were planted.

python -m benchmarks.audit [--json] [--pairs N] [--planted N]

The texts are queries and passages of the shared retrieval sets, where they are there, and of Python's own library;
halves of two queries are joined until there are enough. It exits with 1 when a planted leak is missed, or when a pair
is called near that is not.
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.harness import SETS, arguments, hardware, show
from lexitune.io.dataset import read_folder
from lexitune.io.quarantine import Quarantine
from lexitune.pipeline.pylib import documented_functions, library_folder
from lexitune.splits.audit import find_leaks
from lexitune.text.normalise import normalise
from lexitune.types import Doc, Query

SEED = 13
SHINGLE, NEAR = 5, 0.8  # as lexitune.text.near has them; counted here by other code
FEWEST_LETTERS = 90  # of a query in which one changed word can leave a Jaccard of 0.8
KINDS = ("equal", "near", "family")


@dataclass
class Planted:
    """Pairs with a test query each, and what was planted: (kind, test query, train query)."""

    queries: dict[str, Query] = field(default_factory=dict)
    docs: list[Doc] = field(default_factory=list)
    splits: dict[str, dict[str, dict[str, int]]] = field(default_factory=lambda: {"train": {}, "dev": {}, "test": {}})
    leaks: list[tuple[str, str, str]] = field(default_factory=list)


def main() -> None:
    """Plant, audit, count."""
    parser = arguments("The leak audit, with leaks planted")
    parser.add_argument("--pairs", type=int, default=100_000, help="queries, each with a passage (default 100,000)")
    parser.add_argument("--planted", type=int, default=300, help="leaks of each kind (default 300)")
    given = parser.parse_args()
    found = audit(given.pairs, given.planted)
    show({**found, "hardware": hardware(given.threads)}, as_json=given.json)
    sys.exit(int(found["ours"]["missed"] > 0 or found["ours"]["false"] > 0))


def audit(pairs: int, planted: int) -> dict[str, Any]:
    """Seconds, and planted, found and missed leaks by kind; `true` were there before, `false` are not near."""
    data = plant(pairs, planted)
    start, start_cpu = time.perf_counter(), time.process_time()
    leaks = find_leaks(data.splits, data.queries, docs=data.docs)
    seconds, cpu_s = time.perf_counter() - start, time.process_time() - start_cpu
    told = {(leak.kind, leak.query_id) for leak in leaks}
    caught = Counter(kind for kind, query_id, _ in data.leaks if (kind, query_id) in told)
    meant = {(kind, query_id) for kind, query_id, _ in data.leaks}
    others = [leak for leak in leaks if leak.kind in KINDS and (leak.kind, leak.query_id) not in meant]
    false = [leak for leak in leaks if leak.kind in ("equal", "near") and jaccard(*_texts(data, leak)) < NEAR]
    wrong_family = [leak for leak in others if leak.kind == "family"]
    ours = {
        "seconds": seconds,
        "cpu_s": cpu_s,
        "planted": dict.fromkeys(KINDS, planted),
        "found": {kind: caught[kind] for kind in KINDS},
        "missed": len(data.leaks) - caught.total(),
        "true": len(others) - len(wrong_family) - len([leak for leak in others if leak in false]),
        "copied": sum(leak.kind == "copied" for leak in leaks),
        "false": len(false) + len(wrong_family),
    }
    return {"ours": ours, "peer": None, "ratio": None, "rounds": 1, "pairs": pairs, "agreement": ours["missed"] == 0}


def plant(pairs: int, planted: int) -> Planted:
    """Seeded pairs, 80 % train, 10 % dev, 10 % test, with `planted` leaks of each kind in test."""
    draw = random.Random(SEED)
    texts, passages = _texts_of_all_sets()
    asked = list(_distinct(texts, pairs, draw))
    draw.shuffle(asked)
    data = Planted()
    for number, text in enumerate(asked):
        split = ("test", "dev")[number % 10] if number % 10 < 2 else "train"
        query_id, doc_id = f"q{number}", f"d{number}"
        data.queries[query_id] = Query(query_id, text)
        # Three docs of one split make a family: q2, q3 and q4 are of train, q12, q22 and q32 of test.
        data.docs.append(Doc(doc_id, passages[number % len(passages)], metadata={"family": f"{split} {number // 30}"}))
        data.splits[split][query_id] = {doc_id: 1}
    tests, train = draw.sample(list(data.splits["test"]), 3 * planted), list(data.splits["train"])
    long_ones = [query_id for query_id in train if len(normalise(data.queries[query_id].text)) >= FEWEST_LETTERS]
    words = [word for text in texts[:5000] for word in text.split() if word.isalpha()]
    for number, query_id in enumerate(tests):
        kind = KINDS[number % len(KINDS)]
        source = draw.choice(long_ones if kind == "near" else train)
        text = data.queries[source].text
        if kind == "family":
            place = int(query_id[1:])
            family = data.docs[int(source[1:])].metadata["family"]
            data.docs[place] = Doc(f"d{place}", data.docs[place].text, metadata={"family": family})
        else:
            changed = _shouted(text, draw) if kind == "equal" else _one_word_changed(text, words, draw)
            data.queries[query_id] = Query(query_id, changed)
        data.leaks.append((kind, query_id, source))
    return data


def jaccard(first: str, second: str) -> float:
    """Of the sets of five characters, by the definition."""
    a, b = ({t[i : i + SHINGLE] for i in range(max(1, len(t) - SHINGLE + 1))} for t in map(normalise, (first, second)))
    return len(a & b) / len(a | b)


def _texts_of_all_sets() -> tuple[list[str], list[str]]:
    functions = documented_functions(library_folder())
    texts, passages = [function.sentence for function in functions], [function.masked for function in functions]
    root = Path(os.environ.get("LEXITUNE_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    for name in SETS:
        if (root / name).is_dir():
            raw = read_folder(root / name, Quarantine())
            texts += [query.text for query in raw.queries.values()]
            passages += [doc.full_text for doc in raw.docs]
    return texts, passages


def _distinct(texts: Sequence[str], count: int, draw: random.Random) -> Iterator[str]:
    """So many texts that differ in normal form: as they are, then halves of two joined."""
    known: set[str] = set()
    waiting = iter(draw.sample(texts, len(texts)))
    while len(known) < count:
        text = next(waiting, None)
        if text is None:
            first, second = (draw.choice(texts).split() for _ in range(2))
            text = " ".join([*first[: len(first) // 2 + 1], *second[len(second) // 2 :]])
        if (key := normalise(text)) not in known:
            known.add(key)
            yield text


def _shouted(text: str, draw: random.Random) -> str:
    change = draw.choice((str.upper, str.lower, str.title))
    return f"  {change(normalise(text)).replace(' ', '  ')}{draw.choice(('?', '!', ' ...', '.'))}"


def _one_word_changed(text: str, words: Sequence[str], draw: random.Random) -> str:
    """The text with one word replaced, near by the definition; the shortest word gives way if need be."""
    parts = text.split()
    for attempt in range(200):
        place = draw.randrange(len(parts)) if attempt < 100 else min(range(len(parts)), key=lambda n: len(parts[n]))
        changed = " ".join([*parts[:place], draw.choice(words), *parts[place + 1 :]])
        if NEAR <= jaccard(text, changed) < 1:
            return changed
    raise ValueError(f"no word of {text!r} can be changed")


def _texts(data: Planted, leak: Any) -> tuple[str, str]:
    return data.queries[leak.query_id].text, data.queries[leak.other_id].text


if __name__ == "__main__":
    main()
