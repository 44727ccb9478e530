"""A million short texts: does memory stay bounded, and what does a kill cost?

    python -m benchmarks.million [--json] [--texts 1000000] [--layers 1]

Encodes distinct texts of about 12 tokens into a folder in a process of its own, kills it (SIGKILL) after some parts,
and lets a second one finish. Anonymous memory of both is sampled every 0.1 s. Before the models is what the texts
themselves take; the figure is what encoding adds to texts and model. With --layers the model is cut to its first
layers: a pass holds one layer at a time, so memory stays what it is and the time falls.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.harness import SAMPLE_S, anonymous_mb, arguments, hardware, minilm_folder, show
from lexitune.io.vectors import VectorWriter
from lexitune.models.corpus import encode_corpus
from lexitune.models.load import load, open_model
from lexitune.models.options import ModelOptions
from lexitune.types import Doc

WORDS = """court appeal contract clause damage notice breach tenant vessel insurer premium trustee claim loss cargo
carrier port delay licence patent holder royalty sale buyer seller goods title risk price payment interest debt bond
share board vote merger audit tax duty import quota tariff permit waste river fish forest mine coal gas oil pipe wind"""
KILL_AFTER = 2  # parts


def texts(count: int) -> list[str]:
    """Distinct texts of 8 to 13 words, about 12 tokens."""
    draw, words = random.Random(11), WORDS.split()
    return [f"{number} {' '.join(draw.choices(words, k=draw.randint(5, 10)))}" for number in range(count)]


def first_layers(count: int, folder: Path) -> Path:
    """The stock model cut to its first layers, saved."""
    model = open_model(minilm_folder())
    trunk: Any = model[0].model
    trunk.encoder.layer = trunk.encoder.layer[:count]
    trunk.config.num_hidden_layers = count
    model.save_pretrained(str(folder), create_model_card=False)
    return folder


def encode(folder: Path, count: int, model_folder: str) -> None:
    """The work of the child: what it prints is its memory before encoding."""
    docs = [Doc(f"d{number}", text) for number, text in enumerate(texts(count))]
    model = load(model_folder, options=ModelOptions(device="cpu"))
    sys.stdout.write(f"{anonymous_mb()}\n")
    sys.stdout.flush()
    vectors = encode_corpus(model, docs, folder)
    sys.stdout.write(f"{len(vectors)} {model.precision}\n")


def watch(folder: Path, count: int, model: str, *, kill_after: int | None) -> dict[str, Any]:
    """Run a child to its end, or until it has finished some parts; what it took."""
    command = [sys.executable, "-m", "benchmarks.million", "--child", str(folder), "--texts", str(count)]
    command += ["--model", model]
    start = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    before = float(child.stdout.readline())
    peak, killed = before, False
    while child.poll() is None:
        peak = max(peak, anonymous_mb(child.pid))
        if kill_after is not None and len(list(folder.glob("*/part-*.ids.parquet"))) >= kill_after:
            child.send_signal(signal.SIGKILL)
            killed = True
            break
        time.sleep(SAMPLE_S)
    child.wait()
    last = child.stdout.read().split()
    if not killed and child.returncode:
        sys.exit(f"the child ended with {child.returncode}")
    return {
        "seconds": time.monotonic() - start,
        "before_mb": before,
        "peak_above_mb": peak - before,
        "vectors": int(last[0]) if last else 0,
        "precision": last[1] if last else "",
    }


def run(count: int, layers: int | None) -> dict[str, Any]:
    """Both children, and what the second found done."""
    with tempfile.TemporaryDirectory() as root:
        model = "minilm" if layers is None else str(first_layers(layers, Path(root) / "model"))
        folder = Path(root) / "vectors"
        first = watch(folder, count, model, kill_after=KILL_AFTER)
        key = next(path.parent for path in folder.glob("*/part-*.npy"))
        stamps = {path: path.stat().st_mtime_ns for path in key.glob("part-*.npy")}
        complete = len(VectorWriter(key, dim=384).parts_done())
        second = watch(folder, count, model, kill_after=None)
        kept = sum(path.stat().st_mtime_ns == stamp for path, stamp in stamps.items())
    return {
        "texts": count,
        "layers": layers or "all",
        "killed": first,
        "resumed": second,
        "parts_complete_at_kill": complete,
        "parts_kept": kept,
        "peak_above_mb": max(first["peak_above_mb"], second["peak_above_mb"]),
        "agreement": second["vectors"] == count and kept == complete,
    }


def main() -> None:
    """The command."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--texts", type=int, default=1_000_000)
    parser.add_argument("--layers", type=int, help="cut the model to its first layers")
    parser.add_argument("--model", default="minilm", help="model of the child")
    parser.add_argument("--child", type=Path, help="encode into this folder: what the command starts twice")
    given = parser.parse_args()
    if given.child:
        encode(given.child, given.texts, given.model)
        return
    found = run(given.texts, given.layers) | {"hardware": hardware()}
    show(json.loads(json.dumps(found)), as_json=given.json)
    sys.exit(not (found["agreement"] and found["peak_above_mb"] < 2048))


if __name__ == "__main__":
    main()
