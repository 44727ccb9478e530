"""A fault at every step of a switch: afterwards the old or the new serves, never something between.

A process dies before or after any rename or removal. Both are tried: the fault comes at the n-th such call,
before it acts or after, for n from 1 until the command succeeds.
"""

import errno
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from tests.faults import Killed, fault_at, kill_at_each_step
from tests.io.test_workspace import HOLD

from lexitune.errors import StageFailed
from lexitune.io import atomic
from lexitune.io.workspace import Workspace
from lexitune.stages.promote.driver import recover, rollback, run
from lexitune.stages.promote.serving import read_serving
from lexitune.stages.promote.switch import history


def serves(workspace: Workspace) -> str | None:
    serving = read_serving(workspace)
    return serving.model if serving else None


def state(workspace: Workspace) -> tuple[str | None, list[str]]:
    return serves(workspace), [one.model for one in history(workspace)]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("command", "old", "new"),
    [
        (run, (None, []), ("models/m1", ["minilm"])),
        (rollback, ("models/m1", ["minilm"]), ("minilm", [])),
    ],
    ids=["promote", "rollback"],
)
def test_a_kill_at_any_step_leaves_old_or_new_and_a_second_run_finishes(
    command: Callable[[Workspace], Any],
    old: tuple[str | None, list[str]],
    new: tuple[str | None, list[str]],
    when: str,
    ready: Workspace,
    tmp_path: Path,
) -> None:
    if command is rollback:
        run(ready)
    assert state(ready) == old
    seen = set[str | None]()

    def after(workspace: Workspace) -> None:
        assert serves(workspace) in (old[0], new[0])

        recover(workspace)

        recovered = state(workspace)
        assert recovered in (old, new)
        assert not (workspace.root / "switch-intent.json").exists()
        seen.add(recovered[0])
        if recovered == old:
            command(workspace)
        assert state(workspace) == new

    number, workspace = kill_at_each_step(ready, command, after=after, folder=tmp_path, when=when)

    assert state(workspace) == new
    assert seen == {old[0], new[0]}  # the faults fell on both sides of the switch
    assert number > 6  # at least holder, verdict, its record, intent, serving, log and removal for promote


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_kill_in_the_middle_of_recovering_is_recovered_too(when: str, ready: Workspace, tmp_path: Path) -> None:
    interrupted = cut_off(ready, tmp_path / "cut")

    def after(workspace: Workspace) -> None:
        recover(workspace)

        assert state(workspace) == ("models/m1", ["minilm"])

    _, workspace = kill_at_each_step(interrupted, recover, after=after, folder=tmp_path, when=when)

    assert state(workspace) == ("models/m1", ["minilm"])


def cut_off(ready: Workspace, folder: Path) -> Workspace:
    """A copy whose promotion died right after the intent was written."""
    for number in count(1):
        shutil.rmtree(folder, ignore_errors=True)
        workspace = Workspace(folder)
        shutil.copytree(ready.root, folder)
        try:
            with fault_at(number, when="after"):
                run(workspace)
        except Killed:
            if (folder / "switch-intent.json").exists():
                return workspace
    raise AssertionError("unreachable")


def test_a_switch_whose_target_is_gone_is_undone(ready: Workspace, tmp_path: Path) -> None:
    interrupted = cut_off(ready, tmp_path / "cut")
    shutil.rmtree(interrupted.vectors / "tuned")

    told = recover(interrupted)

    assert told == "undid an interrupted switch to models/m1: vectors/tuned gone"
    assert state(interrupted) == (None, [])


def test_what_only_reads_goes_on_while_another_process_has_the_lock(ready: Workspace, tmp_path: Path) -> None:
    interrupted = cut_off(ready, tmp_path / "cut")
    command = [sys.executable, "-c", HOLD, str(interrupted.root)]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"

    told = recover(interrupted, reading=True)
    with pytest.raises(StageFailed) as raised:
        recover(interrupted)
    holder.communicate("")

    assert told.startswith("a switch is under way and cannot be completed now: another process works in")
    assert raised.value.code == "E1002"
    assert recover(interrupted, reading=True) == "completed an interrupted switch: models/m1 serves"


def test_what_only_reads_goes_on_when_the_disk_is_full(
    ready: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    interrupted = cut_off(ready, tmp_path / "cut")
    with monkeypatch.context() as patched:
        patched.setattr(atomic, "_sync", full)
        told = recover(interrupted, reading=True)
        with pytest.raises(StageFailed) as raised:
            recover(interrupted)

    assert told.endswith("no space left on device")
    assert raised.value.code == "E1001"
    assert state(interrupted) == (None, [])


def test_the_log_has_one_line_for_each_switch_however_often_it_was_cut_off(ready: Workspace, tmp_path: Path) -> None:
    interrupted = cut_off(ready, tmp_path / "cut")
    recover(interrupted)
    rollback(interrupted)

    lines = (interrupted.root / "serving-log.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["action"] for line in lines] == ["promote", "rollback"]
