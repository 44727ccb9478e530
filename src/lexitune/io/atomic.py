"""Writing so that a reader sees the old file or the new one, never half of either."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lexitune.errors import StageFailed

__all__ = ["TEMPORARY", "append_line", "aside", "check_space", "remove", "replace_text", "replacing"]

TEMPORARY = ".lexitune-tmp-"
"""How the name of a file under way begins. One that is left over belongs to a killed process and may be removed."""

FULL_OR_FORBIDDEN = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EACCES, errno.ENAMETOOLONG}


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder; it takes the place of `path` when the block ends well.

    The temporary name keeps the ending of `path`, since numpy and others look at it. An error in the
    block, or a kill, leaves the old file as it was.

    Raises:
        StageFailed: The disk is full, or the place cannot be written to.
    """
    temporary = path.with_name(f"{TEMPORARY}{secrets.token_hex(4)}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        _sync(temporary)
        temporary.replace(path)
        _sync(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True) if error.errno != errno.ENAMETOOLONG else None
        if error.errno in FULL_OR_FORBIDDEN or error.filename == str(temporary):
            raise _not_written(path, error) from error
        raise
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def replace_text(path: Path, text: str) -> None:
    """Write a whole small file, UTF-8, at once.

    Raises:
        StageFailed: The disk is full, or the place cannot be written to.
    """
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def append_line(path: Path, text: str) -> None:
    """Add one line to a journal and force it to the disk. A line that a killed writer left half is closed first.

    Raises:
        StageFailed: The disk is full, or the place cannot be written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b") as file:
            start = b""
            if file.seek(0, os.SEEK_END):
                file.seek(-1, os.SEEK_END)
                start = b"" if file.read(1) == b"\n" else b"\n"
            file.write(start + text.encode("utf-8") + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise _not_written(path, error) from error


def remove(path: Path) -> None:
    """Remove a file or a folder so that nobody ever sees half a folder; what is not there is no error.

    A folder is renamed first, as a file under way is: a kill leaves it under that name, and the next command that works
    in the workspace removes it. A link goes, what it points at stays.

    Raises:
        OSError: The system refuses.
    """
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    shutil.rmtree(path if path.name.startswith(TEMPORARY) else aside(path))


def aside(path: Path) -> Path:
    """Give a folder the name of a file under way, for its removal; the new path.

    Raises:
        OSError: The system refuses.
    """
    path = path.rename(path.with_name(f"{TEMPORARY}{secrets.token_hex(4)}"))
    _sync(path.parent)
    return path


def check_space(folder: Path, needed: int, *, what: str, fix: str) -> None:
    """Make `folder`, and refuse to begin writing `needed` bytes where its disk has no room for them.

    Args:
        what: What needs them, with its verb: "a checkpoint needs".

    Raises:
        StageFailed: The disk has less free.
    """
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise StageFailed("E1204", f"{what} {needed / 1e6:.0f} MB and {folder} has {free / 1e6:.0f} MB free", fix=fix)


def _sync(path: Path) -> None:
    # A rename can reach the disk before the data does, so both the file and its folder are forced out.
    if os.name == "nt" and path.is_dir():
        return  # Windows opens no folders, and its renames are journalled
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _not_written(path: Path, error: OSError) -> StageFailed:
    reason = (error.strerror or str(error)).lower()
    fix = {
        errno.ENOSPC: f"free space on the disk that holds {path.parent}, then run the same command again",
        errno.ENAMETOOLONG: "use a folder with a shorter path",
    }.get(error.errno or 0, f"check who may write to {path.parent}, or use another folder with -C")
    return StageFailed("E1001", f"cannot write {path}: {reason}", fix=fix)
