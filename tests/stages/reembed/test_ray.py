"""Re-embed by workers of a Ray cluster: the parts of one process to the byte, whatever dies on the way."""

import importlib.util
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lexitune.errors import LexituneError, StageFailed, UsageError
from lexitune.io.vectors import open_vectors
from lexitune.io.workspace import Workspace
from lexitune.models import cluster, memory
from lexitune.models.embedder import Embedder
from lexitune.models.load import load
from lexitune.models.options import ModelOptions
from lexitune.models.part import PartWork
from lexitune.stages.reembed.driver import run
from lexitune.stages.reembed.options import ReembedOptions
from lexitune.stages.reembed.staging import reembed
from lexitune.types import Dataset

ROOT = Path(__file__).parents[3]
FP32 = ModelOptions(precision="fp32", device="cpu")
RAY = ReembedOptions(engine="ray", workers=2)
SMALL = memory.Limits(2048, 8, 2**20)  # 60 docs in 8 parts

CHILD = """
import os, signal, sys
from pathlib import Path
import torch
from lexitune.io.workspace import Workspace
from lexitune.models import memory
from lexitune.stages.reembed.driver import run
from lexitune.types import Silent
from tests.stages.reembed.test_ray import FP32, RAY, SMALL

class Killed(Silent):
    def progress(self, stage, done, total, note=""):
        os.kill(os.getpid(), signal.SIGKILL)  # with the first part that is written

torch.set_num_threads(1)
memory.UNLIMITED["cpu"] = SMALL
run(Workspace(Path(sys.argv[1])), model=FP32, options=RAY, talk=Killed())
"""


@pytest.fixture(autouse=True)
def one_thread_and_small_parts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(memory.UNLIMITED, "cpu", SMALL)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def installed() -> None:
    if importlib.util.find_spec("ray") is None:
        reason = "ray is not installed: pip install 'lexitune[ray]'"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)


@pytest.fixture(scope="module")
def two_cores(installed: None) -> Iterator[None]:
    """A cluster with room for two workers, which all tests share: it starts slowly."""
    import ray

    ray.init(
        "local",
        num_cpus=2,
        object_store_memory=2**27,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    yield
    ray.shutdown()


@pytest.fixture
def model(good_model_folder: Path) -> Embedder:
    return load(str(good_model_folder), options=FP32)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.usefixtures("two_cores")
def test_two_workers_write_the_bytes_of_one_process_and_finish_what_it_began(
    toy_data: Dataset, model: Embedder, tmp_path: Path
) -> None:
    alone = reembed(toy_data.docs, model=model, out=tmp_path / "alone")
    expected = contents(alone.folder)
    begun = reembed(toy_data.docs, model=model, out=tmp_path / "begun").folder
    written = (begun / "part-00000.npy").stat().st_mtime_ns
    for name in ("manifest.json", "part-00003.ids.parquet", "part-00007.npy"):
        (begun / name).unlink()

    shared = reembed(toy_data.docs, model=model, out=tmp_path / "shared", options=RAY)
    reembed(toy_data.docs, model=model, out=tmp_path / "begun", options=RAY)

    assert sorted(expected) == sorted(
        ["manifest.json", *(f"part-0000{n}.{end}" for n in range(8) for end in ("npy", "ids.parquet"))]
    )
    assert contents(shared.folder) == expected
    assert contents(begun) == expected
    assert (begun / "part-00000.npy").stat().st_mtime_ns == written
    assert sorted(path.name for path in (tmp_path / "shared").iterdir()) == [shared.folder.name, "tokens"]


@pytest.mark.usefixtures("two_cores")
def test_texts_that_stayed_keep_their_vectors(toy_data: Dataset, model: Embedder, tmp_path: Path) -> None:
    docs = [replace(toy_data.docs[0], text="w1 w200"), *toy_data.docs[1:]]
    for name in ("alone", "shared"):
        reembed(toy_data.docs, model=model, out=tmp_path / name)

    alone = reembed(docs, model=model, out=tmp_path / "alone")
    shared = reembed(docs, model=model, out=tmp_path / "shared", options=RAY)

    assert contents(shared.folder) == contents(alone.folder)


@pytest.mark.usefixtures("two_cores")
def test_a_worker_that_dies_is_replaced_and_its_part_is_done_again(
    toy_data: Dataset, model: Embedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    died = tmp_path / "died"

    class Mortal(cluster.Worker):
        def encode(self, work: PartWork) -> tuple[int, int]:
            if work.number == 3 and not died.exists():
                died.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return super().encode(work)

    alone = reembed(toy_data.docs, model=model, out=tmp_path / "alone")
    monkeypatch.setattr(cluster, "Worker", Mortal)

    shared = reembed(toy_data.docs, model=model, out=tmp_path / "shared", options=RAY)

    assert died.exists()
    assert contents(shared.folder) == contents(alone.folder)


@pytest.mark.usefixtures("two_cores")
def test_a_passage_that_encodes_to_nan_is_named_as_one_process_names_it(
    toy_data: Dataset, model: Embedder, tmp_path: Path
) -> None:
    row = model.model.tokenizer.convert_tokens_to_ids("w40")  # the first word of d10
    with torch.no_grad():
        next(model.network.parameters())[row] = float("nan")

    told = []
    for options in (ReembedOptions(), RAY):
        with pytest.raises(StageFailed, match="the first is text 'd10'") as raised:
            reembed(toy_data.docs, model=model, out=tmp_path / options.engine, options=options)
        told.append((raised.value.code, raised.value.problem, raised.value.fix))

    assert told[0] == told[1]


@pytest.mark.usefixtures("two_cores")
def test_more_workers_than_there_is_room_for_are_refused(toy_data: Dataset, model: Embedder, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="room for 2 workers of 1 core each") as raised:
        reembed(toy_data.docs, model=model, out=tmp_path, options=replace(RAY, workers=3))

    assert (raised.value.code, raised.value.fix) == ("E2109", "--workers 2")


@pytest.mark.usefixtures("installed")
def test_a_run_that_is_killed_goes_on_with_what_its_workers_wrote(
    toy_workspace: Workspace,
    toy_data: Dataset,
    add_challenger: Callable[[Workspace, str, Path], None],
    good_model_folder: Path,
    tmp_path: Path,
) -> None:
    add_challenger(toy_workspace, "m1", good_model_folder)
    script = tmp_path / "child.py"
    script.write_text(CHILD)
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), environment.get("PYTHONPATH", "")])
    child = subprocess.run(
        [sys.executable, str(script), str(toy_workspace.root)], env=environment, cwd=ROOT, check=False, timeout=500
    )
    parts = list(toy_workspace.vectors.glob("*/part-*.ids.parquet"))
    assert child.returncode == -signal.SIGKILL
    assert 1 <= len(parts) <= 8
    assert not list(toy_workspace.vectors.glob("*/manifest.json"))

    folder = run(toy_workspace, model=FP32)

    model = load(str(toy_workspace.models / "m1"), options=FP32)
    alone = reembed(toy_data.docs, model=model, out=tmp_path / "alone")
    assert contents(folder) == contents(alone.folder)
    assert open_vectors(folder).manifest["complete"]


def test_a_missing_package_is_told_before_anything_is_encoded(
    toy_data: Dataset, model: Embedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)

    with pytest.raises(UsageError) as raised:
        reembed(toy_data.docs, model=model, out=tmp_path, options=RAY)

    assert (raised.value.code, raised.value.fix) == ("E2005", "pip install 'lexitune[ray]'")


def test_processes_of_a_launcher_do_not_share_work_out_twice(
    toy_data: Dataset, model: Embedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("RANK", "0"), ("WORLD_SIZE", "2"), ("LOCAL_RANK", "0")):
        monkeypatch.setenv(name, value)

    with pytest.raises(LexituneError) as raised:
        reembed(toy_data.docs, model=model, out=tmp_path, options=RAY)

    assert raised.value.code == "E2016"
