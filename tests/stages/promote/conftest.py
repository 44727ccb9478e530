"""Evaluations made of a count of queries won and lost, and workspaces that hold one."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lexitune.fingerprint import hash_file
from lexitune.io.atomic import replace_text
from lexitune.io.staged import Staged, write_staged
from lexitune.io.vectors import VectorWriter
from lexitune.io.workspace import Workspace
from lexitune.metrics.comparison import compare, compare_slices
from lexitune.metrics.report import Report

Evaluate = Callable[..., dict[str, Any]]


def outside(won: int, lost: int, n: int) -> dict[str, Any]:
    """A text outside the field, of `n` queries that all tie but those won and lost."""
    values = np.array([1.0] * (n - won) + [0.0] * won), np.array([0.0] * lost + [1.0] * (n - lost))
    ids = tuple(f"g{number:04}" for number in range(n))
    before, after = (
        Report(name, "general text", ids, {"nDCG@10": one})
        for name, one in zip(("stock", "tuned"), values, strict=True)
    )
    return compare(before, after, resamples=2000).to_json()


def report(system: str, hits: int, misses: int, *, unjudged: float = 0.0) -> Report:
    """`hits` queries that found their passage, then `misses` that did not."""
    values = np.array([1.0] * hits + [0.0] * misses)
    ids = tuple(f"q{number:04}" for number in range(len(values)))
    return Report(system, "test", ids, {"R@10": values}, unjudged=unjudged, fingerprints={"qrels": "h-qrels"})


@pytest.fixture
def evaluation() -> Evaluate:
    """Makes `reports/<id>.json` of counts: the queries are won, lost, right before and after, and wrong in both."""

    def make(
        *,
        won: int,
        lost: int,
        right: int = 0,
        wrong: int = 0,
        bm25_right: int = 0,
        unjudged: float = 0.0,
        seen: int = 0,
        guard: tuple[int, int, int] | None = (0, 0, 400),
        model_id: str = "m1",
    ) -> dict[str, Any]:
        n = won + lost + right + wrong
        stock = report("stock", 0, n)
        stock.per_query["R@10"][won : won + lost + right] = 1.0
        tuned = report("tuned", 0, n, unjudged=unjudged)
        tuned.per_query["R@10"][:won] = 1.0
        tuned.per_query["R@10"][won + lost : won + lost + right] = 1.0
        bm25 = report("bm25", bm25_right, n - bm25_right)
        comparison = compare(stock, tuned, resamples=2000)
        if seen:
            ids = frozenset(comparison.query_ids[:seen])
            rest = frozenset(comparison.query_ids) - ids
            parts = compare_slices(comparison, {"seen document": ids, "unseen document": rest}, resamples=2000)
            comparison = replace(comparison, slices=parts)
        against = compare(bm25, tuned, resamples=2000).to_json()
        side = {"vectors": "vectors/tuned", "fingerprint": "f-tuned", "thresholds": {"relevant_p05": 0.4}}
        return {
            "model_id": model_id,
            "primary": "R@10",
            "systems": {one.system: one.to_json() for one in (stock, tuned, bm25)},
            "comparison": comparison.to_json(),
            "against_bm25": {"tuned": against, "hybrid_tuned": against},
            "guard": {} if guard is None else {"general text": outside(*guard)},
            "to_label": 123,
            "sides": {
                "tuned": {"model": f"models/{model_id}", **side},
                "stock": {
                    "model": "minilm",
                    "vectors": "vectors/stock",
                    "fingerprint": "f-stock",
                    "thresholds": {"relevant_p05": 0.3},
                },
            },
        }

    return make


def write_vectors(workspace: Workspace, name: str) -> None:
    """One doc's vector by the model whose fingerprint is f-NAME."""
    writer = VectorWriter(workspace.vectors / name, dim=2)
    for part in writer.parts_done():
        writer.forget(part)
    writer.append(["d1"], ["h1"], np.ones((1, 2), dtype=np.float32))
    writer.finish({"fingerprint": f"f-{name}"})


def stage(workspace: Workspace, model_id: str, found: dict[str, Any]) -> None:
    """A challenger that is trained, re-embedded, staged and evaluated, as files."""
    name = Path(found["sides"]["tuned"]["vectors"]).name
    (workspace.models / model_id).mkdir(parents=True, exist_ok=True)
    write_vectors(workspace, name)
    write_staged(workspace, Staged(model_id, f"vectors/{name}", f"f-{name}", hash_file(workspace.corpus), f"f-{name}"))
    replace_text(workspace.reports / f"{model_id}.json", json.dumps(found))


@pytest.fixture
def restage() -> Callable[[Workspace, str, dict[str, Any]], None]:
    """Stages a further challenger."""
    return stage


@pytest.fixture
def ready(tmp_path: Path, evaluation: Evaluate) -> Workspace:
    """A workspace whose challenger m1 wins 40 of 100 queries and loses none; nothing serves yet."""
    workspace = Workspace(tmp_path / "work")
    replace_text(workspace.corpus, '{"_id": "d1", "text": "x"}\n')
    write_vectors(workspace, "stock")
    stage(workspace, "m1", evaluation(won=40, lost=0, wrong=60))
    return workspace
