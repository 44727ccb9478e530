"""Assessing from the index that serves: its vectors are measured, and nothing of the corpus is encoded again."""

from collections.abc import Callable
from itertools import count

import numpy as np
import psycopg
import pytest
from pgvector.psycopg import register_vector
from psycopg.types.json import Jsonb
from tests.embeddings_server import KEY, vector_of
from tests.embeddings_server import serve as running_server
from tests.heard import Heard

from lexitune.errors import DataError, UsageError
from lexitune.io.workspace import Workspace
from lexitune.models.embedder import Embedder
from lexitune.models.load import load
from lexitune.models.options import ModelOptions
from lexitune.stages.assess import driver
from lexitune.stages.assess.options import AssessOptions
from lexitune.types import Dataset

NUMBERS = count()
Serve = Callable[..., str]


@pytest.fixture
def own(good_model_folder: object) -> ModelOptions:
    return ModelOptions(model=str(good_model_folder), precision="fp32", device="cpu")


@pytest.fixture
def serve(postgres: str, toy_data: Dataset) -> Serve:
    """Puts the toy corpus into a table as some application would, under a model's vectors."""

    def fill(model: Embedder, *, left_out: int = 0, changed: int = 0) -> str:
        table = f"serves{next(NUMBERS)}"
        vectors = model.encode_docs([doc.full_text for doc in toy_data.docs])
        with psycopg.connect(postgres, autocommit=True) as db:
            db.execute("CREATE EXTENSION IF NOT EXISTS vector")
            register_vector(db)
            db.execute(f"CREATE TABLE {table} (id text, content text, meta jsonb, embedding vector)")
            for number, (doc, vector) in enumerate(zip(toy_data.docs, vectors, strict=True)):
                if number >= left_out:
                    text = "old text" if number < left_out + changed else doc.text
                    row = (doc.doc_id, text, Jsonb(dict(doc.metadata)), vector)
                    db.execute(f"INSERT INTO {table} VALUES (%s, %s, %s, %s)", row)
        return f"pgvector:{postgres},table={table}"

    return fill


def recall(workspace: Workspace, model: ModelOptions, spec: str | None) -> float:
    advice = driver.run(workspace, model=model, options=AssessOptions(store=spec))
    return float(advice.evidence["systems"]["stock"]["R@10"]["mean"])


def test_the_live_index_stands_for_stock_and_no_passage_is_encoded(
    toy_workspace: Workspace, own: ModelOptions, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load(options=own)
    spec = serve(model)
    exact = recall(toy_workspace, own, None)
    encoded: list[int] = []
    before = Embedder.encode_docs

    def counting(self: Embedder, texts: list[str], **named: object) -> np.ndarray:
        encoded.append(len(texts))
        return before(self, texts, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(Embedder, "encode_docs", counting)

    assert recall(toy_workspace, own, spec) == pytest.approx(exact)
    assert sum(encoded) <= 16  # the sample that is compared


def test_an_unchanged_index_is_read_once(toy_workspace: Workspace, own: ModelOptions, serve: Serve) -> None:
    spec, heard = serve(load(options=own)), Heard()
    options = AssessOptions(store=spec)

    first = driver.run(toy_workspace, model=own, options=options)
    again = driver.run(toy_workspace, model=own, options=options, talk=heard)

    assert again == first
    assert any("skipped" in line for line in heard.lines)


def test_an_index_of_another_model_is_refused(
    toy_workspace: Workspace, own: ModelOptions, serve: Serve, tiny_model_folder: object
) -> None:
    spec = serve(load(options=ModelOptions(model=str(tiny_model_folder), precision="fp32", device="cpu")))

    with pytest.raises(DataError, match="was not made by") as raised:
        driver.run(toy_workspace, model=own, options=AssessOptions(store=spec))

    assert raised.value.code == "E3145"


def test_passages_that_the_index_lacks_are_named(toy_workspace: Workspace, own: ModelOptions, serve: Serve) -> None:
    with pytest.raises(DataError, match="no vector of 'd00', and lacks 2 of 60") as raised:
        driver.run(toy_workspace, model=own, options=AssessOptions(store=serve(load(options=own), left_out=2)))

    assert raised.value.code == "E3147"


def test_texts_that_differ_are_counted(toy_workspace: Workspace, own: ModelOptions, serve: Serve) -> None:
    heard = Heard()

    driver.run(toy_workspace, model=own, options=AssessOptions(store=serve(load(options=own), changed=3)), talk=heard)

    assert any("3 passages have another text" in line for line in heard.lines)


def test_a_service_encodes_the_queries_and_no_passage_leaves(
    toy_workspace: Workspace, own: ModelOptions, serve: Serve, toy_data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Theirs:
        def encode_docs(self, texts: list[str]) -> np.ndarray:
            return np.array([vector_of(text) for text in texts], dtype=np.float32)

    spec = serve(Theirs())
    with running_server() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        options = AssessOptions(store=spec, store_model="openai:tiny")
        with pytest.raises(UsageError, match="--store-model openai:tiny sends 90 texts"):
            driver.run(toy_workspace, model=own, options=options)
        assert server.texts == []

        advice = driver.run(toy_workspace, model=own, options=options, may_send=lambda told: True)

        assert sorted(server.texts) == sorted(
            toy_data.queries[query_id].text for name in ("train", "dev") for query_id in toy_data.qrels[name]
        )
    assert advice.evidence["systems"]["stock"]["R@10"]["n"] == 90


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (AssessOptions(store_model="openai:m"), "E2012"),
        (AssessOptions(store="pgvector:,table=t", store_model="minilm"), "E2004"),
        (AssessOptions(store="faiss:x"), "E2003"),
    ],
)
def test_options_that_do_not_fit(
    toy_workspace: Workspace, own: ModelOptions, options: AssessOptions, code: str
) -> None:
    with pytest.raises(UsageError) as raised:
        driver.run(toy_workspace, model=own, options=options)

    assert raised.value.code == code
