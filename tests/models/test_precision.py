"""Precision: bf16 only where the hardware has it, and process settings that come back."""

import pytest
import torch

from lexitune.errors import UsageError
from lexitune.models.precision import choose_precision, fast_math, matmul_gflops, tune_allocator

CPU = torch.device("cpu")


@pytest.mark.parametrize("named", ["fp32", "bf16"])
def test_a_named_precision_is_taken_at_its_word(named: str) -> None:
    assert choose_precision(named, device=CPU) == named


def test_auto_is_bf16_on_a_processor_that_multiplies_in_it_and_fp32_elsewhere() -> None:
    able = torch.cpu.get_capabilities()
    native = bool(able.get("avx512_bf16") or able.get("amx_bf16"))

    assert choose_precision("auto", device=CPU) == ("bf16" if native else "fp32")


@pytest.mark.parametrize("before", ["highest", "high"])
def test_the_matmul_setting_comes_back_even_after_an_error(before: str) -> None:
    saved = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(before)
    try:
        with pytest.raises(KeyError), fast_math(CPU):
            raise KeyError
        assert torch.get_float32_matmul_precision() == before
    finally:
        torch.set_float32_matmul_precision(saved)


def test_fast_products_are_still_float32_products() -> None:
    seed = torch.Generator().manual_seed(1)
    left, right = torch.randn(50, 300, generator=seed), torch.randn(40, 300, generator=seed)
    exact = left.double() @ right.double().T

    with fast_math(CPU):
        error = ((left @ right.T) - exact).norm() / exact.norm()

    assert error < 1e-6  # bf16 would be near 3e-3


def test_the_allocator_may_be_tuned_on_any_system_and_twice() -> None:
    tune_allocator()
    tune_allocator()


def test_fp16_is_refused_where_no_processor_computes_in_it() -> None:
    with pytest.raises(UsageError, match="fp16 needs a CUDA device"):
        choose_precision("fp16", device=torch.device("cpu"))


def test_the_processors_rate_is_that_of_a_format_it_multiplies_in() -> None:
    native = choose_precision("auto", device=CPU) == "bf16"

    assert (matmul_gflops("fp32") or 0) > 1
    assert (matmul_gflops("bf16") is not None) == native
