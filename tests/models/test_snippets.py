"""The code that we hand out runs, and gives the vectors that we give: what is pasted serves what was measured."""

import importlib.util
import re
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from lexitune.errors import UsageError
from lexitune.models.embedder import Embedder
from lexitune.models.load import load
from lexitune.models.options import ModelOptions
from lexitune.models.snippets import LIBRARIES, PASSAGE, QUERY, SENTENCE_TRANSFORMERS, Place, snippet
from lexitune.models.spec import ModelSpec

OPTIONS = ModelOptions(precision="fp32", device="cpu")
ROOT = Path(__file__).resolve().parents[2]
SPEC = ModelSpec("law", "law")
NEEDED = {
    "sentence-transformers": "sentence_transformers",
    "langchain": "langchain_core",
    "llamaindex": "llama_index.embeddings.huggingface",
    "haystack": "haystack_integrations.components.embedders.sentence_transformers",
}
# A line break, blanks at both ends, and more than the 16 tokens that the model reads.
ODD_QUERY = " how do i sort\na list of names "
ODD_PASSAGE = "the cat sat on the mat\n" * 6

Make = Callable[..., Embedder]


@pytest.fixture
def saved(tiny_folder: Path, make_model: Callable[..., SentenceTransformer], tmp_path: Path) -> Make:
    """Saves a tuned model of 16 tokens in the folder `law` and gives it back."""

    def make(*, has_map: bool, normalise: bool = True, prompts: tuple[str, str] = ("find: ", "function: ")) -> Embedder:
        stock = load(str(tiny_folder), options=OPTIONS)
        spec = replace(stock.spec, query_prompt=prompts[0], doc_prompt=prompts[1], max_length=16, normalise=normalise)
        made = Embedder(make_model("mean", normalise=normalise), spec, precision="fp32")
        if has_map:
            noise = np.random.default_rng(0).normal(0, 0.2, (32, 32))
            made.query_map = (np.eye(32) + noise).astype(np.float32)
        made.save(tmp_path / "law")
        return made

    return make


def needs(library: str) -> None:
    try:
        found = importlib.util.find_spec(NEEDED[library])
    except ModuleNotFoundError:
        found = None
    if found is None:
        pytest.skip(f"the package that has {NEEDED[library]} is not installed")


def run(code: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> dict[str, Any]:
    """The names that the code leaves, with odd texts in place of its samples, and nothing sent or asked anywhere."""
    monkeypatch.setenv("HAYSTACK_TELEMETRY_ENABLED", "False")
    monkeypatch.setenv("LLAMA_INDEX_CACHE_DIR", str(folder / "cache"))
    assert QUERY in code
    assert PASSAGE in code
    code = code.replace(f'"{QUERY}"', repr(ODD_QUERY)).replace(f'"{PASSAGE}"', repr(ODD_PASSAGE))
    names: dict[str, Any] = {"__name__": "pasted"}
    exec(compile(code, "pasted.py", "exec"), names)
    return names


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(
    "made_of",
    [
        {"has_map": False},
        {"has_map": True},
        {"has_map": False, "normalise": False},
        {"has_map": True, "normalise": False},
        {"has_map": False, "prompts": ("", "")},
    ],
    ids=["plain", "adapter", "not of unit length", "adapter, not of unit length", "no prompts"],
)
def test_what_is_pasted_gives_our_vectors(
    library: str, made_of: dict[str, Any], saved: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs(library)
    model = saved(**made_of)

    names = run(
        snippet(library, Place(str(tmp_path / "law"), has_map=made_of["has_map"]), model.spec), monkeypatch, tmp_path
    )

    np.testing.assert_allclose(np.asarray(names["queries"]), model.encode_queries([ODD_QUERY]), atol=1e-5)
    np.testing.assert_allclose(np.asarray(names["passages"]), model.encode_docs([ODD_PASSAGE]), atol=1e-5)


def test_the_two_sides_of_the_test_model_differ_so_that_a_prompt_left_out_is_seen(saved: Make) -> None:
    model = saved(has_map=False)

    query, doc = model.encode_queries(["a list"]), model.encode_docs(["a list"])
    assert np.abs(query - doc).max() > 0.01
    assert np.abs(query - model.encode_queries(["a list"], bare=True)).max() > 0.01


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("has_map", [False, True])
def test_a_line_fits_the_terminal(library: str, has_map: bool) -> None:
    code = snippet(library, Place("models/law", has_map=has_map), SPEC)

    assert max(map(len, code.splitlines())) <= 88  # that of the formatter that most people have
    assert not re.search(r"\n{4}|[ \t]\n", code)


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_matrix_of_a_model_on_the_hub_is_the_file_of_that_name(
    library: str, saved: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs(library)
    model = saved(has_map=True)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda repo_id, filename: f"{repo_id}/{filename}")

    place = Place(str(tmp_path / "law"), on_hub=True, has_map=True)
    names = run(snippet(library, place, model.spec), monkeypatch, tmp_path)

    np.testing.assert_allclose(np.asarray(names["queries"]), model.encode_queries([ODD_QUERY]), atol=1e-5)


def test_on_the_hub_the_matrix_is_fetched_and_code_of_the_model_s_own_is_allowed_by_name() -> None:
    place = Place("acme/law", on_hub=True, has_map=True)
    code = snippet("langchain", place, replace(SPEC, remote_code=True))

    assert 'load_file(hf_hub_download("acme/law", "query_adapter.safetensors"))["weight"]' in code
    assert 'SentenceTransformer("acme/law", trust_remote_code=True)' in code


def test_a_prompt_is_written_so_that_python_reads_it_back() -> None:
    prompt = 'Instruct: "find"\nQuery:\t为'
    code = snippet("llamaindex", Place("law"), replace(SPEC, query_prompt=prompt))

    line = next(line for line in code.splitlines() if "query_instruction" in line)
    assert eval(line.partition("=")[2].rstrip(",")) == prompt


def test_another_library_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="no code for 'langchian'") as refusal:
        snippet("langchian", Place("law"), SPEC)

    assert refusal.value.code == "E2003"
    assert "langchain" in refusal.value.fix


def test_the_version_that_is_told_is_the_one_that_we_need() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert any(needed.startswith(f"{SENTENCE_TRANSFORMERS},") for needed in project["dependencies"])
