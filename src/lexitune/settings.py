"""Options: one frozen dataclass a stage, from which flags, `lexitune.toml` keys and Python keywords are made.

A field of such a dataclass says what it means in `metadata["help"]`; optional keys are `choices`
(the values allowed) and `flag` (a command-line name that differs from the field's).
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import Field, fields
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_type_hints

from lexitune.errors import UsageError

__all__ = ["build", "did_you_mean", "field_type", "flag_of", "read_toml", "section_of", "write_toml"]

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
    given: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            if key not in known:
                place = where or f"[{section_of(options)}]"
                raise UsageError("E2001", f"{place} has no option '{key}'", fix=did_you_mean(key, known))
            if value is not None:
                given[key] = _checked(options, known[key], value, where)
    return options(**given)


def _checked(options: type, option: Field[Any], value: Any, where: str) -> Any:
    kind, _ = field_type(options, option)
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise UsageError(
            "E2002",
            f"{option.name} = {value!r} in {where or section_of(options)} is not {_article(kind)}",
            fix=f"{option.name}: {option.metadata['help']}",
        )
    choices = option.metadata.get("choices")
    if choices and value not in choices:
        raise UsageError("E2002", f"{option.name} = {value!r} is not a choice", fix=did_you_mean(str(value), choices))
    least, most = option.metadata.get("least"), option.metadata.get("most")
    if (least is not None and value < least) or (most is not None and value > most):
        bounds = f"from {least if least is not None else '...'} to {most if most is not None else '...'}"
        raise UsageError("E2002", f"{option.name} = {value!r} is out of range", fix=f"give a value {bounds}")
    return value


def _article(kind: type) -> str:
    return {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}[kind]


def read_toml(path: Path, sections: Mapping[str, type]) -> dict[str, dict[str, Any]]:
    """Read `lexitune.toml` and check every key of every section before anything starts.

    Raises:
        UsageError: Broken TOML, an unknown section or key, a value of the wrong kind.
    """
    if not path.exists():
        return {}
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError("E2002", f"broken TOML: {error}", fix=f"mend {path.name}", at=str(path)) from error
    for section, values in found.items():
        if section not in sections:
            raise UsageError("E2001", f"no section [{section}]", fix=did_you_mean(section, sections), at=str(path))
        if not isinstance(values, dict):
            raise UsageError(
                "E2001",
                f"'{section}' stands outside a section",
                fix=f"known sections: {', '.join(sections)}",
                at=str(path),
            )
        build(sections[section], values, where=f"{path.name} [{section}]")
    return found


def write_toml(sections: Mapping[str, type]) -> str:
    """A complete `lexitune.toml`: every option with its default, commented out, and what it means."""
    lines = ["# Every option of every stage. A line without # is in force; the values shown are the defaults."]
    for section, options in sections.items():
        lines += ["", f"[{section}]"]
        for option in fields(options):
            meaning = option.metadata["help"]
            if choices := option.metadata.get("choices"):
                meaning += f" ({', '.join(map(str, choices))})"
            lines += [f"# {meaning}", f"# {option.name} = {_toml_value(option.default)}"]
    return "\n".join(lines) + "\n"


def _toml_value(value: Any) -> str:
    if value is None:
        return '""  # not set'
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else repr(value)
