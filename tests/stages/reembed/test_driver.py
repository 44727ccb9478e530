"""Re-embed in a workspace: which challenger, what is written, and what is done again."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lexitune.errors import DataError, UsageError
from lexitune.io.staged import read_staged, require_staged
from lexitune.io.vectors import open_vectors
from lexitune.io.workspace import Workspace, meta_path
from lexitune.models.corpus import encode_corpus
from lexitune.models.load import load
from lexitune.models.options import ModelOptions
from lexitune.stages.reembed.driver import run
from lexitune.types import Doc

FP32 = ModelOptions(precision="fp32", device="cpu")
Add = Callable[[Workspace, str, Path], None]


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
