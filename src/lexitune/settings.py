"""Options: one frozen dataclass a stage, from which flags, `lexitune.toml` keys and Python keywords are made.

A field of such a dataclass says what it means in `metadata["help"]`; optional keys are `choices` (the values allowed),
`least` and `most` (both inclusive), `form` (a pattern that the whole text matches), and `flag` (a command-line name
that differs from the field's).
"""

from __future__ import annotations

import difflib
import json
import math
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import Field, fields
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_type_hints

from lexitune.errors import UsageError

__all__ = [
    "build",
    "check_value",
    "did_you_mean",
    "field_type",
    "flag_of",
    "read_pattern",
    "read_toml",
    "section_of",
    "write_toml",
]

T = TypeVar("T")


def section_of(options: type) -> str:
    """`TrainOptions` -> `train`: the section of `lexitune.toml`."""
    return options.__name__.removesuffix("Options").lower()


def flag_of(option: Field[Any]) -> str:
    """`batch_size` -> `--batch-size`, unless the field names its flag."""
    flag: str = option.metadata.get("flag", "--" + option.name.replace("_", "-"))
    return flag


def field_type(options: type, option: Field[Any]) -> tuple[type, bool]:
    """The field's type without None, and whether None is allowed."""
    hint = get_type_hints(options)[option.name]
    if isinstance(hint, UnionType):
        inner = [part for part in get_args(hint) if part is not NoneType]
        return inner[0], len(inner) < len(get_args(hint))
    return hint, False


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Advice for a name that is not among the known ones."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    listed = "known: " + ", ".join(names)
    return f"did you mean '{close[0]}'? {listed}" if close else listed


def build(options: type[T], *layers: Mapping[str, Any], where: str = "") -> T:
    """Make an options record from layers of values; later layers win, None means "not given".

    Raises:
        UsageError: An unknown key (with the nearest known one), a value of the wrong kind or not among the choices.
    """
    known: dict[str, Field[Any]] = {f.name: f for f in fields(options)}  # type: ignore[arg-type]
    place = where or f"[{section_of(options)}]"
    given: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            if key not in known:
                raise UsageError("E2001", f"{place} has no option '{key}'", fix=did_you_mean(key, known))
            if value is not None:
                given[key] = check_value(options, known[key], value, label=f"{key} in {place}")
    return options(**{key: value for key, value in given.items() if value is not None})


def check_value(options: type, option: Field[Any], value: Any, *, label: str) -> Any:
    """The value in the option's type; an empty text means "not set" where the option may be unset.

    Args:
        label: How the user named the option: `--epochs`, or `epochs in lexitune.toml [train]`.

    Raises:
        UsageError: A value of the wrong kind, not among the choices, or out of range.
    """
    kind, may_be_unset = field_type(options, option)
    if value == "" and may_be_unset:
        return None
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        help_text = option.metadata["help"]
        raise UsageError("E2002", f"{label}: {value!r} is not {_article(kind)}", fix=f"{option.name}: {help_text}")
    choices = option.metadata.get("choices")
    if choices and value not in choices:
        raise UsageError("E2002", f"{label}: {value!r} is not a choice", fix=did_you_mean(str(value), choices))
    form = option.metadata.get("form")
    if form and not re.fullmatch(form, str(value)):
        raise UsageError("E2002", f"{label}: {value!r} cannot be read", fix=f"{option.name}: {option.metadata['help']}")
    least, most = option.metadata.get("least"), option.metadata.get("most")
    # Written so that NaN, which compares false with everything, is out of range too.
    within = (least is None or value >= least) and (most is None or value <= most)
    if not within or (isinstance(value, float) and not math.isfinite(value)):
        raise UsageError("E2002", f"{label}: {value!r} is out of range", fix=f"give {_range(kind, least, most)}")
    return value


def _range(kind: type, least: float | None, most: float | None) -> str:
    low = "" if least is None else f" from {least}" if most is not None else f" of {least} or more"
    high = "" if most is None else f" to {most}" if least is not None else f" of {most} or less"
    return _article(kind) + low + high


def _article(kind: type) -> str:
    return {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}[kind]


def read_pattern(text: str, *, flag: str) -> re.Pattern[str]:
    """A regular expression that the user gave; capital letters are small ones.

    Raises:
        UsageError: It is none.
    """
    try:
        return re.compile(text, re.IGNORECASE)
    except re.error as error:
        raise UsageError("E2002", f"{flag}: {error}", fix="give a regular expression, or ''") from error


def read_toml(path: Path, sections: Mapping[str, type]) -> dict[str, dict[str, Any]]:
    """Read `lexitune.toml` and check every key of every section before anything starts.

    Raises:
        UsageError: Broken TOML, an unknown section or key, a value of the wrong kind; each with its line.
    """
    if not path.exists():
        return {}
    try:
        text = path.read_text(encoding="utf-8-sig")
        found = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError("E2002", f"broken TOML: {error}", fix=f"mend {path.name}", at=str(path)) from error
    for section, values in found.items():
        if not isinstance(values, dict):
            at, listed = f"{path}:{_line_of(text, '', section)}", ", ".join(sections)
            raise UsageError("E2001", f"'{section}' stands outside a section", fix=f"sections: {listed}", at=at)
        if section not in sections:
            at = f"{path}:{_line_of(text, section, '')}"
            raise UsageError("E2001", f"no section [{section}]", fix=did_you_mean(section, sections), at=at)
        for key, value in values.items():
            try:
                build(sections[section], {key: value})
            except UsageError as error:
                at = f"{path}:{_line_of(text, section, key)}"
                raise UsageError(error.code, error.problem, fix=error.fix, at=at) from None
    return found


def _line_of(text: str, section: str, key: str) -> int:
    """Number of the line where `key` stands in `section`, or of the section's head for an empty key; 1 if not found."""
    here = ""
    for number, line in enumerate(text.splitlines(), start=1):
        name = line.split("=")[0].split("#")[0].strip()
        if name.startswith("["):
            here = name.strip("[] ").strip("\"'")
            name = ""
        elif not name:
            continue
        if here == section and name.strip("\"'") == key:
            return number
    return 1


def write_toml(sections: Mapping[str, type], given: Mapping[str, object] | None = None) -> str:
    """A complete `lexitune.toml`: every option with what it means.

    Args:
        given: Section -> options record. What differs from its default there is written in force, so that later
            commands need not be told again; everything else stands as a comment.
    """
    lines = ["# Every option of every stage. A line without # is in force; the others show the defaults."]
    for section, options in sections.items():
        lines += ["", f"[{section}]"]
        record = (given or {}).get(section)
        for option in fields(options):
            meaning = option.metadata["help"]
            if choices := option.metadata.get("choices"):
                meaning += f" ({', '.join(map(str, choices))})"
            value = getattr(record, option.name) if record is not None else option.default
            mark = "" if value != option.default else "# "
            lines += [f"# {meaning}", f"{mark}{option.name} = {_toml_value(value)}"]
    return "\n".join(lines) + "\n"


def _toml_value(value: Any) -> str:
    if value is None:
        return '""  # an empty text: not set'
    if isinstance(value, bool):
        return str(value).lower()
    # JSON's escapes are TOML's, and every text of our defaults is one that both write alike.
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
