"""What is known of published models, by exact name."""

from pathlib import Path

import pytest

from lexitune.models.spec import is_non_commercial, known_spec, licence_of

BGE = "Represent this sentence for searching relevant passages: "


@pytest.mark.parametrize(
    ("name", "query", "doc", "pooling", "dimension", "max_length"),
    [
        ("BAAI/bge-small-en-v1.5", BGE, "", "cls", 384, 512),
        ("BAAI/bge-large-en-v1.5", BGE, "", "cls", 1024, 512),
        ("BAAI/bge-m3", "", "", "cls", 1024, 8192),
        ("intfloat/e5-base-v2", "query: ", "passage: ", "mean", 768, 512),
        ("intfloat/multilingual-e5-small", "query: ", "passage: ", "mean", 384, 512),
        ("sentence-transformers/all-MiniLM-L6-v2", "", "", "mean", 384, 256),
        ("minilm", "", "", "mean", 384, 256),
    ],
)
def test_families_are_known_as_published(
    name: str, query: str, doc: str, pooling: str, dimension: int, max_length: int
) -> None:
    spec = known_spec(name)

    assert spec is not None
    assert (spec.query_prompt, spec.doc_prompt) == (query, doc)
    assert (spec.pooling, spec.dimension, spec.max_length) == (pooling, dimension, max_length)


@pytest.mark.parametrize("folder", ["models/e5-small-v2", "hub/models--intfloat--e5-small-v2/snapshots/ffb93f3bd40478"])
def test_a_copy_is_known_by_its_folder(folder: str) -> None:
    spec = known_spec("copy", Path(folder))

    assert spec is not None
    assert spec.name == "intfloat/e5-small-v2"


@pytest.mark.parametrize("name", ["intfloat/multilingual-e5-large-instruct", "me/bge-small-en-v1.5-law", "unknown"])
def test_a_name_that_only_resembles_a_known_one_is_not_known(name: str) -> None:
    assert known_spec(name) is None


@pytest.mark.parametrize(
    ("readme", "licence"),
    [
        ("---\ntags: [x]\nlicense: CC-BY-NC-4.0\n---\n# A model", "cc-by-nc-4.0"),
        ("---\r\nlicense: 'mit'\r\n---\r\n", "mit"),
        ("---\ntags: [x]\n---\nlicense: mit stands in the text, not in the head", ""),
        ("# no head\nlicense: mit", ""),
    ],
)
def test_the_licence_is_read_from_the_head_of_the_readme(tmp_path: Path, readme: str, licence: str) -> None:
    (tmp_path / "README.md").write_bytes(readme.encode())

    assert licence_of(tmp_path) == licence


def test_no_readme_is_no_licence(tmp_path: Path) -> None:
    assert licence_of(tmp_path) == ""


@pytest.mark.parametrize(
    ("licence", "forbids"),
    [("cc-by-nc-4.0", True), ("CC-BY-NC-SA-4.0", True), ("apache-2.0", False), ("cc-by-4.0", False), ("", False)],
)
def test_only_an_nc_part_forbids_commercial_use(licence: str, forbids: bool) -> None:
    assert is_non_commercial(licence) == forbids
