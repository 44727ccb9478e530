"""How an application uses a model: code for the libraries that people search with, prompts applied on both sides.

Each piece ends with `queries` and `passages`, vectors of a sample each: tests run it, and compare them with ours.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lexitune.errors import UsageError
from lexitune.models.record import ADAPTER
from lexitune.models.spec import ModelSpec
from lexitune.settings import did_you_mean

__all__ = ["LIBRARIES", "PASSAGE", "QUERY", "SENTENCE_TRANSFORMERS", "Place", "snippet"]

SENTENCE_TRANSFORMERS = "sentence-transformers>=6.2"
"""What reads the folders that this lexitune writes: an older one does not know the names of their modules."""

QUERY, PASSAGE = "what you look for", "what may answer it"
"""The samples that stand in every piece."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the code finds the model.

    Args:
        name: Its folder, or its id on the Hub.
        on_hub: Which of the two.
        has_map: It has a query adapter: query vectors go through a matrix, which no library applies by itself.
    """

    name: str
    on_hub: bool = False
    has_map: bool = False

    @property
    def quoted(self) -> str:
        """The name as it stands in code."""
        return json.dumps(self.name, ensure_ascii=False)

    def model(self, spec: ModelSpec) -> str:
        """The arguments that every library opens the model by."""
        return self.quoted + ", trust_remote_code=True" * spec.remote_code

    def query(self, call: str) -> str:
        """The call that gives a query's vector, through the map where there is one."""
        return f"mapped({call})" if self.has_map else call


@dataclass(frozen=True, slots=True)
class _Code:
    packages: str
    imports: Sequence[str]
    body: str


def snippet(library: str, place: Place, spec: ModelSpec) -> str:
    """Python code that encodes queries and passages as `encode_queries` and `encode_docs` do.

    Prompts, length and normalising stay the folder's, so that there is no second copy to go stale. They are written out
    where a library overrules the folder.

    Args:
        library: One of `LIBRARIES`.

    Raises:
        UsageError: No such library.

    Example:
        >>> code = snippet("sentence-transformers", Place("models/law"), ModelSpec("law", "models/law"))
        >>> code.splitlines()[3]
        'model = SentenceTransformer("models/law")'
    """
    if library not in _WRITERS:
        raise UsageError("E2003", f"there is no code for '{library}'", fix=did_you_mean(library, LIBRARIES))
    code = _WRITERS[library](place, spec)
    imports, mapping = list(code.imports), ""
    if place.has_map:
        imports += ["import numpy as np", "from safetensors.numpy import load_file"]
        imports += ["from huggingface_hub import hf_hub_download"] if place.on_hub else []
        mapping = _mapping(place, spec)
    ordered = sorted(imports, key=lambda line: (line.startswith("from"), line))
    body = mapping + code.body
    gap = ["", ""] if body.startswith("class ") else [""]
    return "\n".join([f"# pip install {code.packages}", *ordered, *gap, body])


def _mapping(place: Place, spec: ModelSpec) -> str:
    file = f"{ADAPTER}.safetensors"
    where = f"hf_hub_download({place.quoted}, {file!r})" if place.on_hub else json.dumps(f"{place.name}/{file}")
    unit = "    vector /= np.linalg.norm(vector)\n" if spec.normalise else ""
    return f'''\
weight = load_file({where.replace("'", '"')})["weight"]


def mapped(query: list[float]) -> list[float]:
    """A query's vector through the matrix that was trained."""
    vector = weight @ np.asarray(query, np.float32)
{unit}    return vector.tolist()


'''


def _sentence_transformers(place: Place, spec: ModelSpec) -> _Code:
    query = f'model.encode_query(["{QUERY}"])'
    queries = f"[mapped(query) for query in {query}]" if place.has_map else query
    return _Code(
        f'"{SENTENCE_TRANSFORMERS}"',
        ["from sentence_transformers import SentenceTransformer"],
        f"""\
model = SentenceTransformer({place.model(spec)})
queries = {queries}
passages = model.encode_document(["{PASSAGE}"])
print(model.similarity(queries, passages))
""",
    )


def _langchain(place: Place, spec: ModelSpec) -> _Code:
    # Not its HuggingFaceEmbeddings: that turns line breaks into blanks, which changes the vectors of code, and its
    # package wants a huggingface-hub below 2.
    return _Code(
        f'"{SENTENCE_TRANSFORMERS}" langchain-core',
        [
            "from langchain_core.embeddings import Embeddings",
            "from sentence_transformers import SentenceTransformer",
        ],
        f"""\
class Tuned(Embeddings):
    def __init__(self) -> None:
        self.model = SentenceTransformer({place.model(spec)})

    def embed_query(self, text: str) -> list[float]:
        return {place.query("self.model.encode_query(text).tolist()")}

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return self.model.encode_document(texts).tolist()


embeddings = Tuned()
queries = [embeddings.embed_query("{QUERY}")]
passages = embeddings.embed_documents(["{PASSAGE}"])
""",
    )


def _llamaindex(place: Place, spec: ModelSpec) -> _Code:
    # It puts instructions of its own in place of the folder's prompts, so they are written out.
    tuned = """\
class Tuned(HuggingFaceEmbedding):
    def _get_query_embedding(self, query: str) -> list[float]:
        return mapped(super()._get_query_embedding(query))


"""
    return _Code(
        f'"{SENTENCE_TRANSFORMERS}" llama-index-embeddings-huggingface',
        ["from llama_index.embeddings.huggingface import HuggingFaceEmbedding"],
        f"""\
{tuned if place.has_map else ""}embedding = {"Tuned" if place.has_map else "HuggingFaceEmbedding"}(
    model_name={place.model(spec)},
    query_instruction={json.dumps(spec.query_prompt, ensure_ascii=False)},
    text_instruction={json.dumps(spec.doc_prompt, ensure_ascii=False)},
    max_length={spec.max_length},
    normalize={spec.normalise},
)
queries = [embedding.get_query_embedding("{QUERY}")]
passages = embedding.get_text_embedding_batch(["{PASSAGE}"])
""",
    )


def _haystack(place: Place, spec: ModelSpec) -> _Code:
    component = '''\
@component
class Mapped:
    """Between the text embedder and the retriever of a pipeline."""

    @component.output_types(embedding=list[float])
    def run(self, embedding: list[float]) -> dict[str, list[float]]:
        return {"embedding": mapped(embedding)}


'''
    query = f'for_queries.run("{QUERY}")["embedding"]'
    return _Code(
        f'"{SENTENCE_TRANSFORMERS}" haystack-ai sentence-transformers-haystack',
        [
            f"from haystack import Document{', component' if place.has_map else ''}",
            """\
from haystack_integrations.components.embedders.sentence_transformers import (
    SentenceTransformersDocumentEmbedder,
    SentenceTransformersTextEmbedder,
)""",
        ],
        f"""\
{component if place.has_map else ""}for_queries = SentenceTransformersTextEmbedder(
    model={place.model(spec)}, encode_kwargs={{"prompt_name": "query"}}
)
for_passages = SentenceTransformersDocumentEmbedder(
    model={place.model(spec)}, encode_kwargs={{"prompt_name": "document"}}
)
queries = [{f'Mapped().run({query})["embedding"]' if place.has_map else query}]
documents = for_passages.run([Document(content="{PASSAGE}")])["documents"]
passages = [document.embedding for document in documents]
""",
    )


_WRITERS: dict[str, Callable[[Place, ModelSpec], _Code]] = {
    "sentence-transformers": _sentence_transformers,
    "langchain": _langchain,
    "llamaindex": _llamaindex,
    "haystack": _haystack,
}

LIBRARIES = tuple(_WRITERS)
