"""What re-embedding will take, told before it starts: texts, time, pounds and disk."""

from __future__ import annotations

import platform
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexitune.errors import StageFailed
from lexitune.io.processes import processes
from lexitune.io.vectors import TOKENS
from lexitune.stages.reembed.options import ReembedOptions

if TYPE_CHECKING:
    from lexitune.models.corpus import CorpusWork
    from lexitune.models.embedder import Embedder

__all__ = ["ReembedPlan", "plan_reembed", "refuse_full_disk", "speed_record"]

MEASURED = 1000  # texts from which a run's speed is kept: below, starting up and checking weigh too much
PROBE_S = 0.5  # a sample that takes less says little
PROBE_MOST = 2048  # texts
IDS_BYTES = 64  # of a row: its id and the hash of its text
TOKEN_BYTES = 1  # of a character: a token of two to four characters takes two bytes
OVERHEAD_BYTES = 8  # of a text, in the cache of tokens


@dataclass(frozen=True, slots=True)
class ReembedPlan:
    """What a run would do.

    Args:
        texts: New or changed ones, each counted once: these are encoded.
        taken_over: Passages whose text has a vector already.
        seconds: To encode and check them; None: not known.
        how: Where `seconds` comes from.
        pounds: What they cost; None: no rate is known.
        new_bytes: Of vectors that will be written; `disk_bytes` with ids and tokens.
        there_bytes: Of all vectors that are there.
        free_bytes: Of the disk.
    """

    passages: int
    texts: int
    taken_over: int
    seconds: float | None
    how: str
    pounds: float | None
    new_bytes: int
    disk_bytes: int
    there_bytes: int
    free_bytes: int

    def lines(self) -> list[str]:
        """For a person: three lines at most, and none of over 71 columns.

        Example:
            >>> how = "by the last run's speed"
            >>> plan = ReembedPlan(5183, 52, 5131, 138.0, how, 0.01, 8_000_000, 9_000_000, 16_000_000, 30_000_000_000)
            >>> print(*plan.lines(), sep="\\n")
            5,183 passages: 52 texts to encode, 5,131 rows taken over
            about 2.3 min, £0.01, by the last run's speed
            8.0 MB of vectors to write beside 16.0 MB; 30.0 GB of disk are free
        """
        found = [f"{self.passages:,} passages: {self.texts:,} texts to encode, {self.taken_over:,} rows taken over"]
        if self.texts:
            about = "time not known" if self.seconds is None else f"about {_duration(self.seconds)}"
            found.append(", ".join([about, *([] if self.pounds is None else [f"£{self.pounds:.2f}"]), self.how]))
        if self.new_bytes:
            sizes = [_size(size) for size in (self.new_bytes, self.there_bytes, self.free_bytes)]
            found.append("{} of vectors to write beside {}; {} of disk are free".format(*sizes))
        return found


def plan_reembed(
    work: CorpusWork,
    embedder: Embedder,
    *,
    options: ReembedOptions,
    pounds_per_hour: float,
    speed: Mapping[str, Any],
) -> ReembedPlan:
    """Count what is to be done and written, and foretell how long it takes here.

    The speed is that of an earlier run where one was long enough, else that of some of these very texts, encoded for a
    second or so. Workers of a cluster may be any number, so nothing is foretold of them.

    Args:
        pounds_per_hour: Of this machine; 0: not known.
        speed: What `speed_record` gave of an earlier run; empty: there was none.
    """
    texts, chars, dim = len(work.rows), work.chars, embedder.dimension
    again = min(options.verify_sample, work.passages)
    seconds, how = None, "the workers that come decide"
    if texts and options.engine == "local" and processes().rank == 0:
        per_char, how = _speed(work, embedder, speed)
        seconds = per_char * chars * (1 / processes().count + again / texts)
    new_bytes = 4 * dim * work.written
    return ReembedPlan(
        passages=work.passages,
        texts=texts,
        taken_over=work.taken_over,
        seconds=seconds,
        how=how,
        pounds=seconds / 3600 * pounds_per_hour if seconds is not None and pounds_per_hour else None,
        new_bytes=new_bytes,
        disk_bytes=new_bytes + IDS_BYTES * work.written + TOKEN_BYTES * chars + OVERHEAD_BYTES * texts,
        there_bytes=_there(work.folder.parent),
        free_bytes=_free(work.folder),
    )


def refuse_full_disk(plan: ReembedPlan, folder: Path) -> None:
    """Refuse to begin what the disk has no room for: old and new vectors lie side by side.

    Args:
        folder: Of the new vectors.

    Raises:
        StageFailed: More will be written than is free.
    """
    if plan.disk_bytes > plan.free_bytes:
        raise StageFailed(
            "E1304",
            f"the new vectors take {_size(plan.disk_bytes)} in {folder}, and {_size(plan.free_bytes)} are free",
            fix="free some: lexitune models tells which may go, and lexitune models rm ID removes one",
        )


def speed_record(work: CorpusWork, embedder: Embedder, *, seconds: float, earlier: Mapping[str, Any]) -> dict[str, Any]:
    """How fast a run was, for the next one's plan; what was known before, where it was too short to tell."""
    if len(work.rows) < MEASURED:
        return dict(earlier)
    return {"seconds": seconds * processes().count, "chars": work.chars, "of": _machine(embedder)}


def _speed(work: CorpusWork, embedder: Embedder, earlier: Mapping[str, Any]) -> tuple[float, str]:
    """Seconds a character, and where they come from."""
    if earlier.get("of") == _machine(embedder):
        return float(earlier["seconds"]) / float(earlier["chars"]), "by the last run's speed"
    most = min(PROBE_MOST, max(8, len(work.rows) // 10))  # a tenth of the work at most
    embedder.encode_docs(work.sample(4)[0])  # what is made ready once is no speed
    count = min(8, most)
    while True:
        some, chars = work.sample(count)
        start = time.monotonic()
        embedder.encode_docs(some)
        took = time.monotonic() - start
        if took >= PROBE_S or count == most:
            return took / chars, f"by the speed of {len(some):,} of these texts"
        count = min(4 * count, most)


def _machine(embedder: Embedder) -> list[Any]:
    """What a speed is of: another model of the same size, here, is as fast."""
    parameters = sum(weight.numel() for weight in embedder.model.parameters())
    device = embedder.network.device.type
    return [platform.node(), device, embedder.precision, embedder.spec.max_length, parameters]


def _there(vectors: Path) -> int:
    """Bytes of vectors, without the cache of tokens beside them."""
    found = (path for path in vectors.rglob("*.npy") if TOKENS not in path.relative_to(vectors).parts)
    return sum(path.stat().st_size for path in found)


def _free(folder: Path) -> int:
    """Bytes that are free where a folder is, or will be."""
    there = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    return shutil.disk_usage(there).free


def _duration(seconds: float) -> str:
    """
    >>> _duration(0.2), _duration(99), _duration(138), _duration(9000)
    ('1 s', '99 s', '2.3 min', '2.5 h')
    """
    if seconds < 100:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.1f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _size(count: float) -> str:
    """
    >>> _size(4_000), _size(98_765_432), _size(32_100_000_000)
    ('0.0 MB', '98.8 MB', '32.1 GB')
    """
    return f"{count / 1e6:,.1f} MB" if count < 1e9 else f"{count / 1e9:,.1f} GB"
