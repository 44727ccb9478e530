"""The workspace: one process at a time, and artefacts that are finished or are not."""

import errno
import json
import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lexitune.errors import StageFailed
from lexitune.io.workspace import Meta, Workspace, find_workspace, is_finished, read_meta, write_meta

HOLD = """
import sys
from pathlib import Path
from lexitune.io.workspace import Workspace
with Workspace(Path(sys.argv[1])).lock():
    print("held", flush=True)
    sys.stdin.read()
"""


@dataclass(frozen=True)
class Options:
    k: int = 10
    names: tuple[str, ...] = ("a", "b")


def test_a_second_process_is_refused_with_the_pid_and_host_of_the_first(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"

    with pytest.raises(StageFailed) as caught, Workspace(tmp_path).lock():
        pass

    holder.communicate("")
    assert caught.value.code == "E1002"
    assert f"pid {holder.pid} on {platform.node()}" in caught.value.problem


def test_the_lock_of_a_killed_process_does_not_stay(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    holder.stdout.readline()
    holder.kill()
    holder.communicate()

    with Workspace(tmp_path).lock():
        assert str(os.getpid()) in (tmp_path / ".lexitune-holder").read_text()


def test_a_stage_called_by_the_journey_may_take_the_lock_again(tmp_path: Path) -> None:
    with Workspace(tmp_path).lock(), Workspace(tmp_path / ".." / tmp_path.name).lock():
        pass

    with Workspace(tmp_path).lock():
        pass


def test_what_a_killed_process_left_half_written_is_removed_and_nothing_else(tmp_path: Path) -> None:
    half = (
        "models/a/.lexitune-tmp-1f-w.npy",
        "models/.lexitune-tmp-3d/1/w.npy",
        "uploads/.lexitune-tmp-4c/w.npy",
        ".lexitune-tmp-2e-x",
        ".lexitune-tmp-passing-5b/tuned/w.npy",
    )
    for name in (*half, "models/a/w.npy", "other/.lexitune-tmp-y"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")

    with Workspace(tmp_path).lock():
        pass

    assert [path.name for path in (tmp_path / "models").iterdir()] == ["a"]
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"models/a/w.npy", "other/.lexitune-tmp-y", ".lexitune-lock", ".lexitune-holder"}


def test_a_full_disk_keeps_nobody_out_and_names_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".lexitune-holder").write_text(json.dumps({"pid": 1, "host": "the one before"}))
    (tmp_path / ".lexitune-tmp-2e-x").write_text("x")

    def full(*_: Any, **__: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)

    with Workspace(tmp_path).lock():
        assert [path.name for path in tmp_path.iterdir()] == [".lexitune-lock"]


def test_the_nearest_folder_upwards_with_a_configuration_is_the_workspace(tmp_path: Path) -> None:
    (tmp_path / "a" / "b" / "c").mkdir(parents=True)
    (tmp_path / "lexitune.toml").touch()
    (tmp_path / "a" / "b" / "lexitune.toml").touch()

    assert find_workspace(tmp_path / "a" / "b" / "c") == Workspace((tmp_path / "a" / "b").resolve())
    assert find_workspace(tmp_path / "a") == Workspace(tmp_path.resolve())


def test_paths_follow_the_beir_layout(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)

    assert workspace.corpus == tmp_path / "corpus.jsonl"
    assert workspace.qrels("dev") == tmp_path / "qrels" / "dev.tsv"
    assert workspace.openings == tmp_path / "reports" / "test-openings.jsonl"


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_meta_comes_back_and_says_finished(tmp_path: Path, kind: str) -> None:
    artefact = tmp_path / "a1"
    artefact.mkdir() if kind == "folder" else artefact.write_text("x")
    meta = Meta("train", {"k": 10, "names": ["a", "b"]}, {"corpus": "c0"}, {"python": "3"}, 13, 2.5, {"loss": 0.1})

    write_meta(artefact, meta)

    assert read_meta(artefact) == meta
    assert is_finished(artefact, stage="train", inputs={"corpus": "c0"}, options=Options())


@pytest.mark.parametrize(
    ("case", "stage", "inputs", "options"),
    [
        ("another stage", "mine", {"corpus": "c0"}, Options()),
        ("another input", "train", {"corpus": "c1"}, Options()),
        ("one more input", "train", {"corpus": "c0", "x": "0"}, Options()),
        ("another option", "train", {"corpus": "c0"}, Options(k=11)),
    ],
)
def test_what_differs_is_not_finished(
    tmp_path: Path, case: str, stage: str, inputs: dict[str, str], options: Options
) -> None:
    write_meta(tmp_path, Meta("train", {"k": 10, "names": ["a", "b"]}, {"corpus": "c0"}))

    assert not is_finished(tmp_path, stage=stage, inputs=inputs, options=options), case


@pytest.mark.parametrize("text", ["", "{", "[]", '{"stage": "train"}', '{"unknown": 1}'])
def test_a_record_that_cannot_be_read_means_unfinished(tmp_path: Path, text: str) -> None:
    (tmp_path / "meta.json").write_text(text)

    assert read_meta(tmp_path) is None
    assert not is_finished(tmp_path, stage="train", inputs={}, options={})


def test_a_record_without_its_file_means_unfinished(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("x")
    write_meta(tmp_path / "a.json", Meta("train", {}, {}))
    (tmp_path / "a.json").unlink()

    assert not is_finished(tmp_path / "a.json", stage="train", inputs={}, options={})
