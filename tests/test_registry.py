"""Registries: the grammar of a spec, the names, and values in their types."""

import importlib
from types import SimpleNamespace

import pytest

from lexitune.errors import LexituneError, UsageError
from lexitune.registry import Registry, Spec, convert_values, parse_spec

STORES = Registry("store", {"toy": f"{__name__}:make_toy", "counter": "collections:Counter"})


def make_toy(
    target: str, *, size: int = 1, rate: float | None = None, fast: bool = False, tag: str = ""
) -> tuple[object, ...]:
    return target, size, rate, fast, tag


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("toy", Spec("toy")),
        ("toy:here", Spec("toy", "here")),
        ("toy:http://localhost:6333,size=2", Spec("toy", "http://localhost:6333", {"size": "2"})),
        ("toy,tag=a=b", Spec("toy", "", {"tag": "a=b"})),
        (r"toy:/data/a\,b,tag=c\,d", Spec("toy", "/data/a,b", {"tag": "c,d"})),
        (r"toy:host=one\,two dbname=x,size=2", Spec("toy", "host=one,two dbname=x", {"size": "2"})),
    ],
)
def test_a_spec_is_read_and_written_back(text: str, spec: Spec) -> None:
    assert parse_spec(text) == spec
    assert str(spec) == text


@pytest.mark.parametrize("text", ["", ":here", "toy,", "toy,size", "toy,=2", "toy,size=1,size=2", "toy:/a,b"])
def test_a_broken_spec_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_spec(text)

    assert caught.value.code == "E2004"


@pytest.mark.parametrize(
    "spec",
    [
        "toy:postgresql://me:se%s@host/shop,size",
        "toy:postgresql://me:se,%s@host/shop,size=2",
        "toy:postgresql://me:se,%s=x@host/shop",
        "toy:postgresql://me:%s@host@other/shop,sise=2",
        "toy:postgresql://me:%s/shop,size=two",
        "toy:me:%s@host/shop,size=two",
        "toy:host=db password='a %s' user=me,size=two",
        "toy:postgresql://host/shop?password=%s&user=me,size",
        ":postgresql://me:%s@host/shop",
    ],
)
def test_a_password_in_a_spec_that_does_not_fit_is_not_told_again(spec: str) -> None:
    with pytest.raises(UsageError) as caught:
        STORES.make(spec % "cret")

    assert "cret" not in str(caught.value)


def test_values_arrive_in_the_types_of_the_factory() -> None:
    made = STORES.make("toy:here,size=2,rate=0.5,fast=true,tag=7")

    assert made == ("here", 2, 0.5, True, "7")


@pytest.mark.parametrize(
    ("spec", "code", "problem"),
    [
        ("toy:x,sise=2", "E2001", "'toy' takes no 'sise'"),
        ("toy:x,size=two", "E2002", "size=two in 'toy:x,size=two' is not a whole number"),
        ("toy:x,rate=fast", "E2002", "rate=fast in 'toy:x,rate=fast' is not a number"),
        ("toy:x,fast=yes", "E2002", "fast=yes in 'toy:x,fast=yes' is not true or false"),
        ("toy", "E2004", "spec 'toy' does not fit: missing a required argument: 'target'"),
        ("tory:x", "E2003", "no store is called 'tory'"),
    ],
)
def test_a_spec_that_does_not_fit_is_refused(spec: str, code: str, problem: str) -> None:
    with pytest.raises(LexituneError) as caught:
        STORES.make(spec)

    assert (caught.value.code, caught.value.problem) == (code, problem)


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        STORES.get("tory")

    assert caught.value.fix == "did you mean 'toy'? known: counter, toy"


def test_only_keywords_of_the_factory_are_keys() -> None:
    with pytest.raises(UsageError, match="takes no 'target'"):
        convert_values(make_toy, Spec("toy", "", {"target": "x"}))


def test_a_plugin_is_found_by_its_entry_point_and_a_built_in_name_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    def points(*, group: str) -> list[SimpleNamespace]:
        assert group == "lexitune.store"
        return [SimpleNamespace(name="plug", load=lambda: "plugin"), SimpleNamespace(name="toy", load=lambda: "other")]

    monkeypatch.setattr(importlib.import_module("lexitune.registry"), "entry_points", points)

    assert STORES.names() == ["counter", "plug", "toy"]
    assert STORES.get("plug") == "plugin"
    assert STORES.get("toy") is make_toy
