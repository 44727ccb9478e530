"""Options records become flags, and parsed flags become options records again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

import click

from lexitune.pipeline.sections import SECTIONS
from lexitune.settings import build, check_value, field_type, flag_of, read_toml, section_of

__all__ = ["SectionOption", "option_flags", "read_options"]

LONGEST_METAVAR = 40  # beside the flag, in 80 columns; longer lists of choices stand in the help text
METAVARS = {int: "N", float: "X", str: "TEXT"}


class OptionValue(click.ParamType[Any]):
    """A value of an options record's field, checked by the same rule as the line of `lexitune.toml`."""

    def __init__(self, kind: type, option: Field[Any], flag: str) -> None:
        self.kind, self.option, self.flag = kind, option, flag
        self.name = METAVARS.get(field_type(kind, option)[0], "")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The value in the field's type.

        Raises:
            UsageError: It is of the wrong kind, not among the choices, or out of range.
        """
        wanted = field_type(self.kind, self.option)[0]
        if isinstance(value, str) and value and wanted in (int, float):
            with suppress(ValueError):  # what cannot be read stays a text, so that the check refuses it as given
                value = wanted(value)
        checked = check_value(self.kind, self.option, value, label=self.flag)
        return "" if checked is None else checked


class SectionOption(click.Option):
    """One field of an options record as a flag; `section` is its place in `lexitune.toml`."""

    def __init__(self, kind: type, option: Field[Any], flag: str) -> None:
        self.section, self.key = section_of(kind), option.name
        switch = field_type(kind, option)[0] is bool
        names = f"{flag}/--no-{flag.removeprefix('--')}" if switch else flag
        choices = "|".join(option.metadata.get("choices", ()))
        super().__init__(
            [names, f"{self.section}__{self.key}"],
            type=click.BOOL if switch else OptionValue(kind, option, flag),
            default=None,
            help=_help(option),
            metavar=choices if 0 < len(choices) <= LONGEST_METAVAR else None,
        )


def _help(option: Field[Any]) -> str:
    meaning: str = option.metadata["help"]
    choices = option.metadata.get("choices", ())
    if len("|".join(choices)) > LONGEST_METAVAR:
        meaning += f": {', '.join(choices)}"
    if option.default is None:
        return meaning
    default = {True: "yes", False: "no"}[option.default] if isinstance(option.default, bool) else option.default
    return f"{meaning}  [default: {default}]"


def option_flags(command: str, kinds: Sequence[type]) -> list[SectionOption]:
    """The flags of a command that takes these options.

    A flag that two sections share gets the section as prefix (`--train-seed`), except in the section
    that bears the command's own name.
    """
    shared = Counter(flag_of(option) for kind in kinds for option in fields(kind))
    made = []
    for kind in kinds:
        for option in fields(kind):
            flag = flag_of(option)
            if shared[flag] > 1 and section_of(kind) != command:
                flag = f"--{section_of(kind)}-{flag.removeprefix('--')}"
            made.append(SectionOption(kind, option, flag))
    return made


def read_options(params: Mapping[str, Any], kinds: Sequence[type], *, config: Path) -> dict[str, Any]:
    """Section -> options record: a flag wins over `lexitune.toml`, and that over the default.

    The whole file is checked, whichever sections are asked for.

    Raises:
        UsageError: The file has an unknown key or a wrong value.
    """
    written = read_toml(config, SECTIONS)
    records: dict[str, Any] = {}
    for kind in kinds:
        section = section_of(kind)
        given = {name.partition("__")[2]: value for name, value in params.items() if name.startswith(f"{section}__")}
        records[section] = build(kind, written.get(section, {}), given)
    return records
