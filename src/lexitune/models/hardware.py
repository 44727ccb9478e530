"""Devices: memory, peak rates, what an hour costs, and which share of the peak is reached; one table, to be edited."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from lexitune.errors import UsageError
from lexitune.io.processes import processes
from lexitune.models.memory import GB, container_bytes
from lexitune.settings import build, did_you_mean, read_toml

if TYPE_CHECKING:
    import torch

__all__ = ["CPU", "Hardware", "choose_hardware", "device_here", "find_device", "known_hardware", "measured"]

CPU = "cpu"
SHIPPED = Path(str(files("lexitune.models").joinpath("hardware.toml")))


@dataclass(frozen=True)
class Hardware:
    """One row of `hardware.toml`. Rates and shares are what the table says, measured only where it says so."""

    memory_gb: float = field(default=0.0, metadata={"help": "Memory in GB of 10^9 bytes", "least": 0.0})
    bf16_tflops: float = field(default=0.0, metadata={"help": "Peak in bf16, dense, TFLOP/s", "least": 0.0})
    fp32_tflops: float = field(default=0.0, metadata={"help": "Peak in fp32, TFLOP/s", "least": 0.0})
    pounds_per_hour: float = field(default=0.0, metadata={"help": "Pounds an hour", "least": 0.0})
    rate_date: str = field(default="", metadata={"help": "When that price was read"})
    rate_source: str = field(default="", metadata={"help": "Where it was read"})
    share_low: float = field(default=0.25, metadata={"help": "Least share of the bf16 peak", "least": 0.01, "most": 1})
    share_high: float = field(default=0.45, metadata={"help": "Largest share", "least": 0.01, "most": 1})
    classic_low: float = field(
        default=0.25, metadata={"help": "Least share of the fp32 peak, classic trainer", "least": 0.01, "most": 1}
    )
    classic_high: float = field(default=0.6, metadata={"help": "Largest share", "least": 0.01, "most": 1})
    share_source: str = field(default="assumed", metadata={"help": "Where the shares come from"})


def known_hardware(others: Sequence[Path] = ()) -> dict[str, Hardware]:
    """Name -> row, from the table that comes with lexitune and then from `others`, which override single values.

    Raises:
        UsageError: A file that cannot be read, an unknown key, a wrong value, or a new row without memory and peaks;
            each with its line.

    Example:
        >>> known_hardware()["4090"].bf16_tflops
        165.2
    """
    rows: dict[str, dict[str, Any]] = {}
    for path in (SHIPPED, *others):
        for name, values in _read(path).items():
            rows[name] = rows.get(name, {}) | values
            short = [key for key in ("memory_gb", "bf16_tflops", "fp32_tflops") if not rows[name].get(key)]
            if name != CPU and short:
                fix = f"add to [{name}]: {', '.join(f'{key} = ...' for key in short)}"
                raise UsageError("E2002", f"[{name}] has no {', '.join(short)}", fix=fix, at=str(path))
    return {name: build(Hardware, values) for name, values in rows.items()}


def _read(path: Path) -> dict[str, dict[str, Any]]:
    if not path.exists():
        raise UsageError("E2002", f"no such file: {path}", fix="lexitune plan --hardware FILE, a TOML file")
    try:
        names = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        names = {}  # the reader below says what is wrong
    return read_toml(path, dict.fromkeys(names, Hardware))


def choose_hardware(name: str, rows: Mapping[str, Hardware]) -> Hardware:
    """The row of a name.

    Raises:
        UsageError: There is none; the nearest name is told.
    """
    if name not in rows:
        raise UsageError("E2104", f"no device is called '{name}'", fix=did_you_mean(name, rows))
    return rows[name]


def find_device(name: str) -> torch.device:
    """The device that `ModelOptions.device` means.

    Raises:
        UsageError: This machine has no such device.
    """
    import torch

    if name == "auto":
        return torch.device("cuda", processes().place) if torch.cuda.is_available() else torch.device(CPU)
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError("E2104", f"there is no device '{name}'", fix="take auto, cpu, cuda or cuda:N") from error
    if device.type not in (CPU, "cuda") or (device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count()):
        raise UsageError("E2104", f"this machine has no device '{name}'", fix="take --device auto or --device cpu")
    return device


def device_here(rows: Mapping[str, Hardware], device: str = "auto") -> str:
    """The name of this machine's device.

    Args:
        device: As in `ModelOptions`.

    Raises:
        UsageError: No such device, or a GPU that no row describes.
    """
    import torch

    here = find_device(device)
    if here.type == CPU:
        return CPU
    found = torch.cuda.get_device_name(here)
    words = re.split(r"[^A-Za-z0-9]+", found)
    name = next((name for name in rows if name in words), None)
    if name is None:
        raise UsageError(
            "E2104", f"the table of hardware has no '{found}'", fix="give the nearest with --gpu, or add a row"
        )
    return name


def measured(row: Hardware, device: str, *, max_memory: float | None = None) -> Hardware:
    """The row of a device of this machine, with its own memory, and of a processor how fast it multiplies matrices.

    What the table says of the processor stays. Where it does not multiply in bf16, the fp32 rate stands for both: that
    is what is then computed in.

    Args:
        device: As in `ModelOptions`.
        max_memory: GB that the process may hold. It bounds the host's memory, not a GPU's.
    """
    import torch

    here = find_device(device)
    if here.type != CPU:
        return replace(row, memory_gb=round(torch.cuda.get_device_properties(here).total_memory / GB, 1))
    there = row.memory_gb or round(min(psutil.virtual_memory().total, container_bytes()) / GB, 1)
    row = replace(row, memory_gb=min(there, max_memory or there))
    if row.fp32_tflops and row.bf16_tflops:
        return row  # nothing is left to measure
    from lexitune.models.precision import matmul_gflops

    fp32, bf16 = matmul_gflops("fp32"), matmul_gflops("bf16")
    assert fp32 is not None  # every processor multiplies in it
    return replace(
        row, fp32_tflops=row.fp32_tflops or fp32 / 1000, bf16_tflops=row.bf16_tflops or (bf16 or fp32) / 1000
    )
