"""Every store of ours keeps the contract that plug-ins are held to.

LanceDB and PostgreSQL are the real things. Qdrant is its client's local mode behind HTTP, and OpenSearch a small server
of ours that does what its documentation says: they show that the adapters are right about what they ask for, not that
a real server does as they think.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.stores import opensearch_server

from lexitune.stores.store import STORES, open_store
from lexitune.testing import check_store


@pytest.fixture
def qdrant() -> Iterator[str]:
    """The address of Qdrant's local mode behind HTTP."""
    pytest.importorskip("qdrant_client", reason="the client of Qdrant is missing: pip install 'lexitune[qdrant]'")
    from tests.stores.qdrant_server import serve

    with serve() as running:
        yield running.url


@pytest.fixture
def opensearch() -> Iterator[str]:
    """The address of our imitation of OpenSearch."""
    with opensearch_server.serve() as running:
        yield running.url


@pytest.fixture(params=sorted(STORES.table))
def spec(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The spec of an empty store of each kind."""
    specs: dict[str, Callable[[], str]] = {
        "lancedb": lambda: f"lancedb:{tmp_path / 'index.lance'}",
        "opensearch": lambda: f"opensearch:{request.getfixturevalue('opensearch')},table=contract",
        "pgvector": lambda: f"pgvector:{request.getfixturevalue('postgres')},table=contract",
        "qdrant": lambda: f"qdrant:{request.getfixturevalue('qdrant')},table=contract",
    }
    return specs[request.param]()


@pytest.mark.filterwarnings("ignore:Payload indexes:UserWarning", "ignore:Local mode:UserWarning")
def test_a_store_keeps_its_contract(spec: str) -> None:
    check_store(lambda: open_store(spec))
