"""The families of models that are known beside their weights: one row each, as their authors publish them.

Prompts, lengths, sizes and licences are those of mteb's registry, pooling that of each model's own configuration. What
is not known is left empty or 0: a loaded model says its own pooling, length and dimension.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["FAMILIES", "Family", "family_table"]


@dataclass(frozen=True, slots=True)
class Family:
    """Models that share all but their size.

    Args:
        models: Dimension by Hub id.
        query_prompt: Stands before every query, its blank included.
        doc_prompt: Stands before every passage.
        pooling: As in `ModelSpec`; empty: not known.
        normalise: Vectors have unit length.
        max_length: Longest text in tokens; 0: not known.
        licence: SPDX identifier or the Hub's name for it, in lower case; empty: not known.
        remote_code: The published folder brings code of its own.
    """

    models: Mapping[str, int]
    query_prompt: str = ""
    doc_prompt: str = ""
    pooling: str = "mean"
    normalise: bool = True
    max_length: int = 512
    licence: str = "apache-2.0"
    remote_code: bool = False


BGE_EN = "Represent this sentence for searching relevant passages: "
BGE_ZH = "为这个句子生成表示以用于检索相关文章："  # noqa: RUF001  their colon is full width
INSTRUCT = "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:"
NOMIC = ("search_query: ", "search_document: ")
SIZES = {"small": 384, "base": 768, "large": 1024}
SIZES_ZH = {**SIZES, "small": 512}


def _sizes(pattern: str, sizes: Mapping[str, int] = SIZES) -> dict[str, int]:
    return {pattern.format(size): dimension for size, dimension in sizes.items()}


FAMILIES = (
    Family(_sizes("BAAI/bge-{}-en"), BGE_EN, pooling="cls", licence="mit"),
    Family(_sizes("BAAI/bge-{}-en-v1.5"), BGE_EN, pooling="cls", licence="mit"),
    Family(_sizes("BAAI/bge-{}-zh", SIZES_ZH), BGE_ZH, pooling="cls", licence="mit"),
    Family(_sizes("BAAI/bge-{}-zh-v1.5", SIZES_ZH), BGE_ZH, pooling="cls", licence="mit"),
    Family({"BAAI/bge-m3": 1024}, pooling="cls", max_length=8192, licence="mit"),
    Family(_sizes("intfloat/e5-{}"), "query: ", "passage: ", licence="mit"),
    Family(_sizes("intfloat/e5-{}-v2"), "query: ", "passage: ", licence="mit"),
    Family(_sizes("intfloat/multilingual-e5-{}"), "query: ", "passage: ", licence="mit"),
    Family({"intfloat/multilingual-e5-large-instruct": 1024}, f"{INSTRUCT} ", licence="mit"),
    Family(
        {"nomic-ai/nomic-embed-text-v1": 768, "nomic-ai/nomic-embed-text-v1.5": 768},
        *NOMIC, max_length=8192, remote_code=True,
    ),
    Family({"nomic-ai/modernbert-embed-base": 768}, *NOMIC, max_length=8192),
    Family({"mixedbread-ai/mxbai-embed-large-v1": 1024}, BGE_EN, pooling="cls"),
    Family({"mixedbread-ai/mxbai-embed-xsmall-v1": 384}, pooling=""),
    Family(_sizes("Snowflake/snowflake-arctic-embed-{}", {"xs": 384, "s": 384, "m": 768, "l": 1024}), BGE_EN,
           pooling="cls"),
    Family({"Snowflake/snowflake-arctic-embed-m-long": 768}, BGE_EN, pooling="cls", max_length=2048, remote_code=True),
    Family({"Snowflake/snowflake-arctic-embed-m-v1.5": 768}, BGE_EN, pooling="cls"),
    Family({"Snowflake/snowflake-arctic-embed-m-v2.0": 768}, "query: ", pooling="cls", max_length=8192,
           remote_code=True),
    Family({"Snowflake/snowflake-arctic-embed-l-v2.0": 1024}, "query: ", pooling="cls", max_length=8192),
    Family(_sizes("thenlper/gte-{}"), licence="mit"),
    Family(_sizes("Alibaba-NLP/gte-{}-en-v1.5", {"base": 768, "large": 1024}), pooling="cls", max_length=8192,
           remote_code=True),
    Family({"Alibaba-NLP/gte-modernbert-base": 768}, pooling="cls", normalise=False, max_length=8192),
    Family({"Alibaba-NLP/gte-multilingual-base": 768}, pooling="cls", max_length=8192, remote_code=True),
    Family(_sizes("ibm-granite/granite-embedding-{}", {"30m-english": 384, "125m-english": 768,
                  "107m-multilingual": 384, "278m-multilingual": 768}), pooling="cls"),
    Family(_sizes("ibm-granite/granite-embedding-{}", {"small-english-r2": 384, "english-r2": 768}), pooling="cls",
           max_length=8192),
    Family(_sizes("Qwen/Qwen3-Embedding-{}", {"0.6B": 1024, "4B": 2560, "8B": 4096}), INSTRUCT, pooling="lasttoken",
           max_length=32768),
    Family({"google/embeddinggemma-300m": 768}, "task: search result | query: ", "title: none | text: ",
           max_length=2048, licence="gemma"),
    Family({"jinaai/jina-embeddings-v2-small-en": 512, "jinaai/jina-embeddings-v2-base-en": 768}, max_length=8192,
           remote_code=True),
    # v3 and v4 put adapters, not words, before a text; v5 both.
    Family({"jinaai/jina-embeddings-v3": 1024}, max_length=8192, licence="cc-by-nc-4.0", remote_code=True),
    Family({"jinaai/jina-embeddings-v4": 0}, pooling="", max_length=0, licence="cc-by-nc-4.0", remote_code=True),
    Family({"jinaai/jina-embeddings-v5-text-nano": 768, "jinaai/jina-embeddings-v5-text-small": 1024}, "Query: ",
           "Document: ", pooling="", max_length=0, licence="cc-by-nc-4.0", remote_code=True),
    Family({"nvidia/Nemotron-3-Embed-1B-BF16": 2048}, "query: ", "passage: ", pooling="", max_length=0,
           licence="openmdw-1.1"),
    Family({"sentence-transformers/all-MiniLM-L6-v2": 384}, max_length=256),
    Family({"sentence-transformers/all-MiniLM-L12-v2": 384}, max_length=128),
    Family({"sentence-transformers/all-mpnet-base-v2": 768}, max_length=384),
    Family(
        _sizes("sentence-transformers/multi-qa-{}-cos-v1", {"MiniLM-L6": 384, "distilbert": 768, "mpnet-base": 768}),
        licence="",
    ),
    Family({"sentence-transformers/multi-qa-mpnet-base-dot-v1": 768}, pooling="cls", normalise=False, licence=""),
)  # fmt: skip


def family_table() -> str:
    """The families as a Markdown table, the one in docs/models.md."""
    head = ["models", "query prompt", "passage prompt", "pooling", "dimension", "tokens", "licence", "own code"]
    rows = [head, ["---"] * len(head)]
    for family in FAMILIES:
        dimensions = dict.fromkeys(str(one) for one in family.models.values() if one)
        pooling = family.pooling if family.normalise or not family.pooling else f"{family.pooling}, not unit length"
        rows.append(
            [
                "<br>".join(family.models),
                _code(family.query_prompt),
                _code(family.doc_prompt),
                pooling,
                ", ".join(dimensions),
                str(family.max_length or ""),
                family.licence,
                "yes" if family.remote_code else "",
            ]
        )
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def _code(prompt: str) -> str:
    text = prompt.replace("\n", "\\n").replace("|", "\\|")
    return f"`{text}`" if text else ""
