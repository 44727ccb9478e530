"""The journey through a store behind a web address: staged, judged, promoted, searched and taken back."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.stores import opensearch_server

from lexitune.cli.main import main
from lexitune.io.workspace import Workspace
from lexitune.models.options import ModelOptions
from lexitune.pipeline.search import search_serving
from lexitune.stages.evaluate import driver as evaluating
from lexitune.stages.promote import driver as promoting
from lexitune.stages.reembed import driver as reembedding
from lexitune.stages.reembed.options import ReembedOptions
from lexitune.stores.store import opened

AddChallenger = Callable[[Workspace, str, Path], None]


@pytest.fixture(params=["opensearch", "qdrant"])
def spec(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "qdrant":
        pytest.importorskip("qdrant_client", reason="the client of Qdrant is missing: pip install 'lexitune[qdrant]'")
        from tests.stores import qdrant_server

        with qdrant_server.serve() as qdrant:
            yield f"qdrant:{qdrant.url}"
    else:
        with opensearch_server.serve() as opensearch:
            yield f"opensearch:{opensearch.url}"


@pytest.mark.filterwarnings("ignore:Payload indexes:UserWarning", "ignore:Local mode:UserWarning")
def test_the_journey(
    toy_workspace: Workspace,
    tiny_model_folder: Path,
    good_model_folder: Path,
    add_challenger: AddChallenger,
    spec: str,
) -> None:
    add_challenger(toy_workspace, "good", good_model_folder)
    own = ModelOptions(precision="fp32", device="cpu")
    reembedding.run(toy_workspace, model_id="good", model=own, options=ReembedOptions(store=spec))
    evaluating.run(toy_workspace, model=ModelOptions(model=str(tiny_model_folder), precision="fp32", device="cpu"))

    assert promoting.run(toy_workspace).answer == "PROMOTE"

    with opened(spec) as store:
        serves = store.serving()
        assert serves in store.indexes()
        assert search_serving(toy_workspace, "w8 w9", k=3, filters={"tenant": ["a"]})[0].doc_id == "d02"
        store.delete(str(serves), ["d02"])  # it is the store that answers
        assert "d02" not in {hit.doc_id for hit in search_serving(toy_workspace, "w8 w9", k=3)}
        promoting.rollback(toy_workspace)
        assert (store.serving(), store.indexes()) == (None, [serves])
    shown = CliRunner().invoke(main, ["-C", str(toy_workspace.root), "indexes"]).stdout
    assert str(serves) in shown
