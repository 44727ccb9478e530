"""Flags: made from the options records, and read with flag over file over default."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from lexitune.cli.options import option_flags, read_options
from lexitune.errors import UsageError
from lexitune.models.options import ModelOptions
from lexitune.pipeline.options import TuneOptions
from lexitune.pipeline.sections import SECTIONS
from lexitune.settings import read_toml, write_toml
from lexitune.stages.evaluate.options import EvaluateOptions
from lexitune.stages.train.options import TrainOptions

ALL = tuple(SECTIONS.values())


def parse(*args: str, kinds: tuple[type, ...] = (ModelOptions, TrainOptions)) -> dict[str, Any]:
    """What click makes of the flags, before the file and the defaults."""
    command = click.Command("train", params=[*option_flags("train", kinds)], callback=lambda **found: found)
    result = CliRunner().invoke(command, args, standalone_mode=False, catch_exceptions=False)
    found: dict[str, Any] = result.return_value
    return found


def flags(command: str, *kinds: type) -> list[str]:
    return [flag for option in option_flags(command, kinds) for flag in option.opts + option.secondary_opts]


@pytest.mark.parametrize("kind", ALL)
def test_every_field_has_a_flag_with_its_help(kind: type) -> None:
    made = option_flags("", [kind])

    assert [option.key for option in made] == [field.name for field in fields(kind)]
    assert all(option.help for option in made)


def test_no_two_flags_of_the_journey_are_equal() -> None:
    names = flags("tune", *ALL)

    assert sorted(set(names)) == sorted(names)


def test_a_flag_that_sections_share_gets_the_section_as_prefix() -> None:
    names = flags("tune", TrainOptions, EvaluateOptions)

    assert "--train-seed" in names
    assert "--evaluate-seed" in names
    assert "--seed" not in names


def test_a_commands_own_section_keeps_the_plain_name() -> None:
    names = flags("train", TrainOptions, EvaluateOptions)

    assert "--seed" in names
    assert "--evaluate-seed" in names


def test_a_flag_wins_over_the_file_and_the_file_over_the_default(tmp_path: Path) -> None:
    config = tmp_path / "lexitune.toml"
    config.write_text("[train]\nepochs = 2\nbatch_size = 64\n")

    options = read_options(parse("--epochs", "3"), (TrainOptions,), config=config)

    assert options == {"train": TrainOptions(epochs=3, batch_size=64)}


def test_a_switch_can_undo_what_the_file_sets(tmp_path: Path) -> None:
    config = tmp_path / "lexitune.toml"
    config.write_text("[tune]\nanyway = true\npromote = false\n")

    assert read_options(parse(kinds=(TuneOptions,)), (TuneOptions,), config=config)["tune"] == TuneOptions(True, False)
    both = parse("--no-anyway", "--promote", kinds=(TuneOptions,))
    assert read_options(both, (TuneOptions,), config=config)["tune"] == TuneOptions(False, True)


def test_an_empty_text_unsets_what_the_file_sets(tmp_path: Path) -> None:
    config = tmp_path / "lexitune.toml"
    config.write_text("[train]\nepochs = 2\n")

    assert read_options(parse("--epochs", ""), (TrainOptions,), config=config)["train"].epochs is None


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        (("--epochs", "two"), "--epochs: 'two' is not a whole number"),
        (("--epochs", "0"), "--epochs: 0 is out of range"),
        (("--temperature", "nan"), "--temperature: nan is out of range"),
        (("--recipe", "defualt"), "--recipe: 'defualt' is not a choice"),
    ],
)
def test_a_wrong_value_is_refused_under_the_name_of_its_flag(args: tuple[str, ...], problem: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(*args)

    assert (caught.value.code, caught.value.problem) == ("E2002", problem)


def test_the_whole_file_is_checked_also_where_another_command_reads_it(tmp_path: Path) -> None:
    config = tmp_path / "lexitune.toml"
    config.write_text("[promote]\nmin_gian = 0.1\n")

    with pytest.raises(UsageError, match=r"lexitune.toml:2: \[promote\] has no option 'min_gian'"):
        read_options({}, (TrainOptions,), config=config)


def test_the_file_of_a_new_workspace_names_every_option_and_changes_none(tmp_path: Path) -> None:
    config = tmp_path / "lexitune.toml"
    config.write_text(write_toml(SECTIONS))

    assert read_options({}, ALL, config=config) == {section: kind() for section, kind in SECTIONS.items()}


def test_every_line_of_that_file_is_valid_when_uncommented(tmp_path: Path) -> None:
    config = tmp_path / "lexitune.toml"
    text = write_toml(SECTIONS)
    names = {field.name for kind in ALL for field in fields(kind)}
    lines = [line[2:] if line[2:].partition(" = ")[0] in names else line for line in text.splitlines()]
    config.write_text("\n".join(lines))

    assert {section: len(values) for section, values in read_toml(config, SECTIONS).items()} == {
        section: len(fields(kind)) for section, kind in SECTIONS.items()
    }
    assert read_options({}, ALL, config=config) == {section: kind() for section, kind in SECTIONS.items()}
