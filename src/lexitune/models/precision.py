"""What the hardware computes in: number format, matrix products, memory. Decided by what it is, never by timing."""

from __future__ import annotations

import copy
import ctypes
import functools
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from lexitune.errors import UsageError

__all__ = [
    "choose_precision",
    "copy_in",
    "fast_math",
    "matmul_gflops",
    "matmul_precision",
    "spare_memory",
    "tune_allocator",
]

BLOCKS_OF_A_LAYER = 2  # attention, and what follows it
TRUE_FP32 = 1e-5  # relative error: float32 products stay below 1e-6, bf16 products are near 3e-3

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # malloc.h of glibc


def choose_precision(requested: str, *, device: torch.device) -> str:
    """`fp32`, `bf16` or `fp16`. `auto` takes bf16 only where the hardware multiplies in it.

    Elsewhere bf16 is emulated, and two orders of magnitude slower than fp32. fp16 is never chosen by itself: its range
    is narrow, and a model trained in bf16 may leave it.

    Raises:
        UsageError: fp16 without a GPU: no processor here multiplies in it.
    """
    if requested == "fp16" and device.type != "cuda":
        raise UsageError(
            "E2105",
            "precision fp16 needs a CUDA device",
            fix="take --precision auto; an index made in fp16 is made again with lexitune reembed --precision auto",
        )
    if requested != "auto":
        return requested
    if device.type == "cuda":
        return "bf16" if torch.cuda.get_device_capability(device) >= (8, 0) else "fp32"
    able = torch.cpu.get_capabilities()
    return "bf16" if able.get("avx512_bf16") or able.get("amx_bf16") else "fp32"


@contextmanager
def fast_math(device: torch.device) -> Iterator[None]:
    """Within the block, float32 matrix products take the faster library where it computes in true float32.

    PyTorch's default sends them to MKL, which leaves AVX-512 unused on AMD processors; "medium"
    sends them to oneDNN, more than twice as fast there. On a processor with AMX the same setting
    would compute in bf16, so it stays off. The old setting comes back at the end.
    """
    if device.type != "cpu" or not _onednn_is_true_fp32():
        yield
        return
    with matmul_precision("medium"):
        yield


@contextmanager
def matmul_precision(name: str) -> Iterator[None]:
    """Within the block, float32 matrix products are computed as PyTorch's `highest`, `high` or `medium` says."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(name)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


@functools.cache
def _onednn_is_true_fp32() -> bool:
    able = torch.cpu.get_capabilities()
    if "AMD" not in str(able.get("cpu_name", "")) or not able.get("avx512_f") or able.get("amx_tile"):
        return False
    seed = torch.Generator().manual_seed(0)
    left, right = torch.randn(64, 256, generator=seed), torch.randn(64, 256, generator=seed)
    exact = left.double() @ right.double().T
    with matmul_precision("medium"):
        error = (torch.nn.functional.linear(left, right) - exact).norm() / exact.norm()
    return bool(error < TRUE_FP32)


def matmul_gflops(precision: str, *, device: str = "cpu") -> int | None:
    """GFLOP/s of a device in a large product, the best of twenty; None: it would have to emulate the format.

    Args:
        precision: `fp32` or `bf16`.
        device: `cpu` or `cuda`.
    """
    place = torch.device(device)
    if precision == "bf16" and choose_precision("auto", device=place) != "bf16":
        return None
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    rows, inner, columns = (2048, 1024, 1024) if place.type == "cpu" else (8192, 8192, 8192)
    left = torch.randn(rows, inner, dtype=dtype, device=place)
    right = torch.randn(columns, inner, dtype=dtype, device=place)
    best = float("inf")
    with fast_math(place):
        for _ in range(20):
            _wait_for(place)
            start = time.perf_counter()
            torch.nn.functional.linear(left, right)
            _wait_for(place)
            best = min(best, time.perf_counter() - start)
    return round(2 * rows * inner * columns / best / 1e9)


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def copy_in(dtype: torch.dtype, trunk: torch.nn.Module, *, learns: bool = False) -> torch.nn.Module:
    """A copy of the trunk that computes in `dtype`.

    Only parameters change type: buffers such as rotary frequencies lose positions in bf16.

    On a processor the table of words gets a sparse gradient: filling a dense one, nearly all zeros, and adding it to
    the masters' takes longer than the layers' own. On a GPU rows are added up in no fixed order: there it stays dense.

    Args:
        learns: It is for training: sums that a gradient suffers from are kept in fp32, on a processor.
    """
    shadow: Any = copy.deepcopy(trunk)
    for parameter in shadow.parameters():
        parameter.data = parameter.data.to(dtype)
    table = shadow.get_input_embeddings()
    if table.weight.device.type == "cpu":
        if isinstance(table, torch.nn.Embedding):
            table.sparse = True
        if learns:
            _add_in_fp32(shadow, dtype)
    return shadow  # type: ignore[no-any-return]


def _add_in_fp32(trunk: torch.nn.Module, dtype: torch.dtype) -> None:
    """Let the top sixth of BERT's layers add their outputs to what came in, and normalise it, in fp32.

    Rounding these sums is most of what a gradient in bf16 is off by, and what the top layer rounds reaches all others.
    Each further layer costs as much time and gives a tenth as much.
    """
    blocks: list[Any] = [
        module
        for module in trunk.modules()
        if isinstance(getattr(module, "dense", None), torch.nn.Module)
        and isinstance(getattr(module, "LayerNorm", None), torch.nn.LayerNorm)
    ]
    for block in blocks[-max(BLOCKS_OF_A_LAYER, len(blocks) // 6) :]:
        block.dense.register_forward_hook(_widen)
        block.LayerNorm.float()
        block.LayerNorm.register_forward_hook(functools.partial(_narrow, dtype))


def _widen(_: torch.nn.Module, __: Any, output: torch.Tensor) -> torch.Tensor:
    return output.float()


def _narrow(dtype: torch.dtype, _: torch.nn.Module, __: Any, output: torch.Tensor) -> torch.Tensor:
    return output.to(dtype)


@functools.cache
def spare_memory() -> None:
    """Let oneDNN and what stands between it and PyTorch keep few of the kernels that they make, one for each shape of a
    batch: 1,024 of them, which is their habit, take 100 MB and more.

    They ask once, when they first multiply; a capacity that the user has set stays.
    """
    for name in ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"):
        os.environ.setdefault(name, "16")


@functools.cache
def tune_allocator() -> None:
    """Let glibc keep freed memory for the next batch, once for the process; nothing is done elsewhere.

    Each batch frees and asks again for the same large blocks. By default every one goes back to
    the kernel and returns page by page, zeroed: a quarter of a training step.
    """
    if platform.system() == "Linux" and platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
