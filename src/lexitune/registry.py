"""Registries: a name to an object, from built-in tables and entry points, and the one grammar that names them.

name[:target][,key=value]...        qdrant:http://localhost:6333,table=docs

A comma in a target or a value is written `\\,`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import entry_points
from types import NoneType
from typing import Any, get_args

from lexitune.errors import UsageError
from lexitune.settings import did_you_mean

__all__ = ["Registry", "Spec", "convert_values", "masked", "parse_spec"]

COMMA = re.compile(r"(?<!\\),")
SECRETS = (
    # From the colon after the name, or after the user where an address stands alone, to the last @.
    (re.compile(r":(?!//).*@", re.DOTALL), ":***@"),
    # A user and a password whose @HOST was forgotten read like a host and a port, which has digits alone.
    (re.compile(r"(://[^/@:]*:)(?!\d*(?:[/?,]|$))[^/@]*"), r"\1***"),
    (re.compile(r"((?:password|passwd|pwd|secret|token|key)\s*=).*?(?=[\s,&?]+\w+\s*=|$)", re.DOTALL | re.I), r"\1***"),
)


@dataclass(frozen=True, slots=True)
class Spec:
    """A parsed spec. `str(spec)` gives back its text."""

    name: str
    target: str = ""
    values: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        head = f"{self.name}:{_escaped(self.target)}" if self.target else self.name
        return ",".join([head, *(f"{key}={_escaped(value)}" for key, value in self.values.items())])


def parse_spec(text: str) -> Spec:
    """Read `name[:target][,key=value]`. The target may hold colons; a comma in it is written `\\,`.

    Raises:
        UsageError: An empty name, a part without `=`, or a key given twice. A password is not told again.

    Example:
        >>> parse_spec(r"lancedb:/data/a\\,b,table=docs").target
        '/data/a,b'
    """
    head, *parts = (part.replace("\\,", ",") for part in COMMA.split(text))
    name, _, target = head.partition(":")
    if not name.strip():
        raise UsageError("E2004", f"spec {masked(text)!r} has no name", fix="write name[:target][,key=value]")
    values: dict[str, str] = {}
    for number, part in enumerate(parts, start=1):
        key, equals, value = part.partition("=")
        if not equals or not key.strip().isidentifier() or key.strip() in values:
            raise UsageError(
                "E2004",
                f"spec {masked(text)!r}: cannot read what follows comma {number}",
                fix="write each setting once, as key=value, and a comma in a path as '\\,'",
            )
        values[key.strip()] = value.strip()
    return Spec(name.strip(), target.strip(), values)


def masked(text: str) -> str:
    """A spec or an address as an error may show it: without what may be a password, though it be misspelt.

    Example:
        >>> masked("pgvector:postgresql://me:se,cret@host/shop"), masked("lancedb:index,table=docs")
        ('pgvector:***@host/shop', 'lancedb:index,table=docs')
        >>> masked("pgvector:host=db password=secret user=me"), masked("pgvector:postgresql://me:secret/shop")
        ('pgvector:host=db password=*** user=me', 'pgvector:postgresql://me:***/shop')
    """
    for secret, shown in SECRETS:
        text = secret.sub(shown, text)
    return text


def _escaped(text: str) -> str:
    return text.replace(",", "\\,")


@dataclass(frozen=True)
class Registry:
    """Objects of one kind by name.

    Args:
        kind: What they are, in the singular: it stands in errors, and in the group of entry points `lexitune.<kind>`,
            where a blank is written as `-`.
        table: name -> "module:attribute"; nothing is imported until it is asked for.
    """

    kind: str
    table: Mapping[str, str]

    def names(self) -> list[str]:
        """Built-in and plugged-in names, sorted."""
        return sorted({*self.table, *(point.name for point in self._points())})

    def get(self, name: str) -> Any:
        """The object called `name`; a built-in name wins over a plugin's.

        Raises:
            UsageError: No such name; the message names the nearest.
        """
        if name in self.table:
            module, _, attribute = self.table[name].partition(":")
            return getattr(import_module(module), attribute)
        for point in self._points():
            if point.name == name:
                return point.load()
        raise UsageError("E2003", f"no {self.kind} is called '{name}'", fix=did_you_mean(name, self.names()))

    def make(self, text: str) -> Any:
        """Call the factory a spec names, its values checked against the factory's own signature.

        Raises:
            UsageError: An unknown name or key, a value of the wrong type, a target that is missing or not taken.
        """
        spec = parse_spec(text)
        factory = self.get(spec.name)
        given = convert_values(factory, spec)
        target = [spec.target] if spec.target else []
        try:
            inspect.signature(factory).bind(*target, **given)
        except TypeError as error:
            form = f"{spec.name}{inspect.signature(factory)}"
            said = f"spec '{masked(str(spec))}' does not fit: {error}"
            raise UsageError("E2004", said, fix=f"it is made by {form}") from None
        return factory(*target, **given)

    def _points(self) -> Any:
        return entry_points(group=f"lexitune.{self.kind.replace(' ', '-')}")


def convert_values(factory: Callable[..., Any], spec: Spec) -> dict[str, Any]:
    """A spec's values in the types of the factory's keyword parameters.

    Raises:
        UsageError: A key the factory does not take, or a value that is not of its type.
    """
    parameters = {
        name: parameter
        for name, parameter in inspect.signature(factory, eval_str=True).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    given: dict[str, Any] = {}
    for key, value in spec.values.items():
        if key not in parameters:
            shown = key if key in masked(str(spec)) else "***"
            raise UsageError("E2001", f"'{spec.name}' takes no '{shown}'", fix=did_you_mean(key, parameters))
        convert, meaning = CONVERT.get(_without_none(parameters[key].annotation), (str, "a text"))
        try:
            given[key] = convert(value)
        except (KeyError, ValueError):
            said = f"{masked(f'{key}={value}')} in '{masked(str(spec))}' is not {meaning}"
            raise UsageError("E2002", said, fix=f"give {meaning}") from None
    return given


def _without_none(kind: Any) -> Any:
    """`int | None` -> `int`; a union of several types is read as text."""
    inner = [part for part in get_args(kind) if part is not NoneType]
    return inner[0] if len(inner) == 1 else kind


CONVERT: dict[Any, tuple[Callable[[str], Any], str]] = {
    bool: ({"true": True, "false": False}.__getitem__, "true or false"),
    int: (int, "a whole number"),
    float: (float, "a number"),
}
