"""Ctrl-C that lets the step end: the signal is noted, and the loop stops where it can resume."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["finishing_step"]

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def finishing_step(*, in_group: bool = False) -> Iterator[Callable[[], bool]]:
    """Within the block the first SIGINT or SIGTERM is only noted; the yielded function tells whether one came.

    A second one interrupts at once. Outside the main thread Python delivers no signals, and nothing changes.

    Args:
        in_group: A launcher started this process beside others: it passes on the signal that the terminal has sent to
            all of them already, so a second one is no second wish, and is only noted too.
    """
    asked = False

    def note(_signal: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked and not in_group:
            raise KeyboardInterrupt
        asked = True

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = {number: signal.signal(number, note) for number in SIGNALS}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
