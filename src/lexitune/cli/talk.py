"""How it goes, on a screen: one line for each stage, redrawn where there is a terminal."""

from __future__ import annotations

import math
import os
import textwrap
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TextIO

__all__ = ["Screen", "screen_on"]

BAR = 10
REDRAW_S = 0.1
PLAIN_S = 30.0
HINT = "(Ctrl-C resumes)"
SMOOTHING_S = 15.0  # the rate forgets what is older than a few of these


@dataclass
class Stage:
    """One stage under way: where it stands, and how fast it goes."""

    name: str
    started: float
    done: float
    total: float
    note: str
    last: float = field(init=False)  # when it last reported
    at: float = field(init=False)  # when units were last counted, and how many
    counted: float = field(init=False)
    rate: float = field(init=False)  # units a second; 0: unknown
    weight: float = field(init=False)  # how much evidence stands behind the rate

    def __post_init__(self) -> None:
        self._restart(self.started)

    def move(self, done: float, total: float, *, note: str, now: float) -> None:
        """Take in a report. The rate is an average in which old seconds count ever less."""
        another_pass = total != self.total or done < self.done
        self.done, self.total, self.note = done, total, note
        self.last = now
        if another_pass:
            self._restart(now)
            return
        elapsed = now - self.at
        if elapsed > 0:  # else the units count with the next report
            keep = math.exp(-elapsed / SMOOTHING_S)
            weight = self.weight * keep + (1 - keep)
            pace = (done - self.counted) / elapsed
            self.rate = (self.rate * self.weight * keep + pace * (1 - keep)) / weight
            self.weight, self.at, self.counted = weight, now, done

    def left_s(self) -> float | None:
        """Seconds to go; None while the rate is unknown."""
        return (self.total - self.done) / self.rate if self.rate > 0 else None

    def _restart(self, now: float) -> None:
        # What was done before the first report, by a run that was cut off, says nothing about the rate.
        self.last, self.at, self.counted = now, now, self.done
        self.rate = self.weight = 0.0


class Screen:
    """A Talk on a text stream.

    On a terminal the line of the running stage is redrawn; elsewhere a plain line comes at most every
    30 seconds. A step of the journey leaves one line when it ends; any other stage leaves none.

    Args:
        stream: Usually stderr.
        live: Redraw in place.
        steps: Names of the journey's steps, for "2/5 train"; empty: a stage has no number.
        columns: Asked at each drawing, since a window may change its size.
        clock: Seconds from any start.
    """

    def __init__(
        self,
        stream: TextIO,
        *,
        live: bool,
        steps: Sequence[str],
        columns: Callable[[], int],
        clock: Callable[[], float],
    ) -> None:
        self.stream, self.live, self.steps, self.columns, self.clock = stream, live, steps, columns, clock
        self.stage: Stage | None = None
        self.drawn = 0  # characters of the open line
        self.drawn_at = -math.inf

    def say(self, line: str) -> None:
        """Write a finished fact above the running line."""
        if self.stage and self.stage.done >= self.stage.total:
            self._end_stage()
        self._erase()
        indent = " " * (len(line) - len(line.lstrip()) + 2)
        self._write(textwrap.fill(line, self._width(), subsequent_indent=indent, break_on_hyphens=False) + "\n")

    def progress(self, stage: str, done: float, total: float, note: str = "") -> None:
        """Redraw the stage's line, or begin it. A full stage ends when something else comes."""
        now = self.clock()
        if self.stage is None or self.stage.name != stage:
            self._end_stage()
            self.stage = Stage(stage, now, done, total, note)
            if not self.live:
                self.drawn_at = now
        else:
            self.stage.move(done, total, note=note, now=now)
        every = REDRAW_S if self.live else PLAIN_S
        if now - self.drawn_at >= every or (self.live and done >= total):
            self.drawn_at = now
            self._draw(self.stage)

    def close(self) -> None:
        """End the open line. A stage that is not full is left as it was drawn."""
        if self.stage and self.stage.done < self.stage.total:
            self.stage = None
            self._write("\n" if self.drawn else "")
            self.drawn = 0
        self._end_stage()

    def _end_stage(self) -> None:
        stage, self.stage, self.drawn_at = self.stage, None, -math.inf
        if stage is None:
            return
        self._erase()
        if stage.name in self.steps or not self.steps:
            took = f"done in {_minutes(stage.last - stage.started)}"
            self._write(_fit(f"{self._name(stage)} {took}", stage.note, width=self._width()) + "\n")

    def _draw(self, stage: Stage) -> None:
        share = min(1.0, max(0.0, stage.done / stage.total)) if stage.total > 0 else 1.0
        full = int(share * BAR)
        head = f"{self._name(stage)} {'#' * full}{'-' * (BAR - full)} {int(share * 100):3d} %"
        left = stage.left_s()
        eta = f"ETA {_minutes(left)}" if left is not None and share < 1 else ""
        line = _fit(head, stage.note, eta, HINT if self.live else "", width=self._width())
        if self.live:
            # Blanks over what is left of a longer line: no escape sequence, so any terminal will do.
            self._write("\r" + line + " " * (self.drawn - len(line)))
            self.drawn = len(line)
        else:
            self._write(line + "\n")

    def _name(self, stage: Stage) -> str:
        words = stage.name.split(maxsplit=1)
        step = words[0] if words else ""
        number = f"{self.steps.index(step) + 1}/{len(self.steps)} " if step in self.steps else ""
        return f"{number}{stage.name:<8}"

    def _width(self) -> int:
        return min(80, self.columns()) - 1  # a full last column would wrap on some terminals

    def _erase(self) -> None:
        if self.drawn:
            self._write("\r" + " " * self.drawn + "\r")
            self.drawn = 0

    def _write(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()


def _fit(head: str, note: str, eta: str = "", hint: str = "", *, width: int) -> str:
    """Join what fits into `width`: the hint goes first, then the end of the note."""

    def join(*parts: str) -> str:
        return "  ".join(part for part in parts if part)

    if len(line := join(head, note, eta, hint)) <= width:
        return line
    room = width - len(join(head, eta)) - 2
    return join(head, note[: max(room, 0)].rstrip(), eta)[:width]


def _minutes(seconds: float) -> str:
    """Example: 110 -> 1:50."""
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"


def screen_on(
    stream: TextIO, *, steps: Sequence[str], environ: Mapping[str, str], clock: Callable[[], float] = time.monotonic
) -> Screen:
    """A screen that redraws where `stream` is a terminal that can; it writes no colours, so NO_COLOR is kept."""
    live = stream.isatty() and environ.get("TERM") != "dumb"

    def columns() -> int:
        try:
            return os.get_terminal_size(stream.fileno()).columns or 80
        except (OSError, ValueError):
            return 80

    return Screen(stream, live=live, steps=steps, columns=columns, clock=clock)
