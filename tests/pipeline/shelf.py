"""Models as files: what training, reembed, evaluate and promote leave, without any of them being run."""

import json
from collections.abc import Sequence
from typing import Any

from lexitune.fingerprint import hash_file, sha256_files
from lexitune.io.atomic import replace_text
from lexitune.io.learnt import Learnt, write_learnt
from lexitune.io.workspace import Meta, Workspace, write_meta
from lexitune.stages.promote.serving import Serving

STOCK = Serving("minilm", "vectors/stock", {}, fingerprint="f-stock")


def put_model(
    workspace: Workspace,
    model_id: str,
    *,
    at: str = "2026-01-01T00:00:00+00:00",
    learnt: Sequence[Learnt] | None = (),
    source: str = "sentence-transformers/all-MiniLM-L6-v2",
    options: dict[str, Any] | None = None,
    inputs: dict[str, str] | None = None,
) -> None:
    """A finished model, trained from the stock model f-stock, whose weights are 1,000 bytes."""
    folder = workspace.models / model_id
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"w" * 1000)
    spec = {"name": "minilm", "source": "", "licence": "mit", "query_prompt": "q: ", "max_length": 256}
    base = {"name": "minilm", "source": source, "revision": "r1"}
    card = {"schema": 1, "spec": spec, "base": base, "fingerprint": f"f-{model_id}"}
    (folder / "lexitune.json").write_text(json.dumps(card))
    if learnt is not None:
        write_learnt(folder, learnt)
    outputs = {
        "recipe": "default",
        "base": {"name": "minilm", "source": source, "fingerprint": "f-stock"},
        "pairs": 1056,
        "queries": 1000,
        "docs": 900,
        "negatives": 0,
        "dev_measure": "R@10",
        "dev_queries": 104,
        "reached": 0.75,
        "share": 0.7,
        "curve": [{"step": 0, "dev": 0.5}],
        "at": at,
        "hourly_rate": 2.0,
        "files": sha256_files(folder),
    }
    made = {"recipe": "default", "batch_size": 64, "temperature": 0.05, "seed": 13, **(options or {})}
    write_meta(folder, Meta("train", made, {"model": "f-stock", **(inputs or {})}, seed=13, cost_s=90, outputs=outputs))


def put_vectors(workspace: Workspace, name: str, *, model: str, fingerprint: str) -> None:
    """A folder of vectors of 100 bytes, manifest apart."""
    (workspace.vectors / name).mkdir(parents=True)
    (workspace.vectors / name / "part-00000.npy").write_bytes(b"v" * 100)
    manifest = {"model": model, "fingerprint": fingerprint, "complete": True}
    (workspace.vectors / name / "manifest.json").write_text(json.dumps(manifest))


def put_evaluation(workspace: Workspace, model_id: str, *, answer: str = "PROMOTE") -> None:
    """An evaluation with a gain of 5 points, the runs of two systems, and the gate's answer."""
    delta = {"mean": 0.05, "low": 0.02, "high": 0.08, "n": 978}
    report = {
        "primary": "R@10",
        "systems": {"tuned": {}, "hybrid_stock": {}},
        "comparison": {"deltas": {"R@10": delta}},
    }
    path = workspace.reports / f"{model_id}.json"
    replace_text(path, json.dumps(report))
    for name in ("", "-hybrid-stock"):
        replace_text(workspace.runs / f"{model_id}{name}.trec", "q1 Q0 d1 1 0.5 tuned\n")
    replace_text(workspace.runs / f"{model_id}.per-query.csv", "query_id\n")
    verdict = workspace.verdicts / f"{model_id}.json"
    replace_text(verdict, json.dumps({"answer": answer, "reasons": ["it gains"]}))
    write_meta(verdict, Meta("promote", {}, {"evaluation": hash_file(path)}))


def serving(model_id: str) -> Serving:
    """The line by which a model serves through its own vectors."""
    return Serving(
        f"models/{model_id}", f"vectors/{model_id}", {}, at="2026-02-01T10:00:00", fingerprint=f"f-{model_id}"
    )
