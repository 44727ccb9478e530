"""The model card for the Hub: what was measured, with intervals, how the model was made, and how to use it.

Counts and figures alone. It names no text, id, file, person or path of whoever trained the model.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lexitune.metrics.comparison import Comparison
from lexitune.models.card import model_card, python_block, use
from lexitune.models.snippets import LIBRARIES, Place, snippet
from lexitune.models.spec import ModelSpec
from lexitune.pipeline.model_record import ModelRecord
from lexitune.pipeline.outcome import gain_text, interval_text
from lexitune.stages.evaluate.evaluation import SYSTEMS, Evaluation
from lexitune.text.language import language_of
from lexitune.types import Doc

__all__ = ["hub_card", "languages"]

SYSTEM = {
    "stock": "stock model",
    "bm25": "BM25",
    "hybrid_stock": "stock model with BM25",
    "tuned": "**this model**",
    "hybrid_tuned": "**this model with BM25**",
}
SHOWN = ("nDCG@10", "RR@10")  # beside the measure that decides; the others say the same again
RULES = ("min_gain", "min_queries", "guard", "max_loss", "beat_bm25")
SAMPLED, LONG, SEED, LEAST = 500, 2_000, 13, 0.05


def hub_card(
    place: Place,
    spec: ModelSpec,
    record: ModelRecord,
    *,
    base: Mapping[str, str],
    evaluation: Evaluation | None,
    verdict: Mapping[str, Any],
    spoken: Sequence[str] = (),
) -> str:
    """README.md of the repository.

    Args:
        place: On the Hub.
        base: Where the weights come from, with nothing in it that only this machine knows.
        verdict: What the gate wrote; empty where it was not asked.
        spoken: ISO 639 codes of the passages' languages.
    """
    chapters = [
        *_results(evaluation),
        *_gate(record, verdict),
        *["## Use", "", *use(place, spec), ""],
        *(line for library in LIBRARIES[1:] for line in _library(library, place, spec)),
        *_made(record),
        *_limits(spec, evaluation, has_map=place.has_map),
    ]
    metadata = {
        "tags": ["lexitune", "sentence-transformers", "feature-extraction", "retrieval"],
        "language": list(spoken),
        "base_model_relation": "adapter" if place.has_map else "finetune",
        **({"model_name": place.name.rpartition("/")[2], "eval_results": _index(evaluation)} if evaluation else {}),
    }
    return model_card(place.name.rpartition("/")[2], spec, base, chapters, metadata=metadata)


def languages(docs: Sequence[Doc]) -> list[str]:
    """ISO 639 codes of the languages that at least 5 % of a sample's passages are in, the most frequent first."""
    some = random.Random(SEED).sample(list(docs), min(SAMPLED, len(docs)))
    counts = Counter(filter(None, (language_of(doc.full_text[:LONG]) for doc in some)))
    return [name for name, count in counts.most_common() if count >= LEAST * counts.total()]


def _results(found: Evaluation | None) -> Iterator[str]:
    yield from ("## Does it find more?", "")
    if found is None:
        yield from ("It was not evaluated on test queries: nothing is known of that.", "")
        return
    delta = found.comparison.delta(found.primary)
    yield f"{delta.n:,} test queries, kept out of training; means with 95 % intervals."
    yield ""
    names = _measures(found)
    yield from (f"| | {' | '.join(names)} |", f"|---|{'---|' * len(names)}")
    for system in SYSTEMS:
        if report := found.systems.get(system):
            cells = (interval_text(report.interval(name)) for name in names)
            yield f"| {SYSTEM[system]} | {' | '.join(cells)} |"
    yield ""
    yield from (f"* against the stock model: {name} {_gain(found.comparison, name)}" for name in names)
    yield f"* by query: {delta.won:,} won, {delta.lost:,} lost, {delta.tied:,} unchanged in {found.primary}"
    yield f"* in hybrid with BM25, against the stock model's: {found.primary} {_gain(found.hybrid, found.primary)}"
    if "tuned" in found.against_bm25:
        yield f"* against BM25: {found.primary} {_gain(found.against_bm25['tuned'], found.primary)}"
    for name, part in found.comparison.slices.items():
        few = ", too few to conclude from" if part.too_small else ""
        yield f"* {name}: {found.primary} {gain_text(part.deltas[found.primary])}, n={part.n:,}{few}"
    for name, one in found.guard.items():
        ((measure, lost),) = one.deltas.items()
        yield f"* outside the field, on {name}: {measure} {gain_text(lost)}, n={lost.n:,}"
    yield from ("", "Seen: a query like it, or a passage that answers it, was in the training data.", "")


def _measures(found: Evaluation) -> list[str]:
    """The one that decides, and what readers look for."""
    return [found.primary, *(name for name in SHOWN if name in found.comparison.deltas and name != found.primary)]


def _gain(comparison: Comparison, measure: str) -> str:
    return gain_text(comparison.delta(measure))


def _gate(record: ModelRecord, verdict: Mapping[str, Any]) -> Iterator[str]:
    if not record.entry.verdict:
        return
    evidence = verdict.get("evidence", {})
    rules = ", ".join(f"{name} {evidence['options'][name]}" for name in RULES if name in evidence.get("options", {}))
    yield f"lexitune's gate, which says whether a model may take the stock model's place: **{record.entry.verdict}**"
    yield f"({rules})." + " It was promoted all the same." * bool(evidence.get("forced"))
    yield ""


def _library(library: str, place: Place, spec: ModelSpec) -> Iterator[str]:
    yield from (f"### {library}", "", *python_block(snippet(library, place, spec)), "")


def _made(record: ModelRecord) -> Iterator[str]:
    names = {"pairs": "pairs", "queries": "queries", "docs": "passages", "negatives": "mined negatives"}
    counts = ", ".join(f"{record.counts[key]:,} {name}" for key, name in names.items() if record.counts.get(key))
    revision = f", revision {record.base['revision']}" if record.base.get("revision") else ""
    told = ("lexitune", "sentence-transformers", "transformers", "torch")
    yield from ("## How it was made", "")
    yield f"* recipe `{record.entry.recipe}`, seed {record.seed}, {record.seconds / 60:.1f} minutes{revision}"
    yield f"* trained on {counts}"
    if options := ", ".join(f"`{name} {value}`" for name, value in record.options.items() if _is_safe(name, value)):
        yield f"* options: {options}"
    if record.share is not None and record.share < 1:
        yield f"* weights: {record.share:g} of the trained ones, the rest stock"
    yield "* " + ", ".join(f"{name} {record.versions[name]}" for name in told if name in record.versions)
    yield from (f"* fingerprint {record.fingerprint}", "")


def _is_safe(name: str, value: Any) -> bool:
    """Numbers, and words that the recipe knows: a folder of general text or a tracker is the maker's own business."""
    return name not in ("general", "tracker") and not (isinstance(value, str) and "/" in value)


def _limits(spec: ModelSpec, found: Evaluation | None, *, has_map: bool) -> Iterator[str]:
    yield from ("## Limits", "")
    if found is not None:
        share = found.systems["tuned"].unjudged
        yield "* The figures hold for queries like the test queries, over a corpus like theirs, and for no other field."
        yield f"* {100 * share:.0f} % of its hits in the first ten were judged by nobody, and count as wrong."
    if found is None or not found.guard:
        yield "* What it does to text outside its field was not measured."
    yield f"* It reads the first {spec.max_length} tokens of a text, prompt included, and nothing after them."
    yield "* Its scores lie elsewhere than the stock model's: a threshold must be chosen anew."
    if has_map:
        yield "* Without the matrix, queries are the stock model's."
    else:
        yield "* Vectors of the stock model do not belong beside its own: encode the corpus anew."


def _index(found: Evaluation) -> list[Any]:
    """The figures as the Hub's metadata has them. It has no place for an interval, so the measure's name holds it."""
    from huggingface_hub import EvalResult

    report = found.systems["tuned"]
    results = []
    for name in _measures(found):
        one = report.interval(name)
        results.append(
            EvalResult(
                task_type="information-retrieval",
                task_name="Information Retrieval",
                dataset_type="private",
                dataset_name=f"{one.n:,} test queries of the field",
                metric_type=name,
                metric_name=f"{name} (95 % interval {one.low:.3f} to {one.high:.3f}, n={one.n:,})",
                metric_value=round(one.mean, 4),
            )
        )
    return results
