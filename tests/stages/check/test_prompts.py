"""Prompts: those that texts bring along, and those that a model's folder has lost."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lexitune.io.dataset import Raw
from lexitune.models.spec import ModelSpec
from lexitune.stages.check.prompts import find_lost_prompt, find_prompts
from lexitune.types import FAULT, LOOK, OK, Doc, Query


def raw(*, queries: list[str], docs: list[str]) -> Raw:
    made = {f"q{place}": Query(f"q{place}", text) for place, text in enumerate(queries)}
    return Raw([Doc(f"d{place}", text) for place, text in enumerate(docs)], made, {})


def model(folder: Path, *, query_prompt: str = "") -> Any:
    return SimpleNamespace(spec=ModelSpec("mine", str(folder), query_prompt=query_prompt))


def test_prompts_in_the_texts_are_named_and_counted() -> None:
    found = find_prompts(raw(queries=["query: what is it", "what is it"], docs=["passage: it", "a query: two"]))

    assert (found.mark, found.count, found.examples) == (FAULT, 2, ("q0", "d0"))
    assert "('query:', 'passage:')" in found.said


@pytest.mark.parametrize(
    "text", ["Query by example", "queries: a list", "the query: is", "Represent this sentence well"]
)
def test_words_that_only_look_like_a_prompt_are_none(text: str) -> None:
    assert find_prompts(raw(queries=[text], docs=["a passage"])).mark == OK


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", json.dumps({"_name_or_path": "intfloat/e5-small-v2"})),
        ("README.md", "---\nlicense: mit\nbase_model: intfloat/e5-small-v2\n---\n# Mine\n"),
        ("README.md", "---\nbase_model:\n- intfloat/e5-small-v2\n---\n"),
    ],
)
def test_a_folder_that_lost_its_prompts_is_told_whose_they_are(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")

    found = find_lost_prompt(model(tmp_path))

    assert (found.mark, found.examples) == (LOOK, ("intfloat/e5-small-v2",))
    assert "which wants 'query:' and 'passage:'" in found.said
    assert '{"query": "query: ", "document": "passage: "}' in found.fix
    assert find_lost_prompt(model(tmp_path, query_prompt="search: ")).mark == OK


@pytest.mark.parametrize("origin", ["sentence-transformers/all-MiniLM-L6-v2", "somebody/else", ""])
def test_who_comes_from_a_model_without_prompts_has_lost_none(tmp_path: Path, origin: str) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"_name_or_path": origin}), encoding="utf-8")

    assert find_lost_prompt(model(tmp_path)).mark == OK
    assert find_lost_prompt(model(tmp_path / "absent")).mark == OK
