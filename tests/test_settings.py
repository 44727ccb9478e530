"""Options: what is read, what is refused, and that the written file is the read one."""

from dataclasses import dataclass, field, fields
from pathlib import Path

import pytest

from lexitune.errors import UsageError
from lexitune.settings import build, check_value, did_you_mean, field_type, flag_of, read_toml, section_of, write_toml


@dataclass(frozen=True)
class ToyOptions:
    recipe: str = field(default="slow", metadata={"help": "Speed", "choices": ("slow", "fast")})
    batch_size: int | None = field(default=None, metadata={"help": "Pairs", "least": 2, "most": 8})
    rate: float = field(default=0.5, metadata={"help": "Rate", "flag": "--toy-rate"})
    mask: bool = field(default=True, metadata={"help": "Mask"})
    note: str | None = field(default=None, metadata={"help": "Note"})


SECTIONS = {"toy": ToyOptions}
OPTIONS = {option.name: option for option in fields(ToyOptions)}


def test_section_and_flags_come_from_the_names() -> None:
    assert section_of(ToyOptions) == "toy"
    assert flag_of(OPTIONS["batch_size"]) == "--batch-size"
    assert flag_of(OPTIONS["rate"]) == "--toy-rate"


def test_a_type_is_known_with_and_without_none() -> None:
    assert field_type(ToyOptions, OPTIONS["batch_size"]) == (int, True)
    assert field_type(ToyOptions, OPTIONS["rate"]) == (float, False)


def test_later_layers_win_and_none_is_not_given() -> None:
    options = build(ToyOptions, {"recipe": "fast", "rate": 0.1}, {"recipe": None, "rate": 0.2})

    assert options == ToyOptions(recipe="fast", rate=0.2)


def test_an_empty_text_unsets_what_an_earlier_layer_set() -> None:
    assert build(ToyOptions, {"batch_size": 4, "note": "x"}, {"batch_size": "", "note": ""}) == ToyOptions()


def test_an_unknown_key_names_the_nearest_and_the_place() -> None:
    with pytest.raises(UsageError) as caught:
        build(ToyOptions, {"batchsize": 4})

    assert caught.value.code == "E2001"
    assert caught.value.problem == "[toy] has no option 'batchsize'"
    assert caught.value.fix.startswith("did you mean 'batch_size'?")


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("recipe", "fats", "--x: 'fats' is not a choice"),
        ("recipe", 3, "--x: 3 is not a text"),
        ("batch_size", 2.0, "--x: 2.0 is not a whole number"),
        ("batch_size", True, "--x: True is not a whole number"),
        ("batch_size", 1, "--x: 1 is out of range"),
        ("batch_size", 9, "--x: 9 is out of range"),
        ("rate", "0.1", "--x: '0.1' is not a number"),
        ("rate", float("nan"), "--x: nan is out of range"),
        ("rate", float("inf"), "--x: inf is out of range"),
        ("mask", 1, "--x: 1 is not true or false"),
        ("rate", "", "--x: '' is not a number"),
    ],
)
def test_a_wrong_value_is_refused_as_given(name: str, value: object, problem: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_value(ToyOptions, OPTIONS[name], value, label="--x")

    assert caught.value.code == "E2002"
    assert caught.value.problem == problem


def test_bounds_are_inclusive_and_a_whole_number_is_a_number() -> None:
    assert [check_value(ToyOptions, OPTIONS["batch_size"], n, label="") for n in (2, 8)] == [2, 8]
    assert type(check_value(ToyOptions, OPTIONS["rate"], 1, label="")) is float


def test_the_fix_of_a_range_gives_the_range() -> None:
    with pytest.raises(UsageError) as caught:
        check_value(ToyOptions, OPTIONS["batch_size"], 1, label="--x")

    assert caught.value.fix == "give a whole number from 2 to 8"


def test_a_name_far_from_all_lists_all() -> None:
    assert did_you_mean("zzz", ["b", "a"]) == "known: a, b"


def test_a_missing_file_is_no_settings(tmp_path: Path) -> None:
    assert read_toml(tmp_path / "lexitune.toml", SECTIONS) == {}


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    file = tmp_path / "lexitune.toml"
    file.write_bytes(b"\xef\xbb\xbf[toy]\nbatch_size = 4\n")

    assert read_toml(file, SECTIONS) == {"toy": {"batch_size": 4}}


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("[toy]\n\n# a note\nbatch_sise = 4\n", 4, "[toy] has no option 'batch_sise'"),
        ("[toy]\nbatch_size = 1  # too few\n", 2, "batch_size in [toy]: 1 is out of range"),
        ("\n[toys]\nrate = 1\n", 2, "no section [toys]"),
        ("rate = 1\n", 1, "'rate' stands outside a section"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, text: str, line: int, problem: str) -> None:
    file = tmp_path / "lexitune.toml"
    file.write_text(text)

    with pytest.raises(UsageError) as caught:
        read_toml(file, SECTIONS)

    assert caught.value.at == f"{file}:{line}"
    assert caught.value.problem == problem


@pytest.mark.parametrize("data", [b"[toy\n", b"[toy]\nnote = '\xff'\n"])
def test_a_broken_file_is_refused(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "lexitune.toml"
    file.write_bytes(data)

    with pytest.raises(UsageError, match="broken TOML"):
        read_toml(file, SECTIONS)


def test_the_written_file_changes_nothing_until_a_line_is_uncommented(tmp_path: Path) -> None:
    file = tmp_path / "lexitune.toml"
    file.write_text(write_toml(SECTIONS))

    assert read_toml(file, SECTIONS) == {"toy": {}}


def test_every_line_of_the_written_file_can_be_uncommented(tmp_path: Path) -> None:
    file = tmp_path / "lexitune.toml"
    lines = write_toml(SECTIONS).splitlines()
    file.write_text("\n".join(line.removeprefix("# ") if " = " in line else line for line in lines))

    assert build(ToyOptions, read_toml(file, SECTIONS)["toy"]) == ToyOptions()


def test_what_differs_from_its_default_is_written_in_force(tmp_path: Path) -> None:
    file = tmp_path / "lexitune.toml"
    given = ToyOptions(batch_size=4, mask=False, note='a "quoted" \\ é')

    file.write_text(write_toml(SECTIONS, {"toy": given}), encoding="utf-8")

    assert read_toml(file, SECTIONS) == {"toy": {"batch_size": 4, "mask": False, "note": 'a "quoted" \\ é'}}
    assert build(ToyOptions, read_toml(file, SECTIONS)["toy"]) == given
