"""Races: what a killed one leaves behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from benchmarks.harness import Side, running


def sleeper(started: str) -> Callable[[], None]:
    """Work that tells its process and does not end."""

    def work() -> None:
        Path(started).write_text(str(os.getpid()), encoding="utf-8")
        time.sleep(600)

    return work


def hold(started: str) -> None:
    """Run the sleeper as a side."""
    with running(Side(sleeper, {"started": started}), threads=1) as lap:
        lap()


def test_the_sides_of_a_killed_race_end_with_it(tmp_path: Path) -> None:
    started = tmp_path / "pid"
    parent = subprocess.Popen([sys.executable, "-c", f"import {__name__} as here; here.hold({str(started)!r})"])
    deadline = time.monotonic() + 60
    while not (started.exists() and started.read_text()) and time.monotonic() < deadline:
        time.sleep(0.1)
    side = psutil.Process(int(started.read_text()))

    parent.kill()
    parent.wait()

    side.wait(timeout=30)
