"""Faults on purpose: a process that dies at its n-th step, whatever the step was.

A step is a file opened for writing in its place, or forced to the disk, a rename, a link or a removal; and, of
`requests`, what is sent to a store to change it: a statement, rows, a commit, a call of LanceDB's.
"""

import builtins
import io
import os
import shutil
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from lexitune.io.atomic import TEMPORARY
from lexitune.io.workspace import Workspace


class Killed(BaseException):
    """Not an Exception: like a kill, it is caught by nobody."""


Copy = Callable[[Workspace, Path], Workspace]
NAMES = ("replace", "rename", "unlink", "rmdir")
READS = ("SELECT", "SET", "SHOW")
ROWS = 5  # that land of a COPY before the process dies in it


def copy_folder(workspace: Workspace, folder: Path) -> Workspace:
    """A workspace that nothing outside of it knows."""
    shutil.copytree(workspace.root, folder)
    return Workspace(folder)


def kill_at_each_step(
    workspace: Workspace,
    command: Callable[[Workspace], Any],
    *,
    after: Callable[[Workspace], None],
    folder: Path,
    when: str,
    files: bool = True,
    requests: bool = False,
    copy: Copy = copy_folder,
) -> tuple[int, Workspace]:
    """Run a command in copies of a workspace, to die at its first step, its second, until it does not.

    Args:
        after: Called with each copy in which it died.
        copy: Copies the workspace, and the store that it loads into.

    Returns:
        The number at which it finished, and that copy.
    """
    for number in count(1):
        one = copy(workspace, folder / f"{number}")
        try:
            with fault_at(number, when=when, files=files, requests=requests):
                command(one)
        except Killed:
            pass
        else:
            return number, one
        after(one)
    raise AssertionError("unreachable")


class Steps:
    """How many steps the process has made, and how it is to die."""

    def __init__(self, number: int, when: str) -> None:
        self.number, self.when, self.made = number, when, list[str]()
        self.rows = ROWS + 1 if when == "torn" else 0
        self.wrote = self.copying = False
        self._here = threading.local()  # one thread writes while another is ahead
        self._lock = threading.Lock()

    @property
    def dead(self) -> bool:
        return len(self.made) >= self.number

    def counted(
        self,
        call: Callable[..., Any],
        name: str,
        is_step: Callable[..., bool] = lambda *_, **__: True,
        torn: Callable[..., None] | None = None,
    ) -> Callable[..., Any]:
        """The call as a step. The process dies before it, after it, or (`torn`) before it with half of it done."""

        def counted(*given: Any, **named: Any) -> Any:
            if getattr(self._here, "inside", False) or not is_step(*given, **named):
                return call(*given, **named)
            self._here.inside = True
            try:
                with self._lock:
                    if self.dead:  # dead processes do nothing more
                        raise Killed
                    self.made.append(f"{name} {given[0]}")
                    dies = self.dead
                if dies and self.when != "after":
                    if self.when == "torn" and torn:
                        torn(*given, **named)
                    raise Killed
                result = call(*given, **named)
                if dies:
                    raise Killed
                return result
            finally:
                self._here.inside = False

        return counted


@contextmanager
def fault_at(number: int, *, when: str, files: bool = True, requests: bool = False) -> Iterator[list[str]]:
    """Let this process die at its `number`-th step: `before` it acts, `after`, or `torn`, with half of a write done.

    Where a command goes on after each of its steps, `torn` is enough: to die after a step is to die before the next.
    """
    steps = Steps(number, when)
    with pytest.MonkeyPatch.context() as patch:
        if files:
            _count_files(patch, steps)
        if requests:
            _count_postgres(patch, steps)
            _count_lancedb(patch, steps)
        yield steps.made


def _count_files(patch: pytest.MonkeyPatch, steps: Steps) -> None:
    for name in NAMES:
        for owner in (Path, os):
            patch.setattr(owner, name, steps.counted(getattr(owner, name), name, _is_no_lock))
    patch.setattr(os, "link", steps.counted(os.link, "link"))
    patch.setattr(os, "fsync", steps.counted(_forced, "fsync", _is_file, _halve))
    for module in (builtins, io):
        patch.setattr(module, "open", steps.counted(io.open, "open", _is_write))


def _is_no_lock(path: Any, *_: Any, **__: Any) -> bool:
    return Path(path).name != ".lexitune-lock"  # the system lets go of it whatever dies


def _is_write(file: Any, mode: str = "r", *_: Any, **__: Any) -> bool:
    # One under a temporary name is nobody's yet: what counts is that it is forced to the disk, and renamed.
    return not isinstance(file, int) and bool(set(mode) & set("wax+")) and not Path(file).name.startswith(TEMPORARY)


def _is_file(descriptor: int) -> bool:
    return stat.S_ISREG(os.fstat(descriptor).st_mode)


def _forced(_: int) -> None:
    """It is a process that dies here: what it wrote the system has, and waiting for the disk shows nothing more."""


def _halve(descriptor: int) -> None:
    """What a power cut leaves of a file that was not yet forced to the disk."""
    path = Path(f"/proc/self/fd/{descriptor}").readlink()
    os.truncate(path, path.stat().st_size // 2)


def _count_postgres(patch: pytest.MonkeyPatch, steps: Steps) -> None:
    """Statements that change something, the rows of a COPY, and commits."""
    import psycopg

    def changes(cursor: Any, query: Any, *_: Any, **__: Any) -> bool:
        text = query if isinstance(query, str) else query.as_string(cursor.connection)
        steps.wrote |= (writes := not text.lstrip().upper().startswith(READS))
        return writes

    def commits(_: Any, kind: type[BaseException] | None, *__: Any) -> bool:
        # What only read commits nothing; and nobody commits for a process that is dead.
        done, steps.wrote = steps.wrote and kind is None, False
        return done

    def row(copy: Any, *given: Any) -> None:
        if steps.copying and len(steps.made) == steps.number - 1:
            steps.rows -= 1
            if steps.rows == 0:
                steps.made.append("row")
                raise Killed
        write_row(copy, *given)

    def roll_back(transaction: Any, *_: Any) -> None:
        end(transaction, Killed, Killed(), None)

    end, write_row, copies = psycopg.Transaction.__exit__, psycopg.Copy.write_row, psycopg.Cursor.copy

    def copy(cursor: Any, query: Any, *given: Any, **named: Any) -> Any:
        steps.copying = "FROM STDIN" in query.as_string(cursor.connection)
        return copies(cursor, query, *given, **named)

    for name in ("execute", "executemany"):
        patch.setattr(psycopg.Cursor, name, steps.counted(getattr(psycopg.Cursor, name), name, changes))
    patch.setattr(psycopg.Cursor, "copy", copy)
    patch.setattr(psycopg.Copy, "write_row", row)
    patch.setattr(psycopg.Transaction, "__exit__", _dying(steps.counted(end, "commit", commits), steps, roll_back))


def _dying(leave: Callable[..., Any], steps: Steps, roll_back: Callable[..., None]) -> Callable[..., Any]:
    """A commit that is not made is undone by the server as soon as it sees that the process is gone."""

    def exit_(transaction: Any, *given: Any) -> Any:
        alive = not steps.dead
        try:
            return leave(transaction, *given)
        except Killed:
            if alive and steps.when != "after":
                roll_back(transaction)
            raise

    return exit_


def _count_lancedb(patch: pytest.MonkeyPatch, steps: Steps) -> None:
    """Each call that changes a table. A kill within one is for a real process: its commits are LanceDB's own."""
    from lancedb.db import LanceDBConnection
    from lancedb.merge import LanceMergeInsertBuilder
    from lancedb.table import LanceTable

    for owner, names in (
        (LanceTable, ("delete", "optimize", "create_index", "drop_index")),
        (LanceMergeInsertBuilder, ("execute",)),
        (LanceDBConnection, ("create_table", "drop_table")),
    ):
        for name in names:
            patch.setattr(owner, name, steps.counted(getattr(owner, name), name))
