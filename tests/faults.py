"""Faults on purpose: a process that dies at its n-th rename or removal."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from lexitune.io.workspace import Workspace


class Killed(BaseException):
    """Not an Exception: like a kill, it is caught by nobody."""


CALLS = ("replace", "rename", "unlink", "rmdir")


def kill_at_each_step(
    workspace: Workspace,
    command: Callable[[Workspace], Any],
    *,
    after: Callable[[Workspace], None],
    folder: Path,
    when: str,
) -> tuple[int, Workspace]:
    """Run a command in copies of a workspace, to die at its first rename or removal, its second, until it does not.

    Args:
        after: Called with each copy in which it died.

    Returns:
        The number at which it finished, and that copy.
    """
    for number in count(1):
        copy = Workspace(folder / f"{number}")
        shutil.copytree(workspace.root, copy.root)
        try:
            with fault_at(number, when=when):
                command(copy)
        except Killed:
            pass
        else:
            return number, copy
        after(copy)
    raise AssertionError("unreachable")


@contextmanager
def fault_at(number: int, *, when: str) -> Iterator[list[str]]:
    """Let the `number`-th rename or removal of this process fail, `before` or `after` it acts."""
    made: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        for name in CALLS:
            patch.setattr(Path, name, _counted(getattr(Path, name), made, number, when))
            patch.setattr(os, name, _counted(getattr(os, name), made, number, when))
        yield made


def _counted(call: Callable[..., Any], made: list[str], number: int, when: str) -> Callable[..., Any]:
    inside = False

    def counted(*given: Any, **named: Any) -> Any:
        nonlocal inside
        if len(made) >= number:  # dead processes do nothing more
            raise Killed
        if inside:
            return call(*given, **named)
        inside = True
        try:
            if len(made) + 1 == number and when == "before":
                made.append(str(given[0]))
                raise Killed
            result = call(*given, **named)
            made.append(str(given[0]))
            if len(made) == number:
                raise Killed
            return result
        finally:
            inside = False

    return counted
