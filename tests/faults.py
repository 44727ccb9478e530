"""Faults on purpose: a process that dies at its n-th rename or removal."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


class Killed(BaseException):
    """Not an Exception: like a kill, it is caught by nobody."""


CALLS = ("replace", "rename", "unlink", "rmdir")


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
