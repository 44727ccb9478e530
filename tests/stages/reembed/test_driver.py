"""Re-embed in a workspace: which challenger, what is written, and what is done again."""

import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.heard import Heard
from tests.stages.train.watching import LAUNCH

from lexitune.errors import DataError, UsageError
from lexitune.io.staged import read_staged, require_staged
from lexitune.io.vectors import open_vectors
from lexitune.io.workspace import Workspace, meta_path
from lexitune.models.corpus import encode_corpus
from lexitune.models.load import load
from lexitune.models.options import ModelOptions
from lexitune.stages.reembed import driver as reembedding
from lexitune.stages.reembed.driver import run
from lexitune.stages.reembed.options import ReembedOptions
from lexitune.types import Doc

FP32 = ModelOptions(precision="fp32", device="cpu")
Add = Callable[[Workspace, str, Path], None]

CHILD = """
import os, sys
from pathlib import Path
from lexitune.io.workspace import Workspace
from lexitune.models.options import ModelOptions
from lexitune.stages.reembed.driver import run
from lexitune.stages.reembed.options import ReembedOptions
from lexitune.stores import loading

workspace, noted = Workspace(Path(sys.argv[1])), Path(sys.argv[3], os.environ["RANK"])
load = loading.load_index
def noting(*given, **named):
    noted.with_suffix(".loads").touch()
    return load(*given, **named)
loading.load_index = noting
model, options = ModelOptions(precision="fp32", device="cpu"), ReembedOptions(store=sys.argv[2])
folder = run(workspace, model=model, options=options)
noted.with_suffix(".returned").write_text(str(folder))
"""


def test_the_newest_challenger_is_staged(
    toy_workspace: Workspace, add_challenger: Add, good_model_folder: Path, tiny_model_folder: Path
) -> None:
    add_challenger(toy_workspace, "b", tiny_model_folder)
    add_challenger(toy_workspace, "a", good_model_folder)
    os.utime(meta_path(toy_workspace.models / "b"), (1, 1))

    folder = run(toy_workspace, model=FP32)

    staged = read_staged(toy_workspace)
    assert staged is not None
    assert staged.model_id == "a"
    assert toy_workspace.root / staged.vectors == folder
    assert open_vectors(folder).manifest["fingerprint"] == staged.fingerprint


def test_an_unfinished_model_is_no_challenger(toy_workspace: Workspace) -> None:
    (toy_workspace.models / "half").mkdir(parents=True)

    with pytest.raises(UsageError) as raised:
        run(toy_workspace, model=FP32)

    assert (raised.value.code, raised.value.fix) == ("E2141", "lexitune train")


@pytest.mark.parametrize("name", ["m2", "..", "../models/m1"])
def test_an_unknown_challenger_is_named(
    name: str, toy_workspace: Workspace, add_challenger: Add, good_model_folder: Path
) -> None:
    add_challenger(toy_workspace, "m1", good_model_folder)

    with pytest.raises(UsageError, match="no model"):
        run(toy_workspace, model_id=name, model=FP32)


def test_a_second_run_leaves_the_index_alone_and_a_damaged_one_is_mended(
    toy_workspace: Workspace, add_challenger: Add, good_model_folder: Path
) -> None:
    add_challenger(toy_workspace, "m1", good_model_folder)
    folder = run(toy_workspace, model=FP32)
    part = folder / "part-00000.npy"
    written = part.stat().st_mtime_ns
    sound = part.read_bytes()

    run(toy_workspace, model=FP32)
    untouched = part.stat().st_mtime_ns
    part.write_bytes(sound[:-4] + b"\0\0\0\0")
    run(toy_workspace, model=FP32)

    assert untouched == written
    assert part.read_bytes() == sound


def test_a_staging_that_was_cut_off_is_not_taken_for_the_one_before_it(
    toy_workspace: Workspace,
    add_challenger: Add,
    good_model_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    add_challenger(toy_workspace, "m1", good_model_folder)
    in_store = ReembedOptions(store=f"lancedb:{tmp_path / 'index'}")
    run(toy_workspace, model=FP32, options=in_store)
    before = require_staged(toy_workspace, "m1")
    with monkeypatch.context() as killed:
        killed.setattr(reembedding, "write_meta", die)
        with pytest.raises(KeyboardInterrupt):
            run(toy_workspace, model=FP32)
    cut_off = require_staged(toy_workspace, "m1")

    run(toy_workspace, model=FP32, options=in_store)

    assert cut_off == replace(before, store="", index="")
    assert require_staged(toy_workspace, "m1") == before


def test_of_several_processes_the_first_alone_loads_the_store(
    toy_workspace: Workspace, add_challenger: Add, good_model_folder: Path, tmp_path: Path
) -> None:
    add_challenger(toy_workspace, "m1", good_model_folder)
    script, spec, heard = tmp_path / "child.py", f"lancedb:{tmp_path / 'index'}", Heard()
    script.write_text(CHILD)
    given = [str(script), str(toy_workspace.root), spec, str(tmp_path)]

    subprocess.run(
        [*LAUNCH, *given], env=os.environ | {"OMP_NUM_THREADS": "1"}, check=True, capture_output=True, timeout=300
    )

    told = str(toy_workspace.root / require_staged(toy_workspace, "m1").vectors)
    assert [(tmp_path / f"{rank}.loads").exists() for rank in (0, 1)] == [True, False]
    assert [(tmp_path / f"{rank}.returned").read_text() for rank in (0, 1)] == [told, told]
    run(toy_workspace, model=FP32, options=ReembedOptions(store=spec), talk=heard)
    assert heard.lines[-1] == "reembed: skipped, same corpus, same model"


def test_vectors_that_were_written_anew_are_not_taken_for_those_that_were_staged(
    toy_workspace: Workspace, add_challenger: Add, good_model_folder: Path
) -> None:
    """As a query adapter's are, which are stock's: any command that encodes stock's may write them."""
    add_challenger(toy_workspace, "m1", good_model_folder)
    folder = run(toy_workspace, model=FP32)
    embedder = load(str(good_model_folder), options=FP32)
    encode_corpus(embedder, [Doc("d1", "another corpus")], toy_workspace.vectors)

    with pytest.raises(DataError, match="written anew") as raised:
        require_staged(toy_workspace, "m1")
    run(toy_workspace, model=FP32)

    assert raised.value.code == "E3304"
    assert require_staged(toy_workspace, "m1").model_id == "m1"
    assert len(open_vectors(folder)) == 60
