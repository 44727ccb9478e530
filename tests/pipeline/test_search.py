"""Search with what serves: the model, its own vectors, and a refusal of anything else."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lexitune.errors import DataError, UsageError
from lexitune.io.atomic import replace_text
from lexitune.io.beir import write_docs
from lexitune.io.workspace import Workspace
from lexitune.models.corpus import encode_corpus
from lexitune.models.embedder import Embedder
from lexitune.models.load import load
from lexitune.models.options import ModelOptions
from lexitune.pipeline.search import search_serving
from lexitune.stages.promote.serving import Serving
from lexitune.types import Doc

DOCS = [
    Doc("d1", "Bread is baked from flour, water and yeast.", "Baking", {"tenant": "a"}),
    Doc("d2", "The server listens on port 8080 unless PORT is set.", "", {"tenant": "a"}),
    Doc("d3", "A lease of a flat ends with three months' notice.", "", {"tenant": "b"}),
    Doc("d4", "The database listens on port 5432.", "", {"tenant": "b"}),
]
QUERY = "which port does the web server use"

Serve = Callable[..., Embedder]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path / "work")
    made.root.mkdir()
    write_docs(made.corpus, DOCS)
    return made


@pytest.fixture
def serve(workspace: Workspace, minilm_folder: Path) -> Serve:
    """Lets the stock model serve, with the corpus encoded as the options say."""

    def make(*, precision: str = "fp32", max_length: int | None = None) -> Embedder:
        options = ModelOptions(model=str(minilm_folder), precision=precision, max_length=max_length, device="cpu")
        embedder = load(options=options)
        vectors = encode_corpus(embedder, DOCS, workspace.vectors)
        serving = Serving(str(minilm_folder), f"vectors/{vectors.folder.name}", {})
        replace_text(workspace.serving, serving.to_line())
        return embedder

    return make


def test_the_nearest_passages_come_first_with_the_models_own_scores(workspace: Workspace, serve: Serve) -> None:
    embedder = serve()

    found = search_serving(workspace, QUERY, k=2)

    assert [(hit.rank, hit.doc_id, hit.text) for hit in found] == [(1, "d2", DOCS[1].text), (2, "d4", DOCS[3].text)]
    query, doc = embedder.encode_queries([QUERY])[0], embedder.encode_docs([DOCS[1].full_text])[0]
    assert found[0].score == pytest.approx(float(np.dot(query, doc)), abs=1e-5)


def test_more_are_asked_for_than_there_are(workspace: Workspace, serve: Serve) -> None:
    serve()

    assert len(search_serving(workspace, QUERY, k=50)) == len(DOCS)


def test_a_filter_is_obeyed_and_an_unknown_field_refused(workspace: Workspace, serve: Serve) -> None:
    serve()

    assert [hit.doc_id for hit in search_serving(workspace, QUERY, filters={"tenant": ["b"]})] == ["d4", "d3"]
    assert search_serving(workspace, QUERY, filters={"tenant": ["c"]}) == []
    with pytest.raises(DataError, match="'tenat'"):
        search_serving(workspace, QUERY, filters={"tenat": ["b"]})


def test_the_query_is_encoded_as_the_corpus_was(workspace: Workspace, serve: Serve) -> None:
    # bf16 and a length that no option of the search names: what the vectors record is taken.
    serve(precision="bf16", max_length=16)

    assert search_serving(workspace, QUERY, k=1)[0].doc_id == "d2"


def test_vectors_of_another_model_are_refused(workspace: Workspace, serve: Serve) -> None:
    serve()
    (manifest,) = workspace.vectors.glob("*/manifest.json")
    found = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(found | {"fingerprint": "another"}))

    with pytest.raises(DataError) as caught:
        search_serving(workspace, QUERY)

    assert caught.value.code == "E3145"


def test_vectors_that_are_not_complete_are_refused(workspace: Workspace, serve: Serve) -> None:
    serve()
    (manifest,) = workspace.vectors.glob("*/manifest.json")
    manifest.unlink()

    with pytest.raises(DataError):
        search_serving(workspace, QUERY)


def test_before_the_first_promotion_nothing_serves(workspace: Workspace) -> None:
    with pytest.raises(UsageError) as caught:
        search_serving(workspace, QUERY)

    assert (caught.value.code, caught.value.fix) == ("E2015", "lexitune status tells what is next")


def test_a_switch_that_was_cut_off_is_settled_first(workspace: Workspace, serve: Serve) -> None:
    serve()
    held = workspace.serving.read_text()
    gone = Serving("models/gone", "vectors/gone", {})
    workspace.serving.write_text(gone.to_line())
    entry = {"action": "promote", "serving": json.loads(gone.to_line()), "before": json.loads(held)}
    intent = {"from": held, "to": gone.to_line(), "entry": entry}
    (workspace.root / "switch-intent.json").write_text(json.dumps(intent))

    found = search_serving(workspace, QUERY, k=1)

    assert found[0].doc_id == "d2"
    assert workspace.serving.read_text() == held
