"""The table of hardware: what comes with lexitune, and what a user's own file changes."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from lexitune.errors import UsageError
from lexitune.models.hardware import Hardware, choose_hardware, device_here, known_hardware, measured

ASKED = ["3090", "4090", "5090", "L4", "A10", "A100", "H100", "H200"]


@pytest.mark.parametrize("name", ASKED)
def test_every_card_has_peaks_and_a_rate_with_date_and_source(name: str) -> None:
    row = known_hardware()[name]

    assert row.bf16_tflops > row.fp32_tflops > 0 < row.memory_gb
    assert row.pounds_per_hour > 0
    assert (len(row.rate_date), bool(row.rate_source)) == (10, True)
    assert row.share_low < row.share_high < 1


def test_an_own_table_overrides_single_values_and_adds_rows(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        "[4090]\npounds_per_hour = 0.5\n[mine]\nmemory_gb = 12\nbf16_tflops = 40\nfp32_tflops = 20\n", encoding="utf-8"
    )

    rows = known_hardware([own])

    assert (rows["4090"].pounds_per_hour, rows["4090"].bf16_tflops) == (0.5, 165.2)
    assert rows["mine"].memory_gb == 12.0


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[4090]\n\nmemory_gb = 'much'\n", "own.toml:3: memory_gb in [hardware]: 'much' is not a number"),
        ('["4090"]\nmemroy_gb = 24\n', "own.toml:2: [hardware] has no option 'memroy_gb'"),
        ("[4090]\nshare_low = 2.0\n", "own.toml:2: share_low in [hardware]: 2.0 is out of range"),
        ("[mine]\nmemory_gb = 12\n", "own.toml: [mine] has no bf16_tflops, fp32_tflops"),
        ("[mine\n", "own.toml: broken TOML"),
    ],
)
def test_a_bad_row_is_told_with_its_line(tmp_path: Path, text: str, problem: str) -> None:
    own = tmp_path / "own.toml"
    own.write_text(text, encoding="utf-8")

    with pytest.raises(UsageError) as caught:
        known_hardware([own])

    assert problem in caught.value.args[0]


def test_an_unknown_device_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="no device is called '4080'") as caught:
        choose_hardware("4080", known_hardware())

    assert caught.value.fix.startswith("did you mean '4090'?")


@pytest.mark.parametrize(
    ("found", "name"),
    [("NVIDIA GeForce RTX 4090", "4090"), ("NVIDIA A100-SXM4-80GB", "A100"), ("NVIDIA L4", "L4")],
)
def test_this_machines_card_is_found_by_the_words_of_its_name(
    found: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda _: found)

    assert device_here(known_hardware()) == name
    assert device_here(known_hardware(), "cpu") == "cpu"


def test_a_card_that_no_row_describes_is_not_taken_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda _: "NVIDIA L40S")

    with pytest.raises(UsageError, match="has no 'NVIDIA L40S'"):
        device_here(known_hardware())


def test_the_processors_peaks_are_measured_unless_the_table_has_them() -> None:
    row, told = measured(Hardware(), "cpu"), measured(Hardware(memory_gb=3.0, fp32_tflops=0.7), "cpu")

    assert row.memory_gb > 0.5
    assert row.bf16_tflops >= row.fp32_tflops > 0.001
    assert (told.memory_gb, told.fp32_tflops) == (3.0, 0.7)


def test_the_processors_memory_is_what_the_process_may_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lexitune.models.hardware.container_bytes", lambda: 4e8)

    assert measured(Hardware(), "cpu").memory_gb == 0.4
    assert measured(Hardware(), "cpu", max_memory=0.3).memory_gb == 0.3


def test_a_card_here_says_its_own_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.get_device_properties", lambda _: SimpleNamespace(total_memory=42 * 10**9))

    assert measured(known_hardware()["A100"], "auto", max_memory=1.0).memory_gb == 42.0
