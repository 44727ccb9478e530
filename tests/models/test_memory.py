"""Limits of what is encoded at once: they shrink to fit, hold in a real process, and refuse what cannot fit."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lexitune.errors import StageFailed, UsageError
from lexitune.models.load import load
from lexitune.models.memory import UNLIMITED, fit_limits
from lexitune.models.options import ModelOptions


def test_without_a_limit_the_device_decides(tiny_folder: Path) -> None:
    embedder = load(str(tiny_folder), options=ModelOptions(precision="fp32", device="cpu"))

    assert embedder.limits == UNLIMITED["cpu"]


def test_a_limit_that_leaves_no_room_names_one_that_does() -> None:
    # 100 tokens of 1 MB need 100 MB / 0.3 = 333 MB beside the 500 MB that are taken.
    with pytest.raises(UsageError, match=r"0\.5 GB are taken already") as caught:
        fit_limits("cpu", text_bytes=1e6, max_length=100, row_bytes=4, max_memory=0.6, taken=500 * 10**6)

    assert caught.value.fix == "--max-memory 0.9"


def test_on_a_gpu_the_activations_are_not_in_this_memory() -> None:
    limits = fit_limits("cuda", text_bytes=1e6, max_length=100, row_bytes=4000, max_memory=2.0, taken=10**9)

    # 1 GB of room, a fifth of it for three copies of 4,000 bytes a row.
    assert (limits.token_budget, limits.part_rows) == (UNLIMITED["cuda"].token_budget, 16666)


def test_a_batch_too_large_for_the_device_is_halved_and_gives_the_same_vectors(
    tiny_folder: Path, texts: list[str]
) -> None:
    embedder = load(str(tiny_folder), options=ModelOptions(precision="fp32", device="cpu"))
    expected = embedder.encode_docs(texts)
    embedder.token_budget = 96  # 4 texts of at most 24 tokens: two batches or more
    failures = []

    def full(module: torch.nn.Module, args: object, kwargs: dict[str, torch.Tensor]) -> None:
        if kwargs["input_ids"].numel() > 48:
            failures.append(kwargs["input_ids"].numel())
            raise torch.OutOfMemoryError("as a GPU would")

    hook = embedder.network.trunk.register_forward_pre_hook(full, with_kwargs=True)
    found = embedder.encode_docs(texts)
    hook.remove()

    torch.testing.assert_close(torch.from_numpy(found), torch.from_numpy(expected), atol=2e-6, rtol=0)
    # Later batches are cut by the half that fitted; they do not fail and halve it once more.
    assert (len(failures), embedder.token_budget) == (1, failures[0] // 2)


def test_one_text_too_large_for_the_device_is_an_error_with_a_way_out(tiny_folder: Path) -> None:
    embedder = load(str(tiny_folder), options=ModelOptions(precision="fp32", device="cpu"))

    def full(module: torch.nn.Module, args: object) -> None:
        raise torch.OutOfMemoryError("as a GPU would")

    embedder.network.trunk.register_forward_pre_hook(full)
    with pytest.raises(StageFailed, match="too little memory for one text of") as caught:
        embedder.encode_docs(["the cat", "the cat sat"])

    assert caught.value.code == "E1005"


CHILD = """
import json, sys, threading
from pathlib import Path
import lexitune
from lexitune.models.corpus import encode_corpus
from lexitune.models.memory import anonymous_bytes
from lexitune.models.options import ModelOptions
from lexitune.types import Doc

docs = [Doc(f"d{i}", f"{i} " + "the law of large numbers " * (i % 50)) for i in range(200)]
model = lexitune.load("minilm", options=ModelOptions(precision="fp32", device="cpu"))
limit = round(anonymous_bytes() / 1e9 + 0.12, 3)
if sys.argv[2] == "limited":
    model = None
    model = lexitune.load("minilm", options=ModelOptions(precision="fp32", device="cpu", max_memory=limit))
most, stop = [0], threading.Event()
def watch():
    while not stop.wait(0.02):
        most[0] = max(most[0], anonymous_bytes())
thread = threading.Thread(target=watch)
thread.start()
encode_corpus(model, docs, Path(sys.argv[1]))
stop.set()
thread.join()
print(json.dumps(most[0] / 1e9 - limit))
"""


def above_limit(folder: Path, kind: str) -> float:
    """GB by which a process went above 0.12 GB beside the loaded model; negative where it stayed below."""
    command = [sys.executable, "-c", CHILD, str(folder), kind]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout.splitlines()[-1]))


def test_a_process_stays_under_its_limit(tmp_path: Path) -> None:
    assert above_limit(tmp_path / "limited", "limited") < 0 < above_limit(tmp_path / "free", "free")
