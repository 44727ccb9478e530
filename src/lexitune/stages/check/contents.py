"""What a look into the texts finds: the languages they are in, and personal data."""

from __future__ import annotations

import random
from collections import Counter, defaultdict

from lexitune.io.dataset import Raw
from lexitune.stages.check.findings import SHOWN, Finding
from lexitune.text.language import language_of
from lexitune.text.personal import find_personal
from lexitune.types import LOOK, OK

__all__ = ["find_contents"]

SAMPLED = 2_000  # passages whose language is told
MIXED = 0.05  # share of all of them that are in other languages than most
LONG = 2_000  # characters of a passage that its language is told by
SEED = 13


def find_contents(raw: Raw) -> list[Finding]:
    """Languages and personal data, in this order. What was found is counted and placed, never repeated."""
    return [_languages(raw), *_personal(raw)]


def _languages(raw: Raw) -> Finding:
    docs = raw.docs
    if len(docs) > SAMPLED:
        docs = random.Random(SEED).sample(list(docs), SAMPLED)
    examples: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for doc in docs:
        if name := language_of(doc.full_text[:LONG]):
            counts[name] += 1
            examples.setdefault(name, doc.doc_id)
    known = counts.total()
    if not known:
        return Finding("languages", OK, 0, "no passage is long and clear enough to tell its language")
    shares = ", ".join(f"{name} {100 * count / known:.0f} %" for name, count in counts.most_common(SHOWN))
    said = f"{shares} of {known:,} passages whose language can be told"
    main, most = counts.most_common(1)[0]
    if known - most < MIXED * len(docs):
        return Finding("languages", OK, len(counts), said)
    others = tuple(f"{name}: {doc_id}" for name, doc_id in examples.items() if name != main)
    fix = "take a multilingual model, or tune each language apart"
    return Finding("languages", LOOK, len(counts), said, others[:SHOWN], fix)


def _personal(raw: Raw) -> list[Finding]:
    places: defaultdict[str, list[str]] = defaultdict(list)
    texts = [(f"passage {doc.doc_id}", doc.full_text) for doc in raw.docs]
    texts += [(f"query {query.query_id}", query.text) for query in raw.queries.values()]
    for place, text in texts:
        for kind in {one.kind for one in find_personal(text)}:
            places[kind].append(place)
    if not places:
        return [Finding("personal data", OK, 0, "0 texts hold what looks like personal data or a secret")]
    return [
        Finding(
            kind,
            LOOK,
            len(found),
            f"{len(found):,} texts hold what looks like {_article(kind)} {kind}",
            tuple(found[:SHOWN]),
            "take it out before the texts leave this machine, if it is real",
        )
        for kind, found in sorted(places.items(), key=lambda item: -len(item[1]))
    ]


def _article(word: str) -> str:
    return "an" if word.startswith(("em", "IB", "NHS", "IP")) else "a"
