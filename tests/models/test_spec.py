"""What is known of published models, by exact name."""

from pathlib import Path

import pytest

from lexitune.models.families import FAMILIES, family_table
from lexitune.models.spec import KNOWN, is_non_commercial, known_spec, licence_of

BGE = "Represent this sentence for searching relevant passages: "
INSTRUCT = "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:"


@pytest.mark.parametrize(
    ("name", "query", "doc", "pooling", "dimension", "max_length"),
    [
        ("BAAI/bge-small-en-v1.5", BGE, "", "cls", 384, 512),
        ("BAAI/bge-large-en-v1.5", BGE, "", "cls", 1024, 512),
        ("BAAI/bge-m3", "", "", "cls", 1024, 8192),
        ("intfloat/multilingual-e5-large-instruct", f"{INSTRUCT} ", "", "mean", 1024, 512),
        ("nomic-ai/nomic-embed-text-v1.5", "search_query: ", "search_document: ", "mean", 768, 8192),
        ("nomic-ai/modernbert-embed-base", "search_query: ", "search_document: ", "mean", 768, 8192),
        ("mixedbread-ai/mxbai-embed-large-v1", BGE, "", "cls", 1024, 512),
        ("Snowflake/snowflake-arctic-embed-xs", BGE, "", "cls", 384, 512),
        ("Snowflake/snowflake-arctic-embed-m-v1.5", BGE, "", "cls", 768, 512),
        ("Snowflake/snowflake-arctic-embed-l-v2.0", "query: ", "", "cls", 1024, 8192),
        ("thenlper/gte-base", "", "", "mean", 768, 512),
        ("Alibaba-NLP/gte-modernbert-base", "", "", "cls", 768, 8192),
        ("ibm-granite/granite-embedding-125m-english", "", "", "cls", 768, 512),
        ("ibm-granite/granite-embedding-small-english-r2", "", "", "cls", 384, 8192),
        ("Qwen/Qwen3-Embedding-0.6B", INSTRUCT, "", "lasttoken", 1024, 32768),
        ("google/embeddinggemma-300m", "task: search result | query: ", "title: none | text: ", "mean", 768, 2048),
        ("nvidia/Nemotron-3-Embed-1B-BF16", "query: ", "passage: ", "", 2048, 0),
        ("sentence-transformers/all-mpnet-base-v2", "", "", "mean", 768, 384),
        ("sentence-transformers/multi-qa-mpnet-base-dot-v1", "", "", "cls", 768, 512),
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


@pytest.mark.parametrize(
    ("name", "licence", "remote_code"),
    [
        ("BAAI/bge-m3", "mit", False),
        ("nomic-ai/nomic-embed-text-v1", "apache-2.0", True),
        ("Snowflake/snowflake-arctic-embed-m-v2.0", "apache-2.0", True),
        ("Alibaba-NLP/gte-large-en-v1.5", "apache-2.0", True),
        ("google/embeddinggemma-300m", "gemma", False),
        ("jinaai/jina-embeddings-v2-base-en", "apache-2.0", True),
        ("nvidia/Nemotron-3-Embed-1B-BF16", "openmdw-1.1", False),
    ],
)
def test_licence_and_remote_code_are_known(name: str, licence: str, remote_code: bool) -> None:
    assert (KNOWN[name].licence, KNOWN[name].remote_code) == (licence, remote_code)


def test_the_models_whose_licence_forbids_commercial_use_are_jinas_from_v3_on() -> None:
    found = [name.removeprefix("jinaai/jina-embeddings-") for name in KNOWN if is_non_commercial(KNOWN[name].licence)]

    assert found == ["v3", "v4", "v5-text-nano", "v5-text-small"]


def test_no_two_models_have_one_short_name() -> None:
    names = [name.rpartition("/")[2].lower() for family in FAMILIES for name in family.models]

    assert len(set(names)) == len(names) == len(KNOWN)


def test_the_page_of_models_is_what_the_families_say() -> None:
    page = (Path(__file__).parents[2] / "docs/models.md").read_text(encoding="utf-8")

    assert family_table() in page, "family_table() is the new one"


@pytest.mark.parametrize("folder", ["models/e5-small-v2", "hub/models--intfloat--e5-small-v2/snapshots/ffb93f3bd40478"])
def test_a_copy_is_known_by_its_folder(folder: str) -> None:
    spec = known_spec("copy", Path(folder))

    assert spec is not None
    assert spec.name == "intfloat/e5-small-v2"


@pytest.mark.parametrize("name", ["intfloat/e5-small-unsupervised", "me/bge-small-en-v1.5-law", "unknown"])
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
