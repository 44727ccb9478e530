"""Races: two contenders do the same work in turn, each in a process of its own, so that neither keeps the other's
allocator settings, caches or compiled code.

The order is A B B A A B ...: a machine that slows down slows both. Every figure is a ratio within one run; absolute
seconds say something about the machine.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil

from lexitune.models.catalog import packaged_folder
from lexitune.pipeline.data import read
from lexitune.types import Dataset

__all__ = [
    "SETS",
    "Lap",
    "MemoryMeter",
    "Race",
    "Side",
    "anonymous_mb",
    "arguments",
    "cpu_name",
    "hardware",
    "minilm_folder",
    "model_folder",
    "race",
    "real_set",
    "running",
    "show",
]

SETS = ("covid-qa", "medquad", "mitre-attack", "nl2bash", "pubmedqa", "pycode", "scifact", "tatqa", "tldr")
MB = 2**20
SAMPLE_S = 0.1

Work = Callable[[], Any]


@dataclass(frozen=True)
class Side:
    """A contender: `make(**given)` is called once in its own process and returns the work, a function of nothing.

    `make` is a function at the top of a module. What the work returns must pickle: it is compared for agreement.
    """

    make: Callable[..., Work]
    given: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Lap:
    """One round of one side: wall and processor seconds, most anonymous memory above that before, and the result.

    `gpu_mb`: the most that tensors held on the GPU, where there is one.
    """

    seconds: float
    cpu_s: float
    peak_mb: float
    value: Any
    gpu_mb: float = 0.0


@dataclass(frozen=True)
class Race:
    """All rounds of both sides, in order."""

    ours: Sequence[Lap]
    peer: Sequence[Lap]

    def ratios(self, clock: str = "seconds") -> list[float]:
        """How many times longer the peer took, round by round; `clock` is `seconds` or `cpu_s`."""
        return [getattr(b, clock) / getattr(a, clock) for a, b in zip(self.ours, self.peer, strict=True)]

    def to_json(self, clock: str = "seconds") -> dict[str, Any]:
        """The keys that every benchmark's object has, but for `hardware` and `agreement`."""
        ratios = self.ratios(clock)
        return {
            "ours": _side_json(self.ours),
            "peer": _side_json(self.peer),
            "ratio": {"median": statistics.median(ratios), "low": min(ratios), "high": max(ratios)},
            "rounds": len(ratios),
        }


def _side_json(laps: Sequence[Lap]) -> dict[str, Any]:
    return {
        "seconds": statistics.median(lap.seconds for lap in laps),
        "cpu_s": statistics.median(lap.cpu_s for lap in laps),
        "peak_mb": max(lap.peak_mb for lap in laps),
        **({"gpu_mb": most} if (most := max(lap.gpu_mb for lap in laps)) else {}),
    }


def race(ours: Side, peer: Side, *, rounds: int = 5, warm_up: int = 1, threads: int | None = None) -> Race:
    """Run both sides in turn.

    Args:
        warm_up: Rounds that are not counted: imports, first touches, compiled kernels.
        threads: Threads of each side; None: all cores.

    Raises:
        RuntimeError: A side failed; its traceback stands in the message.
    """
    with ExitStack() as stack:
        a, b = (stack.enter_context(running(side, threads)) for side in (ours, peer))
        for _ in range(warm_up):
            a(), b()
        laps: tuple[list[Lap], list[Lap]] = ([], [])
        for number in range(rounds):
            for which in ((0, 1), (1, 0))[number % 2]:
                laps[which].append((a, b)[which]())
            seconds = f"ours {laps[0][-1].seconds:.2f} s, peer {laps[1][-1].seconds:.2f} s"
            sys.stderr.write(f"round {number + 1} of {rounds}: {seconds}\n")
    return Race(*laps)


@contextmanager
def running(side: Side, threads: int | None) -> Iterator[Callable[[], Lap]]:
    """A side in its own process; each call is one round. The process ends with the block."""
    context = multiprocessing.get_context("spawn")
    threads = threads or os.cpu_count() or 1
    # In the environment that it starts with: numpy's OpenBLAS reads it once, when the side's module is imported.
    os.environ |= {"OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "true"}
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there, side, threads))
    process.start()
    there.close()

    def lap() -> Lap:
        here.send("go")
        try:
            answer = here.recv()
        except EOFError as error:
            raise RuntimeError(f"{side.make.__module__}.{side.make.__qualname__}: its process died") from error
        if isinstance(answer, str):
            raise RuntimeError(answer)
        found: Lap = answer
        return found

    try:
        yield lap
    finally:
        here.close()
        process.join(timeout=10)
        process.terminate()


def _serve(pipe: Connection, side: Side, threads: int) -> None:
    import traceback

    import torch

    os.dup2(2, 1)  # what a library prints is no part of the one object that the parent writes
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(threads)
    work: Work | None = None
    while True:
        try:
            pipe.recv()
        except EOFError:
            return
        try:
            if work is None:
                work = side.make(**side.given)
            with MemoryMeter() as meter:
                start, start_cpu = time.perf_counter(), time.process_time()
                value = work()
                gpu_mb = _settle_gpu()
                seconds, cpu_s = time.perf_counter() - start, time.process_time() - start_cpu
            pipe.send(Lap(seconds, cpu_s, meter.peak_mb, value, gpu_mb))
        except Exception:  # told to the parent, which stops the race
            pipe.send(traceback.format_exc())
            return


def _settle_gpu() -> float:
    """Wait for what a GPU has still to do, and tell the most megabytes that it held since this was last asked."""
    import torch

    if not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        return 0.0
    torch.cuda.synchronize()
    most = torch.cuda.max_memory_allocated() / MB
    torch.cuda.reset_peak_memory_stats()
    return most


def _end_with_parent() -> None:
    """A race that is killed takes its sides along: left to themselves they would slow down the next one."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


class MemoryMeter:
    """The most anonymous memory of this process within the block, above what it had on entry, sampled every 0.1 s."""

    def __init__(self) -> None:
        self.peak_mb = 0.0

    def __enter__(self) -> MemoryMeter:
        self._stop, self._before = threading.Event(), anonymous_mb()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self.peak_mb = max(self.peak_mb, anonymous_mb() - self._before)

    def _sample(self) -> None:
        while not self._stop.wait(SAMPLE_S):
            self.peak_mb = max(self.peak_mb, anonymous_mb() - self._before)


def anonymous_mb(pid: int | None = None) -> float:
    """Memory of a process that no file stands behind: memory-mapped vectors do not count, they can be dropped."""
    memory = psutil.Process(pid).memory_info()
    return float(memory.rss - getattr(memory, "shared", 0)) / MB


@cache
def hardware(threads: int | None = None, device: str = "cpu") -> dict[str, Any]:
    """What the figures were measured on, and how fast it multiplies: large products, in a process of their own."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        rates = pool.apply(_matmul_rates, (threads or os.cpu_count() or 1, device))
    return {
        "cpu": cpu_name(),
        "threads": threads or os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30),
        "python": platform.python_version(),
        **rates,
    }


def cpu_name() -> str:
    """The processor's name with family and model, which tell the generation where a cloud hides the name."""
    found: dict[str, str] = {}
    info = Path("/proc/cpuinfo")
    for line in info.read_text(encoding="utf-8").splitlines() if info.exists() else []:
        key, _, value = line.partition(":")
        found.setdefault(key.strip(), value.strip())
    if "model name" not in found:
        return platform.processor() or platform.machine()
    name = f"{found['model name']} (family {found.get('cpu family')}, model {found.get('model')})"
    flags = found.get("flags", "").split()
    widest = next((flag for flag in ("amx_bf16", "avx512_bf16", "avx512f", "avx2") if flag in flags), "")
    return f"{name} {widest}".strip()


def _matmul_rates(threads: int, device: str) -> dict[str, Any]:
    import torch

    from lexitune.models.precision import matmul_gflops

    torch.set_num_threads(threads)
    gpu = {"gpu": torch.cuda.get_device_name()} if device != "cpu" else {}
    # None where a format is emulated, and nobody computes in it.
    rates = {f"{name}_gflops": matmul_gflops(name, device=device) for name in ("fp32", "bf16")}
    return {"torch": torch.__version__, **gpu, **rates}


def minilm_folder() -> Path:
    """Folder of the stock model that the extra `bench` installs."""
    return packaged_folder("minilm")


def model_folder(name: str) -> Path:
    """The folder that `--model` means."""
    return minilm_folder() if name == "minilm" else Path(name)


def real_set(name: str) -> Dataset:
    """One of the shared retrieval sets, from LEXITUNE_DATA or beside the checkout."""
    root = Path(os.environ.get("LEXITUNE_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    if not (root / name).is_dir():
        sys.exit(f"no retrieval set '{name}' in {root}\n  fix: LEXITUNE_DATA=FOLDER python -m benchmarks...")
    return read(root / name)


def arguments(description: str, *, devices: bool = False, rounds: bool = True) -> argparse.ArgumentParser:
    """A parser with what every benchmark takes: --json, --threads; --rounds unless seeds are its rounds; and --device,
    --model with `devices`.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", help="one JSON object, alone on stdout")
    parser.add_argument("--threads", type=int, default=None, help="threads of each side (default: all cores)")
    if rounds:
        parser.add_argument("--rounds", type=int, default=5, help="counted rounds of each side (default 5)")
    if devices:
        parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"), help="of both sides (default cpu)")
        parser.add_argument("--model", default="minilm", help="minilm, or a folder: see benchmarks.full_size")
    return parser


def show(found: Mapping[str, Any], *, as_json: bool) -> None:
    """Write one benchmark's object, or its figures as lines."""
    if as_json:
        sys.stdout.write(json.dumps(found) + "\n")
        return
    for line in _lines(found, ""):
        sys.stdout.write(line + "\n")


def _lines(found: Mapping[str, Any], indent: str) -> Iterator[str]:
    for key, value in found.items():
        if isinstance(value, Mapping) and {"median", "low", "high"} <= value.keys():
            yield f"{indent}{key:<14}{value['median']:.2f}x  [{value['low']:.2f}, {value['high']:.2f}]"
        elif isinstance(value, Mapping):
            yield f"{indent}{key}"
            yield from _lines(value, indent + "  ")
        else:
            yield f"{indent}{key:<14}{value:.4g}" if isinstance(value, float) else f"{indent}{key:<14}{value}"
