"""Doctor: a healthy machine is told so, and each thing that is wrong has a line with its fix."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch

from lexitune.io.workspace import Workspace
from lexitune.models.options import ModelOptions
from lexitune.pipeline import doctor
from lexitune.pipeline.data import import_data
from lexitune.pipeline.doctor import Sign, examine
from lexitune.types import Dataset, Doc, Query, SealedQrels

MINILM = ModelOptions(model="minilm")


def sign(signs: list[Sign], words: str) -> Sign:
    (found,) = (one for one in signs if words in one.said)
    return found


def test_a_healthy_machine_has_no_fault() -> None:
    signs = examine(None, model=MINILM)

    assert "fault" not in {one.mark for one in signs}
    assert sign(signs, "on Python").said.startswith(f"lexitune {metadata.version('lexitune')} on Python 3.")
    assert sign(signs, "model minilm").said == "model minilm is on this machine"


@pytest.mark.parametrize(
    ("needed", "said"),
    [
        ("numpy>=99", f"numpy {metadata.version('numpy')}, not >=99"),
        ("no-such-package>=1", "no-such-package is missing, not >=1"),
    ],
)
def test_a_package_that_does_not_fit_is_a_fault(needed: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "requires", lambda _: ["torch>=2", needed])

    found = sign(examine(None, model=MINILM), "on Python")

    assert (found.mark, found.said.split(": ")[1]) == ("fault", said)


def test_an_extra_counts_where_all_of_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ["torch>=2", 'numpy>=1; extra == "demo"', 'no-such-package; extra == "demo"', 'numpy>=1; extra == "test"']
    monkeypatch.setattr(doctor, "requires", lambda _: lines)
    monkeypatch.setattr(doctor, "metadata", lambda _: SimpleNamespace(get_all=lambda _: ["demo", "test"]))

    assert sign(examine(None, model=MINILM), "on Python").said.endswith("; extras: test")


def test_little_memory_disk_and_few_threads_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=2e9, total=8e9))
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1e9))
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: 4)
    monkeypatch.setattr(psutil.Process, "cpu_affinity", lambda _: [0, 1], raising=False)

    signs = examine(None, model=MINILM)

    assert sign(signs, "2.0 of 8.0 GB of memory").mark == "look"
    assert sign(signs, "1 GB of disk").mark == "look"
    threads = sign(signs, "1 of 2 cores")
    assert (threads.mark, threads.fix) == ("look", "unset OMP_NUM_THREADS and MKL_NUM_THREADS")


def test_a_driver_without_cuda_in_torch_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/nvidia-smi")

    assert sign(examine(None, model=MINILM), "no CUDA").mark == "look"


def test_a_model_that_cannot_be_had_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lexitune.models.hub.hub_answers", lambda: False)

    found = sign(examine(None, model=ModelOptions(model="nobody/nothing-here")), "nobody/nothing-here")

    assert found.mark == "fault"
    assert "--model minilm" in found.fix


def test_a_workspace_is_looked_at_with_its_options_and_data(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "work")
    data = Dataset(
        [Doc(f"d{n}", f"passage number {n}") for n in range(4)],
        {f"q{n}": Query(f"q{n}", f"question {n}") for n in range(3)},
        {"train": {"q0": {"d0": 1}}, "dev": {"q1": {"d1": 1}}},
        SealedQrels(None, 1, {"q2": {"d2": 1}}),
    )
    import_data(workspace, data)

    healthy = examine(workspace, model=MINILM)
    workspace.corpus.write_text("{}", encoding="utf-8")
    changed = examine(workspace, model=MINILM)
    workspace.config.write_text("[train]\nepoch = 3\n", encoding="utf-8")
    mistyped = examine(workspace, model=MINILM)

    assert sign(healthy, "4 passages").mark == "ok"
    assert sign(changed, "was changed since it was imported").mark == "fault"
    assert "epochs" in sign(mistyped, "epoch").fix


def test_a_workspace_without_data_says_what_to_type(tmp_path: Path) -> None:
    found = sign(examine(Workspace(tmp_path), model=MINILM), "no data in")

    assert (found.mark, found.fix) == ("look", "lexitune tune DATA")
