"""Every store of ours keeps the contract that plug-ins are held to."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lexitune.stores.store import STORES, open_store
from lexitune.testing import check_store


@pytest.fixture(params=sorted(STORES.table))
def spec(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The spec of an empty store of each kind."""
    specs: dict[str, Callable[[], str]] = {
        "lancedb": lambda: f"lancedb:{tmp_path / 'index.lance'}",
        "pgvector": lambda: f"pgvector:{request.getfixturevalue('postgres')},table=contract",
    }
    return specs[request.param]()


def test_a_store_keeps_its_contract(spec: str) -> None:
    check_store(lambda: open_store(spec))
